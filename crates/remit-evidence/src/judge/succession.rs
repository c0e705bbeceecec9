//! One log after the other: the last leaf of the one names the other and its keys, the first leaf of the other
//! commits to the final tree of the one. Owns what a head may say after the end of its log.

use std::collections::BTreeSet;

use serde_json::Value;

use super::statement::Statement;
use super::{Court, Outcome, Read, Step};
use crate::bundle::Head;
use crate::log::vkey::VerifierKey;
use crate::members::{digest, whole};
use crate::record::Kind;
use crate::trust::Trust;

type Answer = (Outcome, String);

impl Court {
    pub(super) fn succession(&mut self, read: &[Read<'_>], trust: &Trust, memory: &[Head]) {
        let seen = read.iter().filter_map(|read| Some(&read.place.as_ref()?.head));
        let heads: BTreeSet<&Head> = seen.chain(memory).chain(&trust.ended).collect();
        for one in read {
            let Some(statement) = one.statement.as_ref().filter(|statement| statement.kind == Kind::Key) else {
                continue;
            };
            let answer = match statement.text("/event") {
                Some("log_ended") => ended(one, statement, &heads),
                Some("log_begun") => begun(one, statement, read, &heads, trust),
                _ => continue,
            };
            let (outcome, detail) = answer.unwrap_or_else(|answer| answer);
            self.say(Step::Story, Some(one.at), outcome, detail);
        }
    }
}

fn fails<T>(detail: &str) -> Result<T, Answer> {
    Err((Outcome::Fails, detail.to_owned()))
}

/// The last leaf of its log: nobody has seen a larger tree.
fn ended(read: &Read<'_>, statement: &Statement, heads: &BTreeSet<&Head>) -> Result<Answer, Answer> {
    let Some(place) = &read.place else {
        return Err((Outcome::Missing, "no place is proven for the end of a log".into()));
    };
    let origin = &place.head.origin;
    if statement.text("/log") != Some(origin) {
        return fails("it ends another log than the one it stands in");
    }
    if heads.iter().any(|head| head.origin == *origin && head.size > place.index + 1) {
        return Err((Outcome::Diverges, format!("the log {origin} went on behind its end")));
    }
    Ok((Outcome::Holds, format!("the log {origin} ended with {} leaves", place.index + 1)))
}

/// The first leaf of its log: it commits to the tree with which the one before it ended.
fn begun(
    read: &Read<'_>,
    statement: &Statement,
    all: &[Read<'_>],
    heads: &BTreeSet<&Head>,
    trust: &Trust,
) -> Result<Answer, Answer> {
    let Some(place) = &read.place else {
        return Err((Outcome::Missing, "no place is proven for the beginning of a log".into()));
    };
    let origin = &place.head.origin;
    if statement.text("/log") != Some(origin) || place.index != 0 {
        return fails("it begins another log, or stands behind its first leaf");
    }
    let Some(end) = committed(statement) else { return fails("it does not say how the log before it ended") };
    if heads
        .iter()
        .any(|head| head.origin == end.origin && (head.size > end.size || head.size == end.size && **head != end))
    {
        return Err((Outcome::Diverges, format!("the log {} has another end than this one commits to", end.origin)));
    }
    let mut linked = statement.linked("ended");
    let (Some(link), None) = (linked.next(), linked.next()) else {
        return fails("it names no end of the log before it, or several");
    };
    let found = all.iter().find(|other| other.claim.envelope.digest() == *link);
    let found = found.and_then(|other| Some((other.place.as_ref()?, other.statement.as_ref()?)));
    let Some((last, of)) = found else {
        return Err((Outcome::Missing, "the end of the log before it is not proven in the bundle".into()));
    };
    let stands = last.head.origin == end.origin && last.index + 1 == end.size && of.text("/event") == Some("log_ended");
    if !stands || of.text("/next/log") != Some(origin) {
        return fails("what it names is not the end of the log before it, or that names another log");
    }
    if !named(&of.texts("/next/keys"), origin, trust) || !named(&statement.texts("/previous/keys"), &end.origin, trust)
    {
        return fails("the two logs do not name the keys that are known of them");
    }
    Ok((Outcome::Holds, format!("the log {origin} goes on where {} ended with {} leaves", end.origin, end.size)))
}

/// The final tree that the first leaf of a log commits to.
fn committed(statement: &Statement) -> Option<Head> {
    let of = |name: &str| statement.value(&format!("/previous/{name}"));
    let origin = of("log").and_then(Value::as_str)?.to_owned();
    Some(Head { origin, size: of("size").and_then(whole)?, root: of("root").and_then(digest)? })
}

/// Whether all keys that are known of a log are among these.
fn named(keys: &[&str], origin: &str, trust: &Trust) -> bool {
    let known = trust.policy.logs().filter(|key| key.name() == origin).map(VerifierKey::to_string);
    let mut known = known.peekable();
    known.peek().is_some() && known.all(|key| keys.contains(&&*key))
}
