//! Remit's decision: *is this agent allowed to do this, for this user, in this context, right now?*
//!
//! This crate is pure: data in, verdict out. It knows no clock, no network, no file and no chance,
//! so the same case is decided the same way for ever, and can be decided again by an auditor. It is
//! also the in-process SDK: see `examples/decide.rs`.
//!
//! Read [`decide()`] first.

pub mod access;
pub mod approval;
pub mod authority;
pub mod budget;
pub mod calendar;
pub mod call;
pub mod halt;
pub mod identity;
pub mod ids;
pub mod json;
pub mod labels;
pub mod limits;
pub mod origin;
pub mod plain;
pub mod registry;
pub mod steering;
pub mod unsealed;
pub mod verdict;

mod cedar;
mod decide;

pub use authority::Snapshot;
pub use call::Call;
pub use decide::{CaseFile, RunFacts, decide, visible};
pub use identity::Caller;
pub use verdict::{Decision, Verdict};

/// The nearest of some names to a misspelt one, when one is near enough to suggest.
#[must_use]
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = 1 + length / 4;
    // Words come from strangers: one that is far longer than every name is not compared letter by letter.
    let alike = names.into_iter().filter(|name| name.chars().count().abs_diff(length) <= limit);
    let near = alike.map(|name| (distance(word, name), name)).min()?;
    (near.0 <= limit).then_some(near.1)
}

/// Edit distance with adjacent transpositions counted once.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    #[test]
    fn near_names_are_suggested() {
        assert_eq!(super::nearest("amuont", ["amount", "account"]), Some("amount"));
        assert_eq!(super::nearest("xyz", ["amount"]), None);
        assert_eq!(super::nearest(&"a".repeat(10_000_000), ["amount"]), None);
    }
}
