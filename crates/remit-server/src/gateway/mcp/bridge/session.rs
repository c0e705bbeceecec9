//! The session of a client of the legacy era, kept on its behalf.

use std::sync::Mutex;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use tokio::sync::mpsc::Sender;

use super::super::era::SESSION_HEADER;
use super::far::Far;
use super::locked;

/// How long the gateway is left alone before the stream of notices is opened again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long it may take to say goodbye.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(2);

/// At most one session.
#[derive(Default)]
pub(super) struct Session {
    open: Mutex<Option<Open>>,
    /// Held while a session is opened again, so that many requests that find it gone open one.
    renewing: tokio::sync::Mutex<()>,
}

struct Open {
    id: HeaderValue,
    /// The client's own words, with which it is opened again.
    handshake: Vec<u8>,
}

/// The headers of a request in this session.
pub(super) fn headers(session: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(SESSION_HEADER, session);
    headers
}

impl Session {
    /// Its id, if there is one.
    pub fn id(&self) -> Option<HeaderValue> {
        locked(&self.open).as_ref().map(|open| open.id.clone())
    }

    /// The gateway has opened it for this handshake.
    pub fn opened(&self, id: HeaderValue, handshake: Vec<u8>) {
        *locked(&self.open) = Some(Open { id, handshake });
    }

    /// Opens it again where `stale` is gone; the id of the one that stands then.
    pub async fn renew(&self, far: &Far, stale: &HeaderValue) -> Option<HeaderValue> {
        let _renewing = self.renewing.lock().await;
        let handshake = match &*locked(&self.open) {
            Some(open) if open.id != stale => return Some(open.id.clone()),
            open => open.as_ref()?.handshake.clone(),
        };
        let said = far.post(HeaderMap::new(), handshake.clone()).await.ok()?;
        let id = said.session()?;
        let initialized = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        far.post(headers(id.clone()), initialized.to_vec()).await.ok()?;
        self.opened(id.clone(), handshake);
        Some(id)
    }

    /// Hands on what the gateway tells the session between requests, as long as it does.
    pub async fn listen(&self, far: &Far, out: &Sender<Vec<u8>>) {
        while let Some(session) = self.id() {
            let said = far.send(Method::GET, headers(session), Vec::new()).await;
            if let Ok(said) = said {
                // A session that is gone is opened again by the next request, not by a listener.
                if said.status().is_client_error() && said.status() != http::StatusCode::NOT_FOUND {
                    return;
                }
                if said.status().is_success() {
                    let _broken = said.events(out, &mut |_| ()).await;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes leave of the gateway.
    pub async fn end(&self, far: &Far) {
        let Some(Open { id, .. }) = locked(&self.open).take() else { return };
        let goodbye = far.send(Method::DELETE, headers(id), Vec::new());
        let _in_time = tokio::time::timeout(GOODBYE_TIME_MAX, goodbye).await;
    }
}
