//! What may be written in the `notify` block of `remit.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::at::{At, Entries};

/// Telling people that something waits for them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct NotifyFile {
    /// Ways to tell people, by name.
    pub channels: Entries<At<ChannelFile>>,
    /// Who hears of what. Every route that matches a question is followed.
    pub routes: Vec<At<RouteFile>>,
    /// How often and how soon a channel is tried again.
    pub retry: Option<RetryFile>,
}

/// A way to tell people.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ChannelFile {
    /// E-mail, to the operators whose vote counts (`email` in keys.yaml) and to fixed addresses.
    Smtp(SmtpFile),
    /// An HTTP POST signed as Standard Webhooks says.
    Webhook(WebhookFile),
    /// A message for Slack, or for a chat that understands Slack's incoming webhooks.
    Slack(SlackFile),
    /// A push message by ntfy.
    Ntfy(NtfyFile),
}

/// E-mail.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct SmtpFile {
    /// The server and its port: `smtp.acme.example:587`.
    pub server: At<String>,
    /// How the connection is encrypted. `none` is for this machine only.
    pub security: At<Security>,
    /// A PEM file with the authority of the server's certificate, when no public one signed it.
    pub ca: Option<At<String>>,
    /// The name to sign in with.
    pub user: Option<At<String>>,
    /// Where its password is found: `env:SMTP_PASSWORD` or `file:/run/secrets/smtp`.
    pub password: Option<At<String>>,
    /// The sender: `remit@acme.example`.
    pub from: At<String>,
    /// Addresses that get every message of this channel.
    #[serde(default)]
    pub to: Vec<At<String>>,
    /// Whether the arguments of the call may leave through this channel. Default: false.
    #[serde(default)]
    pub arguments: bool,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Security {
    /// By STARTTLS, which must succeed.
    Starttls,
    /// From the first byte.
    Tls,
    /// Not at all.
    #[serde(rename = "none")]
    Plaintext,
}

/// A signed HTTP POST.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct WebhookFile {
    /// Where to: `https://hooks.acme.example/remit`. Plain HTTP is for this machine only.
    pub url: At<String>,
    /// Where the secret (`whsec_…`) is found: `env:HOOK_SECRET` or `file:/run/secrets/hook`.
    pub secret: At<String>,
    /// Whether the arguments of the call may leave through this channel. Default: false.
    #[serde(default)]
    pub arguments: bool,
}

/// A message for a chat.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct SlackFile {
    /// Where the incoming webhook's URL is found, which is a secret: `env:SLACK_URL` or `file:/run/secrets/slack`.
    pub url: At<String>,
    /// Whether the arguments of the call may leave through this channel. Default: false.
    #[serde(default)]
    pub arguments: bool,
    /// Take answers from the chat, at `/notify/v1/slack/NAME`. Without it, messages only link to the console.
    pub callback: Option<CallbackFile>,
}

/// Answers from a chat.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct CallbackFile {
    /// Where the app's signing secret is found: `env:SLACK_SIGNING_SECRET` or `file:/run/secrets/slack-signing`.
    pub signing_secret: At<String>,
    /// Which operator each of the chat's users is: `U012ABCDEF: bob`. They vote with their own rights.
    pub people: Entries<At<String>>,
}

/// A push message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct NtfyFile {
    /// The topic: `https://ntfy.acme.example/remit-approvals`. Plain HTTP is for this machine only.
    pub url: At<String>,
    /// Where an access token is found: `env:NTFY_TOKEN` or `file:/run/secrets/ntfy`.
    pub token: Option<At<String>>,
    /// Whether the arguments of the call may leave through this channel. Default: false.
    #[serde(default)]
    pub arguments: bool,
}

/// Who hears of what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct RouteFile {
    /// Approval rules, or `"*"` for all of them: `[finance-sign-off]`.
    #[serde(rename = "for")]
    pub rules: Vec<At<String>>,
    /// Channels in order: the first is used, and the next at once when it is dead.
    pub to: Vec<At<String>>,
    /// Of what: `[asked, escalated]`. Default: everything about its questions, and with `"*"` what is no question, too.
    pub events: Option<Vec<At<Heard>>>,
}

/// What people may be told of.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Heard {
    /// A question was asked: about a call, or about access that an agent asks for.
    Asked,
    /// It went to further people.
    Escalated,
    /// It will lapse soon, and nobody has answered.
    Lapsing,
    /// It needs nobody any more: people have answered, or put another call in its place.
    Answered,
    /// Its time is over, and nobody has answered.
    Lapsed,
    /// A change that protects less waits for people.
    ChangeProposed,
    /// Authority for emergencies was used.
    GlassBroken,
    /// Calls have waited for a review for more than a day.
    ReviewsDue,
}

/// How often and how soon a channel is tried again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct RetryFile {
    /// Attempts before a channel is dead for a message. Default: 5.
    pub attempts: Option<At<u32>>,
    /// The first pause; each further one is about twice as long. Default: 5s.
    pub first: Option<At<String>>,
    /// The longest pause. Default: 5m.
    pub longest: Option<At<String>>,
}
