//! Style, script and icon, out of the program itself.

use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use remit_core::ids::Digest;
use serde::Deserialize;

/// Name, media type, text. Each is small and hashed anew for each answer: that costs microseconds.
const ASSETS: [(&str, &str, &str); 5] = [
    ("console.css", "text/css; charset=utf-8", include_str!("assets/console.css")),
    ("console.js", "text/javascript; charset=utf-8", include_str!("assets/console.js")),
    ("ballot.js", "text/javascript; charset=utf-8", include_str!("assets/ballot.js")),
    ("passkey.js", "text/javascript; charset=utf-8", include_str!("assets/passkey.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

#[derive(Deserialize)]
pub(super) struct Version {
    d: Option<String>,
}

/// `GET /console/assets/{name}?d=`: kept for a year by whoever names the digest, looked at again by others.
pub(super) async fn asset(Path(name): Path<String>, Query(asked): Query<Version>, headers: HeaderMap) -> Response {
    let Some((_, media, text)) = ASSETS.iter().find(|(known, ..)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let digest = short(text);
    let caching = match asked.d {
        Some(version) if version == digest => "public, max-age=31536000, immutable",
        _ => "no-cache",
    };
    let tag = format!("\"{digest}\"");
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, *media)], *text).into_response()
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Where an asset is, under the digest of what it is now.
pub(super) fn url(name: &str) -> String {
    let text = ASSETS.iter().find(|(known, ..)| *known == name).map_or("", |(.., text)| *text);
    format!("/console/assets/{name}?d={}", short(text))
}

fn short(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string().chars().take(16).collect()
}
