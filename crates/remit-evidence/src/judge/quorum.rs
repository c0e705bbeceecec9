//! Whether the votes that a decision rests on are enough: counted by different people, rule by rule, from what the records
//! say in clear. Owns who counts as the same person; what stands behind one vote is for `vote.rs`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::statement::{Rule, Statement};
use super::story::{Answer, Known, fails};
use super::{Outcome, Read};
use crate::instant;
use crate::record::{Kind, disclosed};

/// Most commitments by which one vote names people: whoever casts it and in whose place, each as operator and as user.
const NAMES_MAX: usize = 4;

/// The commitments by which a vote names people: a few, each once, in order.
pub(super) fn names(vote: &Statement) -> Option<Vec<&str>> {
    let list = vote.value("/people")?.as_array()?;
    let names: Vec<&str> =
        list.iter().filter(|name| crate::members::digest(name).is_some()).filter_map(Value::as_str).collect();
    let sound = names.len() == list.len() && (1..=NAMES_MAX).contains(&names.len()) && names.is_sorted_by(|a, b| a < b);
    sound.then_some(names)
}

/// A call that was admitted because people approved needs enough of them for each rule.
pub(super) fn admission(
    read: &Read<'_>,
    statement: &Statement,
    known: &Known<'_, '_>,
    skew: i64,
) -> Result<Answer, Answer> {
    let rules = statement.texts("/approvals");
    if rules.is_empty() {
        return Ok((Outcome::Holds, "admitted without anybody's approval".into()));
    }
    let mut votes: Vec<(&Read<'_>, &Statement)> = Vec::new();
    for digest in statement.linked("approval") {
        let Some((vote, said)) = known.get(digest).and_then(|read| Some((*read, read.statement.as_ref()?))) else {
            return Err((Outcome::Missing, "an approval it refers to is not in the bundle".into()));
        };
        if !is_for(said, statement) {
            return fails("an approval it refers to is for another call");
        }
        votes.push((vote, said));
    }
    if votes.is_empty() {
        return fails("it rests on approvals and refers to none");
    }
    let mut counted = Vec::with_capacity(rules.len());
    for id in rules {
        let Some(rule) = statement.rule(id) else { return fails("it does not say how many people a rule takes") };
        let yes = || {
            votes.iter().copied().filter(|(read_, vote)| {
                vote.text("/choice") == Some("approve")
                    && of(id, rule, vote)
                    && before(read_, read)
                    && in_time(vote, statement, skew)
            })
        };
        let people = different(yes());
        if people.len() as u64 >= rule.quorum {
            counted.push(said(id, rule, &people));
        } else {
            let count = people.len();
            return fails(&format!(
                "the approvals do not admit it: {count} of {} people under `{id}`; others are of the same person, expired, or later",
                rule.quorum
            ));
        }
        let every = known.values().filter_map(|read| Some((*read, read.statement.as_ref()?)));
        let no = every.filter(|(read_, vote)| {
            vote.text("/choice") == Some("deny")
                && is_for(vote, statement)
                && of(id, rule, vote)
                && before(read_, read)
                && votes.iter().any(|(_, yes)| yes.text("/question") == vote.text("/question"))
        });
        if different(no).len() as u64 >= rule.deny {
            return fails(&format!("so many people had denied it as close the question under `{id}`"));
        }
    }
    Ok((Outcome::Holds, counted.join("; ")))
}

/// The people who were counted, and how many of them signed.
fn said(id: &str, rule: Rule<'_>, people: &[(&Read<'_>, &Statement)]) -> String {
    let logins = people.iter().filter(|(_, vote)| vote.is_attested()).count();
    let (all, keys) = (people.len(), people.len() - logins);
    format!(
        "admitted under `{id}` by {all} people of {} needed: {keys} signed, for {logins} a login vouches",
        rule.quorum
    )
}

/// Whether a vote is about this call. One that is for a run is so in its own run only.
fn is_for(vote: &Statement, decision: &Statement) -> bool {
    let within = vote.value("/bounds").is_none() || vote.run == decision.run;
    vote.kind == Kind::Approval && vote.action.is_some() && vote.action == decision.action && within
}

fn of(id: &str, rule: Rule<'_>, vote: &Statement) -> bool {
    vote.text("/rule") == Some(id) && vote.text("/statement/definition") == Some(rule.definition)
}

/// Whether a vote was logged before the decision, as far as the two can be compared.
fn before(vote: &Read<'_>, decision: &Read<'_>) -> bool {
    let (Some(vote), Some(decision)) = (&vote.place, &decision.place) else { return true };
    vote.head.origin != decision.head.origin || vote.index < decision.index
}

fn in_time(vote: &Statement, decision: &Statement, skew: i64) -> bool {
    let expires = vote.text("/expires").and_then(instant::parse);
    expires.is_some_and(|expires| decision.time <= expires.saturating_add(skew))
        && vote.time <= decision.time.saturating_add(skew)
}

/// One vote for each person. Two are of one person if they share a name, in clear or as a commitment, or a key.
fn different<'v>(votes: impl Iterator<Item = (&'v Read<'v>, &'v Statement)>) -> Vec<(&'v Read<'v>, &'v Statement)> {
    let (mut seen, mut people) = (BTreeSet::new(), Vec::new());
    for (read, vote) in votes {
        let Some(names) = names(vote) else { continue };
        let mut marks: Vec<String> = names.into_iter().map(str::to_owned).collect();
        marks.extend(vote.text("/assertion/key").map(str::to_owned));
        let shown = disclosed(&read.claim.disclosures).into_iter().filter(|(name, _)| name == "approver");
        marks.extend(shown.map(|(_, name)| name.to_string()));
        // A vote that shares a mark with one that was counted counts no more, and neither does what shares one with it.
        let new = marks.iter().all(|mark| !seen.contains(mark));
        seen.extend(marks);
        if new {
            people.push((read, vote));
        }
    }
    people
}
