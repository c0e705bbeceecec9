//! Whether the trees in a bundle are one tree that grew, and whether it is the one that was seen
//! before. Owns the comparison of heads; where they are remembered is for others.

use std::collections::BTreeSet;

use super::anchor::Stamped;
use super::{Court, Outcome, Read, Step};
use crate::bundle::{Bundle, Head};
use crate::log::merkle::verify_consistency;

/// Proven steps from a head to a larger one.
#[derive(Default)]
// INVARIANT (once sorted, by the smaller head): one pass follows every way up.
pub(super) struct Steps<'h>(Vec<(&'h Head, &'h Head)>);

impl<'h> Steps<'h> {
    /// This head and all larger ones that are proven to have grown from it.
    fn above(&self, head: &'h Head) -> BTreeSet<&'h Head> {
        let mut found = BTreeSet::from([head]);
        for (old, new) in &self.0 {
            if found.contains(old) {
                found.insert(new);
            }
        }
        found
    }

    /// Whether both are parts of one tree.
    pub(super) fn join(&self, a: &'h Head, b: &'h Head) -> bool {
        !self.above(a).is_disjoint(&self.above(b))
    }
}

impl Court {
    /// What the bundle proves of how trees grew, and what the memory holds of it.
    pub(super) fn growth<'h>(&mut self, bundle: &'h Bundle, memory: &'h [Head]) -> Steps<'h> {
        let proofs = bundle.claims.iter().filter_map(|claim| claim.proof.as_ref());
        let notes =
            proofs.map(|proof| &proof.checkpoint).chain(bundle.timestamps.iter().map(|stamp| &stamp.checkpoint));
        let stated: BTreeSet<Head> = notes.filter_map(|note| Head::stated(note).ok()).collect();
        let mut steps = Steps::default();
        for growth in &bundle.consistency {
            let touches = |head: &Head| stated.contains(head) || memory.contains(head);
            let (old, new) = (&growth.old, &growth.new);
            let proven = verify_consistency(old.size, &old.root, new.size, &new.root, &growth.path);
            if proven.is_err() || !(touches(old) || touches(new)) {
                let detail = "a proof of growth does not hold, or is about no tree that is known here";
                self.say(Step::Consistency, None, Outcome::Fails, detail);
            } else {
                steps.0.push((old, new));
            }
        }
        let mut seen: Vec<&Head> = memory.iter().collect();
        seen.sort();
        // What was kept was compared when it was kept, so that each grew from the one before.
        steps.0.extend(seen.windows(2).filter_map(|pair| match pair {
            [old, new] if old.origin == new.origin && old.size < new.size => Some((*old, *new)),
            _ => None,
        }));
        steps.0.sort();
        steps
    }

    /// Compares all heads that a known log has signed. Answers those of the places, to be remembered.
    pub(super) fn heads<'h>(
        &mut self,
        steps: &Steps<'h>,
        read: &'h [Read<'_>],
        stamped: &'h [Stamped],
        memory: &'h [Head],
    ) -> Vec<Head> {
        let places: BTreeSet<&Head> = read.iter().filter_map(|read| Some(&read.place.as_ref()?.head)).collect();
        let heads = places.iter().copied().chain(stamped.iter().map(|stamped| &stamped.head)).collect();
        self.within(&heads, steps);
        read.iter().for_each(|read| self.agreed(read, &heads, memory));
        if !memory.is_empty() {
            let mut seen: Vec<&Head> = memory.iter().collect();
            seen.sort();
            heads.iter().for_each(|head| self.against(head, &seen, steps));
        }
        places.into_iter().cloned().collect()
    }

    /// The tree that a record's writer had seen is the one that is known at this size, if one is.
    fn agreed(&mut self, read: &Read<'_>, heads: &BTreeSet<&Head>, memory: &[Head]) {
        let Some(seen) = read.statement.as_ref().and_then(|statement| statement.seen.as_ref()) else { return };
        let known = || heads.iter().copied().chain(memory);
        let mut known = known().filter(|head| head.origin == seen.origin && head.size == seen.size).peekable();
        if known.peek().is_none() {
            return;
        }
        let (outcome, what) = if known.all(|head| head.root == seen.root) {
            (Outcome::Holds, "the tree that is known")
        } else {
            (Outcome::Diverges, "another tree than is known")
        };
        let detail = format!("at {} leaves its writer had seen {what}", seen.size);
        self.say(Step::Consistency, Some(read.at), outcome, detail);
    }

    fn within<'h>(&mut self, heads: &BTreeSet<&'h Head>, steps: &Steps<'h>) {
        let list: Vec<&Head> = heads.iter().copied().collect();
        // Sorted by origin and size: neighbours suffice, since growth is a chain.
        for pair in list.windows(2) {
            let [a, b] = pair else { continue };
            if a.origin != b.origin {
                continue;
            }
            let (outcome, detail) = match () {
                () if a.size == b.size => (Outcome::Diverges, "the log has signed two trees of one size"),
                () if steps.join(a, b) => (Outcome::Holds, "the larger tree grew from the smaller"),
                () => (Outcome::Missing, "no proof that the larger tree grew from the smaller"),
            };
            self.say(Step::Consistency, None, outcome, format!("{} and {} leaves: {detail}", a.size, b.size));
        }
    }

    fn against<'h>(&mut self, head: &'h Head, seen: &[&'h Head], steps: &Steps<'h>) {
        let of_log = || seen.iter().filter(|kept| kept.origin == head.origin);
        let Some(last) = of_log().next_back() else {
            return self.say(Step::History, None, Outcome::Holds, format!("the log {} is new here", head.origin));
        };
        let missing = format!(
            "no proof that it grew from the tree that was seen before: ask for a bundle with `--since {}`",
            last.size
        );
        let (outcome, detail) = match () {
            () if of_log().any(|kept| kept.size == head.size && kept.root != head.root) => {
                (Outcome::Diverges, "not the tree that was seen before at this size")
            }
            () if of_log().any(|kept| *kept == head) => (Outcome::Holds, "seen before"),
            () if steps.join(last, head) => (Outcome::Holds, "of one growth with the tree that was seen before"),
            () if head.size < last.size => (Outcome::Diverges, "smaller than the tree that was seen before, unproven"),
            () => (Outcome::Missing, &*missing),
        };
        self.say(Step::History, None, outcome, format!("{} leaves: {detail}", head.size));
    }
}
