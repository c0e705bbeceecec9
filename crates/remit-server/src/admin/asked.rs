//! One shape for every request of an operator: the table of the routes says which deed it is, and a handler gets an
//! [`Asked`], which nobody but the table can make. So no handler runs before the roles were looked at.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{RawPathParams, Request, State};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter};
use axum::{RequestExt as _, Router, body, extract, routing};
use remit_core::steering::Deed;
use remit_core::verdict::Refusal;
use serde_json::Value;

use crate::accept::{self, malformed};
use crate::admin::operator;
use crate::edge::Edge;
use crate::gateway::http::{ok, refused};
use crate::identify::Operator;

/// What most handlers answer.
pub(super) type Answer = Result<Value, Refusal>;

/// What a handler may answer: JSON, or a response of its own where the status says something.
pub(super) trait Reply {
    fn response(self) -> Response;
}

impl Reply for Value {
    fn response(self) -> Response {
        ok(self)
    }
}

impl Reply for Response {
    fn response(self) -> Response {
        self
    }
}

/// What answers one endpoint.
pub(super) trait Handler: Clone + Send + Sync + 'static {
    fn answer(&self, asked: Asked) -> impl Future<Output = Result<impl Reply, Refusal>> + Send;
}

impl<H, F, R> Handler for H
where
    H: Fn(Asked) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<R, Refusal>> + Send,
    R: Reply,
{
    fn answer(&self, asked: Asked) -> impl Future<Output = Result<impl Reply, Refusal>> + Send {
        self(asked)
    }
}

/// What a person asks whose roles allow it. Nothing that they sent is read before that is known.
pub(super) struct Asked {
    pub edge: Arc<Edge>,
    /// Who asks.
    pub by: Operator,
    /// What stands in the path where the route has braces; empty where it has none, and that is the id of nothing.
    pub id: String,
    /// What stands behind the question mark.
    pub query: Query,
    /// What was sent along.
    pub body: Body,
}

/// What stands behind the question mark: names and values.
pub(super) struct Query(pub Vec<(String, String)>);

/// A body that was not read yet.
pub(super) struct Body {
    raw: body::Body,
    bytes_max: usize,
}

impl Asked {
    async fn read(edge: Arc<Edge>, deed: Deed, mut request: Request) -> Result<Self, Refusal> {
        let by = operator(&edge, request.headers(), deed).await?;
        let params = request.extract_parts::<RawPathParams>().await;
        let id = params.ok().and_then(|params| params.iter().next().map(|(_, id)| id.to_owned())).unwrap_or_default();
        let query = extract::Query::try_from_uri(request.uri()).map_err(|error| malformed(error.body_text()))?;
        let body = Body { raw: request.into_body(), bytes_max: edge.settings.body_bytes_max };
        Ok(Self { edge, by, id, query: Query(query.0), body })
    }
}

impl Query {
    /// The value of this name: the last, if there are several.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A whole number; none when it is absent or no such number.
    pub fn number<N: FromStr>(&self, name: &str) -> Option<N> {
        self.get(name)?.parse().ok()
    }

    /// Yes or no; no when it is absent.
    pub fn says(&self, name: &str) -> Result<bool, Refusal> {
        self.get(name).unwrap_or("false").parse().map_err(|_| malformed(format!("`{name}` must be true or false")))
    }
}

impl Body {
    /// The object that was sent.
    pub async fn object(self) -> Result<Value, Refusal> {
        accept::object(self.raw, self.bytes_max).await
    }

    /// The object that was sent, when it has no members but these.
    pub async fn only(self, known: &[&str]) -> Result<Value, Refusal> {
        let body = self.object().await?;
        accept::only(&body, known)?;
        Ok(body)
    }
}

/// The endpoints, each with its deed.
pub(super) struct Table(Router<Arc<Edge>>);

impl Table {
    pub fn new() -> Self {
        Self(Router::new())
    }

    /// What changes nothing.
    pub fn get(self, path: &str, deed: Deed, handler: impl Handler) -> Self {
        Self(self.0.route(path, on(MethodFilter::GET, deed, handler)))
    }

    /// What changes something.
    pub fn post(self, path: &str, deed: Deed, handler: impl Handler) -> Self {
        Self(self.0.route(path, on(MethodFilter::POST, deed, handler)))
    }

    /// All of them.
    pub fn routes(self) -> Router<Arc<Edge>> {
        self.0
    }
}

fn on(method: MethodFilter, deed: Deed, handler: impl Handler) -> MethodRouter<Arc<Edge>> {
    routing::on(method, async move |State(edge): State<Arc<Edge>>, request: Request| {
        let answer = async { handler.answer(Asked::read(edge, deed, request).await?).await };
        answer.await.map_or_else(|refusal| refused(&refusal), Reply::response)
    })
}
