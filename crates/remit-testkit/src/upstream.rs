//! An MCP server over HTTP that answers as it is told and remembers every call, so that a test can
//! ask the one question that matters: what did the world see?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const VERSION: &str = "2026-07-28";

/// What it does with the next calls.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Answers with this result.
    Result(Value),
    /// Takes the call and never answers.
    Silent,
}

/// The server; it ends when the test's runtime does.
pub struct Upstream {
    /// Where it listens, with its path.
    pub url: String,
    books: Arc<Books>,
}

struct Books {
    tools: Vec<Value>,
    manner: Mutex<Manner>,
    manners: Mutex<BTreeMap<String, Manner>>,
    delay: Duration,
    calls: Mutex<Vec<(String, Value)>>,
}

impl Upstream {
    /// Serves the tools of this `pins/*.json`, on a port of its own; every call takes this long.
    ///
    /// # Errors
    /// When there is no port, or the pins are none.
    pub async fn serve(pins: &str, delay: Duration) -> Result<Self, String> {
        let pins: Value = serde_json::from_str(pins).map_err(|error| error.to_string())?;
        let tools = pins["tools"].as_object().ok_or("no pins")?.values().map(|pin| pin["definition"].clone()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let manner = Mutex::new(Manner::Result(json!({"content": []})));
        let books = Arc::new(Books { tools, manner, manners: Mutex::default(), delay, calls: Mutex::default() });
        let router = Router::new().route("/mcp", post(mcp)).with_state(books.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url: format!("http://{address}/mcp"), books })
    }

    /// From now on it answers like this.
    pub fn behave(&self, manner: Manner) {
        *open(&self.books.manner) = manner;
    }

    /// From now on it answers to calls of this tool like this, whatever it does with others.
    pub fn behave_for(&self, tool: &str, manner: Manner) {
        open(&self.books.manners).insert(tool.to_owned(), manner);
    }

    /// The arguments of every call that reached it, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Value> {
        open(&self.books.calls).iter().map(|(_, arguments)| arguments.clone()).collect()
    }

    /// The arguments of every call of this tool that reached it, in order.
    #[must_use]
    pub fn asked(&self, tool: &str) -> Vec<Value> {
        let calls = open(&self.books.calls);
        calls.iter().filter(|(called, _)| called == tool).map(|(_, arguments)| arguments.clone()).collect()
    }
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn mcp(State(books): State<Arc<Books>>, Json(message): Json<Value>) -> Response {
    let Some(id) = message.get("id") else { return StatusCode::ACCEPTED.into_response() };
    let mut result = match message["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({
            "supportedVersions": [VERSION], "capabilities": {"tools": {"listChanged": false}},
            "serverInfo": {"name": "scripted", "version": "1"}, "ttlMs": 0, "cacheScope": "private",
        }),
        "tools/list" => json!({"tools": books.tools, "ttlMs": 0, "cacheScope": "private"}),
        "tools/call" => {
            let tool = message["params"]["name"].as_str().unwrap_or_default();
            open(&books.calls).push((tool.to_owned(), message["params"]["arguments"].clone()));
            tokio::time::sleep(books.delay).await;
            let own = open(&books.manners).get(tool).cloned();
            let manner = own.unwrap_or_else(|| open(&books.manner).clone());
            match manner {
                Manner::Result(result) => result,
                Manner::Silent => std::future::pending().await,
            }
        }
        _ => {
            let error = json!({"code": -32601, "message": "method not found"});
            return Json(json!({"jsonrpc": "2.0", "id": id, "error": error})).into_response();
        }
    };
    if let Some(members) = result.as_object_mut() {
        members.insert("resultType".into(), json!("complete"));
    }
    Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response()
}
