//! What a folder says about the edge: which names it answers to, where the console is, and who holds which key.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use remit_config::keys as named;
use remit_config::settings::{Authentication, Settings};
use remit_core::approval::{Approver, Factor};
use remit_core::limits::BODY_BYTES_MAX;
use remit_server::edge::{ConsoleSettings, EdgeSettings};
use remit_server::identify::{AgentKey, Keyring, OperatorKey, Person};
use remit_server::serve;

/// The settings of an edge that listens here, and that clients find at this URL.
pub fn settings(settings: &Settings, address: SocketAddr, url: &str, session_key: [u8; 32]) -> EdgeSettings {
    let mut allowed_hosts = settings.allowed_hosts.clone();
    allowed_hosts.push(address.to_string());
    if address.ip().is_loopback() {
        allowed_hosts.extend(serve::loopback_hosts(address));
    }
    let (base_url, console) = console(settings, address, url);
    // What browsers are told to find is answered.
    allowed_hosts.extend(base_url.split_once("://").map(|(_, host)| host.to_owned()));
    let mut allowed_origins = settings.allowed_origins.clone();
    allowed_origins.extend(console.origins.clone());
    EdgeSettings {
        allowed_hosts,
        allowed_origins,
        hold: Duration::from_millis(settings.hold_ms),
        session_key,
        server_name: "remit".into(),
        base_url,
        console,
        body_bytes_max: BODY_BYTES_MAX,
        loopback: address.ip().is_loopback(),
        ledger: None,
    }
}

/// Where browsers find the gateway, and what follows for signing in. Without an address of its own the console
/// is where the gateway listens; there, passkeys are made for `localhost`, as an IP address can have none.
fn console(settings: &Settings, address: SocketAddr, url: &str) -> (String, ConsoleSettings) {
    let chosen = &settings.console;
    let secs = |secs: u64| jiff::SignedDuration::from_secs(i64::try_from(secs).unwrap_or(0));
    let loopback = address.ip().is_loopback();
    let (origins, rp_id) = match &chosen.url {
        Some(url) => (vec![url.clone()], chosen.rp_id.clone()),
        None if loopback => {
            let local = url.replace(&address.ip().to_string(), "localhost");
            (vec![url.to_owned(), local], Some("localhost".to_owned()))
        }
        None => (Vec::new(), None),
    };
    let base_url = chosen.url.clone().unwrap_or_else(|| url.to_owned());
    let secure = base_url.starts_with("https://");
    let (session, idle) = (secs(chosen.session_secs), secs(chosen.idle_secs));
    (base_url, ConsoleSettings { origins, rp_id, secure, session, idle })
}

/// The keys as the edge looks them up.
pub fn keyring(keys: &named::Keys, settings: &Settings) -> Keyring {
    let agents = keys.agents.iter().map(|key| {
        let (id, agent, user, may_declare) =
            (key.id.clone(), key.agent.clone(), key.user.clone(), key.may_declare.clone());
        (key.sha256, AgentKey { id, agent, user, may_declare, expires: key.expires, revoked: key.revoked })
    });
    let operators = keys.operators.iter().filter_map(|key| {
        let named::KeyProof { sha256, expires } = key.proof?;
        let approver =
            Approver { id: key.id.clone(), user: key.user.clone(), teams: key.teams.clone(), factor: Factor::Key };
        Some((sha256, OperatorKey { approver, roles: key.roles.clone(), expires, revoked: key.revoked }))
    });
    let people = keys.operators.iter().filter(|key| !key.revoked).map(|key| {
        let (user, teams, roles) = (key.user.clone(), key.teams.clone(), key.roles.clone());
        let key_expires = key.proof.map(|proof| proof.expires);
        (key.id.clone(), Person { user, teams, roles, key_expires })
    });
    let anonymous = match &settings.authentication {
        Authentication::Keys => None,
        Authentication::Anonymous(agent) => Some(agent.clone()),
    };
    Keyring {
        agents: agents.collect::<HashMap<_, _>>(),
        operators: operators.collect(),
        people: people.collect(),
        anonymous,
    }
}
