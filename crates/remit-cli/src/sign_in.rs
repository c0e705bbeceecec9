//! The party that vouches for people as the folder describes it, as the server uses it. Relative paths are the folder's.

use std::path::Path;

use jiff::SignedDuration;
use remit_config::settings::Settings;
use remit_server::console::BACK;
use remit_server::oidc::{Oidc, OidcSettings};

use crate::upstreams::source;

/// The party, if the folder names one. It sends people back to where the console is at home.
///
/// INVARIANT (a missing security option refuses to start): its secret is there and its certificate can be read. No folder
/// is put forward before this was asked of it.
pub fn oidc(settings: &Settings, folder: &Path, home: &str) -> Result<Option<Oidc>, Vec<String>> {
    let Some(named) = &settings.oidc else { return Ok(None) };
    let chosen = OidcSettings {
        issuer: named.issuer.clone(),
        label: named.label.clone(),
        client_id: named.client_id.clone(),
        client_secret: source(&named.client_secret, folder),
        scopes: named.scopes.clone(),
        ca: named.ca.as_ref().map(|file| folder.join(file)),
        fresh: SignedDuration::from_secs(i64::try_from(named.fresh_secs).unwrap_or(0)),
        redirect_uri: format!("{home}{BACK}"),
    };
    Oidc::new(chosen).map(Some).map_err(|why| vec![format!("remit.yaml: nobody can sign in by OIDC: {why}")])
}
