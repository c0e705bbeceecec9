//! Votes as they come in: read strictly, so that nothing is taken for something else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use remit_app::ballot::{Ballot, Choice, Nonce, Proof, Site};
use remit_app::change::ChangeBallot;
use remit_app::narrow::Narrower;
use remit_app::question::RunBounds;
use remit_core::ids::{ChangeId, Digest, QuestionId, RuleId};
use remit_core::verdict::Refusal;
use serde_json::Value;

use crate::accept::{malformed, only, text};
use crate::edge::EdgeSettings;

/// Reads a vote on this question. Who votes is no part of it: a member that says so is one too many.
pub(crate) fn read(settings: &EdgeSettings, question: &str, body: &Value) -> Result<Ballot, Refusal> {
    ballot(question, body, |assertion| proof(settings, assertion))
}

fn ballot(
    question: &str,
    body: &Value,
    proof: impl FnOnce(&Value) -> Result<Proof, Refusal>,
) -> Result<Ballot, Refusal> {
    only(body, &["choice", "rule", "reason", "shown", "assertion", "bounds"])?;
    let question = QuestionId::parse(question).map_err(|_| super::questions::unknown())?;
    let choice = match text(body, "choice")? {
        Some("approve") if body.get("bounds").is_none() => Choice::Approve,
        Some("approve_run") => Choice::ApproveRun(bounds(body)?),
        Some("deny") if body.get("bounds").is_none() => Choice::Deny,
        _ => return Err(malformed("`choice` must be approve, deny, or approve_run with `bounds`")),
    };
    let (rule, shown) = (rule(body)?, shown(body)?);
    let reason = text(body, "reason")?.unwrap_or_default().to_owned();
    let proof = body.get("assertion").map(proof).transpose()?;
    Ok(Ballot { question, rule, choice, reason, shown, proof })
}

fn proof(settings: &EdgeSettings, assertion: &Value) -> Result<Proof, Refusal> {
    only(assertion, &["nonce", "credential", "client_data", "authenticator_data", "signature"])?;
    let bytes = |name: &str| {
        let decoded = text(assertion, name)?.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        decoded.ok_or_else(|| malformed(format!("`assertion.{name}` must be base64url without padding")))
    };
    let nonce = text(assertion, "nonce")?.and_then(Nonce::parse);
    Ok(Proof {
        nonce: nonce.ok_or_else(|| malformed("`assertion.nonce` must be the nonce of the statement"))?,
        credential: bytes("credential")?,
        client_data: bytes("client_data")?,
        authenticator_data: bytes("authenticator_data")?,
        signature: bytes("signature")?,
        site: site(settings),
    })
}

fn bounds(body: &Value) -> Result<RunBounds, Refusal> {
    let of =
        body.get("bounds").ok_or_else(|| malformed("`bounds` must say how many calls, how much and until when"))?;
    only(of, &["calls_max", "cost_max_micro_usd", "until"])?;
    let number = |name: &str| {
        of.get(name).and_then(Value::as_u64).ok_or_else(|| malformed(format!("`bounds.{name}` must be a whole number")))
    };
    let calls_max = u32::try_from(number("calls_max")?).map_err(|_| malformed("`bounds.calls_max` is too large"))?;
    let until = text(of, "until")?.and_then(|text| text.parse::<Timestamp>().ok());
    // In milliseconds, as it is written in the statement.
    let until = until.and_then(|at| Timestamp::from_millisecond(at.as_millisecond()).ok());
    let until = until.ok_or_else(|| malformed("`bounds.until` must be a time: `2026-11-21T11:00:00Z`"))?;
    Ok(RunBounds { calls_max, cost_max: number("cost_max_micro_usd")?, until })
}

/// Where people sign: where they sign in by passkeys. A gateway that has no such place takes its own URL.
pub(crate) fn site(settings: &EdgeSettings) -> Site {
    match &settings.console.rp_id {
        Some(rp_id) => Site { rp_id: rp_id.clone(), origins: settings.console.origins.clone() },
        None => own(&settings.base_url),
    }
}

fn own(base_url: &str) -> Site {
    let origin = base_url.trim_end_matches('/');
    let host = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    Site { rp_id: name.map_or(host, |(name, _)| name).to_owned(), origins: vec![origin.to_owned()] }
}

/// Reads a vote on a change of the authority.
pub(crate) fn on_change(settings: &EdgeSettings, change: &str, body: &Value) -> Result<ChangeBallot, Refusal> {
    only(body, &["choice", "reason", "assertion"])?;
    let change = ChangeId::parse(change).map_err(|_| super::changes::unknown())?;
    let approve = match text(body, "choice")? {
        Some("approve") => true,
        Some("refuse") => false,
        _ => return Err(malformed("`choice` must be approve or refuse")),
    };
    let reason = text(body, "reason")?.unwrap_or_default().trim().to_owned();
    if !approve && reason.is_empty() {
        return Err(malformed("`reason` is missing: whoever proposed it will ask"));
    }
    let proof = body.get("assertion").map(|assertion| proof(settings, assertion)).transpose()?;
    Ok(ChangeBallot { change, approve, reason, proof })
}

/// Other arguments for a held call.
pub(crate) fn narrower(settings: &EdgeSettings, question: &str, body: &Value) -> Result<Narrower, Refusal> {
    only(body, &["arguments", "rule", "reason", "shown", "assertion"])?;
    let question = QuestionId::parse(question).map_err(|_| super::questions::unknown())?;
    let arguments = body.get("arguments").filter(|arguments| arguments.is_object());
    let arguments =
        arguments.ok_or_else(|| malformed("`arguments` must be all arguments of the call, as an object"))?.clone();
    let reason = text(body, "reason")?.unwrap_or_default().to_owned();
    let proof = body.get("assertion").map(|assertion| proof(settings, assertion)).transpose()?;
    Ok(Narrower { question, rule: rule(body)?, arguments, reason, shown: shown(body)?, proof })
}

fn rule(body: &Value) -> Result<Option<RuleId>, Refusal> {
    text(body, "rule")?.map(RuleId::parse).transpose().map_err(malformed)
}

fn shown(body: &Value) -> Result<Digest, Refusal> {
    let shown = text(body, "shown")?.and_then(Digest::from_hex);
    shown.ok_or_else(|| malformed("`shown` must be the digest of what was shown: GET the question"))
}

/// A text that is to be said, and nothing besides.
pub(crate) fn said(body: &Value) -> Result<String, Refusal> {
    only(body, &["text"])?;
    Ok(text(body, "text")?.ok_or_else(|| malformed("`text` is missing"))?.to_owned())
}

/// Base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_the_host_without_its_port() {
        let site = |url| own(url).rp_id;
        assert_eq!(site("https://remit.acme.example"), "remit.acme.example");
        assert_eq!(site("http://localhost:7420/"), "localhost");
        assert_eq!(site("http://[::1]:7420"), "[::1]");
    }

    #[test]
    fn nobody_says_in_a_body_who_votes() {
        let shown = Digest::of(b"x").to_string();
        let vote = |more: Value| {
            let mut body = serde_json::json!({"choice": "approve", "shown": shown});
            body.as_object_mut().zip(more.as_object().cloned()).into_iter().for_each(|(body, more)| body.extend(more));
            ballot("q_1", &body, |_| Err(malformed("none"))).map(drop).map_err(|refusal| refusal.reason)
        };
        assert_eq!(vote(serde_json::json!({})), Ok(()));
        for name in ["by", "approver", "operator", "user", "factor", "assurance", "teams", "at"] {
            assert_eq!(vote(serde_json::json!({name: "bob"})), Err(format!("unknown member `{name}`")));
        }
        assert_eq!(vote(serde_json::json!({"shown": 1})), Err("`shown` must be a text".into()));
        assert!(vote(serde_json::json!({"assertion": {"nonce": "0"}})).is_err());
    }
}
