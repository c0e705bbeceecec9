//! Parting from a request of the legacy era. There a closed connection says nothing, so a request
//! that nobody waits for any more is taken back with a message of its own.

use std::time::Duration;

use ::http::{HeaderMap, Method, Uri};
use bytes::Bytes;
use http_body_util::Full;

use super::{HttpClient, Link};
use crate::upstream::failure::{Failure, not_started};
use crate::upstream::frame;

/// How long the server may take to accept a message that wants no answer.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Takes a request back when it is dropped before it was settled.
pub(super) struct Parting {
    endpoint: (HttpClient, Uri),
    headers: HeaderMap,
    id: u64,
    settled: bool,
}

impl Parting {
    /// For the request with this id, whose headers the message will carry too.
    pub fn new(link: &Link, id: u64, headers: &HeaderMap) -> Result<Self, Failure> {
        let endpoint = link.endpoint.clone().map_err(not_started)?;
        Ok(Self { endpoint, headers: headers.clone(), id, settled: false })
    }

    /// The request was answered.
    pub fn settled(mut self) {
        self.settled = true;
    }
}

impl Drop for Parting {
    fn drop(&mut self) {
        if !self.settled {
            send_off(&self.endpoint, std::mem::take(&mut self.headers), frame::cancelled(self.id));
        }
    }
}

/// Sends a message that wants no answer, without waiting for it.
pub(super) fn send_off((client, uri): &(HttpClient, Uri), headers: HeaderMap, frame: String) {
    // Without a runtime the process is ending, and all its connections with it.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let response = client.request(posted(uri, headers, frame));
    runtime.spawn(async move {
        let _ = tokio::time::timeout(TIME_MAX, response).await;
    });
}

/// A POST of this text.
pub(super) fn posted(uri: &Uri, headers: HeaderMap, frame: String) -> ::http::Request<Full<Bytes>> {
    let mut request = ::http::Request::new(Full::new(Bytes::from(frame)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers;
    request
}
