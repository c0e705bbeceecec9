//! Records that belong together: a receipt to its decision, a vote to the decision that asked, an
//! admission to its votes. Owns what may contradict what; a record that is not there is only missing.

use std::collections::{BTreeMap, HashMap};

use remit_core::ids::Digest;

use super::quorum::{admission, names};
use super::statement::Statement;
use super::vote::{Passkeys, assurance};
use super::{Court, Outcome, Read, Step};
use crate::record::Kind;
use crate::trust::Trust;

pub(super) type Answer = (Outcome, String);
pub(super) type Known<'r, 'b> = HashMap<Digest, &'r Read<'b>>;

impl Court {
    pub(super) fn story(&mut self, read: &[Read<'_>], trust: &Trust) {
        let known: Known<'_, '_> = read.iter().map(|read| (read.claim.envelope.digest(), read)).collect();
        let skew = i64::try_from(trust.require.skew_s * 1000).unwrap_or(i64::MAX);
        let passkeys = Passkeys::find(read, trust);
        let mut receipts: BTreeMap<&Digest, usize> = BTreeMap::new();
        let statements = || read.iter().filter_map(|read| read.statement.as_ref());
        for statement in statements().filter(|statement| statement.kind == Kind::Execution) {
            statement.linked("decision").for_each(|digest| *receipts.entry(digest).or_default() += 1);
        }
        for read in read {
            let Some(statement) = &read.statement else { continue };
            let answer = match statement.kind {
                Kind::Execution => receipt(read, statement, &known, &receipts, skew),
                Kind::Approval => vote(read, statement, &known, skew).and_then(|(_, detail)| {
                    let (outcome, behind) = assurance(read, statement, &passkeys)?;
                    Ok((outcome, format!("{detail}: {behind}")))
                }),
                Kind::Decision if statement.text("/verdict") == Some("allow") => {
                    admission(read, statement, &known, skew)
                }
                _ => continue,
            };
            let (outcome, detail) = answer.unwrap_or_else(|answer| answer);
            self.say(Step::Story, Some(read.at), outcome, detail);
        }
        self.doubles(read);
    }

    /// Two records with one id, or at one place of a writer's sequence: one of them is a forgery.
    fn doubles(&mut self, read: &[Read<'_>]) {
        let (mut ids, mut places, mut votes) = (HashMap::new(), HashMap::new(), HashMap::new());
        for read in read {
            let Some(statement) = &read.statement else { continue };
            let id = ids.insert(&statement.id, read.at).is_some();
            // What the root signs is numbered by it, outside any writer's sequence.
            let place = !statement.is_of_root() && places.insert((&statement.writer, statement.seq), read.at).is_some();
            // One vote, written down twice, would look like two people's.
            let vote = statement.kind == Kind::Approval
                && statement.value("/statement").is_some_and(|of| votes.insert(of.to_string(), read.at).is_some());
            if vote {
                self.say(Step::Story, Some(read.at), Outcome::Fails, "another record holds the same vote");
            }
            if id || place {
                let detail = "another record has its id, or its place in the writer's sequence";
                self.say(Step::Story, Some(read.at), Outcome::Fails, detail);
            }
        }
    }
}

pub(super) fn fails<T>(detail: &str) -> Result<T, Answer> {
    Err((Outcome::Fails, detail.to_owned()))
}

/// The decision a record refers to: exactly one, about the same call, earlier in the log and not later by the clock. What
/// people vote on may also be a request for access.
fn decision<'r>(
    read: &Read<'_>,
    statement: &Statement,
    known: &'r Known<'_, '_>,
    skew: i64,
) -> Result<&'r Statement, Answer> {
    let mut linked = statement.linked("decision");
    let (Some(digest), None) = (linked.next(), linked.next()) else {
        return fails("it refers to no decision, or to several");
    };
    let found = known.get(digest).and_then(|found| Some((*found, found.statement.as_ref()?)));
    let Some((found, decision)) = found else {
        return Err((Outcome::Missing, "the decision it refers to is not in the bundle".into()));
    };
    let asks_for_access = statement.kind == Kind::Approval && decision.kind == Kind::Grant;
    if decision.kind != Kind::Decision && !asks_for_access {
        return fails("what it refers to is no decision");
    }
    if statement.action.is_none() || statement.action != decision.action {
        return fails("it is about another call than its decision");
    }
    if decision.run != statement.run {
        return fails("it belongs to another run than its decision");
    }
    if let (Some(place), Some(before)) = (&read.place, &found.place)
        && place.head.origin == before.head.origin
        && place.index <= before.index
    {
        return fails("it was logged before its decision");
    }
    if statement.time.saturating_add(skew) < decision.time {
        return fails("it was written before its decision");
    }
    Ok(decision)
}

fn receipt(
    read: &Read<'_>,
    statement: &Statement,
    known: &Known<'_, '_>,
    receipts: &BTreeMap<&Digest, usize>,
    skew: i64,
) -> Result<Answer, Answer> {
    if statement.linked("decision").any(|digest| receipts.get(digest).is_some_and(|count| *count > 1)) {
        return fails("two receipts for one decision");
    }
    let decision = decision(read, statement, known, skew)?;
    if decision.text("/verdict") != Some("allow") {
        return fails("a receipt for a call that was not admitted");
    }
    if statement.text("/intent") != Some(&decision.id) {
        return fails("the receipt of another decision");
    }
    let Some(state) = statement.text("/result/state") else { return fails("the receipt states no result") };
    Ok((Outcome::Holds, format!("the one receipt here of decision {}: {state}", decision.id)))
}

fn vote(read: &Read<'_>, statement: &Statement, known: &Known<'_, '_>, skew: i64) -> Result<Answer, Answer> {
    let asked = decision(read, statement, known, skew)?;
    let asks = match asked.kind {
        Kind::Grant => matches!(asked.text("/event"), Some("requested" | "narrowed")),
        _ => asked.text("/verdict") == Some("ask"),
    };
    if let Some(word @ ("ask_back" | "escalate" | "narrow")) = statement.text("/choice") {
        return if asks {
            Ok((Outcome::Holds, format!("`{word}`, which is no vote, about what decision {} asked", asked.id)))
        } else {
            fails("it speaks of what was not asked")
        };
    }
    let (Some(rule), Some(choice @ ("approve" | "deny"))) = (statement.text("/rule"), statement.text("/choice")) else {
        return fails("the vote states no rule or no choice");
    };
    let named = asked.texts("/asks").contains(&rule) || asked.text("/rule") == Some(rule);
    let Some(under) = asked.rule(rule).filter(|_| asks && named) else {
        return fails("a vote on what was not asked");
    };
    if statement.text("/statement/definition") != Some(under.definition) {
        return fails("a vote under another definition of its rule than was asked for");
    }
    if names(statement).is_none() {
        return fails("the vote does not say whose it is");
    }
    Ok((Outcome::Holds, format!("`{choice}` to what decision {} asked", asked.id)))
}
