//! Checkpoints that a third party has stamped.

use remit_app::stamp::Stamped;

use super::trial::{Trial, moment};

fn stamped(origin: &str, size: u64, text: &str) -> Stamped {
    let at = moment(i64::try_from(size).expect("small"));
    Stamped { origin: origin.into(), size, note: format!("note {text}\n"), token: text.as_bytes().to_vec(), at }
}

pub(super) async fn come_back_as_they_were(t: Trial) {
    assert_eq!(t.store.last_stamp("log").await.expect("read"), None);
    assert_eq!(t.store.stamp_over("log", 0).await.expect("read"), None);
    let one = stamped("log", 5, "\u{e9}\0 one");
    t.store.keep_stamp(one.clone()).await.expect("kept");
    assert_eq!(t.store.last_stamp("log").await.expect("read"), Some(one.clone()));
    assert_eq!(t.store.stamp_over("log", 0).await.expect("read"), Some(one));
}

pub(super) async fn the_first_over_a_leaf_is_found(t: Trial) {
    // Kept in any order, and those of another log are another's.
    for size in [7, 3, 12] {
        t.store.keep_stamp(stamped("log", size, "own")).await.expect("kept");
    }
    t.store.keep_stamp(stamped("Log", 4, "another's")).await.expect("kept");
    for (leaf, size) in
        [(0, Some(3)), (2, Some(3)), (3, Some(7)), (6, Some(7)), (7, Some(12)), (11, Some(12)), (12, None)]
    {
        let found = t.store.stamp_over("log", leaf).await.expect("read");
        assert_eq!(found.map(|stamped| stamped.size), size, "leaf {leaf}");
    }
    assert_eq!(t.store.stamp_over("log", u64::MAX).await.expect("read"), None);
    assert_eq!(t.store.last_stamp("log").await.expect("read").map(|stamped| stamped.size), Some(12));
}

pub(super) async fn the_first_over_a_size_stays(t: Trial) {
    t.store.keep_stamp(stamped("log", 5, "first")).await.expect("kept");
    t.store.keep_stamp(stamped("log", 5, "second")).await.expect("no fault");
    assert_eq!(t.store.last_stamp("log").await.expect("read"), Some(stamped("log", 5, "first")));
}
