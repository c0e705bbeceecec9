//! What was counted of agents.

use remit_app::intent::CommitError;
use remit_app::standing::{Counted, Counter, Happened};
use remit_core::ids::AgentId;
use remit_core::registry::Class;

use super::trial::Trial;

const NONE: Counted = Counted { records: 0, since: 0 };

fn agent(id: &str) -> AgentId {
    AgentId::parse(id).expect("an agent")
}

fn counter(of: &str, since: u64, what: Happened) -> Counter {
    Counter { agent: agent(of), since, what }
}

async fn told(t: &Trial, of: &str, since: u64) -> Vec<(u64, Happened, u64)> {
    let found = t.store.standing(&agent(of), since).await.expect("read");
    assert!(found.iter().all(|(counter, _)| counter.agent == agent(of)), "{found:?}");
    let mut told: Vec<_> = found.into_iter().map(|(counter, count)| (counter.since, counter.what, count)).collect();
    told.sort();
    told
}

pub(super) async fn add_up(t: Trial) {
    assert_eq!(t.store.counted().await.expect("read"), NONE);
    let every = [
        Happened::Allowed(Class::Read),
        Happened::Allowed(Class::Write),
        Happened::Denied(Class::Read),
        Happened::Asked(Class::Trigger),
        Happened::Approved(Class::Trigger),
        Happened::Opposed(Class::Trigger),
        Happened::Unknown(Class::Expose),
        Happened::Undid(Class::Write),
        Happened::Objected(Class::Approve),
        Happened::Halted,
        Happened::Incident,
    ];
    let (mut from, mut sorted) = (NONE, every.map(|what| (4, what, 6)).to_vec());
    sorted.sort();
    for round in 1..=3 {
        let to = Counted { records: 10 * round, since: 4 };
        let more = every.map(|what| (counter("bot", 4, what), round)).to_vec();
        t.store.count_on(from, to, more).await.expect("counted");
        assert_eq!(t.store.counted().await.expect("read"), to);
        from = to;
    }
    assert_eq!(told(&t, "bot", 0).await, sorted);
    t.store.count_on(from, Counted { records: 40, since: 4 }, Vec::new()).await.expect("there was nothing to count");
    assert_eq!(told(&t, "bot", 0).await, sorted);
}

pub(super) async fn are_apart_by_agent_and_authority(t: Trial) {
    let (read, write) = (Happened::Allowed(Class::Read), Happened::Allowed(Class::Write));
    let more = vec![
        (counter("bot", 0, read), 1),
        (counter("bot", 7, read), 2),
        (counter("bot", 7, write), 3),
        (counter("bot", 9, read), 4),
        (counter("bot-2", 9, read), 5),
    ];
    t.store.count_on(NONE, Counted { records: 20, since: 9 }, more).await.expect("counted");
    assert_eq!(told(&t, "bot", 0).await, [(0, read, 1), (7, read, 2), (7, write, 3), (9, read, 4)]);
    assert_eq!(told(&t, "bot", 7).await, [(7, read, 2), (7, write, 3), (9, read, 4)]);
    assert_eq!(told(&t, "bot", 8).await, [(9, read, 4)]);
    assert_eq!(told(&t, "bot", u64::MAX).await, []);
    assert_eq!(told(&t, "bot-2", 0).await, [(9, read, 5)]);
}

pub(super) async fn count_nothing_twice(t: Trial) {
    let once = || vec![(counter("bot", 0, Happened::Halted), 1)];
    let to = Counted { records: 5, since: 2 };
    t.store.count_on(NONE, to, once()).await.expect("counted");
    for stale in [NONE, Counted { records: 5, since: 0 }, Counted { records: 4, since: 2 }] {
        let again = t.store.count_on(stale, Counted { records: 9, since: 2 }, once()).await;
        assert_eq!(again, Err(CommitError::Conflict("standing")), "{stale:?}");
    }
    assert_eq!(t.store.counted().await.expect("read"), to);
    assert_eq!(told(&t, "bot", 0).await, [(0, Happened::Halted, 1)]);
}
