//! Messages for Slack and chats like it: blocks, and buttons. A button leads to the console. Where answers
//! from the chat are taken, there are buttons for that too: to refuse always, to approve only under a message
//! that shows the arguments whole and unchanged.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use remit_app::message::{Message, News};
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

/// What stands behind a button: the choice, the question, and a mark that only this gateway can make. Without
/// it, whoever may post into the chat could put an approval behind any words.
pub(super) fn button(
    key: &[u8; 32],
    channel: &ChannelId,
    question: &QuestionId,
    call: &Digest,
    choice: &str,
) -> String {
    let tag = hmac::sign(&mark_key(key), mark(channel, question, call, choice).as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{choice} {question} {hex}")
}

/// Whether the mark of a button is ours.
pub(super) fn is_ours(
    key: &[u8; 32],
    channel: &ChannelId,
    question: &QuestionId,
    call: &Digest,
    choice: &str,
    hex: &str,
) -> bool {
    let Some(tag) = bytes(hex) else { return false };
    hmac::verify(&mark_key(key), mark(channel, question, call, choice).as_bytes(), &tag).is_ok()
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

fn mark(channel: &ChannelId, question: &QuestionId, call: &Digest, choice: &str) -> String {
    format!("remit slack button v1\n{channel}\n{question}\n{call}\n{choice}")
}

fn votes_on(news: &News, arguments: bool, channel: &ChannelId, key: &[u8; 32]) -> Vec<Value> {
    let vote = |choice: &str, label: &str, style: &str, sure: &str| {
        json!({
            "type": "button", "action_id": choice, "style": style, "text": plain(label),
            "value": button(key, channel, &news.question, &news.call, choice),
            "confirm": {
                "title": plain("Are you sure?"), "text": plain(sure), "confirm": plain(label), "deny": plain("Not now"),
            },
        })
    };
    let mut votes = Vec::new();
    // Nobody approves what this message does not show.
    let whole = arguments && news.arguments.exact && news.resource.exact && fits(news);
    if whole {
        votes.push(vote("approve", "Approve once", "primary", "This one call is made, exactly as it stands here."));
    }
    votes.push(vote("deny", "Refuse", "danger", "The call is not made."));
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
    if let Some(news) = &message.news {
        let fields: Vec<_> = news
            .facts
            .iter()
            .map(|fact| plain(&bounded(&format!("{}: {}", fact.label, fact.text), FIELD_CHARS_MAX)))
            .collect();
        blocks.extend(fields.chunks(FIELDS_MAX).map(|fields| json!({"type": "section", "fields": fields})));
        let mut buttons =
            vec![json!({"type": "button", "action_id": "look", "text": plain("Look at it in full"), "url": link})];
        buttons.extend(votes);
        blocks.push(json!({"type": "actions", "elements": buttons}));
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
    fn a_button_is_of_one_gateway_channel_question_call_and_choice() {
        let id = |text: &str| QuestionId::parse(text).expect("an id");
        let channel = |text: &str| ChannelId::parse(text).expect("a channel");
        let (key, call) = ([1; 32], Digest::of(b"call"));
        let value = button(&key, &channel("chat"), &id("q-1"), &call, "deny");
        let hex = value.rsplit(' ').next().expect("a mark");
        assert!(is_ours(&key, &channel("chat"), &id("q-1"), &call, "deny", hex));
        assert!(!is_ours(&[2; 32], &channel("chat"), &id("q-1"), &call, "deny", hex), "another gateway's");
        assert!(!is_ours(&key, &channel("chat2"), &id("q-1"), &call, "deny", hex), "another channel's");
        assert!(!is_ours(&key, &channel("chat"), &id("q-2"), &call, "deny", hex), "another question's");
        assert!(!is_ours(&key, &channel("chat"), &id("q-1"), &Digest::of(b"x"), "deny", hex), "another call's");
        assert!(!is_ours(&key, &channel("chat"), &id("q-1"), &call, "approve", hex), "the other choice's");
        for bad in ["", "zz", &hex[2..], &hex.to_uppercase()] {
            assert!(!is_ours(&key, &channel("chat"), &id("q-1"), &call, "deny", bad), "{bad}");
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
