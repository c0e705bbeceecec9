//! What happened in a run, from its records and questions: rows for the table, marks for the picture.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use remit_app::question::{Question, QuestionState};
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::Value;

use super::timeline::{Gathered, Mark, PEOPLE, Shape};
use crate::console::decided::{Read, money};
use crate::console::moment::{Clock, lasting};
use crate::console::plain::Plain;
use crate::console::tag::Tag;

/// One row of the table.
pub(super) struct Event {
    pub record: String,
    pub at: Option<Clock>,
    pub tag: Tag,
    /// What became of it, for a call that was admitted.
    pub outcome: Option<Tag>,
    pub words: Plain,
    pub cost: String,
    pub lasted: String,
}

/// A part of a run.
#[derive(Default)]
pub(super) struct Story {
    pub events: Vec<Event>,
    pub marks: Vec<Mark>,
    pub gathered: Vec<Gathered>,
}

/// Reads the records of a run in their order, with the questions that were asked in it.
pub(super) fn story(records: &[SignedRecord], questions: &[Question], now: Timestamp) -> Story {
    let read: Vec<_> = records.iter().map(|record| (record, Read::of(record))).collect();
    // What became of each admitted call, by the digest of its decision.
    let receipts: HashMap<String, &Read> = read
        .iter()
        .filter(|(record, _)| record.kind == Kind::Execution)
        .filter_map(|(_, read)| {
            let (_, decision) = read.links().find(|(relation, _)| *relation == "decision")?;
            Some((decision.to_owned(), read))
        })
        .collect();
    let decisions: HashSet<_> = records.iter().map(|record| record.digest.to_string()).collect();
    let mut story = Story::default();
    let (mut labels, mut spend): (Vec<String>, u64) = (Vec::new(), 0);
    for (record, read) in &read {
        // A receipt is told with its decision, unless that is on an earlier page.
        if record.kind == Kind::Execution && read.links().any(|(_, digest)| decisions.contains(digest)) {
            continue;
        }
        let receipt = receipts.get(&record.digest.to_string()).copied();
        let until = match read.text("/verdict") {
            "allow" => receipt.and_then(|receipt| receipt.at),
            "ask" => questions.iter().find(|question| question.intent == record.id).map(|q| waited_until(q, now)),
            _ => None,
        };
        let words = read.line(record.kind);
        let lasted = until.zip(read.at).map(|(until, at)| until.as_millisecond() - at.as_millisecond());
        story.events.push(Event {
            record: record.id.to_string(),
            at: read.at.map(Clock),
            tag: read.tag(record.kind),
            outcome: receipt.map(|receipt| receipt.tag(Kind::Execution)),
            words,
            cost: if read.text("/verdict") == "allow" { money(read.cost()) } else { String::new() },
            lasted: lasted.map(in_words).unwrap_or_default(),
        });
        let Some(at) = read.at else { continue };
        if record.kind == Kind::Decision {
            let seen = gathered(read);
            let new: Vec<_> = seen.iter().filter(|label| !labels.contains(label)).cloned().collect();
            spend += if read.text("/verdict") == "allow" { read.cost() } else { 0 };
            // What every run begins with is no news.
            let new: Vec<_> = new.into_iter().filter(|label| label != "public" && label != "trusted").collect();
            story.gathered.push(Gathered { at, labels: new, spend });
            labels = if seen.is_empty() { labels } else { seen };
        }
        story.marks.extend(mark(record, read, at, until));
    }
    story
}

fn mark(record: &SignedRecord, read: &Read, at: Timestamp, until: Option<Timestamp>) -> Option<Mark> {
    let (lane, shape, said) = match record.kind {
        Kind::Decision => match read.text("/verdict") {
            "allow" => (read.tool().to_owned(), Shape::Good, "allowed".to_owned()),
            "ask" => (read.tool().to_owned(), Shape::Wait, "held".to_owned()),
            _ => (read.tool().to_owned(), Shape::Bad, format!("denied: {}", read.text("/refusal/code"))),
        },
        Kind::Approval => {
            let shape = if read.text("/choice") == "deny" { Shape::Bad } else { Shape::Good };
            (PEOPLE.to_owned(), shape, format!("{} by {}", read.text("/choice"), read.beside("approver")))
        }
        _ => return None,
    };
    let words = format!("{} {lane}: {said}", at.strftime("%H:%M:%S"));
    Some(Mark { lane, at, until, shape, words, record: record.id.to_string() })
}

/// When a held call did not have to wait any more.
fn waited_until(question: &Question, now: Timestamp) -> Timestamp {
    let voted = question.votes.iter().map(|vote| vote.at).max();
    match question.state(now) {
        QuestionState::Open => now,
        QuestionState::Expired => question.expires_at,
        _ => question.narrowed.as_ref().map(|narrowed| narrowed.at).or(voted).unwrap_or(question.expires_at),
    }
}

/// The labels the run carried when this was decided.
fn gathered(read: &Read) -> Vec<String> {
    let labels = read.said.pointer("/facts/run/labels").and_then(Value::as_array);
    labels.into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

fn in_words(ms: i64) -> String {
    match ms {
        ..0 => String::new(),
        0..=9_999 => format!("{ms} ms"),
        _ => lasting(ms.unsigned_abs() / 1000),
    }
}
