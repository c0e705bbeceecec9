//! Like calls, decided together. Each question gets a vote of its own, under the digest of what was shown of it.

use remit_app::question::Question;
use remit_core::ids::QuestionId;
use serde_json::{Value, json};

use crate::accept::malformed;
use crate::admin::asked::{Answer, Asked};
use crate::admin::{ballot, questions, unavailable};

/// Most votes in one request.
const VOTES_MAX: usize = 50;

/// `POST /admin/v1/questions/votes`: `{"votes": [{"question", "choice", "shown", …}]}`. All of them must be about the
/// same tool, agent and rules, or none is counted; then each is counted or refused by itself.
pub(super) async fn vote(Asked { edge, by: voter, body, .. }: Asked) -> Answer {
    let asked = body.only(&["votes"]).await?;
    let votes = asked.get("votes").and_then(Value::as_array).filter(|votes| !votes.is_empty());
    let votes = votes.ok_or_else(|| malformed("`votes` must be a list of votes"))?;
    if votes.len() > VOTES_MAX {
        return Err(malformed(format!("at most {VOTES_MAX} votes at once")));
    }
    let mut ballots = Vec::with_capacity(votes.len());
    let mut like: Option<Question> = None;
    for vote in votes {
        let mut vote = vote.clone();
        let id = vote.as_object_mut().and_then(|members| members.remove("question"));
        let id = id.as_ref().and_then(Value::as_str).ok_or_else(|| malformed("a vote names no `question`"))?;
        let ballot = ballot::read(&edge.settings, id, &vote)?;
        if ballots.iter().any(|(known, _): &(QuestionId, _)| *known == ballot.question) {
            return Err(malformed("a question stands there twice"));
        }
        let question = edge.gate.ports().store.question(&ballot.question).await.map_err(unavailable)?;
        let question = question.ok_or_else(questions::unknown)?;
        match &like {
            Some(first) if !alike(first, &question) => {
                return Err(malformed("the questions are about different tools, agents or rules")
                    .with_remedy("Nothing was counted; vote on them one by one."));
            }
            _ => drop(like.get_or_insert(question)),
        }
        ballots.push((ballot.question.clone(), ballot));
    }
    let mut results = Vec::with_capacity(ballots.len());
    for (id, ballot) in ballots {
        results.push(match edge.gate.vote(&voter.approver, ballot).await {
            Ok(question) => json!({
                "question": id.as_str(), "counted": true,
                "state": question.state(edge.gate.ports().clock.now()).as_str(),
            }),
            Err(error) => {
                let refusal = questions::not_taken(error);
                json!({"question": id.as_str(), "counted": false, "code": refusal.code.as_str(), "reason": refusal.reason})
            }
        });
    }
    Ok(json!({"votes": results}))
}

fn alike(a: &Question, b: &Question) -> bool {
    (&a.tool, &a.agent, &a.rules) == (&b.tool, &b.agent, &b.rules)
}
