//! Listening: streams that tell a client that its lists may be stale. A hint and nothing more: what a
//! caller may do is decided at each call (MCP.md 2.3, d).

use serde_json::{Map, Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::Mcp;
use super::client::{Client, Outbox};
use super::fault::{Fault, INVALID_PARAMS};
use super::frame::notification;
use super::tasks;
use crate::notices::Notice;

/// What can be listened for: the member of the filter, and the notification.
const KINDS: [(&str, &str); 3] = [
    ("toolsListChanged", "notifications/tools/list_changed"),
    ("promptsListChanged", "notifications/prompts/list_changed"),
    ("resourcesListChanged", "notifications/resources/list_changed"),
];

/// The kinds a client listens for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter(Vec<(&'static str, &'static str)>);

impl Filter {
    /// Everything, as legacy streams carry it.
    pub fn all() -> Self {
        Self(KINDS.to_vec())
    }

    /// The part of the filter in `subscriptions/listen` that is honoured.
    ///
    /// # Errors
    /// -32602 without a filter, -32021 for task ids without the extension.
    pub fn read(client: &Client, params: &Map<String, Value>) -> Result<Self, Fault> {
        let Some(Value::Object(asked)) = params.get("notifications") else {
            return Err(Fault::bad(INVALID_PARAMS, "`notifications` must be an object"));
        };
        if asked.contains_key("taskIds") && !client.takes_tasks() {
            return Err(tasks::undeclared());
        }
        let honoured = KINDS.into_iter().filter(|(member, _)| asked.get(*member) == Some(&Value::Bool(true)));
        Ok(Self(honoured.collect()))
    }
}

/// `subscriptions/listen`: acknowledges, then tells until the client goes away or its credential
/// no longer proves anything.
///
/// # Errors
/// When the client does not listen at all.
pub(super) async fn subscribe(mcp: &Mcp, client: &Client, id: &Value, filter: &Filter) -> Result<Value, Fault> {
    let Some(outbox) = &client.outbox else {
        return Err(Fault::bad(INVALID_PARAMS, "a subscription needs a stream to be sent on"));
    };
    // Before the acknowledgement, or a change right after it could be missed.
    let notices = mcp.edge.notices.subscribe();
    let subscription = json!({"io.modelcontextprotocol/subscriptionId": id});
    let honoured: Map<String, Value> = filter.0.iter().map(|(member, _)| ((*member).to_owned(), true.into())).collect();
    let acknowledged = json!({"_meta": subscription, "notifications": honoured});
    outbox.say(notification("notifications/subscriptions/acknowledged", acknowledged)).await;
    tell(mcp, client, outbox, notices, filter, &json!({"_meta": subscription})).await;
    Ok(json!({"resultType": "complete", "_meta": subscription}))
}

/// Tells of changes until nobody listens.
pub(super) async fn tell(
    mcp: &Mcp,
    client: &Client,
    outbox: &Outbox,
    mut notices: Receiver<Notice>,
    filter: &Filter,
    params: &Value,
) {
    let gone = client.left.clone().wait();
    let called_off = client.cancelled.clone().wait();
    tokio::pin!(gone, called_off);
    loop {
        let told = tokio::select! {
            told = notices.recv() => told,
            () = &mut gone => return,
            () = &mut called_off => return,
        };
        match told {
            Ok(Notice::Authority) | Err(RecvError::Lagged(_)) => {}
            Ok(Notice::Question(_)) => continue,
            Err(RecvError::Closed) => return,
        }
        // Several changes at once are one piece of news.
        while !matches!(notices.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
        if !mcp.still_proven(client) {
            return;
        }
        for (_, method) in &filter.0 {
            if !outbox.say(notification(method, params.clone())).await {
                return;
            }
        }
    }
}
