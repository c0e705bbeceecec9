//! `sign_in:` of `remit.yaml`: another party that vouches for people (OpenID Connect). Asks nobody.

use std::path::PathBuf;

use crate::at::At;
use crate::report::Report;
use crate::settings::file::{OidcFile, SignInFile};
use crate::settings::{Console, Oidc};
use crate::upstream::{source, url};

const FRESH_SECS: u64 = 5 * 60;
const FRESH_SECS_MAX: u64 = 3_600;
const SCOPES_MAX: usize = 16;

pub(super) fn check(
    file: Option<SignInFile>,
    console: &Console,
    loopback: bool,
    report: &mut Report<'_>,
) -> Option<Oidc> {
    let at = file?.oidc;
    if console.url.is_none() && !loopback {
        let message = "the other party must know where to send people back to";
        report.fault(&at, message, "say where browsers find the gateway: `console: {url: \"https://…\"}`");
    }
    let OidcFile { issuer, client_id, client_secret, name, scopes, ca, fresh } = at.into_value();
    let found = self::issuer(&issuer, report);
    let word =
        |text: &str| (!text.is_empty() && text.len() <= 255 && text.bytes().all(graphic)).then(|| text.to_owned());
    let client_id = report.read(&client_id, word, "the name of a client", "write it as the provider gives it");
    let secret = source(&client_secret, report);
    let label = match &name {
        None => found.as_deref().map(|issuer| host(issuer).to_owned()),
        Some(at) => {
            let shown = |text: &str| {
                let fits = !text.trim().is_empty() && text.chars().count() <= 40 && !text.chars().any(char::is_control);
                fits.then(|| text.to_owned())
            };
            report.read(at, shown, "a name that fits on a button", "write at most 40 characters")
        }
    };
    if let Some(at) = scopes.get(SCOPES_MAX) {
        report.fault(at, "these are too many scopes", "leave most of them out: only who somebody is is used");
    }
    let plain = |text: &str| (word(text).is_some() && !text.contains(['"', '\\'])).then(|| text.to_owned());
    let scopes = scopes.iter().filter_map(|at| report.read(at, plain, "a scope", "write one word: `profile`"));
    let scopes: Vec<_> = scopes.filter(|scope| scope != "openid").collect();
    if let Some(at) = ca.as_ref().filter(|at| at.is_empty()) {
        report.fault(at, "the path is empty", "write the path of a certificate: `ca.pem`");
    }
    let fresh_secs = match &fresh {
        None => Some(FRESH_SECS),
        Some(at) => report.length_secs(at).filter(|secs| {
            let fits = (1..=FRESH_SECS_MAX).contains(secs);
            if !fits {
                report.fault(at, format!("`{}` is out of bounds", **at), "write at most `1h`");
            }
            fits
        }),
    };
    Some(Oidc {
        issuer: found?,
        label: label?,
        client_id: client_id?,
        client_secret: secret?,
        scopes,
        ca: ca.map(|at| PathBuf::from(at.into_value())),
        fresh_secs: fresh_secs?,
    })
}

/// The issuer, letter for letter as it stands in its tokens (OpenID Connect Core 1.0, section 2).
fn issuer(at: &At<String>, report: &mut Report<'_>) -> Option<String> {
    let found = url(at, report)?;
    if found.contains('?') {
        report.fault(at, "an issuer has no query", "write it as the provider writes `issuer` in its metadata");
        return None;
    }
    Some(found)
}

const fn graphic(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

fn host(issuer: &str) -> &str {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}
