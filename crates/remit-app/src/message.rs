//! What people are told, in words. A title is made of our own words and registered names only. What an
//! agent wrote, or what was found in data, stands last, bounded, with invisible characters shown and
//! nothing in it that a mail program or a chat would make a link of.

use jiff::Timestamp;
use remit_core::ids::{ChannelId, Digest, OperatorId, QuestionId};
use remit_core::json::canonical;
use remit_core::plain;

use crate::delivery::{Delivery, Event};
use crate::preview::Preview;
use crate::question::{Question, QuestionState};

/// What stands above a preview.
pub const PREVIEWED: &str = "The upstream says it would do this, which nobody has checked:";
/// Longest text of ours, in characters.
const SAID_CHARS_MAX: usize = 300;
/// Longest text of an agent's, in characters.
const QUOTED_CHARS_MAX: usize = 2_000;

/// What one channel is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The delivery's name: the same each time it is tried.
    pub id: String,
    /// What happened: `question.asked`.
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// One line.
    pub title: String,
    /// What it means, in a sentence.
    pub said: &'static str,
    /// Where people answer; the only link there is.
    pub link: Option<String>,
    /// To whom, where a channel knows persons: those whose votes count at this moment.
    pub to: Vec<Recipient>,
    /// What the gateway itself says.
    pub facts: Vec<Fact>,
    /// The question it is about, if it is about one.
    pub news: Option<News>,
}

/// A person, and where they read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The person.
    pub id: OperatorId,
    /// Their address.
    pub address: String,
}

/// What is said about a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The question.
    pub question: QuestionId,
    /// The exact call it is about.
    pub call: Digest,
    /// The digest of what an approver sees of it (see [`crate::sight`]): a vote given under this message names it.
    pub shown: Digest,
    /// What a click under this message can do.
    pub clicks: Clicks,
    /// What happened to it.
    pub event: Event,
    /// Where it stands.
    pub state: QuestionState,
    /// What the call touches: taken from its arguments, so it is an agent's word.
    pub resource: Quoted,
    /// The arguments. Only for channels that may show them.
    pub arguments: Quoted,
    /// What the upstream says the call would do, each line by itself. Only for channels that may show arguments.
    pub preview: Option<Quoted>,
}

/// What a click in a channel can do, where a channel takes clicks: a channel's word is the weakest proof there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clicks {
    /// Approve: some rule counts it, and does not want a reason that a button cannot give.
    pub approve: bool,
    /// Deny: some rule counts it.
    pub deny: bool,
}

/// What the gateway says about a question besides what it holds.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// To whom it is said.
    pub to: Vec<Recipient>,
    /// The URL under which people reach the gateway.
    pub console: &'a str,
    /// The digest of what an approver sees of it.
    pub shown: Digest,
    /// What a click can do.
    pub clicks: Clicks,
    /// Now.
    pub now: Timestamp,
}

/// One line of the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name for programs.
    pub name: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// What it says.
    pub text: String,
}

/// Somebody else's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// The text as it may be shown.
    pub text: String,
    /// Whether it is shown as it is: nothing left out, nothing replaced.
    pub exact: bool,
}

impl Message {
    /// What is to be said about a question.
    #[must_use]
    pub fn about(question: &Question, delivery: &Delivery, setting: Setting<'_>) -> Self {
        let Setting { to, console, shown, clicks, now } = setting;
        let (agent, tool) = (question.agent.as_str(), said(&question.tool));
        let state = question.state(now);
        let what =
            if question.is_request() { format!("{agent} asks for access") } else { format!("{agent} calls {tool}") };
        let title = match delivery.event {
            Event::Escalated(_) => format!("Escalated to you: {what}"),
            Event::Lapsing => format!("About to lapse: {what}"),
            Event::Answered | Event::Lapsed => format!("No longer waits ({}): {what}", state.as_str()),
            _ if question.is_request() => format!("Access asked: {agent}"),
            _ => format!("Approval asked: {what}"),
        };
        let said = match (delivery.event.asks(), question.is_request()) {
            (false, _) => "This needs nobody any more.",
            (true, false) => "A call is held until people have decided.",
            (true, true) => "An agent asks for what it may not do so far, for a while.",
        };
        Self {
            id: delivery.id(),
            kind: delivery.event.kind().to_owned(),
            at: delivery.created_at,
            title,
            said,
            link: Some(format!("{}/console/questions/{}", console.trim_end_matches('/'), question.id)),
            to,
            facts: facts(question),
            news: Some(News {
                question: question.id.clone(),
                call: question.call,
                shown,
                clicks,
                event: delivery.event,
                state,
                resource: quoted(&question.resource),
                arguments: quoted(&canonical(&question.arguments)),
                preview: question.preview.as_ref().and_then(previewed),
            }),
        }
    }

    /// A message that says that the channel works.
    #[must_use]
    pub fn test(id: String, channel: &ChannelId, by: &OperatorId, to: Vec<Recipient>, at: Timestamp) -> Self {
        let title = format!("Test of the channel {channel}, ordered by {by}");
        let said = "This channel works. Nothing waits for you.";
        Self { id, kind: "test".into(), at, title, said, link: None, to, facts: Vec::new(), news: None }
    }

    /// Everything but the title, for channels of plain text.
    #[must_use]
    pub fn text(&self, arguments: bool) -> String {
        let mut out = format!("{}\n", self.said);
        for (at, fact) in self.facts.iter().enumerate() {
            let gap = if at == 0 { "\n" } else { "" };
            out.push_str(&format!("{gap}{}: {}\n", fact.label, fact.text));
        }
        if let Some(link) = &self.link {
            let asks = self.news.as_ref().is_some_and(|news| news.event.asks());
            let what = if asks { "Look at it in full, and answer" } else { "Look at it" };
            out.push_str(&format!("\n{what}:\n{link}\n"));
        }
        let Some(news) = &self.news else { return out };
        out.push_str("\nThe rest was written by the agent or found in data. It proves nothing.\n");
        out.push_str(&format!("Touches: {}\n", news.resource.text));
        if arguments {
            out.push_str(&format!("Arguments: {}\n", news.arguments.text));
            out.extend(news.preview.iter().map(|preview| format!("{PREVIEWED}\n{}\n", preview.text)));
        }
        out
    }
}

/// What the gateway says of a question on its own authority.
fn facts(question: &Question) -> Vec<Fact> {
    let fact = |name, label, text: String| Fact { name, label, text };
    let mut facts = vec![fact("agent", "Agent", question.agent.to_string())];
    if let Some(user) = &question.user {
        facts.push(fact("user", "For", said(user.as_str())));
    }
    if !question.via.is_empty() {
        let via: Vec<_> = question.via.iter().map(ToString::to_string).collect();
        facts.push(fact("via", "Through", via.join(", ")));
    }
    facts.push(fact("tool", "Tool", said(&question.tool)));
    if question.cost > 0 {
        let cost = format!("{}.{:06} USD", question.cost / 1_000_000, question.cost % 1_000_000);
        facts.push(fact("cost", "Costs", cost));
    }
    facts.push(fact("why", "Why it is asked", said(&question.reason)));
    let rules =
        question.rules.iter().map(|rule| format!("{} ({} of {})", rule.id, question.yes(&rule.id), rule.quorum));
    facts.push(fact("rules", "Needs", rules.collect::<Vec<_>>().join(", ")));
    facts.push(fact("asked_at", "Asked at", question.asked_at.to_string()));
    facts.push(fact("expires_at", "Open until", question.expires_at.to_string()));
    facts
}

/// A text of ours, which may hold a name that somebody else chose.
pub(crate) fn said(text: &str) -> String {
    shown(text, SAID_CHARS_MAX).replace("://", "[:]//")
}

/// Somebody else's text as it may be shown.
fn quoted(text: &str) -> Quoted {
    let plain = defanged(&shown(text, QUOTED_CHARS_MAX));
    Quoted { exact: plain == text, text: plain }
}

/// An upstream's text as it may be shown: its lines, each marked, so that none looks like one of ours.
fn previewed(preview: &Preview) -> Option<Quoted> {
    let Preview::Shown { text, left_out, failed, .. } = preview else { return None };
    let whole = text.chars().count() <= QUOTED_CHARS_MAX;
    let kept: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    let lines: Vec<_> = kept.split('\n').map(quoted).collect();
    let exact = whole && *left_out == 0 && !failed && lines.iter().all(|line| line.exact);
    let mut marked: Vec<_> = lines.into_iter().map(|line| format!("| {}", line.text)).collect();
    if !whole || *left_out > 0 {
        marked.push("… and more than fits here".into());
    }
    Some(Quoted { text: marked.join("\n"), exact })
}

/// On one line, bounded, and with every character shown that a reader would not see.
fn shown(text: &str, chars_max: usize) -> String {
    let end = text.char_indices().nth(chars_max).map_or(text.len(), |(end, _)| end);
    let (head, rest) = text.split_at(end);
    let left = rest.chars().count();
    let more = if left > 0 { format!(" … and {left} characters more") } else { String::new() };
    plain::line(head) + &more
}

/// Takes from a text what programs that show it would make a link of: schemes, and dots before a letter.
fn defanged(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        match c {
            '.' if before.is_alphanumeric() && next.is_alphabetic() => out.push_str("[.]"),
            ':' if next == '/' => out.push_str("[:]"),
            c => out.push(c),
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_wrote_is_no_link_and_hides_nothing() {
        for (written, shown) in [
            ("12.50", "12.50"),
            ("a.b", "a[.]b"),
            ("https://evil.example/x", "https[:]//evil[.]example/x"),
            ("a\r\nSubject: b", "a⟨U+000D⟩⟨U+000A⟩Subject: b"),
            ("pay \u{202e}eur", "pay ⟨U+202E⟩eur"),
            ("a\u{200b}b\u{e0041}", "a⟨U+200B⟩b⟨U+E0041⟩"),
        ] {
            let found = quoted(written);
            assert_eq!(found.text, shown);
            assert_eq!(found.exact, written == shown, "{written}");
        }
        let long = quoted(&"x".repeat(2_001));
        assert!(long.text.ends_with(" … and 1 characters more") && !long.exact);
    }
}
