//! Messages for Slack and chats like it: blocks, and buttons. A button leads to the console. Where answers
//! from the chat are taken, there are buttons for that too: to refuse always, to approve only under a message
//! that shows the arguments whole and unchanged.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use remit_app::message::{Message, News, PREVIEWED};
use remit_app::tell::NotSent;
use remit_core::ids::{ChannelId, Digest, OperatorId, QuestionId};
use serde_json::{Value, json};

use super::outbound::{post, secret};
use crate::upstream::http::{HttpClient, endpoint};
use crate::vault::Source;

/// Longest text of a block, in characters (Block Kit, section block: 3,000; a field: 2,000).
const TEXT_CHARS_MAX: usize = 2_900;
const FIELD_CHARS_MAX: usize = 1_900;
/// Most fields of a block (Block Kit, section block).
const FIELDS_MAX: usize = 10;

/// A chat.
#[derive(Debug)]
pub struct Slack {
    /// Where the incoming webhook's URL stands.
    pub url: Source,
    /// Answers from the chat, if they are taken.
    pub callback: Option<Callback>,
}

/// Answers from a chat.
#[derive(Debug)]
pub struct Callback {
    /// Where the app's signing secret stands.
    pub signing_secret: Source,
    /// Which operator each of the chat's users is.
    pub people: BTreeMap<String, OperatorId>,
}

impl Slack {
    pub(super) fn check(&self) -> Result<(), String> {
        let url = self.url.read().map_err(|error| error.0)?;
        usable(url.expose()).map_err(|why| format!("the URL in {} {why}", self.url))?;
        let secret = self.callback.as_ref().map(|callback| callback.signing_secret.read());
        secret.transpose().map(drop).map_err(|error| error.0)
    }

    pub(super) async fn send(
        &self,
        http: &HttpClient,
        message: &Message,
        arguments: bool,
        channel: &ChannelId,
        key: &[u8; 32],
    ) -> Result<(), NotSent> {
        let url = secret(&self.url)?;
        usable(url.expose()).map_err(|why| NotSent::Later(format!("the URL {why}")))?;
        let votes = message.news.as_ref().filter(|news| self.callback.is_some() && news.event.asks());
        let votes = votes.map(|news| votes_on(news, arguments, channel, key)).unwrap_or_default();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        post(http, url.expose(), headers, body(message, arguments, votes).to_string()).await
    }
}

/// Whether messages may go to this URL: encrypted, or to this machine.
fn usable(url: &str) -> Result<(), &'static str> {
    let uri = endpoint(url).map_err(|_| "is no URL over HTTP")?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if uri.scheme_str() == Some("https") || loopback { Ok(()) } else { Err("is not encrypted: use `https://`") }
}

/// A button of ours: all that its mark binds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Button<'a> {
    pub channel: &'a ChannelId,
    pub question: &'a QuestionId,
    pub call: &'a Digest,
    /// The digest of what an approver saw when the message was made.
    pub shown: &'a Digest,
    pub choice: &'a str,
}

impl Button<'_> {
    /// What stands behind it: the choice, the question, what was shown, and a mark that only this gateway can
    /// make. Without it, whoever may post into the chat could put an approval behind any words.
    pub(super) fn value(&self, key: &[u8; 32]) -> String {
        let tag = hmac::sign(&mark_key(key), self.marked().as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} {} {} {hex}", self.choice, self.question, self.shown)
    }

    /// Whether its mark is ours.
    pub(super) fn is_ours(&self, key: &[u8; 32], hex: &str) -> bool {
        let Some(tag) = bytes(hex) else { return false };
        hmac::verify(&mark_key(key), self.marked().as_bytes(), &tag).is_ok()
    }

    fn marked(&self) -> String {
        let Self { channel, question, call, shown, choice } = self;
        format!("remit slack button v1\n{channel}\n{question}\n{call}\n{shown}\n{choice}")
    }
}

/// Bytes from lower-case hex digits.
pub(super) fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

fn mark_key(key: &[u8; 32]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

fn votes_on(news: &News, arguments: bool, channel: &ChannelId, key: &[u8; 32]) -> Vec<Value> {
    let vote = |choice: &str, label: &str, style: &str, sure: &str| {
        let button = Button { channel, question: &news.question, call: &news.call, shown: &news.shown, choice };
        json!({
            "type": "button", "action_id": choice, "style": style, "text": plain(label),
            "value": button.value(key),
            "confirm": {
                "title": plain("Are you sure?"), "text": plain(sure), "confirm": plain(label), "deny": plain("Not now"),
            },
        })
    };
    let mut votes = Vec::new();
    // Nobody approves what this message does not show.
    let previewed = news.preview.as_ref().is_none_or(|preview| preview.exact);
    let whole = arguments && news.arguments.exact && news.resource.exact && previewed && fits(news);
    if whole && news.clicks.approve {
        votes.push(vote("approve", "Approve once", "primary", "This one call is made, exactly as it stands here."));
    }
    if news.clicks.deny {
        votes.push(vote("deny", "Refuse", "danger", "The call is not made."));
    }
    votes
}

fn fits(news: &News) -> bool {
    quoted(news, true).chars().count() <= TEXT_CHARS_MAX
}

fn body(message: &Message, arguments: bool, votes: Vec<Value>) -> Value {
    // For chats without blocks, and for the list of messages.
    let link = message.link.as_deref().unwrap_or_default();
    let text = format!("{}\n{link}", message.title).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut blocks = vec![json!({"type": "section", "text": plain(&message.title)})];
    if !message.facts.is_empty() {
        let fields: Vec<_> = message
            .facts
            .iter()
            .map(|fact| plain(&bounded(&format!("{}: {}", fact.label, fact.text), FIELD_CHARS_MAX)))
            .collect();
        blocks.extend(fields.chunks(FIELDS_MAX).map(|fields| json!({"type": "section", "fields": fields})));
        let mut buttons =
            vec![json!({"type": "button", "action_id": "look", "text": plain("Look at it in full"), "url": link})];
        buttons.extend(votes);
        blocks.push(json!({"type": "actions", "elements": buttons}));
    }
    if let Some(news) = &message.news {
        blocks.push(json!({"type": "section", "text": plain(&bounded(&quoted(news, arguments), TEXT_CHARS_MAX))}));
    }
    json!({"text": text.trim_end(), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

fn quoted(news: &News, arguments: bool) -> String {
    let mut text = format!(
        "The rest was written by the agent or found in data. It proves nothing.\nTouches: {}",
        news.resource.text
    );
    if arguments {
        text.push_str(&format!("\nArguments: {}", news.arguments.text));
        text.extend(news.preview.iter().map(|preview| format!("\n{PREVIEWED}\n{}", preview.text)));
    }
    text
}

/// Text in which nothing is a mark-up, a mention or an emoji.
fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text, "emoji": false})
}

fn bounded(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        text.to_owned()
    } else {
        text.chars().take(chars_max).chain(" …".chars()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_is_of_one_gateway_channel_question_call_sight_and_choice() {
        let id = |text: &str| QuestionId::parse(text).expect("an id");
        let name = |text: &str| ChannelId::parse(text).expect("a channel");
        let (chat, other, question, another) = (name("chat"), name("chat2"), id("q-1"), id("q-2"));
        let (key, call, shown, x) = ([1; 32], Digest::of(b"call"), Digest::of(b"shown"), Digest::of(b"x"));
        let button = Button { channel: &chat, question: &question, call: &call, shown: &shown, choice: "deny" };
        let value = button.value(&key);
        let parts: Vec<_> = value.split(' ').collect();
        let [choice, of, seen, hex] = parts[..] else { panic!("{value}") };
        assert_eq!((choice, of, seen), ("deny", "q-1", shown.to_string().as_str()));
        assert!(button.is_ours(&key, hex));
        assert!(!button.is_ours(&[2; 32], hex), "another gateway's");
        for (changed, whose) in [
            (Button { channel: &other, ..button }, "another channel's"),
            (Button { question: &another, ..button }, "another question's"),
            (Button { call: &x, ..button }, "another call's"),
            (Button { shown: &x, ..button }, "of what was not shown"),
            (Button { choice: "approve", ..button }, "the other choice's"),
        ] {
            assert!(!changed.is_ours(&key, hex), "{whose}");
        }
        for bad in ["", "zz", &hex[2..], &hex.to_uppercase()] {
            assert!(!button.is_ours(&key, bad), "{bad}");
        }
    }

    #[test]
    fn messages_go_encrypted_or_stay_on_this_machine() {
        for good in ["https://hooks.slack.example/services/T/B/x", "http://127.0.0.1:8065/hooks/x", "http://[::1]/x"] {
            assert_eq!(usable(good), Ok(()), "{good}");
        }
        for bad in ["http://hooks.slack.example/x", "ftp://127.0.0.1/x", "http://user@127.0.0.1/x", "nonsense"] {
            assert!(usable(bad).is_err(), "{bad}");
        }
    }
}
