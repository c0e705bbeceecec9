//! The demo's agent: an MCP client like any other, with its own key, over a real connection.

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::terminal::Failure;

/// An agent's connection.
pub struct Peer {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    key: String,
    session: Option<String>,
    next: u64,
    /// Everything it was ever sent, to look for what it must not have seen.
    pub heard: String,
}

impl Peer {
    /// Connects and shakes hands, as clients of 2025-11-25 do.
    pub async fn connect(url: &str, key: &str) -> Result<Self, Failure> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (url, key) = (format!("{url}/mcp"), key.to_owned());
        let mut peer = Self { client, url, key, session: None, next: 0, heard: String::new() };
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "demo-agent", "version": "1"},
        });
        peer.request("initialize", hello).await?;
        peer.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await?;
        Ok(peer)
    }

    /// The names of the tools it is shown.
    pub async fn tools(&mut self) -> Result<Vec<String>, Failure> {
        let answer = self.request("tools/list", json!({})).await?;
        let tools = answer["result"]["tools"].as_array().cloned().unwrap_or_default();
        Ok(tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect())
    }

    /// Calls a tool; the whole JSON-RPC answer.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, Failure> {
        self.request("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    async fn request(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        self.next += 1;
        let message = json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params});
        let text = self.send(message).await?;
        remit_core::json::parse(text.as_bytes()).map_err(|error| Failure::said(format!("{method}: {error}: {text}")))
    }

    async fn send(&mut self, message: Value) -> Result<String, Failure> {
        let mut request = Request::post(&self.url)
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .header("MCP-Protocol-Version", "2025-11-25");
        if let Some(session) = &self.session {
            request = request.header("Mcp-Session-Id", session);
        }
        let request =
            request.body(Full::from(message.to_string())).map_err(|error| Failure::said(error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| Failure::said(error.to_string()))?;
        if let Some(session) = response.headers().get("mcp-session-id").and_then(|value| value.to_str().ok()) {
            self.session = Some(session.to_owned());
        }
        self.heard.push_str(&format!("{:?}", response.headers()));
        let body = response.into_body().collect().await.map_err(|error| Failure::said(error.to_string()))?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        self.heard.push_str(&text);
        // An event stream of one answer: its data line.
        let data = text.lines().rev().find_map(|line| line.strip_prefix("data:").map(str::trim));
        Ok(data.map_or_else(|| text.clone(), str::to_owned))
    }
}
