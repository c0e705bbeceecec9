//! What a provider says of itself (OpenID Connect Discovery 1.0), and which addresses are ever asked.

use http::Uri;
use serde_json::Value;

use super::Failure;

/// What of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub authorization: String,
    pub token: String,
    pub jwks: String,
    /// Whether each of its answers names it (RFC 9207).
    pub says_who: bool,
    pub secret: PostedSecret,
}

/// How the client's secret is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PostedSecret {
    /// In the header, which is what counts when nothing is said.
    Header,
    /// In the form, where only that is taken.
    Form,
}

/// Where the metadata of an issuer stands (Discovery 1.0, section 4).
pub(super) fn place(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

/// Reads metadata.
pub(super) fn read(said: &Value, issuer: &str) -> Result<Metadata, Failure> {
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err(Failure::Provider("its metadata are another issuer's".into()));
    }
    let address = |name: &str| {
        let url = text(name).ok_or_else(|| Failure::Provider(format!("its metadata lack `{name}`")))?;
        usable(url, issuer).map_err(|why| Failure::Provider(format!("its `{name}` cannot be used: {why}")))?;
        Ok::<_, Failure>(url.to_owned())
    };
    let words = |name: &str| {
        let words = said.get(name).and_then(Value::as_array);
        words.map(|words| words.iter().filter_map(Value::as_str).collect::<Vec<_>>())
    };
    // Whoever lists what it can do, and not this, would let a stolen code count.
    if words("code_challenge_methods_supported").is_some_and(|methods| !methods.contains(&"S256")) {
        return Err(Failure::Provider("it does not tie codes to whoever asked for them (PKCE with S256)".into()));
    }
    let secret = match words("token_endpoint_auth_methods_supported") {
        Some(ways) if ways.contains(&"client_secret_basic") => PostedSecret::Header,
        Some(ways) if ways.contains(&"client_secret_post") => PostedSecret::Form,
        Some(_) => return Err(Failure::Provider("it takes no client secret".into())),
        None => PostedSecret::Header,
    };
    Ok(Metadata {
        authorization: address("authorization_endpoint")?,
        token: address("token_endpoint")?,
        jwks: address("jwks_uri")?,
        says_who: said.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
        secret,
    })
}

/// Whether an address may be asked, or people sent to it: encrypted, and not into a network of ours. An issuer on this
/// machine may stay on this machine, in the clear.
pub(super) fn usable(url: &str, issuer: &str) -> Result<Uri, &'static str> {
    let parsed = |url: &str| url.parse::<Uri>().ok().filter(|uri| uri.host().is_some());
    let (uri, own) = (parsed(url).ok_or("it is no URL")?, parsed(issuer).ok_or("the issuer is no URL")?);
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte));
    if !plain || uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("it is no plain URL");
    }
    let (host, home) = (uri.host().unwrap_or_default(), own.host().unwrap_or_default());
    match uri.scheme_str() {
        Some("http") if is_loopback(host) && is_loopback(home) && own.scheme_str() == Some("http") => Ok(uri),
        Some("https") if host == home => Ok(uri),
        Some("https") if is_loopback(host) || is_address(host) => Err("it leads to a bare address"),
        Some("https") => Ok(uri),
        _ => Err("it is not encrypted"),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host == "127.0.0.1" || host == "[::1]"
}

/// An address instead of a name: `10.0.0.7`, `[fd00::1]`, and other ways to write a number.
fn is_address(host: &str) -> bool {
    host.starts_with('[')
        || host
            .rsplit('.')
            .find(|label| !label.is_empty())
            .is_none_or(|label| label.bytes().all(|byte| byte.is_ascii_digit()) || label.starts_with("0x"))
}
