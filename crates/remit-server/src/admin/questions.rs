//! Questions, for the people who answer them.

use remit_app::NotTaken;
use remit_app::ballot::Nonce;
use remit_app::ports::listing::{Lapse, SHEET_MAX, Waiting};
use remit_app::question::Question;
use remit_core::ids::{Digest, QuestionId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::accept::malformed;
use crate::admin::asked::{Answer, Asked};
use crate::admin::{ballot, unavailable};
use crate::edge::Edge;
use crate::identify::Operator;
use crate::refusal;

/// `GET /admin/v1/questions?after=&limit=`: what waits for people, those that lapse first before others. `next` is
/// the path of the next page, or null.
pub(super) async fn list(Asked { edge, query, .. }: Asked) -> Answer {
    let mut asked = Waiting::all(edge.gate.ports().clock.now());
    for (name, value) in &query.0 {
        let wrong = || malformed(format!("`{name}` has no such value"));
        match name.as_str() {
            "after" => asked.after = Some(Lapse::parse(value).ok_or_else(wrong)?),
            "limit" => asked.limit = value.parse::<usize>().map_err(|_| wrong())?.clamp(1, SHEET_MAX),
            _ => return Err(malformed("the query may hold after and limit")),
        }
    }
    let sheet = edge.gate.ports().store.waiting(&asked).await.map_err(unavailable)?;
    let next = sheet.older.map(|after| format!("/admin/v1/questions?after={after}&limit={}", asked.limit));
    let questions = sheet.items.iter().map(|question| shown(&edge, question));
    Ok(json!({"questions": questions.collect::<Vec<_>>(), "next": next}))
}

/// `GET /admin/v1/questions/{id}`: with it what an approver is to look at, and the digest of that.
pub(super) async fn show(Asked { edge, by: looks, id, .. }: Asked) -> Answer {
    let id = QuestionId::parse(&id).map_err(|_| unknown())?;
    let sight = edge.gate.sight(&id).await.map_err(unavailable)?.ok_or_else(unknown)?;
    if looks.may(Deed::Vote) {
        // How long people look before they decide is counted; nothing is decided on it.
        let now = edge.gate.ports().clock.now();
        let _lost = edge.gate.ports().store.saw(&id, &looks.approver.id, now);
    }
    let mut answer = shown(&edge, &sight.question);
    answer["sight"] = sight.still;
    answer["live"] = sight.live;
    answer["shown"] = sight.shown.to_string().into();
    answer["page"] = format!("{}/console/questions/{id}", edge.home()).into();
    Ok(answer)
}

/// `POST /admin/v1/questions/{id}/votes`: `{"choice", "shown", "rule"?, "reason"?, "assertion"?}`. Who
/// votes comes from the credential; a name in the body is refused as an unknown member.
pub(super) async fn vote(Asked { edge, by: voter, id, body, .. }: Asked) -> Answer {
    let asked = body.object().await?;
    let ballot = ballot::read(&edge.settings, &id, &asked)?;
    let question = edge.gate.vote(&voter.approver, ballot).await;
    question.map(|question| shown(&edge, &question)).map_err(not_taken)
}

/// `POST /admin/v1/questions/{id}/statements`: as for a vote, or with the choice `narrow` as for narrowing, without the
/// assertion. Answers the statement that
/// the voter's passkey signs, the challenge to sign it by, and the nonce to send with the vote.
pub(super) async fn statement(Asked { edge, by: voter, id, body, .. }: Asked) -> Answer {
    let asked = body.object().await?;
    let stated = if asked.get("choice").and_then(Value::as_str) == Some("narrow") {
        let members = asked.as_object().into_iter().flatten().filter(|(name, _)| *name != "choice");
        let asked = members.map(|(name, value)| (name.clone(), value.clone())).collect();
        let narrower = ballot::narrower(&edge.settings, &id, &Value::Object(asked))?;
        edge.gate.statement_to_narrow(&voter.approver, &narrower).await
    } else {
        edge.gate.statement(&voter.approver, &ballot::read(&edge.settings, &id, &asked)?).await
    };
    let (statement, nonce) = stated.map_err(not_taken)?;
    to_sign(&edge, &voter, &statement, &nonce).await
}

/// What a voter's browser needs to have a statement signed by their passkey.
pub(crate) async fn to_sign(edge: &Edge, voter: &Operator, statement: &str, nonce: &Nonce) -> Result<Value, Refusal> {
    let account = edge.gate.ports().store.account(&voter.approver.id).await.map_err(unavailable)?;
    let passkeys = account.into_iter().flat_map(|account| account.passkeys);
    Ok(json!({
        "challenge": ballot::encode(Digest::of(statement.as_bytes()).as_bytes()),
        "statement": statement,
        "nonce": nonce.to_string(),
        "rp_id": ballot::site(&edge.settings).rp_id,
        "passkeys": passkeys.map(|passkey| ballot::encode(&passkey.id)).collect::<Vec<_>>(),
    }))
}

/// `POST /admin/v1/questions/{id}/remarks`: `{"text"}`. Asks the agent something; the question stays open.
pub(super) async fn ask_back(Asked { edge, by: voter, id, body, .. }: Asked) -> Answer {
    let text = ballot::said(&body.object().await?)?;
    let id = QuestionId::parse(&id).map_err(|_| unknown())?;
    let question = edge.gate.ask_back(&voter.approver, &id, &text).await;
    question.map(|question| shown(&edge, &question)).map_err(not_taken)
}

/// `POST /admin/v1/questions/{id}/escalations`: `{"text"}`, which says why. Calls in the next people at once.
pub(super) async fn escalate(Asked { edge, by: voter, id, body, .. }: Asked) -> Answer {
    let text = ballot::said(&body.object().await?)?;
    let id = QuestionId::parse(&id).map_err(|_| unknown())?;
    let question = edge.gate.escalate(&voter.approver, &id, &text).await;
    question.map(|question| shown(&edge, &question)).map_err(not_taken)
}

/// `POST /admin/v1/questions/{id}/narrow`: `{"arguments", "reason", "shown", "rule"?, "assertion"?}`. Puts a call with these arguments in the
/// place of the held one. Answers the closed question, and as `next` the one of the other call.
pub(super) async fn narrow(Asked { edge, by: voter, id, body, .. }: Asked) -> Answer {
    let narrower = ballot::narrower(&edge.settings, &id, &body.object().await?)?;
    let done = edge.gate.narrow(&voter.approver, narrower).await.map_err(not_taken)?;
    let mut answer = shown(&edge, &done.closed);
    answer["next"] = done.next.as_ref().map_or(Value::Null, |next| shown(&edge, next));
    Ok(answer)
}

pub(super) fn unknown() -> Refusal {
    Refusal::new(Code::QuestionUnknown, "there is no such question")
}

pub(crate) fn not_taken(error: NotTaken) -> Refusal {
    let text = error.to_string();
    match error {
        NotTaken::Unknown => unknown(),
        NotTaken::NotAsked | NotTaken::TooMany | NotTaken::NobodyElse | NotTaken::NotAlone(_) => {
            Refusal::new(Code::Conflict, text).with_remedy("Nothing was changed.")
        }
        NotTaken::NotOpen(_) | NotTaken::RuleChanged(_) | NotTaken::Changed | NotTaken::Voted => {
            Refusal::new(Code::Conflict, text).with_remedy("Nothing was counted; look at the question again.")
        }
        NotTaken::NotEntitled(_) => Refusal::new(Code::PolicyNoPermit, text)
            .with_remedy("Somebody whom the rule names has to vote, in the way it asks for."),
        NotTaken::Ambiguous(_) => Refusal::new(Code::Malformed, text).with_remedy("Name the rule."),
        NotTaken::NoReason | NotTaken::TooLong | NotTaken::Bounds => {
            Refusal::new(Code::Malformed, text).with_remedy("Nothing was counted; mend it and send it again.")
        }
        NotTaken::NotProven(_) => {
            Refusal::new(Code::PolicyNoPermit, text).with_remedy("Nothing was counted; sign this vote by your passkey.")
        }
        NotTaken::WouldBeRefused(refusal) => {
            Refusal::new(refusal.code, text).with_remedy("Nothing was changed; the question is as it was.")
        }
        NotTaken::SameCall => {
            Refusal::new(Code::Malformed, text).with_remedy("Nothing was changed; approve it, or change an argument.")
        }
        NotTaken::Unavailable(error) => unavailable(error),
    }
}

/// A question as its approvers see it: everything that will happen, and who asks for whom.
fn shown(edge: &Edge, question: &Question) -> Value {
    let rules = question
        .rules
        .iter()
        .map(|rule| json!({"rule": rule.id.as_str(), "quorum": rule.quorum, "approved": question.yes(&rule.id)}));
    let votes = question.votes.iter().map(|vote| {
        json!({
            "by": vote.by.as_str(), "rule": vote.rule.as_str(), "reason": vote.reason,
            "choice": if vote.approve { "approve" } else { "deny" }, "at": vote.at.to_string(),
            "factor": vote.factor.as_str(),
            "in_place_of": vote.behalf.as_ref().map(|(principal, _)| principal.as_str()),
        })
    });
    json!({
        "question": question.id.as_str(),
        "state": question.state(edge.gate.ports().clock.now()).as_str(),
        "agent": question.agent.as_str(),
        "user": question.user.as_ref().map(ToString::to_string),
        "via": question.via.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "run": question.run.as_str(),
        "tool": question.tool,
        "arguments": question.arguments,
        "resource": question.resource,
        "cost_micro_usd": question.cost,
        "why": question.reason,
        "rules": rules.collect::<Vec<_>>(),
        "votes": votes.collect::<Vec<_>>(),
        "asked_at": question.asked_at.to_string(),
        "expires_at": question.expires_at.to_string(),
        "record": question.intent.as_str(),
        "call": question.call.to_string(),
        "narrowed": question.narrowed.as_ref().map(|narrowed| refusal::instead(&narrowed.told())),
    })
}
