//! What an agent may ask people for, in the words of both protocols.

use remit_app::access::{AccessRequest, RequestState};
use remit_app::question::QuestionState;
use remit_core::Caller;
use remit_core::access::Offer;
use remit_core::ids::RunId;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Map, Value, json};

use crate::edge::Edge;

/// The members that say what is asked for.
pub(crate) const TERMS: [&str; 4] = ["tools", "where", "for_secs", "calls"];

/// An offer, for programs.
pub(crate) fn offered(offer: &Offer) -> Value {
    let mut shown = offer.terms.to_json();
    shown["id"] = json!(offer.id);
    shown["approval"] = json!(offer.approval.as_str());
    shown["unused_secs"] = json!(offer.unused_secs);
    shown
}

/// Everything the caller's agent may ask for, and how.
pub(crate) fn offers(edge: &Edge, caller: &Caller) -> Value {
    let offers = edge.gate.offers(caller);
    let next = if offers.is_empty() {
        "Your remit lets you ask for nothing more."
    } else {
        "Ask for some of it with `tools` and `reason`, and less of it with `where`, `for_secs` and `calls`. People decide."
    };
    json!({"may_request": offers.iter().map(offered).collect::<Vec<_>>(), "next": next})
}

/// The terms among a request's members.
pub(crate) fn terms(body: &Value) -> Value {
    let named = TERMS.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone())));
    Value::Object(named.collect::<Map<_, _>>())
}

/// Opens a request of this caller.
///
/// # Errors
/// See [`remit_app::Gate::request_access`].
pub(crate) async fn request(edge: &Edge, caller: &Caller, run: Option<&RunId>, body: &Value) -> Result<Value, Refusal> {
    let why = body.get("reason").and_then(Value::as_str).unwrap_or_default();
    let request = edge.gate.request_access(caller, run, &terms(body), why).await?;
    own(edge, &request).await
}

/// A request as the agent sees it that asked.
pub(crate) async fn own(edge: &Edge, request: &AccessRequest) -> Result<Value, Refusal> {
    let store = &edge.gate.ports().store;
    let broken = |_| Refusal::new(Code::StoreUnavailable, "the request could not be read");
    let question = store.question(&request.question).await.map_err(broken)?;
    let now = edge.gate.ports().clock.now();
    let state = question.as_ref().map_or(QuestionState::Expired, |question| question.state(now));
    let mut shown = json!({
        "question": request.id.as_str(),
        "tool": "remit__request_access",
        "access": request.terms.to_json(),
        "expires_at": question.as_ref().map(|question| question.expires_at.to_string()),
    });
    let (word, next) = match (&request.state, state) {
        (RequestState::Granted(id), _) => {
            let given = store.grant(id).await.map_err(broken)?;
            shown["grant"] = json!(id.as_str());
            match given {
                Some(given) if given.end.is_none() && given.grant.expires > now => {
                    shown["expires_at"] = json!(given.grant.expires.to_string());
                    shown["unused_until"] = json!(given.grant.unused_until.map(|at| at.to_string()));
                    ("granted", "Granted, as `access` says. Make the call now.")
                }
                _ => ("ended", "It was granted and has ended. Ask again if you still need it."),
            }
        }
        (RequestState::Refused, _) | (RequestState::Open, QuestionState::Denied) => {
            let votes = question.iter().flat_map(|question| &question.votes);
            shown["reason"] = json!(votes.filter(|vote| !vote.approve).map(|vote| vote.reason.as_str()).next_back());
            ("refused", "Refused by a person. Do not ask again; tell the user.")
        }
        (RequestState::Lapsed, _) | (RequestState::Open, QuestionState::Expired | QuestionState::Narrowed) => {
            ("lapsed", "Nobody answered in time. Ask again if you still need it.")
        }
        (RequestState::Open, QuestionState::Approved | QuestionState::Used) => {
            ("approved", "Approved; the grant is being made. Ask again in a moment.")
        }
        (RequestState::Open, QuestionState::Open) => (
            "open",
            "People have been asked. Ask again later with `remit__status`; they may give less than you asked for.",
        ),
    };
    shown["state"] = json!(word);
    shown["next"] = json!(next);
    Ok(shown)
}
