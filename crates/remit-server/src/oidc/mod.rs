//! Signing in with another party (OpenID Connect Core 1.0, code flow with PKCE): where people are sent, and what their
//! coming back proves. Owns what is known of the provider; knows no person, no session and no page.
//!
//! INVARIANT (nobody vouches but the one that is configured): its address is compared letter for letter, in its
//! metadata, its answers and its tokens; every address that it names obeys the same rules as its own, and no redirection
//! is followed.

mod fetch;
mod keys;
mod metadata;
mod token;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use remit_app::people::Login;
use tokio::sync::Mutex;

use crate::console::escaped;
use crate::vault::Source;
use fetch::Fetch;
use keys::Keys;
use metadata::{Metadata, PostedSecret};
pub use token::Proven;
use token::{Expected, judge};

/// How long a provider is taken at what it said of itself, its keys with it: one that it withdraws counts no longer.
const KNOWN_LASTS: Duration = Duration::from_secs(3_600);
/// Keys are asked for again no sooner, whatever tokens name: nobody makes us ask in a circle.
const KEYS_REST: Duration = Duration::from_secs(60);
/// After a failure the provider is left alone for so long.
const FAILURE_REST: Duration = Duration::from_secs(5);
/// How far clocks may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// What an operator chose about the provider.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// Its name, as it stands in tokens.
    pub issuer: String,
    /// What people read on the button.
    pub label: String,
    /// What it calls this gateway.
    pub client_id: String,
    /// Where the secret that goes with it stands.
    pub client_secret: Source,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// Whose certificate is trusted instead of the public authorities', in PEM.
    pub ca: Option<PathBuf>,
    /// For how long its word counts as given just now.
    pub fresh: SignedDuration,
    /// Where it sends people back to, as it knows it.
    pub redirect_uri: String,
}

/// A provider.
pub struct Oidc {
    settings: OidcSettings,
    fetch: Fetch,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    metadata: Option<(Metadata, Instant)>,
    keys: Option<(Keys, Instant)>,
    failed: Option<(Failure, Instant)>,
}

/// Why somebody is not known by it. People are told the kind, the log the rest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It does not answer as a provider does.
    #[error("the provider is of no use now: {0}")]
    Provider(String),
    /// What came back proves nothing.
    #[error("the answer proves nothing: {0}")]
    Answer(&'static str),
}

/// What is sent along, and has to come back.
#[derive(Clone, Debug)]
pub struct Chances {
    /// Ties the answer to the browser.
    pub state: String,
    /// Ties the token to the request.
    pub nonce: String,
    /// Ties the code to us (RFC 7636).
    pub verifier: String,
}

/// What came back in the address.
#[derive(Clone, Debug)]
pub struct Back<'a> {
    /// The code.
    pub code: &'a str,
    /// Who says that it answers (RFC 9207).
    pub iss: Option<&'a str>,
}

impl Oidc {
    /// A provider. Nothing is sent yet.
    ///
    /// # Errors
    /// Says in the operator's words what is missing.
    pub fn new(settings: OidcSettings) -> Result<Self, String> {
        let fetch = Fetch::new(&settings.issuer, settings.ca.as_deref())?;
        settings.client_secret.read().map_err(|error| error.0)?;
        Ok(Self { settings, fetch, known: Mutex::default() })
    }

    /// What was chosen about it.
    #[must_use]
    pub const fn settings(&self) -> &OidcSettings {
        &self.settings
    }

    /// Where to send somebody. `anew`: they have to prove themselves again, however lately they did.
    ///
    /// # Errors
    /// When the provider does not say where.
    pub async fn way(&self, chances: &Chances, anew: bool) -> Result<String, Failure> {
        let metadata = self.metadata().await?;
        let scope = std::iter::once("openid").chain(self.settings.scopes.iter().map(String::as_str));
        let scope = scope.collect::<Vec<_>>().join(" ");
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", &self.settings.redirect_uri),
            ("scope", &scope),
            ("state", &chances.state),
            ("nonce", &chances.nonce),
            ("code_challenge_method", "S256"),
        ];
        let challenge = challenge(&chances.verifier);
        query.push(("code_challenge", &challenge));
        if anew {
            query.extend([("prompt", "login"), ("max_age", "0")]);
        }
        let joint = if metadata.authorization.contains('?') { '&' } else { '?' };
        Ok(format!("{}{joint}{}", metadata.authorization, written(&query)))
    }

    /// What an answer proves. With `since`: they must have proved themselves after this moment.
    ///
    /// # Errors
    /// When it proves nothing, or the provider cannot be asked.
    pub async fn proven(
        &self,
        back: &Back<'_>,
        chances: &Chances,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Proven, Failure> {
        let metadata = self.metadata().await?;
        match back.iss {
            Some(iss) if iss != self.settings.issuer => return Err(Failure::Answer("another provider answers")),
            None if metadata.says_who => return Err(Failure::Answer("it does not say which provider answers")),
            _ => {}
        }
        let token = self.exchange(&metadata, back.code, &chances.verifier).await?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &chances.nonce,
            since,
            now,
        };
        let unsure = token::parts(&token)?;
        let key = self.key(&metadata, &unsure).await?;
        judge(&unsure, &key, &expected)
    }

    /// The party that vouches, as a login names it.
    #[must_use]
    pub fn login(&self, proven: &Proven) -> Login {
        Login { issuer: self.settings.issuer.clone(), subject: proven.subject.clone() }
    }

    /// Whether it can be used: it answers, its addresses can be used, and it has keys of ours. In words, with the number
    /// of keys.
    ///
    /// # Errors
    /// Says why not.
    pub async fn check(&self) -> Result<String, String> {
        let checked = async {
            let metadata = self.metadata().await?;
            Ok::<_, Failure>(self.fetch.keys(&metadata.jwks).await?.len())
        };
        match checked.await {
            Ok(0) => Err("it has no key of an algorithm that is taken: RS256, PS256, ES256, EdDSA".into()),
            Ok(keys) => Ok(format!("answers, with {keys} usable key{}", if keys == 1 { "" } else { "s" })),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn metadata(&self) -> Result<Metadata, Failure> {
        let mut known = self.known.lock().await;
        let young = |(_, since): &&(Metadata, Instant)| since.elapsed() < KNOWN_LASTS;
        if let Some((metadata, _)) = known.metadata.as_ref().filter(young) {
            return Ok(metadata.clone());
        }
        rested(&known)?;
        let asked = self.fetch.metadata(&self.settings.issuer).await;
        known.failed = asked.as_ref().err().map(|failure| (failure.clone(), Instant::now()));
        let metadata = asked?;
        known.metadata = Some((metadata.clone(), Instant::now()));
        Ok(metadata)
    }

    /// The key that a token names. A new one may have come since the last look.
    async fn key(&self, metadata: &Metadata, token: &token::Unsure) -> Result<keys::Key, Failure> {
        let mut known = self.known.lock().await;
        if let Some((keys, since)) = known.keys.as_ref().filter(|(_, since)| since.elapsed() < KNOWN_LASTS) {
            match keys.of(token.algorithm, token.kid.as_deref()) {
                Err(_) if since.elapsed() >= KEYS_REST => {}
                found => return found,
            }
        }
        rested(&known)?;
        let asked = self.fetch.keys(&metadata.jwks).await;
        known.failed = asked.as_ref().err().map(|failure| (failure.clone(), Instant::now()));
        let keys = asked?;
        let found = keys.of(token.algorithm, token.kid.as_deref());
        known.keys = Some((keys, Instant::now()));
        found
    }

    async fn exchange(&self, metadata: &Metadata, code: &str, verifier: &str) -> Result<String, Failure> {
        let secret = self.settings.client_secret.read().map_err(|error| Failure::Provider(error.0))?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.settings.redirect_uri.as_str()),
            ("code_verifier", verifier),
        ];
        let header = match metadata.secret {
            PostedSecret::Form => {
                form.extend([("client_id", self.settings.client_id.as_str()), ("client_secret", secret.expose())]);
                None
            }
            PostedSecret::Header => Some(basic(&self.settings.client_id, secret.expose())?),
        };
        self.fetch.token(&metadata.token, written(&form), header).await
    }
}

/// Whoever failed a moment ago is not asked again at once: a line of people must not each wait for the same silence.
fn rested(known: &Known) -> Result<(), Failure> {
    let lately = known.failed.as_ref().filter(|(_, at)| at.elapsed() < FAILURE_REST);
    lately.map_or(Ok(()), |(failure, _)| Err(failure.clone()))
}

/// The challenge of a verifier (RFC 7636, 4.2).
fn challenge(verifier: &str) -> String {
    use base64::Engine as _;
    let digest = remit_core::ids::Digest::of(verifier.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.as_bytes())
}

/// Names and values as a form writes them.
fn written(fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
    fields.collect::<Vec<_>>().join("&")
}

/// Who asks, in a header (RFC 6749, 2.3.1): both halves are escaped first.
fn basic(id: &str, secret: &str) -> Result<HeaderValue, Failure> {
    use base64::Engine as _;
    let pair = zeroize::Zeroizing::new(format!("{}:{}", escaped(id), escaped(secret)));
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair.as_bytes()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| Failure::Answer("the secret cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}
