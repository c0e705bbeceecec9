//! Channels and routes as the folder describes them, as the server uses them. Relative paths are the folder's.

use std::path::Path;

use remit_app::delivery::Event;
use remit_app::tell::{Addressee, Patience, Route, Telling};
use remit_config::keys::{Keys, OperatorKey};
use remit_config::settings::Settings;
use remit_config::settings::notify::{self as named, ChannelKind, Heard};
use remit_core::approval::{Approver, Factor};
use remit_server::notify::slack::{Callback, Slack};
use remit_server::notify::smtp::{Security, Sent, Smtp};
use remit_server::notify::webhook::Webhook;
use remit_server::notify::{Channel, Kind, Plan, ntfy};

use crate::upstreams::source;

/// What the folder says about telling people. Links lead to where the folder says that browsers find the console, or
/// else to `url`.
pub fn plan(settings: &Settings, keys: &Keys, folder: &Path, url: &str) -> Plan {
    let notify = &settings.notify;
    let channels = notify.channels.iter().map(|(name, channel)| (name.clone(), self::channel(channel, folder)));
    Plan {
        telling: Telling {
            routes: notify.routes.iter().map(route).collect(),
            addressees: addressees(keys),
            console: settings.console.url.clone().unwrap_or_else(|| url.to_owned()),
            patience: notify.retry.map_or_else(Patience::default, |retry| Patience {
                attempts: retry.attempts,
                first_ms: retry.first_ms,
                longest_ms: retry.longest_ms,
            }),
        },
        channels: channels.collect(),
    }
}

/// INVARIANT (a missing security option refuses to start): every secret is there and has its form. No folder is put
/// forward before this was asked of it.
pub fn check(plan: &Plan) -> Result<(), Vec<String>> {
    let faults = plan.channels.iter().filter_map(|(name, channel)| {
        channel.check().err().map(|why| format!("remit.yaml: the channel `{name}` cannot be used: {why}"))
    });
    let faults: Vec<String> = faults.collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn route(route: &named::Route) -> Route {
    let events = route.events.iter().map(|heard| match heard {
        Heard::Asked => Event::Asked,
        Heard::Escalated => Event::Escalated(0),
        Heard::Lapsing => Event::Lapsing,
        Heard::Answered => Event::Answered,
        Heard::Lapsed => Event::Lapsed,
        Heard::ChangeProposed => Event::Proposed,
        Heard::GlassBroken => Event::GlassBroken,
        Heard::ReviewsDue => Event::ReviewsDue,
    });
    Route { rules: route.rules.clone(), events: events.collect(), to: route.to.clone() }
}

/// Operators with an address. Who of them is written to is looked up for each message.
fn addressees(keys: &Keys) -> Vec<Addressee> {
    let reachable = keys.operators.iter().filter(|key| !key.revoked);
    let addressee = |key: &OperatorKey| {
        let (id, user, teams) = (key.id.clone(), key.user.clone(), key.teams.clone());
        // The strongest: what they will have proven when they vote is not known yet.
        let approver = Approver { id, user, teams, factor: Factor::Passkey };
        let until = key.proof.map(|proof| proof.expires);
        Some(Addressee { approver, address: key.email.clone()?, roles: key.roles.clone(), until })
    };
    reachable.filter_map(addressee).collect()
}

fn channel(channel: &named::Channel, folder: &Path) -> Channel {
    let kind = match &channel.kind {
        ChannelKind::Smtp(smtp) => Kind::Smtp(Smtp {
            host: smtp.host.clone(),
            port: smtp.port,
            security: match smtp.security {
                named::Security::Starttls => Security::Starttls,
                named::Security::Tls => Security::Tls,
                named::Security::Plaintext => Security::Plaintext,
            },
            ca: smtp.ca.as_ref().map(|file| folder.join(file)),
            sign_in: smtp.sign_in.as_ref().map(|(user, password)| (user.clone(), source(password, folder))),
            from: smtp.from.clone(),
            to: smtp.to.clone(),
            sent: Sent::default(),
        }),
        ChannelKind::Webhook { url, secret } => {
            Kind::Webhook(Webhook { url: url.clone(), secret: source(secret, folder) })
        }
        ChannelKind::Slack { url, callback } => Kind::Slack(Slack {
            url: source(url, folder),
            callback: callback.as_ref().map(|callback| Callback {
                signing_secret: source(&callback.signing_secret, folder),
                people: callback.people.clone(),
            }),
        }),
        ChannelKind::Ntfy { url, token } => {
            Kind::Ntfy(ntfy::Ntfy { url: url.clone(), token: token.as_ref().map(|token| source(token, folder)) })
        }
    };
    Channel { kind, arguments: channel.arguments }
}
