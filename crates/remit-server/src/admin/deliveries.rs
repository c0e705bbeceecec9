//! What people were told, and whether a channel works.

use remit_app::delivery::{DeliveryFilter, DeliveryState, Subject};
use remit_app::message::{Message, Recipient};
use remit_app::tell::Messenger as _;
use remit_core::ids::{ChannelId, QuestionId};
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::accept::malformed;
use crate::admin::asked::{Answer, Asked};
use crate::admin::unavailable;

/// Most deliveries in one answer.
const LISTED_MAX: u32 = 1_000;

/// `GET /admin/v1/deliveries?question=…&state=waiting|delivered|dead&limit=…`: newest first.
pub(super) async fn list(Asked { edge, query, .. }: Asked) -> Answer {
    let mut filter = DeliveryFilter::default();
    for (name, value) in &query.0 {
        let wrong = || malformed(format!("`{name}` has no such value"));
        match name.as_str() {
            "question" => filter.about = Some(QuestionId::parse(value).map_err(|_| wrong())?.into()),
            "state" => filter.state = Some(DeliveryState::parse(value).ok_or_else(wrong)?),
            "limit" => filter.limit = value.parse::<u32>().map_err(|_| wrong())?.min(LISTED_MAX),
            _ => return Err(malformed("the query may hold question, state and limit")),
        }
    }
    let found = edge.gate.ports().store.deliveries(&filter).await.map_err(unavailable)?;
    Ok(json!({"deliveries": found.iter().map(|delivery| json!({
        "delivery": delivery.id(),
        "about": delivery.about.to_string(),
        "question": matches!(delivery.about, Subject::Question(_)).then(|| delivery.about.to_string()),
        "event": delivery.event.to_string(),
        "channel": delivery.channel.as_ref().map(ChannelId::as_str),
        "state": delivery.state.as_str(),
        "attempts": delivery.attempts,
        "created_at": delivery.created_at.to_string(),
        "next_at": (delivery.state == DeliveryState::Waiting).then(|| delivery.next_at.to_string()),
        "error": delivery.last_error,
    })).collect::<Vec<_>>()}))
}

/// `POST /admin/v1/notify/test`: `{"channel"}`. Sends at once, and past the store: a test is nobody's news.
pub(super) async fn test(Asked { edge, by: operator, body, .. }: Asked) -> Answer {
    let asked = body.object().await?;
    let name = asked.get("channel").and_then(Value::as_str).map(ChannelId::parse).and_then(Result::ok);
    let name = name.ok_or_else(|| malformed("`channel` must name a channel"))?;
    let none = || {
        malformed(format!("there is no channel `{name}`"))
            .with_remedy("Name it under `notify: channels:` of remit.yaml.")
    };
    let channels = edge.channels.as_ref().ok_or_else(none)?;
    let plan = channels.plan();
    let channel = plan.channels.get(&name).ok_or_else(none)?;
    let by = operator.approver.id;
    let own = plan.telling.addressees.iter().filter(|person| person.approver.id == by);
    let to = own.map(|person| Recipient { id: person.approver.id.clone(), address: person.address.clone() });
    let (clock, entropy) = (&edge.gate.ports().clock, edge.gate.ports().entropy.bytes());
    let id: String = entropy.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let message = Message::test(format!("dlv_test_{id}"), &name, &by, to.collect(), clock.now());
    channels.send(&name, &message).await.map_err(|error| {
        Refusal::new(Code::UpstreamUnavailable, format!("the channel `{name}` has not taken it: {error}"))
            .with_remedy("Mend the channel, or its configuration.")
    })?;
    Ok(json!({"sent": true, "channel": name.as_str(), "kind": channel.kind(), "delivery": message.id}))
}
