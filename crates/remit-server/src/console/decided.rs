//! What a record says, for rows and pages. Values that stand beside a record may have been deleted; a
//! record of another version may lack a member: what is not there is shown as nothing, never guessed.

use jiff::Timestamp;
use remit_core::budget::Unit;
use remit_core::registry::Risk;
use remit_evidence::record::{Kind, disclosed};
use remit_evidence::words::{WORDS, whole};
use remit_evidence::writer::SignedRecord;
use serde_json::Value;

use super::moment::Moment;
use super::plain::{Plain, line};
use super::tag::Tag;

/// One record, read.
pub(crate) struct Read {
    /// Its predicate, with the disclosed words in their places.
    pub said: Value,
    /// What stands beside it.
    pub beside: Vec<(String, Value)>,
    /// When, by its writer.
    pub at: Option<Timestamp>,
}

impl Read {
    /// Reads a record. Its signature is for `remit-verify`.
    pub(crate) fn of(record: &SignedRecord) -> Self {
        let mut statement = remit_core::json::parse(&record.envelope.payload).unwrap_or_default();
        let said = statement.get_mut("predicate").map(Value::take).unwrap_or_default();
        let mut beside = disclosed(&record.disclosures);
        let said = whole(said, &beside);
        beside.retain(|(name, _)| name != WORDS);
        Self { said, beside, at: record.time.parse().ok() }
    }

    /// A text it says, by a pointer.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.said.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A value beside it.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.beside.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A text beside it.
    pub(crate) fn beside(&self, name: &str) -> &str {
        self.value(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The tool it is about; for a request that never became a call, what was asked for.
    pub(crate) fn tool(&self) -> &str {
        match self.text("/tool/name") {
            "" => self.value("requested").and_then(|asked| asked.get("tool")).and_then(Value::as_str).unwrap_or("–"),
            name => name,
        }
    }

    /// What it costs, in micro-USD.
    pub(crate) fn cost(&self) -> u64 {
        self.said.get("cost_micro_usd").and_then(Value::as_u64).unwrap_or(0)
    }

    /// Which records it refers to, with the relation.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&str, &str)> {
        let links = self.said.get("links").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        links.iter().filter_map(|link| Some((link.get("rel")?.as_str()?, link.get("digest")?.as_str()?)))
    }

    /// What it says in one word.
    pub(crate) fn tag(&self, kind: Kind) -> Tag {
        match kind {
            Kind::Decision => Tag::verdict(self.text("/verdict")),
            Kind::Execution => {
                let is_error = self.said.pointer("/result/is_error").and_then(Value::as_bool).unwrap_or(false);
                Tag::outcome(self.text("/result/state"), is_error)
            }
            Kind::Approval => match self.text("/choice") {
                choice if choice.starts_with("approve") => Tag::good(choice),
                "deny" => Tag::bad("deny"),
                "ask_back" => Tag::plain("asks back"),
                "escalate" => Tag::plain("calls others in"),
                "narrow" => Tag::plain("puts another call in its place"),
                other => Tag::plain(other),
            },
            Kind::Halt if self.text("/event") == "halt" => Tag::bad("halt"),
            _ => match self.text("/event") {
                "" => Tag::plain(kind.as_str()),
                event => Tag::plain(&event.replace('_', " ")),
            },
        }
    }

    /// What a person wanted to do with the gateway itself, where the decision was about that and no call.
    fn deed(&self) -> Option<String> {
        Some(self.text("/deed")).filter(|deed| !deed.is_empty()).map(|deed| deed.replace('_', " "))
    }

    /// What it says in one line.
    pub(crate) fn line(&self, kind: Kind) -> Plain {
        let text = match kind {
            Kind::Decision => {
                let code = self.text("/refusal/code");
                let because = if code.is_empty() { String::new() } else { format!(" ({code})") };
                if let Some(deed) = self.deed() {
                    let by = Some(self.beside("operator")).filter(|by| !by.is_empty()).unwrap_or("somebody");
                    return line(&format!("{by}: {deed}{because}"));
                }
                format!("{} calls {}{because}", self.text("/agent/id"), self.tool())
            }
            Kind::Execution => format!("the call {}", self.text("/intent")),
            Kind::Approval => {
                let by = Some(self.beside("approver")).filter(|by| !by.is_empty()).unwrap_or("somebody");
                match self.text("/choice") {
                    "ask_back" => format!("{by} asks the agent something"),
                    "escalate" => format!("{by} calls in the next people"),
                    "narrow" => format!("{by} changes the arguments"),
                    _ => format!("{by} under {}", self.text("/rule")),
                }
            }
            Kind::Run if self.text("/event") == "answer" => format!("{} answers", self.text("/agent/id")),
            Kind::Run => format!("a run of {}", self.text("/agent/id")),
            Kind::Halt => self.text("/target").to_owned(),
            Kind::Policy => match self.text("/event") {
                "voted" => {
                    let by = Some(self.beside("approver")).filter(|by| !by.is_empty()).unwrap_or("somebody");
                    format!("{by} votes on a change")
                }
                "proposed" => "a change that protects less".to_owned(),
                "suggested" => format!("a proposal for {}", self.text("/agent/id")),
                _ => format!("snapshot {} by {}", short(self.text("/snapshot")), self.text("/by")),
            },
            Kind::Key => short(self.text("/delegate")).to_owned(),
            Kind::Grant | Kind::Erasure | Kind::Peer => self.text("/event").replace('_', " "),
        };
        line(&text)
    }
}

/// One decision, as a row.
pub(crate) struct Row {
    pub record: String,
    pub at: Option<Moment>,
    pub verdict: Tag,
    pub code: Plain,
    pub tool: Plain,
    pub class: Plain,
    pub risk: Option<Tag>,
    pub agent: Plain,
    pub user: Plain,
    /// Whether it is no call, but what a person did with the gateway itself.
    pub is_deed: bool,
    pub run: String,
    pub cost: String,
}

impl Row {
    /// The row of a decision record.
    pub(crate) fn of(record: &SignedRecord, now: Timestamp) -> Self {
        let read = Read::of(record);
        let deed = read.deed();
        let risk = Risk::parse(read.text("/tool/risk")).filter(|risk| *risk >= Risk::High);
        Self {
            record: record.id.to_string(),
            at: read.at.map(|at| Moment::new(at, now)),
            verdict: Tag::verdict(read.text("/verdict")),
            code: line(read.text("/refusal/code")),
            tool: line(deed.as_deref().unwrap_or(read.tool())),
            class: line(if deed.is_some() { "a person's own deed" } else { read.text("/tool/class") }),
            risk: risk.map(Tag::risk),
            agent: line(if deed.is_some() { read.beside("operator") } else { read.text("/agent/id") }),
            is_deed: deed.is_some(),
            user: line(read.beside("user")),
            run: record.run.as_ref().map(ToString::to_string).unwrap_or_default(),
            cost: money(read.cost()),
        }
    }
}

/// An amount of money; nothing for nothing.
pub(crate) fn money(micro_usd: u64) -> String {
    if micro_usd == 0 { String::new() } else { Unit::MicroUsd.show(micro_usd) }
}

/// The first half of a digest's first half: enough to compare by eye.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
