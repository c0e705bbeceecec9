//! The `notify` block of `remit.yaml`: by which channels people are told, and of what. Reads no credential.

pub(crate) mod file;

use std::collections::BTreeMap;
use std::path::PathBuf;

use remit_core::ids::{ChannelId, OperatorId, RuleId};

use crate::at::At;
use crate::report::Report;
use crate::upstream::{CredentialSource, source, url};
use file::{CallbackFile, ChannelFile, NotifyFile, RetryFile, RouteFile, SmtpFile};
pub use file::{Heard, Security};

const ATTEMPTS: u32 = 5;
const ATTEMPTS_MAX: u32 = 20;
const FIRST_MS: u64 = 5_000;
const LONGEST_MS: u64 = 5 * 60_000;
const PAUSE_MS_MAX: u64 = 24 * 60 * 60_000;
/// Longest e-mail address, in bytes (RFC 5321, section 4.5.3.1.3, without the brackets).
const ADDRESS_BYTES_MAX: usize = 254;

/// Telling people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// Channels by name.
    pub channels: BTreeMap<ChannelId, Channel>,
    /// Who hears of what, in the order of the file.
    pub routes: Vec<Route>,
    /// How often and how soon a channel is tried again; none when the file does not say.
    pub retry: Option<Retry>,
}

/// A way to tell people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// What it is.
    pub kind: ChannelKind,
    /// Whether the arguments of a call may leave through it.
    pub arguments: bool,
}

/// What a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// E-mail.
    Smtp(Smtp),
    /// A signed HTTP POST.
    Webhook {
        /// Where to.
        url: String,
        /// Where the secret is found.
        secret: CredentialSource,
    },
    /// A message for a chat.
    Slack {
        /// Where the URL is found.
        url: CredentialSource,
        /// Answers from the chat, if they are taken.
        callback: Option<Callback>,
    },
    /// A push message.
    Ntfy {
        /// The topic.
        url: String,
        /// Where an access token is found.
        token: Option<CredentialSource>,
    },
}

/// E-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// A file with the authority of the server's certificate, beside the public ones.
    pub ca: Option<PathBuf>,
    /// The name to sign in with, and where its password is found.
    pub sign_in: Option<(String, CredentialSource)>,
    /// The sender.
    pub from: String,
    /// Addresses that get every message.
    pub to: Vec<String>,
}

/// Answers from a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Where the signing secret is found.
    pub signing_secret: CredentialSource,
    /// Which operator each of the chat's users is.
    pub people: BTreeMap<String, OperatorId>,
}

/// Who hears of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The approval rules; none means all of them.
    pub rules: Option<Vec<RuleId>>,
    /// The channels, in order.
    pub to: Vec<ChannelId>,
    /// Of what they hear.
    pub events: Vec<Heard>,
}

impl Heard {
    /// What is told of questions, and of what is none.
    const ALL: [Self; 8] = [
        Self::Asked,
        Self::Escalated,
        Self::Lapsing,
        Self::Answered,
        Self::Lapsed,
        Self::ChangeProposed,
        Self::GlassBroken,
        Self::ReviewsDue,
    ];

    /// Whether it happens to a question, so that routes can choose it by approval rules.
    const fn of_question(self) -> bool {
        !matches!(self, Self::ChangeProposed | Self::GlassBroken | Self::ReviewsDue)
    }
}

/// How often and how soon a channel is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts; at least one.
    pub attempts: u32,
    /// The first pause, in milliseconds.
    pub first_ms: u64,
    /// The longest pause, in milliseconds.
    pub longest_ms: u64,
}

/// `rules` are the names of the approval rules, also of those that are faulty.
pub(super) fn check(
    file: Option<NotifyFile>,
    rules: &[&str],
    report: &mut Report<'_>,
    warnings: &mut Report<'_>,
) -> Notify {
    let Some(file) = file else { return Notify::default() };
    let mut channels = BTreeMap::new();
    for (name, at) in file.channels.iter() {
        let id = report.id(name, ChannelId::parse);
        if let (Some(id), Some(channel)) = (id, channel(at, report)) {
            channels.insert(id, channel);
        }
    }
    let named: Vec<&str> = file.channels.iter().map(|(name, _)| name.as_str()).collect();
    let routes: Vec<Route> = file.routes.iter().filter_map(|at| route(at, &named, rules, report)).collect();
    for (name, _) in file.channels.iter() {
        if !routes.iter().any(|route| route.to.iter().any(|to| to.as_str() == name.as_str())) {
            let message = format!("no route leads to the channel `{}`", **name);
            warnings.fault(name, message, "name it under `to:` of a route, or remove it");
        }
    }
    if let Some(at) = file.routes.first() {
        let named = |rules: &Vec<RuleId>, name: &str| rules.iter().any(|rule| rule.as_str() == name);
        let asked = |route: &&Route| route.events.contains(&Heard::Asked);
        let heard =
            |rule: &str| routes.iter().filter(asked).any(|r| r.rules.as_ref().is_none_or(|rules| named(rules, rule)));
        for rule in rules.iter().filter(|rule| !heard(rule)) {
            let message = format!("nobody is told of questions under the approval rule `{rule}`");
            warnings.fault(at, message, "add a route for it, or one for `\"*\"`");
        }
    }
    Notify { channels, routes, retry: file.retry.and_then(|file| retry(&file, report)) }
}

fn channel(at: &At<ChannelFile>, report: &mut Report<'_>) -> Option<Channel> {
    let (kind, arguments) = match &**at {
        ChannelFile::Smtp(file) => (smtp(file, report).map(ChannelKind::Smtp), file.arguments),
        ChannelFile::Webhook(file) => {
            let (url, secret) = (url(&file.url, report), source(&file.secret, report));
            let kind = || Some(ChannelKind::Webhook { url: url?, secret: secret? });
            (kind(), file.arguments)
        }
        ChannelFile::Slack(file) => {
            let url = source(&file.url, report);
            let callback = file.callback.as_ref().map(|file| callback(file, report));
            let kind = || {
                let callback = match callback {
                    Some(found) => Some(found?),
                    None => None,
                };
                Some(ChannelKind::Slack { url: url?, callback })
            };
            (kind(), file.arguments)
        }
        ChannelFile::Ntfy(file) => {
            let url = url(&file.url, report);
            let token = file.token.as_ref().map(|token| source(token, report));
            let kind = || {
                let token = match token {
                    Some(found) => Some(found?),
                    None => None,
                };
                Some(ChannelKind::Ntfy { url: url?, token })
            };
            (kind(), file.arguments)
        }
    };
    Some(Channel { kind: kind?, arguments })
}

fn smtp(file: &SmtpFile, report: &mut Report<'_>) -> Option<Smtp> {
    let help = "write the server's name and port: `smtp.acme.example:587`";
    let server = report.read(&file.server, server, "a mail server with its port", help);
    let security = *file.security;
    if let Some((host, _)) = server.as_ref().filter(|(host, _)| security == Security::Plaintext && !is_loopback(host)) {
        let message = format!("mail to `{host}` would go over the network in the open");
        report.fault(&file.security, message, "write `starttls` or `tls`; `none` is for this machine only");
    }
    if let (Security::Plaintext, Some(ca)) = (security, &file.ca) {
        report.fault(ca, "`ca` means nothing without encryption", "remove it, or write `starttls` or `tls`");
    }
    let sign_in = match (&file.user, &file.password) {
        (None, None) => Some(None),
        (Some(user), Some(password)) => {
            let plain = |text: &str| (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned());
            let user = report.read(user, plain, "a name to sign in with", "write it as your mail server has it");
            let password = source(password, report);
            user.zip(password).map(Some)
        }
        (Some(at), None) | (None, Some(at)) => {
            report.fault(at, "`user` and `password` go together", "write both, or neither");
            None
        }
    };
    let from = address(&file.from, report);
    let to: Vec<String> = file.to.iter().filter_map(|at| address(at, report)).collect();
    let (host, port) = server?;
    let ca = file.ca.as_ref().map(|at| PathBuf::from(&**at));
    Some(Smtp { host, port, security, ca, sign_in: sign_in?, from: from?, to })
}

fn server(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(address) = bracketed {
        return address.parse::<std::net::Ipv6Addr>().is_ok().then(|| (address.to_owned(), port));
    }
    let shaped = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    shaped.then(|| (host.to_owned(), port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An e-mail address: printable, one `@`, and nothing that a header could take for its end.
pub(crate) fn address(at: &At<String>, report: &mut Report<'_>) -> Option<String> {
    let plain = |text: &str| {
        let (local, domain) = text.split_once('@')?;
        let word = |text: &str, others: &[u8]| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || others.contains(&b))
        };
        let shaped = word(local, b".!#$%&'*+-/=?^_`{|}~") && word(domain, b".-") && text.len() <= ADDRESS_BYTES_MAX;
        shaped.then(|| text.to_owned())
    };
    report.read(at, plain, "an e-mail address", "write `bob@acme.example`")
}

fn callback(file: &CallbackFile, report: &mut Report<'_>) -> Option<Callback> {
    let signing_secret = source(&file.signing_secret, report);
    let mut people = BTreeMap::new();
    for (user, operator) in file.people.iter() {
        let plain = |text: &str| {
            let shaped = !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric());
            shaped.then(|| text.to_owned())
        };
        let user = report.read(user, plain, "a user id of the chat", "write the id, not the name: `U012ABCDEF`");
        if let (Some(user), Some(operator)) = (user, report.id(operator, OperatorId::parse)) {
            people.insert(user, operator);
        }
    }
    Some(Callback { signing_secret: signing_secret?, people })
}

fn route(at: &At<RouteFile>, channels: &[&str], rules: &[&str], report: &mut Report<'_>) -> Option<Route> {
    if at.rules.is_empty() || at.to.is_empty() {
        report.fault(at, "this route leads nowhere", "name approval rules under `for:` and channels under `to:`");
    }
    let every = at.rules.iter().any(|rule| rule.as_str() == "*");
    let mut found = Vec::new();
    for rule in at.rules.iter().filter(|rule| rule.as_str() != "*") {
        let Some(id) = report.id(rule, RuleId::parse) else { continue };
        if !rules.contains(&id.as_str()) {
            report.unknown(rule, "approval rule", rule, rules.iter().copied());
        }
        found.push(id);
    }
    let mut to: Vec<ChannelId> = Vec::new();
    for channel in &at.to {
        let Some(id) = report.id(channel, ChannelId::parse) else { continue };
        if !channels.contains(&id.as_str()) {
            report.unknown(channel, "channel", channel, channels.iter().copied());
        }
        if to.contains(&id) {
            report.fault(channel, "a channel cannot stand in for itself", "name each channel once");
        }
        to.push(id);
    }
    Some(Route { rules: (!every).then_some(found), to, events: events(at, every, report) })
}

/// What a route hears of: what it names, or else all that it can.
fn events(at: &At<RouteFile>, every: bool, report: &mut Report<'_>) -> Vec<Heard> {
    let Some(named) = &at.events else {
        return Heard::ALL.into_iter().filter(|heard| every || heard.of_question()).collect();
    };
    if named.is_empty() {
        report.fault(at, "this route hears of nothing", "name events, or leave `events:` out");
    }
    let mut heard = Vec::new();
    for word in named {
        let event = **word;
        if !every && !event.of_question() {
            let message = "this happens to no question, so no approval rule leads to it";
            report.fault(word, message, "name it in a route for `\"*\"`");
        }
        heard.push(event);
    }
    heard
}

fn retry(file: &RetryFile, report: &mut Report<'_>) -> Option<Retry> {
    let attempts = file.attempts.as_ref().map_or(ATTEMPTS, |at| **at);
    if let Some(at) = file.attempts.as_ref().filter(|_| !(1..=ATTEMPTS_MAX).contains(&attempts)) {
        report.fault(at, format!("`{attempts}` is out of bounds"), "write 1 to 20 attempts");
    }
    let mut pause = |at: &Option<At<String>>, default| {
        let Some(at) = at else { return Some(default) };
        let pause = report.length_ms(at)?;
        if !(1..=PAUSE_MS_MAX).contains(&pause) {
            report.fault(at, format!("`{}` is out of bounds", **at), "write more than nothing, and at most `1d`");
        }
        Some(pause)
    };
    let (first_ms, longest_ms) = (pause(&file.first, FIRST_MS), pause(&file.longest, LONGEST_MS));
    Some(Retry { attempts, first_ms: first_ms?, longest_ms: longest_ms? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_port() {
        assert_eq!(server("smtp.acme.example:587"), Some(("smtp.acme.example".into(), 587)));
        assert_eq!(server("[::1]:25"), Some(("::1".into(), 25)));
        for text in ["smtp.acme.example", ":25", "a b:25", "smtp:0", "smtp:70000", "::1:25", "u@smtp:25"] {
            assert_eq!(server(text), None, "{text}");
        }
        assert!(["localhost", "127.0.0.9", "::1"].into_iter().all(is_loopback));
        assert!(!["localhost.evil.example", "10.0.0.1", "0.0.0.0"].into_iter().any(is_loopback));
    }
}
