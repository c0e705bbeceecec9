//! Visits by browser: how a session travels, and how we know that the person meant what their browser sends.
//!
//! A browser sends cookies whoever made it send the request. So a cookie counts for nothing by itself: [`admit`]
//! alone turns it into a proof, for requests that cannot change anything or that come from our own pages and give
//! back the secret of the session. What it proved travels in a header of ours that no request can bring along.
//!
//! INVARIANT (cookies are checked): nothing but [`admit`] reads the cookie, and nothing but it writes [`TOKEN`].

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use remit_app::people::SessionId;
use remit_core::ids::Digest;
use remit_core::verdict::{Code, Refusal};

use crate::edge::{ConsoleSettings, Edge};
use crate::{accept, console, refusal};

/// The header in which a checked session's token goes on. One that a client sends is taken off first.
const TOKEN: HeaderName = HeaderName::from_static("remit-checked-session");
/// The header in which scripts give back the secret of the session; forms have a field `csrf`.
const SECRET: HeaderName = HeaderName::from_static("x-csrf-token");
/// How a browser says whence a request comes.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The header by which a page says that it keeps itself fresh, and that nobody pressed anything.
const REFRESH: HeaderName = HeaderName::from_static("x-remit-refresh");
/// Largest form, in bytes.
const FORM_BYTES_MAX: usize = 256 * 1024;

/// The token of a session that [`admit`] has checked.
#[must_use]
pub fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get(TOKEN).and_then(|value| value.to_str().ok())
}

/// The beginning of tokens of terminals. No cookie can hold one: those are of another length.
const TERMINAL: &str = "rms_";

/// A token for a terminal, made of chance.
#[must_use]
pub fn terminal_token(chance: &[u8; 32]) -> String {
    format!("{TERMINAL}{}", URL_SAFE_NO_PAD.encode(chance))
}

/// The token of a terminal, in the one header that no browser sends by itself.
#[must_use]
pub fn terminal(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let token = all.next()?.to_str().ok()?.strip_prefix("Bearer ")?;
    (all.next().is_none() && token.starts_with(TERMINAL) && token.len() == TERMINAL.len() + 43).then_some(token)
}

/// Whether a person made this request, and not a page that keeps itself fresh.
#[must_use]
pub fn by_a_person(headers: &HeaderMap) -> bool {
    !headers.contains_key(REFRESH)
}

/// The session that this token opens.
#[must_use]
pub fn id(token: &str) -> SessionId {
    SessionId(Digest::of(token.as_bytes()))
}

/// What forms of this session give back. It follows from the token, which no page ever sees, so it is worth
/// nothing in another session, and the token cannot be found from it.
#[must_use]
pub fn csrf(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Digest::of(format!("remit/console/csrf/v1\0{token}").as_bytes()).as_bytes())
}

/// A cookie that opens this session. Over TLS its name has the prefix that binds it to this host; on the
/// loopback interface without TLS there is no such thing.
#[must_use]
pub fn cookie(settings: &ConsoleSettings, token: &str) -> String {
    let (name, secure) = if settings.secure { ("__Host-remit", "; Secure") } else { ("remit", "") };
    format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}", settings.session.as_secs())
}

/// A cookie that opens none any more.
#[must_use]
pub fn no_cookie(settings: &ConsoleSettings) -> String {
    let (name, secure) = if settings.secure { ("__Host-remit", "; Secure") } else { ("remit", "") };
    format!("{name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{secure}")
}

/// The token in the cookie. Two of them are none: somebody else may have planted one.
fn carried(headers: &HeaderMap, settings: &ConsoleSettings) -> Option<String> {
    let name = if settings.secure { "__Host-remit=" } else { "remit=" };
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    let mut ours = all.filter_map(|one| one.trim().strip_prefix(name));
    let token = ours.next().filter(|token| token.len() == 43)?;
    ours.next().is_none().then(|| token.to_owned())
}

/// Whether one of our own pages made the browser send this. A browser says so in one of two ways at least.
fn from_our_pages(headers: &HeaderMap, settings: &ConsoleSettings) -> bool {
    let text = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        let first = values.next().map(|value| value.to_str().unwrap_or("?").to_owned());
        if values.next().is_some() { Some("?".to_owned()) } else { first }
    };
    match (text(ORIGIN), text(SITE)) {
        (None, None) => false,
        (origin, site) => {
            origin.is_none_or(|origin| settings.origins.contains(&origin))
                && site.is_none_or(|site| site == "same-origin")
        }
    }
}

/// Before everything under `/console` and `/admin`: turns a cookie into a proof, or refuses what a person may not
/// have meant. A request with a key of its own is none of its business: no browser adds that by itself.
pub async fn admit(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    request.headers_mut().remove(TOKEN);
    let settings = &edge.settings.console;
    if request.headers().contains_key(AUTHORIZATION) {
        return next.run(request).await;
    }
    let token = carried(request.headers(), settings);
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD);
    let console = request.uri().path().starts_with("/console");
    // Signing in has no session yet, and must not be done for somebody either.
    if !harmless && (token.is_some() || console) && !from_our_pages(request.headers(), settings) {
        return forged(&request, "the request does not come from a page of this console");
    }
    let Some(token) = token else { return next.run(request).await };
    // On the way in there may be an old session; what is done there proves itself anew.
    let way_in = !harmless && is_way_in(request.uri().path());
    if !harmless && !way_in {
        request = match given_back(request).await {
            Ok((secret, request)) if same(secret.as_deref(), &csrf(&token)) => request,
            Ok((_, request)) => {
                return forged(&request, "the page has grown old, or the request does not come from it");
            }
            Err(response) => return *response,
        };
    }
    if request.uri().path() == "/console/live" {
        request.headers_mut().insert(REFRESH, HeaderValue::from_static("1"));
    }
    if let Ok(value) = HeaderValue::from_str(&token) {
        request.headers_mut().insert(TOKEN, value);
    }
    next.run(request).await
}

fn is_way_in(path: &str) -> bool {
    let ways = ["/console/sign-in", "/console/sign-in/challenge", "/console/sign-in/passkey", "/console/sign-in/oidc"];
    ways.contains(&path) || path.starts_with("/console/invitation/")
}

fn same(given: Option<&str>, expected: &str) -> bool {
    given.is_some_and(|given| verify_slices_are_equal(given.as_bytes(), expected.as_bytes()).is_ok())
}

/// For people a page, for scripts what scripts read.
fn forged(request: &Request, why: &str) -> Response {
    let refusal = Refusal::new(Code::Malformed, why).with_remedy("Load the page again, and do it there.");
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if request.uri().path().starts_with("/console") && accept.contains("text/html") {
        let mut page = console::page::refused(&refusal);
        *page.status_mut() = StatusCode::FORBIDDEN;
        return page;
    }
    refusal::http(StatusCode::FORBIDDEN, &refusal, None)
}

/// The secret that came back, and the request as it was.
async fn given_back(request: Request) -> Result<(Option<String>, Request), Box<Response>> {
    let header = request.headers().get(SECRET).map(|value| value.to_str().unwrap_or_default().to_owned());
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header.is_some() || !kind.trim().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Ok((header, request));
    }
    let (parts, body) = request.into_parts();
    let bytes = accept::body(body, FORM_BYTES_MAX).await;
    let bytes = bytes.map_err(|refusal| Box::new(refusal::http(refusal::status(refusal.code), &refusal, None)))?;
    let secret = field(&bytes);
    Ok((secret, Request::from_parts(parts, Body::from(bytes))))
}

/// The one field `csrf` of a form. The secret has no characters that are escaped.
fn field(form: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(form).ok()?;
    let mut found = text.split('&').filter_map(|field| field.strip_prefix("csrf="));
    let secret = found.next()?;
    found.next().is_none().then(|| secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(secure: bool) -> ConsoleSettings {
        let origins = vec!["https://remit.acme.example".to_owned()];
        ConsoleSettings { origins, secure, session: jiff::SignedDuration::from_hours(8), ..ConsoleSettings::default() }
    }

    fn headers(values: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(name, value.parse().expect("header"));
        }
        headers
    }

    #[test]
    fn a_cookie_is_for_this_host_and_no_script() {
        let token = "t".repeat(43);
        let expected = format!("__Host-remit={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=28800; Secure");
        assert_eq!(cookie(&settings(true), &token), expected);
        assert!(!cookie(&settings(false), &token).contains("Secure"));
        assert!(no_cookie(&settings(true)).starts_with("__Host-remit=; Path=/;"));
    }

    #[test]
    fn a_planted_cookie_opens_nothing() {
        let (ours, theirs) = ("a".repeat(43), "b".repeat(43));
        let carried = |lines: &[&str], secure| {
            let lines: Vec<_> = lines.iter().map(|line| (COOKIE, *line)).collect();
            carried(&headers(&lines), &settings(secure))
        };
        let one = format!("x=1; __Host-remit={ours}; y=2");
        assert_eq!(carried(&[&one], true), Some(ours.clone()));
        assert_eq!(carried(&[&one], false), None);
        assert_eq!(carried(&[&format!("remit={theirs}")], true), None, "without the prefix a sister domain may set it");
        assert_eq!(carried(&[&one, &format!("__Host-remit={theirs}")], true), None);
        assert_eq!(carried(&[&format!("{one}; __Host-remit={theirs}")], true), None);
        assert_eq!(carried(&["__Host-remit="], true), None);
    }

    #[test]
    fn only_our_own_pages_send_what_changes_something() {
        let ours = |values: &[(HeaderName, &str)]| from_our_pages(&headers(values), &settings(true));
        let home = "https://remit.acme.example";
        assert!(ours(&[(ORIGIN, home), (SITE, "same-origin")]));
        assert!(ours(&[(ORIGIN, home)]) && ours(&[(SITE, "same-origin")]));
        assert!(!ours(&[]), "a browser always says one of the two");
        assert!(!ours(&[(ORIGIN, "https://evil.example"), (SITE, "same-origin")]));
        assert!(!ours(&[(ORIGIN, "null")]) && !ours(&[(ORIGIN, home), (ORIGIN, home)]));
        for site in ["same-site", "cross-site", "none", ""] {
            assert!(!ours(&[(ORIGIN, home), (SITE, site)]), "{site}");
        }
    }

    #[test]
    fn the_secret_is_of_one_session() {
        let (one, other) = (csrf("token"), csrf("another"));
        assert_ne!(one, other);
        assert!(same(Some(&one), &csrf("token")) && !same(Some(&one), &other));
        assert!(!same(None, &one) && !same(Some(""), &one));
        assert_eq!(field(format!("a=1&csrf={one}&b=2").as_bytes()).as_deref(), Some(one.as_str()));
        assert_eq!(field(b"csrf=a&csrf=b"), None);
        assert_eq!(field(b"xcsrf=a"), None);
    }
}
