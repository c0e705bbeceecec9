//! Channels: how messages leave the house. Each reads its secrets anew for every message, follows no
//! redirect, is bounded in time, and says in an error neither an address nor what a stranger wrote.

pub(crate) mod callback;
pub mod ntfy;
mod outbound;
pub mod slack;
pub mod smtp;
pub mod task;
pub mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use remit_app::message::Message;
use remit_app::tell::{Messenger, NotSent, Telling};
use remit_core::ids::ChannelId;

use crate::upstream::http::{HttpClient, client};
use callback::Seen;

/// How long one message may take through one channel, to all it goes to. Less than a delivery is claimed for.
const SEND_TIME_MAX: Duration = Duration::from_secs(45);

/// What an operator chose about telling people. A reload replaces it as a whole.
#[derive(Debug, Default)]
pub struct Plan {
    /// Who hears of what.
    pub telling: Telling,
    /// The channels.
    pub channels: BTreeMap<ChannelId, Channel>,
}

/// A way to tell people.
#[derive(Debug)]
pub struct Channel {
    /// What it is.
    pub kind: Kind,
    /// Whether the arguments of a call may leave through it.
    pub arguments: bool,
}

/// What a channel is.
#[derive(Debug)]
pub enum Kind {
    /// E-mail.
    Smtp(smtp::Smtp),
    /// A signed HTTP POST.
    Webhook(webhook::Webhook),
    /// A message for a chat.
    Slack(slack::Slack),
    /// A push message.
    Ntfy(ntfy::Ntfy),
}

impl Channel {
    /// The word for its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Smtp(_) => "smtp",
            Kind::Webhook(_) => "webhook",
            Kind::Slack(_) => "slack",
            Kind::Ntfy(_) => "ntfy",
        }
    }

    /// Reads everything it needs to send, and sends nothing.
    ///
    /// # Errors
    /// Says in the operator's words what is missing or no secret of the right form.
    pub fn check(&self) -> Result<(), String> {
        match &self.kind {
            Kind::Smtp(smtp) => smtp.check(),
            Kind::Webhook(webhook) => webhook.check(),
            Kind::Slack(slack) => slack.check(),
            Kind::Ntfy(ntfy) => ntfy.check(),
        }
    }
}

/// The channels in force.
pub struct Channels {
    plan: ArcSwap<Plan>,
    http: HttpClient,
    /// Makes buttons that only this gateway can have made.
    key: [u8; 32],
    seen: Seen,
}

impl Channels {
    /// These channels. The key is the gateway's own; what is made with it is told apart by its purpose.
    ///
    /// # Errors
    /// When there is no client for HTTP.
    pub fn new(plan: Plan, key: [u8; 32]) -> Result<Self, String> {
        Ok(Self { plan: ArcSwap::from_pointee(plan), http: client()?, key, seen: Seen::default() })
    }

    /// Puts others into force.
    pub fn replace(&self, plan: Plan) {
        self.plan.store(Arc::new(plan));
    }

    /// What is in force.
    #[must_use]
    pub fn plan(&self) -> Arc<Plan> {
        self.plan.load_full()
    }
}

#[async_trait]
impl Messenger for Channels {
    async fn send(&self, name: &ChannelId, message: &Message) -> Result<(), NotSent> {
        let plan = self.plan();
        let channel = plan.channels.get(name);
        let channel = channel.ok_or_else(|| NotSent::Never("the configuration names no such channel".into()))?;
        let sent = async {
            match &channel.kind {
                Kind::Smtp(smtp) => smtp.send(message, channel.arguments).await,
                Kind::Webhook(webhook) => webhook.send(&self.http, message, channel.arguments).await,
                Kind::Slack(slack) => slack.send(&self.http, message, channel.arguments, name, &self.key).await,
                Kind::Ntfy(ntfy) => ntfy.send(&self.http, message, channel.arguments).await,
            }
        };
        let too_long = || NotSent::Later(format!("it was not done within {} s", SEND_TIME_MAX.as_secs()));
        tokio::time::timeout(SEND_TIME_MAX, sent).await.unwrap_or_else(|_| Err(too_long()))
    }
}
