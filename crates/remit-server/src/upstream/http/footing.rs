//! Finding out which era an HTTP server speaks (MCP 2026-07-28, Streamable HTTP, "Backward
//! Compatibility"). Never with a call: a call that a server of the other era half understood
//! could not be taken back.

use std::sync::Arc;

use remit_app::secret::Secret;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::Link;
use super::exchange::{Answered, Post};
use super::parting::posted;
use crate::upstream::failure::{Failure, not_started};
use crate::upstream::footing::{Era, Footing, NEWEST_LEGACY};
use crate::upstream::frame;

impl Link {
    /// The footing, found if there is none yet.
    ///
    /// # Errors
    /// [`Failure::NotStarted`] when the server cannot be reached, or refuses, or speaks neither era.
    pub(in crate::upstream) async fn footing(
        &self,
        secret: Option<&Secret>,
        deadline: Instant,
    ) -> Result<Arc<Footing>, Failure> {
        if let Some(footing) = self.footing.load_full() {
            return Ok(footing);
        }
        let finding = timeout_at(deadline, self.finding.lock()).await;
        let _finding = finding.map_err(|_| not_started("others are still connecting to it"))?;
        if let Some(footing) = self.footing.load_full() {
            return Ok(footing);
        }
        let deadline = deadline.min(Instant::now() + self.patience);
        let found = match self.discover(secret, deadline).await? {
            Some(footing) => footing,
            None => self.initialize(secret, deadline).await?,
        };
        let footing = Arc::new(found);
        self.footing.store(Some(footing.clone()));
        Ok(footing)
    }

    /// Asks as a modern client; `None` when the server is not modern. Only an answer says that: a
    /// server that cannot be reached, wants another credential or is out of order is of no era yet.
    async fn discover(&self, secret: Option<&Secret>, deadline: Instant) -> Result<Option<Footing>, Failure> {
        let method = "server/discover";
        let params = frame::own(Era::Modern, None);
        let mut answered = self.ask(method, None, &params, Era::Modern, secret, deadline).await?;
        if answered.reply.as_ref().is_some_and(Footing::asks_for_ours) {
            answered = self.ask(method, None, &params, Era::Modern, secret, deadline).await?;
        }
        match (answered.status.as_u16(), answered.reply) {
            (200..=299 | 400 | 404 | 405, Some(reply)) => Footing::discovered(&reply),
            (400 | 404 | 405, None) => Ok(None),
            (status, _) => Err(not_started(format!("it answered `{method}` with HTTP status {status}"))),
        }
    }

    async fn initialize(&self, secret: Option<&Secret>, deadline: Instant) -> Result<Footing, Failure> {
        let method = "initialize";
        let era = Era::Legacy(NEWEST_LEGACY);
        let Answered { status, reply, session, .. } =
            self.ask(method, None, &frame::handshake(), era, secret, deadline).await?;
        let result: Value = match reply {
            Some(reply) if status.is_success() => reply.map_err(|failure| failure.before(method))?,
            _ => return Err(not_started(format!("it answered `{method}` with HTTP status {status}"))),
        };
        let footing = Footing::agreed(&result, session)?;
        let headers = self.headers("notifications/initialized", Some(&footing), secret)?;
        // Awaited, because servers refuse what overtakes it. Whatever they say to it, they go on.
        let (client, uri) = self.endpoint.as_ref().map_err(|why| not_started(why.clone()))?;
        let request = posted(uri, headers, frame::notification("notifications/initialized", "{}"));
        let told = timeout_at(deadline, client.request(request)).await;
        told.map_err(|_| not_started("its handshake did not end in time"))?
            .map_err(|error| not_started(error.to_string()))?;
        Ok(footing)
    }

    async fn ask(
        &self,
        method: &'static str,
        footing: Option<&Footing>,
        params: &str,
        era: Era,
        secret: Option<&Secret>,
        deadline: Instant,
    ) -> Result<Answered, Failure> {
        let id = self.next_id();
        let headers = self.headers(method, footing, secret)?;
        let post = Post { id, frame: frame::request(id, method, params), progress: None };
        self.exchange(post, headers, era, deadline).await.map_err(|failure| failure.before(method))
    }
}
