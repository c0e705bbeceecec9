//! What a judgement says: checks, levels, limits, the verdict and its exit code. Words and codes are stable;
//! details are for people.

use serde_json::{Value, json};

use crate::bundle::Head;
use crate::instant;

/// What a check is about, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The bundle is in its format.
    Form,
    /// The signed text is a record of an accepted kind, of this tenant.
    Statement,
    /// A known log has signed the checkpoint as it must.
    Checkpoint,
    /// Enough witnesses have seen it.
    Quorum,
    /// The record's leaf stands in the tree.
    Inclusion,
    /// The signature is of a key that may sign this.
    Signature,
    /// The key counts at this place of the log.
    Delegation,
    /// The values shown are those that were signed.
    Disclosures,
    /// The records that belong together say the same.
    Story,
    /// The times agree with those of others.
    Time,
    /// A timestamper has stamped the tree with the record.
    Anchor,
    /// The trees in the bundle are one tree that grew.
    Consistency,
    /// It is the tree that was seen before.
    History,
}

impl Step {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Statement => "statement",
            Self::Checkpoint => "checkpoint",
            Self::Quorum => "quorum",
            Self::Inclusion => "inclusion",
            Self::Signature => "signature",
            Self::Delegation => "delegation",
            Self::Disclosures => "disclosures",
            Self::Story => "story",
            Self::Time => "time",
            Self::Anchor => "anchor",
            Self::Consistency => "consistency",
            Self::History => "history",
        }
    }
}

/// What a check answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It holds.
    Holds,
    /// Something is not there, so it cannot be said.
    Missing,
    /// It contradicts what was seen before, or another part of the bundle, under the log's own signature.
    Diverges,
    /// It does not hold.
    Fails,
}

impl Outcome {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Missing => "missing",
            Self::Diverges => "diverges",
            Self::Fails => "fails",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it is about.
    pub step: Step,
    /// Which claim, counted from zero; none for the whole bundle.
    pub claim: Option<usize>,
    /// What it answers.
    pub outcome: Outcome,
    /// In plain words.
    pub detail: String,
}

/// How far others than the gateway stand behind a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nobody that is known.
    Nothing,
    /// The writer has signed it.
    Signed,
    /// The log has committed to it.
    Logged,
    /// So many of the known witnesses saw the log with it.
    Witnessed {
        /// Different witnesses that saw it.
        seen: usize,
        /// Witnesses the trust document knows.
        known: usize,
    },
}

/// What was found about one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The id and kind the record states, if it could be read.
    pub record: Option<(String, &'static str)>,
    /// Its level.
    pub level: Level,
    /// Log and place.
    pub place: Option<(String, u64)>,
    /// Before this time, in milliseconds since 1970, it existed, says the earliest witness.
    pub existed_by: Option<i64>,
    /// The earliest stamp over a tree with it.
    pub anchor: Option<Anchor>,
}

/// A time that a timestamper has stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// By which name the trust document knows it.
    pub by: String,
    /// When it saw the tree at the latest, in milliseconds since 1970.
    pub at: i64,
}

/// What is said in the end, and the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check holds.
    Valid = 0,
    /// A check fails.
    Invalid = 1,
    /// No check fails, but something is missing.
    Indeterminate = 2,
    /// The log has shown another history.
    Diverged = 3,
}

impl Verdict {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Invalid => "INVALID",
            Self::Indeterminate => "INDETERMINATE",
            Self::Diverged => "DIVERGED",
        }
    }

    /// The stable exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// All that was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// Every check, in order.
    pub checks: Vec<Check>,
    /// Every claim, in the order of the bundle.
    pub claims: Vec<Finding>,
    /// What is not proven.
    pub limits: Vec<String>,
    /// The heads that a verifier with a memory keeps, if the verdict is VALID.
    pub heads: Vec<Head>,
}

impl Finding {
    /// The time by which it existed, as RFC 3339.
    #[must_use]
    pub fn existed_by_text(&self) -> Option<String> {
        self.existed_by.map(instant::print)
    }

    /// Its level in words, and whether it is time anchored as well: neither stands for the other.
    #[must_use]
    pub fn level_words(&self) -> String {
        let anchored = if self.anchor.is_some() { ", time anchored" } else { "" };
        format!("{}{anchored}", self.level.words())
    }
}

impl Anchor {
    /// Its time, as RFC 3339.
    #[must_use]
    pub fn at_text(&self) -> String {
        instant::print(self.at)
    }
}

impl Level {
    /// In words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Nothing => "nothing".into(),
            Self::Signed => "signed".into(),
            Self::Logged => "logged".into(),
            Self::Witnessed { seen, known } => format!("witnessed {seen} of {known}"),
        }
    }
}

impl Report {
    /// The report as JSON. Names are stable; details are for people.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let checks = self.checks.iter().map(|check| {
            let (step, outcome) = (check.step.as_str(), check.outcome.as_str());
            json!({"check": step, "claim": check.claim, "outcome": outcome, "detail": check.detail})
        });
        let claims = self.claims.iter().map(|claim| {
            json!({
                "record": claim.record.as_ref().map(|(id, _)| id),
                "kind": claim.record.as_ref().map(|(_, kind)| kind),
                "level": claim.level_words(),
                "log": claim.place.as_ref().map(|(log, _)| log),
                "index": claim.place.as_ref().map(|(_, index)| index),
                "existed_by": claim.existed_by_text(),
                "anchored": claim.anchor.as_ref().map(|anchor| json!({"by": anchor.by, "at": anchor.at_text()})),
            })
        });
        json!({
            "verdict": self.verdict.as_str(),
            "checks": checks.collect::<Vec<_>>(),
            "claims": claims.collect::<Vec<_>>(),
            "not_proven": self.limits,
        })
    }
}
