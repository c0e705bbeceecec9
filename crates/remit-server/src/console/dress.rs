//! What every answer of the console carries, whoever made it: the headers that keep a page from doing
//! anything but what we wrote, and from being shown where we are not.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::{CACHE_CONTROL, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Uri};

/// Nothing from elsewhere, nothing inline, no frames, no plugins.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (http::header::CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Nothing is told to others. Told to nobody at all, browsers would write `Origin: null` on our own forms.
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), \
         geolocation=(), payment=()",
    ),
];

/// Marks an answer to somebody who has not signed in.
#[derive(Clone, Copy)]
pub(super) struct NotSignedIn;

/// Puts the headers on, and leads whoever has not signed in to the door and back.
pub(super) async fn dress(request: Request, next: Next) -> Response {
    let back = (request.method() == Method::GET).then(|| request.uri().clone());
    let mut response = next.run(request).await;
    if response.extensions().get::<NotSignedIn>().is_some() {
        response = Redirect::to(&door(back.as_ref())).into_response();
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Where one signs in, with the local path to come back to.
fn door(back: Option<&Uri>) -> String {
    let back = back.and_then(Uri::path_and_query).map(|path| format!("?next={}", escaped(path.as_str())));
    format!("/console/sign-in{}", back.unwrap_or_default())
}

/// A text as a value in a query.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => escaped.push(byte.into()),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_one_value() {
        let back: Uri = "/console/calls?agent=a&next=//evil.example".parse().expect("uri");
        assert_eq!(door(Some(&back)), "/console/sign-in?next=/console/calls%3Fagent%3Da%26next%3D//evil.example");
        assert_eq!(door(None), "/console/sign-in");
    }
}
