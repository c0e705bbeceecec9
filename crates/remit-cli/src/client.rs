//! The operators' API as the command line speaks it: with the operator's own key, never with a name.

use std::path::Path;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::terminal::{Failure, block_on};

/// How to reach a gateway as an operator.
#[derive(clap::Args, Clone, Debug)]
pub struct Access {
    /// The gateway's URL; by default where the folder's remit.yaml says it listens.
    #[arg(long, env = "REMIT_URL")]
    url: Option<String>,
    /// A file with the operator's key; by default `.remit/operator.key` in the folder. The variable
    /// REMIT_OPERATOR_KEY takes precedence.
    #[arg(long)]
    key_file: Option<std::path::PathBuf>,
}

/// A gateway, seen as an operator.
pub struct Gateway {
    url: String,
    key: String,
}

impl Access {
    /// Opens it.
    pub fn open(&self, folder: &Path) -> Result<Gateway, Failure> {
        let url = match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => crate::boot::url_of(folder)?,
        };
        let key = match std::env::var("REMIT_OPERATOR_KEY") {
            Ok(key) => key,
            Err(_) => {
                let file = self.key_file.clone().unwrap_or_else(|| folder.join(".remit/operator.key"));
                std::fs::read_to_string(&file).map_err(|error| {
                    Failure::said(format!(
                        "no operator key: set REMIT_OPERATOR_KEY or give --key-file ({}: {error})",
                        file.display()
                    ))
                })?
            }
        };
        Ok(Gateway { url, key: key.trim().to_owned() })
    }
}

impl Gateway {
    /// A gateway at this URL, with this key.
    pub fn at(url: &str, key: &str) -> Self {
        Self { url: url.to_owned(), key: key.to_owned() }
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        block_on(self.send(Method::GET, path, None))?
    }

    /// `POST`.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        block_on(self.send(Method::POST, path, Some(body)))?
    }

    /// Sends, and reads the answer. A refusal becomes its reason and remedy.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.map(Value::to_string).unwrap_or_default()))
            .map_err(|error| Failure::said(format!("`{}`: {error}", self.url)))?;
        let unreachable = |error: String| Failure::said(format!("no gateway answers at {}: {error}", self.url));
        let response = client.request(request).await.map_err(|error| unreachable(error.to_string()))?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(|error| unreachable(error.to_string()))?.to_bytes();
        let value = remit_core::json::parse(&bytes).map_err(|error| {
            Failure::said(format!("the gateway answered {status} with something else than JSON: {error}"))
        })?;
        if status.is_success() {
            return Ok(value);
        }
        let error = &value["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Err(Failure::said(format!("{} ({})\n  {}", text("reason"), text("code"), text("remedy"))))
    }
}

impl Gateway {
    /// `POST` of plain text, for what answers with nothing.
    pub async fn send_text(&self, path: &str, text: &str) -> Result<(), Failure> {
        let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::post(format!("{}{path}", self.url))
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .body(Full::from(text.to_owned()))
            .map_err(|error| Failure::said(error.to_string()))?;
        let response = client.request(request).await.map_err(|error| Failure::said(error.to_string()))?;
        if response.status().is_success() { Ok(()) } else { Err(Failure::said(response.status().to_string())) }
    }
}
