//! Calls that went through before anybody looked, and how the people are doing who look.

use remit_app::attention::{DAYS, QUICK_SECS};
use remit_app::review::{NotReviewed, Review, ReviewFilter};
use remit_core::ids::RecordId;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::accept::{malformed, text};
use crate::admin::asked::{Answer, Asked};
use crate::admin::unavailable;
use crate::edge::Edge;
use crate::identify::Operator;

/// `GET /admin/v1/reviews`: what waits, oldest first; with `closed=true` all of it. `limit`: 100 unless given.
pub(super) async fn list(Asked { edge, query, .. }: Asked) -> Answer {
    let closed = query.says("closed")?;
    let limit = query.number("limit").unwrap_or(0);
    let store = &edge.gate.ports().store;
    let found = store.reviews(&ReviewFilter { closed, limit }).await.map_err(unavailable)?;
    let backlog = store.backlog().await.map_err(unavailable)?;
    Ok(json!({
        "reviews": found.iter().map(shown).collect::<Vec<_>>(),
        "waiting": backlog.waiting,
        "oldest": backlog.oldest.map(|at| at.to_string()),
    }))
}

/// `POST /admin/v1/reviews/{record}`: `{"note", "finding"?: "confirmed"|"objected"}` closes the review. Who looked comes
/// from the credential.
pub(super) async fn close(Asked { edge, by, id, body, .. }: Asked) -> Answer {
    let found = body.only(&["note", "finding"]).await?;
    let note = text(&found, "note")?.unwrap_or_default();
    let finding = text(&found, "finding")?.unwrap_or("confirmed");
    Ok(shown(&closed_by(&edge, &by, &id, finding, note).await?))
}

/// Closes the review of this record.
pub(crate) async fn closed_by(
    edge: &Edge,
    by: &Operator,
    id: &str,
    finding: &str,
    note: &str,
) -> Result<Review, Refusal> {
    let objects = match finding {
        "confirmed" => false,
        "objected" => true,
        _ => return Err(malformed("`finding` must be confirmed or objected")),
    };
    let call = RecordId::parse(id).map_err(|_| not_reviewed(NotReviewed::Unknown))?;
    edge.gate.review(&by.approver, &call, objects, note).await.map_err(not_reviewed)
}

/// `GET /admin/v1/approvers`: load, pace and care of each. It says who approved what had to be denied, so it is for
/// those who steer people.
pub(super) async fn approvers(Asked { edge, .. }: Asked) -> Answer {
    let found = edge.gate.approvers().await.map_err(unavailable)?;
    let people = found.iter().map(|(by, figures)| {
        json!({
            "approver": by.as_str(),
            "open": figures.open,
            "votes": figures.votes,
            "votes_last_hour": figures.votes_last_hour,
            "median_ms": figures.median_ms,
            "approvals": figures.approvals,
            "quick_approvals": figures.quick_approvals,
            "canaries_denied": figures.canaries_denied,
            "canaries_approved": figures.canaries_approved,
        })
    });
    Ok(json!({"approvers": people.collect::<Vec<_>>(), "days": DAYS, "quick_secs": QUICK_SECS}))
}

fn shown(review: &Review) -> Value {
    json!({
        "record": review.call.as_str(),
        "run": review.run.as_ref().map(ToString::to_string),
        "agent": review.agent.as_str(),
        "user": review.user.as_ref().map(ToString::to_string),
        "tool": review.tool,
        "at": review.at.to_string(),
        "effect_unknown": review.unknown,
        "closed": review.closed.as_ref().map(|closed| json!({
            "by": closed.by.as_str(), "finding": if closed.objects { "objected" } else { "confirmed" }, "note": closed.note, "at": closed.at.to_string(),
        })),
    })
}

fn not_reviewed(error: NotReviewed) -> Refusal {
    let text = error.to_string();
    match error {
        NotReviewed::Unknown => Refusal::new(Code::RecordUnknown, text),
        NotReviewed::OwnMatter => {
            Refusal::new(Code::PolicyNoPermit, text).with_remedy("Ask somebody else to look at it.")
        }
        NotReviewed::NoNote | NotReviewed::TooLong => Refusal::new(Code::Malformed, text),
        NotReviewed::Unavailable(error) => unavailable(error),
    }
}
