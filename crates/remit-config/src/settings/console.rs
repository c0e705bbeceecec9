//! `console:` in `remit.yaml`: where browsers find the gateway, and how long people stay signed in.

use crate::at::At;
use crate::report::Report;
use crate::settings::Console;
use crate::settings::file::ConsoleFile;

const SESSION_SECS: u64 = 8 * 3_600;
const SESSION_SECS_MAX: u64 = 12 * 3_600;
const IDLE_SECS: u64 = 30 * 60;

pub(super) fn check(file: Option<ConsoleFile>, report: &mut Report<'_>) -> Console {
    let Some(file) = file else {
        return Console { url: None, session_secs: SESSION_SECS, idle_secs: IDLE_SECS, rp_id: None };
    };
    let help = "write scheme and host, `https://remit.acme.example`, and `http://` on this machine only";
    let url = file.url.as_ref().and_then(|at| report.read(at, url, "an address of the console", help));
    let session_secs = length(file.session.as_ref(), SESSION_SECS, report);
    let idle_secs = length(file.idle.as_ref(), IDLE_SECS.min(session_secs), report);
    if let Some(at) = file.session.as_ref().filter(|_| session_secs > SESSION_SECS_MAX) {
        report.fault(at, "nobody stays signed in that long", "write at most `12h`");
    }
    if let Some(at) = file.idle.as_ref().filter(|_| idle_secs > session_secs) {
        report.fault(at, "`idle` is longer than `session`", "write a shorter time");
    }
    let host = url.as_deref().map(host);
    let rp_id = match (&file.rp_id, host) {
        (Some(at), None) if file.url.is_none() => {
            report.fault(at, "`rp_id` belongs to `url`", "add `url:`");
            None
        }
        (Some(at), Some(host)) => {
            let above = |text: &str| (text == host || is_above(text, host)).then(|| text.to_owned());
            let help = "write the host of `url` without its port, or a domain above it";
            report.read(at, above, "a domain of the console", help)
        }
        (Some(_), None) => None,
        // An address is no domain: without one there are no passkeys.
        (None, host) => host.filter(|host| is_domain(host)).map(str::to_owned),
    };
    Console { url, session_secs, idle_secs, rp_id }
}

fn length(at: Option<&At<String>>, otherwise: u64, report: &mut Report<'_>) -> u64 {
    at.and_then(|at| report.length_secs(at)).unwrap_or(otherwise)
}

/// Scheme and host as a browser writes an origin: no path, and no port that goes without saying.
fn url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let shaped = rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b));
    let host = host(text);
    let local = host == "localhost" || host == "127.0.0.1" || host == "[::1]";
    let implied = match scheme {
        "https" => ":443",
        "http" if local => ":80",
        _ => return None,
    };
    let rest = rest.strip_suffix(implied).unwrap_or(rest);
    (shaped && !host.is_empty()).then(|| format!("{scheme}://{rest}"))
}

/// The host of an address, without its port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
    match rest.rfind(':') {
        Some(at) if !rest.ends_with(']') => rest.get(..at).unwrap_or(rest),
        _ => rest,
    }
}

fn is_domain(host: &str) -> bool {
    host.bytes().any(|b| b.is_ascii_lowercase()) && !host.starts_with('[')
}

/// A domain above the host, of at least two labels: browsers refuse public suffixes besides.
fn is_above(domain: &str, host: &str) -> bool {
    domain.contains('.') && is_domain(domain) && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_a_browser_calls_an_origin() {
        for (text, expected) in [
            ("https://remit.acme.example", Some("https://remit.acme.example")),
            ("https://remit.acme.example:443/", Some("https://remit.acme.example")),
            ("https://remit.acme.example:8443", Some("https://remit.acme.example:8443")),
            ("http://localhost:7420", Some("http://localhost:7420")),
            ("http://[::1]:7420", Some("http://[::1]:7420")),
            ("http://remit.acme.example", None),
            ("http://localhost.evil.example", None),
            ("https://remit.acme.example/console", None),
            ("https://me@remit.acme.example", None),
            ("https://Remit.acme.example", None),
            ("https://", None),
            ("remit.acme.example", None),
        ] {
            assert_eq!(url(text).as_deref(), expected, "{text}");
        }
        assert_eq!(
            (host("https://a.example:1"), host("http://[::1]"), host("http://[::1]:1")),
            ("a.example", "[::1]", "[::1]")
        );
        assert!(is_above("acme.example", "remit.acme.example"));
        assert!(!is_above("example", "remit.acme.example") && !is_above("me.example", "remit.acme.example"));
        assert!(is_domain("a.example") && !is_domain("127.0.0.1") && !is_domain("[::1]"));
    }
}
