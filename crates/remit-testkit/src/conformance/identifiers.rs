//! Identifiers compare byte for byte. A store that compared them by letters would give one user
//! another's runs.

use remit_app::run::Run;
use remit_core::budget::Unit;
use remit_evidence::record::Kind;

use super::trial::{
    Admission, Trial, agent, budget, completed, object, question, record_id, reservation, run, run_id, user,
};

pub(super) async fn compare_byte_for_byte(t: Trial) {
    let mut ids = Vec::new();
    for id in ["case", "Case", "CASE"] {
        let own = Run { user: Some(user(id)), implicit: true, ..run(id) };
        t.store.open_run(&own, t.record(Kind::Run, Some(&own.id))).await.expect("another run");
        let found = t.store.idle_run(&agent("bot"), Some(&user(id)), own.opened_at).await.expect("read");
        assert_eq!(found, Some(own.id.clone()));
        let calls = budget(id, Unit::Calls, 1);
        let objects = budget("objects", Unit::Objects, 3);
        let reservations = vec![reservation(&calls, 1), object(&objects, id)];
        let admission =
            Admission { user: Some(user(id)), key: Some("key"), reservations, ..t.admission(&own.id, id).await };
        ids.push(t.admit(&admission).await);
        assert_eq!(t.hold(&own.id, question(id, id, &[("finance", 1)])).await.as_str(), id);
        let mut record = t.record(Kind::Policy, None);
        record.id = record_id(id);
        t.store.append(record).await.expect("another record");
    }
    t.settle(&ids[1], completed()).await;
    let used = [budget("case", Unit::Calls, 1), budget("Case", Unit::Calls, 1), budget("CASE", Unit::Calls, 1)];
    assert_eq!(t.store.usage(&used).await.expect("read"), [(0, 1), (1, 0), (0, 1)]);
    assert_eq!(t.store.run(&run_id("cASE")).await.expect("read"), None);
    assert_eq!(t.store.record(&record_id("cASE")).await.expect("read"), None);
}

pub(super) async fn of_nobody_are_nobodys(t: Trial) {
    let nobodys = Run { user: None, implicit: true, ..run("run-1") };
    t.store.open_run(&nobodys, t.record(Kind::Run, Some(&nobodys.id))).await.expect("it opens");
    let found = t.store.idle_run(&agent("bot"), Some(&user("alice@example.com")), nobodys.opened_at).await;
    assert_eq!(found.expect("read"), None);
    let found = t.store.idle_run(&agent("bot"), None, nobodys.opened_at).await.expect("read");
    assert_eq!(found, Some(nobodys.id));
}
