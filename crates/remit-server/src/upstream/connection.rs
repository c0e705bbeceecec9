//! A connection to one upstream, whichever way it is reached.

use std::sync::Arc;
use std::time::Duration;

use remit_app::secret::Secret;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::changes::Changes;
use super::failure::{Failure, unknown};
use super::footing::{Era, Footing};
use super::listing::{Listing, Page, Pages};
use super::request::Request;
use super::spec::{Spec, Transport, bounded};
use super::{http, stdio};

/// Longest time that all lists together may take.
const LIST_TIME_MAX: Duration = Duration::from_secs(120);

/// A connection to one upstream. Cheap to clone; all clones are the same connection, which ends with
/// the last of them.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    spec: Spec,
    link: Link,
    changes: Arc<Changes>,
}

enum Link {
    Http(Box<http::Link>),
    Stdio(Box<stdio::Link>),
}

impl Connection {
    /// A connection. Nothing is contacted or started before the first request.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        let changes = Changes::new();
        let link = match spec.transport {
            Transport::Http { .. } => Link::Http(Box::new(http::Link::new(&spec, changes.clone()))),
            Transport::Stdio { .. } => Link::Stdio(Box::new(stdio::Link::new(&spec, changes.clone()))),
        };
        Self(Arc::new(Inner { spec, link, changes }))
    }

    /// Says when to ask again what is served: it said so, its process ended, or its session is gone.
    /// The number counts these. It has grown before a new process or session answers anything, so a
    /// listing that was begun at the present number was served by whatever is called now.
    ///
    /// Modern HTTP servers tell of changes only on a stream that is held open with the credential. We
    /// hold none: credentials exist for the moment of a request. Ask those again after a while.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Lists everything that is served, connecting first where needed.
    ///
    /// # Errors
    /// When the upstream cannot be reached, or a list cannot be had whole.
    pub async fn list(&self, secret: Option<&Secret>) -> Result<Listing, Failure> {
        let all = tokio::time::timeout(LIST_TIME_MAX, self.list_all(secret)).await;
        all.unwrap_or_else(|_| Err(unknown("its lists did not end in time")))
    }

    /// Carries out one call, connecting first where needed. The result is as the upstream gave it:
    /// also when its kind is `input_required` (modern era), or absent (legacy).
    ///
    /// The call is sent at most once. Dropping the future cancels it: over HTTP in the modern era by
    /// closing the stream, everywhere else with `notifications/cancelled`.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn request(&self, request: Request<'_>, secret: Option<&Secret>) -> Result<Value, Failure> {
        let deadline = Instant::now() + bounded(request.timeout_ms);
        match &self.0.link {
            Link::Http(link) => link.call(&request, secret, deadline).await,
            Link::Stdio(link) => link.call(&request, secret, deadline).await,
        }
    }

    /// Ends the connection. A process is asked to go by closing its input, and killed with everything
    /// it started when it does not. Later requests are not started.
    pub async fn shutdown(&self) {
        match &self.0.link {
            Link::Http(link) => link.shutdown(),
            Link::Stdio(link) => link.shutdown().await,
        }
    }

    /// Lists; and once more when the ground was lost on the way, for nothing happens by asking twice.
    async fn list_all(&self, secret: Option<&Secret>) -> Result<Listing, Failure> {
        let footing = self.footing(secret).await?;
        match self.list_on(&footing, secret).await {
            Err(why) if !self.stands_on(&footing) => {
                tracing::debug!(upstream = %self.0.spec.id, %why, "listing again on new ground");
                let footing = self.footing(secret).await?;
                self.list_on(&footing, secret).await
            }
            listed => listed,
        }
    }

    async fn footing(&self, secret: Option<&Secret>) -> Result<Arc<Footing>, Failure> {
        match &self.0.link {
            Link::Http(link) => link.footing(secret, Instant::now() + self.0.spec.patience()).await,
            Link::Stdio(link) => link.footing(secret).await,
        }
    }

    fn stands_on(&self, footing: &Arc<Footing>) -> bool {
        match &self.0.link {
            Link::Http(link) => link.stands_on(footing),
            Link::Stdio(link) => link.stands_on(footing),
        }
    }

    async fn list_on(&self, footing: &Arc<Footing>, secret: Option<&Secret>) -> Result<Listing, Failure> {
        let mut listing =
            Listing { capabilities: footing.capabilities.clone().unwrap_or_default(), ..Listing::default() };
        let mut bytes = 0;
        if footing.offers("tools") {
            let tools = self.gather("tools/list", "tools", footing, secret, &mut bytes).await?;
            let headers = matches!(self.0.link, Link::Http(_)) && footing.era == Era::Modern;
            listing.admit(tools, headers);
        }
        if footing.offers("prompts") {
            listing.prompts = self.optional("prompts/list", "prompts", footing, secret, &mut bytes).await?;
        }
        if footing.offers("resources") {
            listing.resources = self.optional("resources/list", "resources", footing, secret, &mut bytes).await?;
            let (method, key) = ("resources/templates/list", "resourceTemplates");
            listing.templates = self.optional(method, key, footing, secret, &mut bytes).await?;
        }
        Ok(listing)
    }

    /// A list that a server may not have although it says so; many that have resources know no templates.
    async fn optional(
        &self,
        method: &'static str,
        key: &'static str,
        footing: &Arc<Footing>,
        secret: Option<&Secret>,
        bytes: &mut usize,
    ) -> Result<Vec<Value>, Failure> {
        match self.gather(method, key, footing, secret, bytes).await {
            Err(Failure::Rpc { code: -32601, .. }) => Ok(Vec::new()),
            gathered => gathered,
        }
    }

    async fn gather(
        &self,
        method: &'static str,
        key: &'static str,
        footing: &Arc<Footing>,
        secret: Option<&Secret>,
        bytes: &mut usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut pages = Pages::new(key);
        let mut cursor = None;
        loop {
            let page = self.page(method, cursor.as_deref(), footing, secret).await?;
            cursor = pages.take(page, bytes)?;
            if cursor.is_none() {
                return Ok(pages.entries());
            }
        }
    }

    async fn page(
        &self,
        method: &'static str,
        cursor: Option<&str>,
        footing: &Arc<Footing>,
        secret: Option<&Secret>,
    ) -> Result<Page, Failure> {
        let deadline = Instant::now() + self.0.spec.patience();
        match &self.0.link {
            Link::Http(link) => link.page(method, cursor, footing, secret, deadline).await,
            Link::Stdio(link) => link.page(method, cursor, footing, deadline).await,
        }
    }
}
