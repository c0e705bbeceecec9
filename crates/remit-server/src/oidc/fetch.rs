//! Asking a provider: bounded in time and size, no redirection followed, and only at addresses that may be asked.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use remit_core::json;
use serde_json::Value;

use super::Failure;
use super::keys::Keys;
use super::metadata::{self, Metadata, usable};
use crate::upstream::http::{HttpClient, trusting};

/// How long one answer may take, from the first byte sent to the last one read.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The way to one provider.
pub(super) struct Fetch {
    client: HttpClient,
    issuer: String,
}

impl Fetch {
    pub(super) fn new(issuer: &str, ca: Option<&Path>) -> Result<Self, String> {
        usable(issuer, issuer).map_err(|why| format!("the issuer cannot be used: {why}"))?;
        Ok(Self { client: trusting(ca)?, issuer: issuer.to_owned() })
    }

    pub(super) async fn metadata(&self, issuer: &str) -> Result<Metadata, Failure> {
        metadata::read(&self.get(&metadata::place(issuer)).await?, issuer)
    }

    pub(super) async fn keys(&self, url: &str) -> Result<Keys, Failure> {
        Keys::read(&self.get(url).await?)
    }

    /// The token that a code is good for.
    pub(super) async fn token(&self, url: &str, form: String, who: Option<HeaderValue>) -> Result<String, Failure> {
        let said = self.ask(Method::POST, url, form, who).await?;
        let token = said.get("id_token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or(Failure::Answer("the provider hands out no token for the code"))
    }

    async fn get(&self, url: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, url, String::new(), None).await
    }

    async fn ask(&self, method: Method, url: &str, form: String, who: Option<HeaderValue>) -> Result<Value, Failure> {
        let asked = tokio::time::timeout(PATIENCE, self.exchange(method, url, form, who)).await;
        let late = || Failure::Provider(format!("no answer within {} s", PATIENCE.as_secs()));
        asked.map_err(|_| late())?
    }

    async fn exchange(
        &self,
        method: Method,
        url: &str,
        form: String,
        who: Option<HeaderValue>,
    ) -> Result<Value, Failure> {
        let uri = usable(url, &self.issuer).map_err(|why| Failure::Provider(why.to_owned()))?;
        let posted = method == Method::POST;
        let mut request = Request::new(Full::new(Bytes::from(form)));
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if posted {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        }
        headers.extend(who.map(|who| (AUTHORIZATION, who)));
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| Failure::Provider(format!("it cannot be reached: {error}")))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|_| Failure::Provider("its answer is too large, or broke off".into()))?.to_bytes();
        // A code that is old, used or somebody else's: nothing is wrong with the provider.
        if posted && matches!(status, StatusCode::BAD_REQUEST) {
            return Err(Failure::Answer("the provider does not take the code"));
        }
        if status != StatusCode::OK {
            return Err(Failure::Provider(format!("it answered {status}")));
        }
        json::parse(&body).map_err(|_| Failure::Provider("its answer is no JSON".into()))
    }
}
