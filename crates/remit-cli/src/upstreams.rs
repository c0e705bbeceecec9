//! Upstreams as the folder describes them, as the server reaches them. Relative paths are the folder's.

use std::path::Path;

use remit_config::upstream::{CredentialSlot, CredentialSource, ShowAs, Upstream, UpstreamTransport};
use remit_server::fleet::Recruit;
use remit_server::upstream::{Slot, Spec, Transport};
use remit_server::vault::{References, Source};

/// The fleet's upstreams.
pub fn recruits(upstreams: &[Upstream], folder: &Path) -> Vec<Recruit> {
    let recruit =
        |upstream: &Upstream| Recruit { spec: spec(upstream, folder), bare: upstream.show_as == ShowAs::Bare };
    upstreams.iter().map(recruit).collect()
}

/// How to reach each upstream.
pub fn specs(upstreams: &[Upstream], folder: &Path) -> Vec<Spec> {
    upstreams.iter().map(|upstream| spec(upstream, folder)).collect()
}

/// Where each upstream's credential stands.
pub fn references(upstreams: &[Upstream], folder: &Path) -> References {
    let sources = upstreams
        .iter()
        .filter_map(|upstream| Some((upstream.id.clone(), source(&upstream.credential.as_ref()?.source, folder))));
    References::new(sources.collect())
}

/// Where a credential stands.
pub fn source(named: &CredentialSource, folder: &Path) -> Source {
    match named {
        CredentialSource::Env(name) => Source::Env(name.clone()),
        CredentialSource::File(path) => Source::File(folder.join(path)),
    }
}

fn spec(upstream: &Upstream, folder: &Path) -> Spec {
    let transport = match &upstream.transport {
        UpstreamTransport::Http { url } => Transport::Http { url: url.clone() },
        UpstreamTransport::Stdio { argv, env, pass_env, cwd, memory_bytes_max, restarts_per_minute } => {
            Transport::Stdio {
                argv: argv.clone(),
                env: env.clone(),
                pass_env: pass_env.clone(),
                cwd: Some(cwd.as_ref().map_or_else(|| folder.to_owned(), |cwd| folder.join(cwd))),
                memory_bytes_max: *memory_bytes_max,
                restarts_per_minute: *restarts_per_minute,
            }
        }
    };
    let credential = upstream.credential.as_ref().map(|credential| match &credential.slot {
        CredentialSlot::Header { name, prefix } => Slot::Header { name: name.clone(), prefix: prefix.clone() },
        CredentialSlot::Env { name } => Slot::Env { name: name.clone() },
    });
    Spec { id: upstream.id.clone(), transport, credential, timeout_ms: upstream.timeout_ms }
}
