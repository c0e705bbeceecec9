//! What a new authority protects less well than the one in force. Pure: two authorities in, a list out.
//!
//! It errs on the safe side: whatever it cannot prove to be narrower or equal is listed. Narrowing is
//! never listed, so that it needs nobody but whoever does it.
//!
//! It compares two moments and knows no third: a tool that is removed in one change and described anew,
//! milder, in the next is a new tool to it.

mod access;
mod guardrails;
mod people;
mod remits;
mod rules;
mod tools;

use crate::Snapshot;
use crate::authority::remit::Holder;
use crate::registry::Class;

pub use people::{CallerKey, Needed, Section, Steerer, Steering};

/// One thing that would protect less.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Weakening {
    /// A stable word: `guardrail.removed`.
    pub code: &'static str,
    /// What, in words with names.
    pub what: String,
    /// Which part of whose remit grows, when that is all that happens. Nothing else is bounded less then.
    pub widens: Option<Category>,
}

/// Whose remit grows, and in which part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Category {
    /// The holder.
    pub holder: Holder,
    /// The part.
    pub part: Part,
}

/// The parts of a remit that grow one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// What it grants in one class.
    Class(Class),
    /// How far the holder is trusted.
    Stage,
    /// Everything at once, or nothing that a class names: a new remit, a later end, a limit, a key.
    Whole,
}

/// An authority, and who steers and calls under it.
#[derive(Clone, Copy, Debug)]
pub struct Stand<'a> {
    /// The compiled authority.
    pub snapshot: &'a Snapshot,
    /// Who steers, who calls, and how many people a weakening needs.
    pub steering: &'a Steering,
}

/// What `new` protects less well than `old`, sorted by code. Empty for narrowing and for no change at all.
#[must_use]
pub fn weakenings(old: Stand<'_>, new: Stand<'_>) -> Vec<Weakening> {
    let mut out = Vec::new();
    if old.snapshot.tenant() != new.snapshot.tenant() {
        let (from, to) = (old.snapshot.tenant(), new.snapshot.tenant());
        out.push(Weakening::new("tenant.changed", format!("the tenant `{from}` becomes `{to}`")));
    }
    guardrails::compare(old.snapshot, new.snapshot, &mut out);
    rules::compare(old.snapshot, new.snapshot, &mut out);
    tools::compare(old.snapshot, new.snapshot, &mut out);
    remits::compare(old.snapshot, new.snapshot, &mut out);
    access::compare(old.snapshot, new.snapshot, &mut out);
    people::compare(old.steering, new.steering, &mut out);
    out.sort();
    out.dedup();
    out
}

/// The remit of which more than one category would grow at once, if there is one.
#[must_use]
pub fn grows_at_once(weakenings: &[Weakening]) -> Option<&Holder> {
    let parts = weakenings.iter().filter_map(|weakening| weakening.widens.as_ref());
    let counted: Vec<&Category> = parts.filter(|category| category.part != Part::Whole).collect();
    counted.iter().find_map(|one| {
        let other = counted.iter().any(|other| other.holder == one.holder && other.part != one.part);
        other.then_some(&one.holder)
    })
}

impl Weakening {
    fn new(code: &'static str, what: String) -> Self {
        Self { code, what, widens: None }
    }

    fn widening(code: &'static str, holder: &Holder, part: Part, what: String) -> Self {
        Self { code, what, widens: Some(Category { holder: holder.clone(), part }) }
    }
}
