//! Answers from a chat: `POST /notify/v1/slack/{channel}`. Slack's signature proves that the chat passed a
//! click on; the mark of the button proves that it is ours; and then the person behind the chat's user
//! votes with their own rights, through the same use case as everybody. The bot has no rights.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::{Form, FromRequest as _, Path, Request, State};
use axum::middleware;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use remit_app::NotTaken;
use remit_app::ballot::{Ballot, Choice};
use remit_app::question::Question;
use remit_core::approval::{Approver, Factor};
use remit_core::ids::{ChannelId, Digest, OperatorId, QuestionId};
use remit_core::steering::{self, Deed};
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use super::slack::{Button, Callback, bytes};
use super::{Channels, Kind};
use crate::accept;
use crate::admin::questions::not_taken;
use crate::admin::{answer, unavailable};
use crate::edge::Edge;
use crate::gateway::http::guard;

/// Largest body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How old a click may be, and how far ahead its clock, in seconds (Slack, "Verifying requests").
const AGE_SECS_MAX: i64 = 5 * 60;
/// How many clicks are remembered. Only signed ones are, so no stranger fills it.
const SEEN_MAX: usize = 10_000;

/// The path.
pub(crate) fn routes(edge: Arc<Edge>) -> Router {
    Router::new()
        .route("/notify/v1/slack/{channel}", post(clicked))
        .layer(middleware::from_fn_with_state(edge.clone(), guard))
        .with_state(edge)
}

/// Signatures that were seen, each until the second in which it is too old anyway. A restart forgets them;
/// what then comes again meets a question that the person has voted on.
#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<Vec<u8>, i64>>);

impl Seen {
    /// Whether this one is new. It no longer is, afterwards. When there is no room, nothing is new.
    fn is_new(&self, signature: Vec<u8>, now: i64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, until| *until >= now);
        if seen.len() >= SEEN_MAX || seen.contains_key(&signature) {
            return false;
        }
        seen.insert(signature, now + 2 * AGE_SECS_MAX);
        true
    }
}

/// A click on a button of ours.
struct Click {
    user: String,
    choice: Choice,
    question: QuestionId,
    shown: Digest,
    mark: String,
}

async fn clicked(State(edge): State<Arc<Edge>>, Path(channel): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let taken = async {
        let channels = edge.channels.clone().ok_or_else(unsigned)?;
        let plan = channels.plan();
        let channel = ChannelId::parse(&channel).map_err(|_| unsigned())?;
        let callback = match plan.channels.get(&channel).map(|channel| &channel.kind) {
            Some(Kind::Slack(slack)) => slack.callback.as_ref().ok_or_else(unsigned)?,
            _ => return Err(unsigned()),
        };
        let body = accept::body(body, BODY_BYTES_MAX).await?;
        let now = edge.gate.ports().clock.now().as_second();
        let signature = signed(callback, &parts.headers, &body, now)?;
        if !channels.seen.is_new(signature, now) {
            return Err(Refusal::new(Code::Conflict, "this click has been taken already")
                .with_remedy("Nothing was counted a second time."));
        }
        let Some(click) = click(&body).await? else { return Ok(json!({})) };
        let question = vote(&edge, &channels, callback, &channel, &click).await?;
        let state = question.state(edge.gate.ports().clock.now()).as_str();
        let text = format!("Your answer was taken. The question is now {state}.");
        Ok(json!({"response_type": "ephemeral", "replace_original": false, "text": text, "state": state}))
    };
    answer(taken.await)
}

/// One refusal for every way in which a request can be nobody's, also for channels that there are not.
fn unsigned() -> Refusal {
    Refusal::new(Code::Unauthenticated, "the signature is missing, wrong or too old")
}

/// Checks the signature (`v0=` and HMAC-SHA256 over `v0:time:body`) and its age; the signature itself.
fn signed(callback: &Callback, headers: &HeaderMap, body: &[u8], now: i64) -> Result<Vec<u8>, Refusal> {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok());
        value.filter(|_| values.next().is_none()).ok_or_else(unsigned)
    };
    let (time, signature) = (one("x-slack-request-timestamp")?, one("x-slack-signature")?);
    let at: i64 = time.parse().map_err(|_| unsigned())?;
    let tag = signature.strip_prefix("v0=").and_then(bytes).ok_or_else(unsigned)?;
    let secret = callback.signing_secret.read().map_err(|error| {
        tracing::error!(%error, "answers from a chat cannot be checked");
        Refusal::new(Code::CredentialUnavailable, "answers from the chat cannot be checked")
    })?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut text = format!("v0:{time}:").into_bytes();
    text.extend_from_slice(body);
    hmac::verify(&key, &text, &tag).map_err(|_| unsigned())?;
    // Old ones last: whoever cannot sign learns nothing of our clock.
    if now.abs_diff(at) > AGE_SECS_MAX.unsigned_abs() { Err(unsigned()) } else { Ok(tag) }
}

/// Reads a click from a signed body; none when it asks nothing of us, as a click on a link.
async fn click(body: &Bytes) -> Result<Option<Click>, Refusal> {
    let malformed = |what: &str| Refusal::new(Code::Malformed, what.to_owned());
    let mut request = Request::new(axum::body::Body::from(body.clone()));
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let form = Form::<Vec<(String, String)>>::from_request(request, &()).await;
    let Form(members) = form.map_err(|_| malformed("the body is no form"))?;
    let mut payloads = members.iter().filter(|(name, _)| name == "payload").map(|(_, text)| text);
    let (Some(payload), None) = (payloads.next(), payloads.next()) else {
        return Err(malformed("the form needs one `payload`"));
    };
    let payload = remit_core::json::parse(payload.as_bytes()).map_err(|error| malformed(&error.to_string()))?;
    if payload.get("type").and_then(Value::as_str) != Some("block_actions") {
        return Ok(None);
    }
    let Some([action]) = payload.get("actions").and_then(Value::as_array).map(Vec::as_slice) else {
        return Err(malformed("one click is one action"));
    };
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let named = text(action, "action_id").ok_or_else(|| malformed("the action has no name"))?;
    let choice = match named.as_str() {
        "approve" => Choice::Approve,
        "deny" => Choice::Deny,
        _ => return Ok(None),
    };
    let user = payload.get("user").and_then(|user| text(user, "id")).ok_or_else(|| malformed("nobody has clicked"))?;
    let value = text(action, "value").ok_or_else(not_ours)?;
    let [said, question, shown, mark] = value.split(' ').collect::<Vec<_>>()[..] else { return Err(not_ours()) };
    if said != named {
        return Err(not_ours());
    }
    let question = QuestionId::parse(question).map_err(|_| not_ours())?;
    let shown = Digest::from_hex(shown).ok_or_else(not_ours)?;
    Ok(Some(Click { user, choice, question, shown, mark: mark.to_owned() }))
}

fn not_ours() -> Refusal {
    Refusal::new(Code::Malformed, "this button was not made by this gateway")
}

/// The vote of the person behind the chat's user, with what `keys.yaml` says of them at this moment.
async fn vote(
    edge: &Edge,
    channels: &Channels,
    callback: &Callback,
    channel: &ChannelId,
    click: &Click,
) -> Result<Question, Refusal> {
    let person: &OperatorId = callback.people.get(&click.user).ok_or_else(|| {
        Refusal::new(Code::PolicyNoPermit, "the configuration does not say which person this user of the chat is")
            .with_remedy("Answer in the console, or have yourself named under `people:` of the channel.")
    })?;
    let approver = approver(edge, person).await?;
    let found = edge.gate.ports().store.question(&click.question).await.map_err(unavailable)?;
    let question = found.ok_or_else(not_ours)?;
    let choice = click.choice.as_str();
    let (call, shown) = (&question.call, &click.shown);
    let button = Button { channel, question: &click.question, call, shown, choice };
    if !button.is_ours(&channels.key, &click.mark) {
        return Err(not_ours());
    }
    let reason = reason(edge, channel, &question, &click.choice);
    let (question, choice, shown) = (click.question.clone(), click.choice.clone(), click.shown);
    let ballot = Ballot { question, rule: None, choice, reason, shown, proof: None };
    edge.gate.vote(&approver, ballot).await.map_err(refusal)
}

/// The person, proven by no more than a channel's word, if their roles let them vote and their key, if they have
/// one, has not ended.
async fn approver(edge: &Edge, id: &OperatorId) -> Result<Approver, Refusal> {
    let now = edge.gate.ports().clock.now();
    let person = edge.person(id).filter(|person| person.key_expires.is_none_or(|expires| expires > now));
    match person.filter(|person| steering::allows(id, &person.roles, Deed::Vote)) {
        Some(person) => {
            let (user, teams) = (person.user, person.teams);
            Ok(Approver { id: id.clone(), user, teams, factor: Factor::Channel })
        }
        None => {
            let refused = Some(Code::PolicyNoPermit);
            edge.gate.record_deed(id, Deed::Vote, refused).await.map_err(unavailable)?;
            Err(Refusal::new(Code::PolicyNoPermit, format!("no role of {id} lets them vote"))
                .with_remedy("Ask somebody with the role, or have it given to you in keys.yaml."))
        }
    }
}

/// What is written down as the reason. A rule that wants to know why people approve is not content with a button.
fn reason(edge: &Edge, channel: &ChannelId, question: &Question, choice: &Choice) -> String {
    let snapshot = edge.gate.snapshot();
    let mut rules = question.rules.iter().filter_map(|asked| snapshot.rule(&asked.id));
    if choice.approves() && rules.any(|rule| rule.reason_required) {
        return String::new();
    }
    format!("by a click in the channel {channel}")
}

/// As in the operators' API, with what somebody in a chat can do about it.
fn refusal(error: NotTaken) -> Refusal {
    match error {
        NotTaken::Changed => Refusal::new(Code::Conflict, "what this message showed is not what is asked any more")
            .with_remedy("Nothing was counted; look at it in the console, and answer there."),
        NotTaken::Ambiguous(_) | NotTaken::NoReason | NotTaken::NotProven(_) => {
            not_taken(error).with_remedy("Nothing was counted; answer in the console.")
        }
        // The button was ours: the question was there, and is not any more.
        NotTaken::Unknown => Refusal::new(Code::Conflict, error.to_string()),
        NotTaken::NotOpen(_)
        | NotTaken::NotEntitled(_)
        | NotTaken::RuleChanged(_)
        | NotTaken::Voted
        | NotTaken::TooLong
        | NotTaken::Bounds
        | NotTaken::NotAsked
        | NotTaken::TooMany
        | NotTaken::NobodyElse
        | NotTaken::NotAlone(_)
        | NotTaken::SameCall
        | NotTaken::WouldBeRefused(_)
        | NotTaken::Unavailable(_) => not_taken(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_counts_once_while_it_is_young() {
        let seen = Seen::default();
        assert!(seen.is_new(vec![1], 0));
        assert!(!seen.is_new(vec![1], AGE_SECS_MAX));
        assert!(seen.is_new(vec![2], 0));
        for other in 0..SEEN_MAX {
            seen.is_new(other.to_be_bytes().to_vec(), 0);
        }
        assert!(!seen.is_new(vec![3], 0), "without room nothing is taken");
        assert!(seen.is_new(vec![3], 10 * AGE_SECS_MAX), "and old ones make room");
    }
}
