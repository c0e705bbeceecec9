//! A small HTTP client: what an agent or an operator would send, and what came back, unread.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A gateway, as the holders of keys reach it.
#[derive(Clone)]
pub struct Wire {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Wire {
    /// To the gateway at this URL.
    #[must_use]
    pub fn to(url: &str) -> Self {
        Self { url: url.to_owned(), client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Sends and reads the answer, whatever its status.
    ///
    /// # Errors
    /// When no whole answer came: the request may or may not have had an effect.
    pub async fn send(&self, key: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), String> {
        let request = Request::builder()
            .method(if body.is_some() { Method::POST } else { Method::GET })
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, format!("Bearer {key}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.map(Value::to_string).unwrap_or_default()))
            .map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        let value = serde_json::from_slice(&bytes).map_err(|error| format!("{status}, and no JSON: {error}"))?;
        Ok((status, value))
    }

    /// Gets what anybody may see; bytes that are no text are replaced.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn fetch(&self, path: &str) -> Result<(u16, String), String> {
        self.read(Request::builder().uri(format!("{}{path}", self.url))).await
    }

    /// Gets what the holder of this key sees, as text.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn page(&self, key: &str, path: &str) -> Result<(u16, String), String> {
        let request = Request::builder().uri(format!("{}{path}", self.url));
        self.read(request.header(AUTHORIZATION, format!("Bearer {key}"))).await
    }

    async fn read(&self, request: Builder) -> Result<(u16, String), String> {
        let request = request.body(Full::default()).map_err(|error| error.to_string())?;
        let response = self.client.request(request).await;
        let response = response.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// As [`Wire::send`], for what has to succeed.
    ///
    /// # Errors
    /// When it did not: with the reason that was answered.
    pub async fn done(&self, key: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        match self.send(key, path, body).await? {
            (200..=299, value) => Ok(value),
            (status, value) => {
                Err(value["error"]["reason"].as_str().map_or(format!("{status}: {value}"), str::to_owned))
            }
        }
    }
}
