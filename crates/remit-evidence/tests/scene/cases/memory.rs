//! What verifiers and writers remember of the log.

use super::*;

/// All of them.
pub(super) fn all() -> Vec<Case> {
    [seen(), memories()].concat()
}

/// What a record's writer had seen of the log.
fn seen() -> Vec<Case> {
    use Verdict::{Diverged, Invalid, Valid};
    let log = Log::of(history());
    let having = |name, head: Head, expect, by: Option<Step>| {
        let log = forged(READ, |_| {
            let pen = pen();
            pen.saw(head);
            decision(&pen, 7, "allow", "shop/read")
        });
        let bundle = Bundle { consistency: vec![log.growth(4, log.size())], ..log.bundle(&[KEY, READ]) };
        case(name, &bundle.to_json(), expect, by)
    };
    let head = |size: usize| Head::of(&log.head(size));
    let other = |size| Head { root: Digest::of(b"other"), ..head(size) };
    vec![
        having("seen_before_itself", head(READ), Valid, None),
        having("seen_itself", head(READ + 1), Invalid, Some(Step::Time)),
        having("seen_beyond_itself", Head { size: 99, ..other(READ) }, Invalid, Some(Step::Time)),
        having("seen_elsewhere", Head { size: 99, origin: "other.example/log".into(), ..head(4) }, Valid, None),
        having("seen_as_remembered", head(4), Valid, None).knowing(&[log.head(4)]),
        having("seen_another_tree", other(4), Diverged, Some(Step::Consistency)).knowing(&[log.head(4)]),
    ]
}

fn memories() -> Vec<Case> {
    use Verdict::{Diverged, Indeterminate, Valid};
    let log = Log::of(history());
    let other = forged(1, |_| {
        record(&pen(), 1, Kind::Policy, Vec::new(), |body| {
            body.text("snapshot", &snapshot()).text("by", "mallory").number("remits", 2).number("tools", 3);
        })
    });
    let (size, short) = (log.size(), log.bundle(&SHORT));
    let grown = |bundle: Bundle, old: usize| Bundle { consistency: vec![log.growth(old, size)], ..bundle }.to_json();
    let mut two = log.bundle_at(&[KEY, READ], 10);
    two.claims.push(log.bundle(&[KEY, READ, READ_RECEIPT]).claims.remove(2));
    let mut equivocal = log.bundle(&[KEY, READ]);
    equivocal.claims.push(other.bundle(&[READ_RECEIPT]).claims.remove(0));
    vec![
        case("seen_before", &short.to_json(), Valid, None).knowing(&[log.head(size)]),
        case("grown", &grown(short.clone(), 8), Valid, None).knowing(&[log.head(8)]),
        case("grown_in_steps", &grown(short.clone(), 8), Valid, None).knowing(&[log.head(5), log.head(8)]),
        case("older_but_proven", &grown(log.bundle_at(&[KEY], 6), 6), Valid, None).knowing(&[log.head(size)]),
        case("grown_without_proof", &short.to_json(), Indeterminate, Step::History).knowing(&[log.head(8)]),
        case("smaller_tree", &log.bundle_at(&[KEY], 6).to_json(), Diverged, Step::History).knowing(&[log.head(size)]),
        case("another_tree", &short.to_json(), Diverged, Step::History).knowing(&[other.head(size)]),
        case("two_sizes_proven", &grown(two.clone(), 10), Valid, None),
        case("two_sizes_unproven", &two.to_json(), Indeterminate, Step::Consistency),
        case("two_trees_of_one_size", &equivocal.to_json(), Diverged, Step::Consistency),
    ]
}
