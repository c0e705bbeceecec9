//! A timestamper of others, reached over HTTP (RFC 3161, 3.4). Owns the limits of time and size, and follows no
//! redirection; whether an answer is a stamp is for others.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use remit_app::stamp::Timestamping;
use remit_evidence::stamp::{ANSWER_BYTES_MAX, ANSWER_TYPE, QUERY_TYPE};

use crate::upstream::http::{HttpClient, client, endpoint};

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A timestamper that is reached over HTTP.
pub struct Remote {
    client: HttpClient,
    uri: Uri,
    patience: Duration,
}

impl Remote {
    /// The way to a timestamper. Nothing is sent yet.
    ///
    /// # Errors
    /// Says in the operator's words what is wrong with the address.
    pub fn new(url: &str) -> Result<Self, String> {
        Ok(Self { client: client()?, uri: endpoint(url)?, patience: PATIENCE })
    }

    /// With this patience instead of the usual one.
    #[must_use]
    pub fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    async fn exchange(&self, query: Vec<u8>) -> Result<Vec<u8>, String> {
        let request = Request::builder().method(Method::POST).uri(self.uri.clone());
        let request = request.header(CONTENT_TYPE, QUERY_TYPE).header(ACCEPT, ANSWER_TYPE);
        let request = request.body(Full::new(Bytes::from(query))).map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| format!("it cannot be reached: {error}"))?;
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if answer.status() != StatusCode::OK {
            return Err(format!("it answered {}", answer.status()));
        }
        if !kind.eq_ignore_ascii_case(ANSWER_TYPE) {
            return Err("what it answered is no answer of a timestamper".into());
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        body.map(|body| body.to_bytes().to_vec()).map_err(|error| format!("its answer was not read: {error}"))
    }
}

#[async_trait]
impl Timestamping for Remote {
    async fn ask(&self, query: Vec<u8>) -> Result<Vec<u8>, String> {
        let late = || Err(format!("no answer within {} ms", self.patience.as_millis()));
        tokio::time::timeout(self.patience, self.exchange(query)).await.unwrap_or_else(|_| late())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection with these bytes, and then waits.
    async fn answering(bytes: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/tsr", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut query = [0; 1024];
            let _ = stream.read(&mut query).await;
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        });
        url
    }

    async fn asked(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
        let remote = Remote::new(&answering(bytes).await).expect("an address");
        remote.waiting(Duration::from_millis(400)).ask(b"query".to_vec()).await
    }

    fn http(status: &str, kind: &str, length: usize, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    #[tokio::test]
    async fn an_answer_is_passed_on_as_it_came() {
        let answer = asked(http("200 OK", "application/timestamp-reply", 3, &[0x30, 1, 0])).await;
        assert_eq!(answer, Ok(vec![0x30, 1, 0]));
    }

    #[tokio::test]
    async fn what_is_no_answer_of_a_timestamper_is_none() {
        for (bytes, why) in [
            (http("200 OK", "text/html", 3, b"<p>"), "no answer of a timestamper"),
            (http("503 Service Unavailable", ANSWER_TYPE, 0, b""), "503"),
            (http("302 Found\r\nlocation: http://127.0.0.1:1/", ANSWER_TYPE, 0, b""), "302"),
            (b"SSH-2.0-x\r\n\r\n".to_vec(), "cannot be reached"),
        ] {
            let said = asked(bytes).await.expect_err("no answer");
            assert!(said.contains(why), "{said}");
        }
    }

    #[tokio::test]
    async fn one_that_is_slow_or_endless_is_left() {
        assert!(asked(Vec::new()).await.expect_err("late").contains("no answer within"));
        let trickling = http("200 OK", ANSWER_TYPE, 100, b"0");
        assert!(asked(trickling).await.expect_err("late").contains("no answer within"));
        let endless = http("200 OK", ANSWER_TYPE, 1 << 30, &vec![0x30; ANSWER_BYTES_MAX + 1]);
        assert!(asked(endless).await.expect_err("too long").contains("not read"));
    }

    #[tokio::test]
    async fn one_that_is_not_there_is_said() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        drop(listener);
        let said = Remote::new(&url).expect("an address").ask(Vec::new()).await;
        assert!(said.expect_err("nobody").contains("cannot be reached"));
    }
}
