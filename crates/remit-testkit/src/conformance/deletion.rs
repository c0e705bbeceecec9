//! What is deleted, what stays, and what must not be deleted.

use remit_app::action::Salt;
use remit_app::hold::{Hold, HoldTarget};
use remit_app::intent::CommitError;
use remit_app::outcome::{Answer, Outcome, StoredOutcome};
use remit_app::ports::{Erasure, RecordFilter, Retired, Retirement};
use remit_app::run::RunFilter;
use remit_core::budget::{Span, Unit};
use remit_core::ids::{Digest, RecordId, RunId};
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::Value;

use super::trial::{Trial, budget, completed, conflict, moment, object, question, reservation, run_id, user, vote};

async fn all(t: &Trial) -> Vec<SignedRecord> {
    let filter = RecordFilter { limit: 10_000, ..RecordFilter::default() };
    t.store.records(&filter).await.expect("records are read")
}

async fn position(t: &Trial, id: &RecordId) -> u64 {
    all(t).await.iter().position(|record| record.id == *id).expect("it is there") as u64 + 1
}

fn of_alice(positions: &[u64]) -> Erasure {
    let person = user("alice@example.com");
    Erasure { person, positions: positions.to_vec(), also_open: false, now: moment(10) }
}

async fn erase(t: &Trial, erasure: &Erasure) -> Result<bool, CommitError> {
    t.store.erase(erasure.clone(), t.record(Kind::Erasure, None)).await
}

async fn close(t: &Trial, run: &RunId) {
    t.store.close_run(run, moment(9), t.record(Kind::Run, Some(run))).await.expect("it is closed");
}

async fn hold(t: &Trial, target: HoldTarget) {
    let hold = Hold { target, by: "olga".into(), reason: "a lawsuit".into(), since: moment(3) };
    t.store.put_hold(hold, t.record(Kind::Erasure, None)).await.expect("it is placed");
}

/// A run of alice with one call that was answered; the run and the call.
async fn answered(t: &Trial) -> (RunId, RecordId) {
    let run = t.run("run-1").await;
    let mut admission = t.admission(&run, "call").await;
    admission.key = Some("key");
    let call = t.admit(&admission).await;
    t.settle(&call, completed()).await;
    (run, call)
}

pub(super) async fn takes_what_is_held_of_a_person(t: Trial) {
    let (run, call) = answered(&t).await;
    close(&t, &run).await;
    let before = all(&t).await;
    let at = position(&t, &call).await;
    while erase(&t, &of_alice(&[1, at])).await.expect("it is erased") {}
    let after = all(&t).await;
    for (at, (old, new)) in before.iter().zip(&after).enumerate() {
        assert_eq!((&old.envelope, old.digest, old.seq), (&new.envelope, new.digest, new.seq));
        let gone = at == 0 || old.id == call;
        assert_eq!(new.disclosures.is_empty(), gone, "{at}");
    }
    assert_eq!(after.len(), before.len() + 1, "and its record");
    assert_eq!(t.store.leaves(0, 100).await.expect("leaves").len(), after.len(), "every leaf stands");
    let kept = t.store.run(&run).await.expect("read").expect("the run stays");
    assert_eq!((kept.user, kept.intent, kept.calls), (None, None, 1));
    let outcome = t.store.outcome(&call).await.expect("read");
    assert_eq!(outcome, Some(StoredOutcome::Settled(Outcome::Completed(Answer::forgotten()))));
    let theirs = RunFilter { user: Some(user("alice@example.com")), ..RunFilter::default() };
    assert_eq!(t.store.runs(&theirs).await.expect("read"), []);
}

pub(super) async fn leaves_what_is_held_of_others(t: Trial) {
    let (run, _) = answered(&t).await;
    close(&t, &run).await;
    let bob = remit_app::run::Run { user: Some(user("bob@example.com")), ..super::trial::run("run-2") };
    t.store.open_run(&bob, t.record(Kind::Run, Some(&bob.id))).await.expect("it opens");
    let mut admission = t.admission(&bob.id, "other").await;
    admission.user.clone_from(&bob.user);
    let call = t.admit(&admission).await;
    t.settle(&call, completed()).await;
    erase(&t, &of_alice(&[1])).await.expect("it is erased");
    let kept = t.store.run(&bob.id).await.expect("read").expect("the run stays");
    assert_eq!((&kept.user, &kept.intent), (&bob.user, &bob.intent));
    assert_eq!(t.store.outcome(&call).await.expect("read"), Some(StoredOutcome::Settled(completed())));
    assert!(!t.store.record(&call).await.expect("read").expect("it is there").disclosures.is_empty());
}

pub(super) async fn twice_changes_nothing(t: Trial) {
    let (run, call) = answered(&t).await;
    close(&t, &run).await;
    erase(&t, &of_alice(&[1, 2])).await.expect("it is erased");
    let before = all(&t).await;
    assert!(!erase(&t, &of_alice(&[1, 2])).await.expect("it is erased again"));
    assert_eq!(all(&t).await[..before.len()], before);
    let outcome = t.store.outcome(&call).await.expect("read");
    assert_eq!(outcome, Some(StoredOutcome::Settled(Outcome::Completed(Answer::forgotten()))));
}

pub(super) async fn of_what_is_not_over_is_a_conflict(t: Trial) {
    let run = t.run("run-1").await;
    let call = t.admit(&t.admission(&run, "call").await).await;
    t.hold(&run, question("q-1", "held", &[("finance", 1)])).await;
    let before = all(&t).await;
    assert_eq!(conflict(erase(&t, &of_alice(&[1])).await), "an open run");
    close(&t, &run).await;
    assert_eq!(conflict(erase(&t, &of_alice(&[1])).await), "a call under way");
    t.settle(&call, completed()).await;
    assert_eq!(conflict(erase(&t, &of_alice(&[1])).await), "an open question");
    assert_eq!(all(&t).await[..before.len()], before, "nothing was deleted");
    let later = Erasure { now: moment(60), ..of_alice(&[1]) };
    erase(&t, &later).await.expect("it lapsed");
}

pub(super) async fn of_open_questions_lets_them_lapse(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "held", &[("finance", 2)])).await;
    t.vote(vote(&id, "finance", "oskar", true)).await.expect("he votes");
    close(&t, &run).await;
    erase(&t, &Erasure { also_open: true, ..of_alice(&[]) }).await.expect("it is erased");
    let left = t.store.question(&id).await.expect("read").expect("it is there");
    assert_eq!((&left.arguments, left.user, left.parties.user), (&Value::Null, None, None));
    assert_eq!((left.resource.as_str(), left.reason.as_str(), left.expires_at), ("", "", moment(10)));
    assert!(left.votes.iter().all(|vote| vote.reason.is_empty()), "what was said about it may name them");
    assert_eq!((left.salt, left.voters == Salt::NONE), (Salt::NONE, false), "its action can be guessed no more");
    assert_eq!(left.call, Digest::from_bytes([0; 32]), "the digest of known arguments can be guessed");
    assert_eq!(t.open(11).await, []);
    assert!(t.vote(vote(&id, "finance", "olga", true)).await.is_ok(), "at its time it was open");
}

pub(super) async fn of_a_voter_keeps_the_votes(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "held", &[("finance", 2)])).await;
    t.vote(vote(&id, "finance", "olga", true)).await.expect("she votes");
    t.vote(vote(&id, "finance", "oskar", true)).await.expect("he votes");
    let of = |person: &str, now| Erasure { person: user(person), now: moment(now), ..of_alice(&[]) };
    assert_eq!(conflict(erase(&t, &of("olga", 10)).await), "an open question that they voted on");
    for person in ["olga", "oskar"] {
        erase(&t, &of(person, 60)).await.expect("it is erased");
    }
    let left = t.store.question(&id).await.expect("read").expect("it is there");
    let names: Vec<_> = left.votes.iter().map(|vote| (vote.by.as_str(), vote.reason.as_str(), vote.approve)).collect();
    assert!(names.iter().all(|(by, reason, yes)| by.starts_with("erased-") && reason.is_empty() && *yes), "{names:?}");
    assert_eq!(names.len(), 2);
    assert_eq!((left.voters, left.salt == Salt::NONE), (Salt::NONE, false), "nor who voted");
}

pub(super) async fn of_what_is_held_is_a_conflict(t: Trial) {
    let (run, _) = answered(&t).await;
    close(&t, &run).await;
    let before = all(&t).await;
    for target in [HoldTarget::All, HoldTarget::User(user("alice@example.com")), HoldTarget::Run(run.clone())] {
        hold(&t, target.clone()).await;
        assert_eq!(conflict(erase(&t, &of_alice(&[1])).await), "held", "{target}");
        assert!(t.store.lift_hold(&target, t.record(Kind::Erasure, None)).await.expect("it is lifted"));
    }
    // An approver's own record in a run that is held.
    hold(&t, HoldTarget::Run(run)).await;
    let olga = Erasure { person: user("olga"), ..of_alice(&[1]) };
    assert_eq!(conflict(erase(&t, &olga).await), "held");
    assert_eq!(all(&t).await[..before.len()], before);
}

pub(super) async fn holds_are_placed_and_lifted_once(t: Trial) {
    let target = HoldTarget::Run(run_id("run-1"));
    hold(&t, target.clone()).await;
    hold(&t, target.clone()).await;
    let listed = t.store.holds().await.expect("read");
    assert_eq!(listed.iter().map(|hold| &hold.target).collect::<Vec<_>>(), [&target]);
    let near = HoldTarget::Run(run_id("Run-1"));
    let before = t.count().await;
    assert!(!t.store.lift_hold(&near, t.record(Kind::Erasure, None)).await.expect("there is none"));
    assert_eq!(t.count().await, before, "what did not happen is not recorded");
    assert!(t.store.lift_hold(&target, t.record(Kind::Erasure, None)).await.expect("it is lifted"));
    assert!(!t.store.lift_hold(&target, t.record(Kind::Erasure, None)).await.expect("there is none"));
    assert_eq!(t.store.holds().await.expect("read"), []);
}

pub(super) async fn retires_what_is_named(t: Trial) {
    let (_, call) = answered(&t).await;
    let at = position(&t, &call).await;
    let step = Retirement { disclosures: vec![1, 99], outcomes: vec![at, 1], ..Retirement::default() };
    let retired = t.store.retire(step.clone()).await.expect("it is retired");
    assert_eq!(retired, Retired { disclosures: 1, outcomes: 1, spans: 0 });
    assert_eq!(t.store.retire(step).await.expect("again"), Retired::default());
    let records = all(&t).await;
    assert!(records[0].disclosures.is_empty() && !records[1].disclosures.is_empty());
    let outcome = t.store.outcome(&call).await.expect("read");
    assert_eq!(outcome, Some(StoredOutcome::Settled(Outcome::Completed(Answer::forgotten()))));
    // A key is not freed: what was done is not done again.
    let mut again = t.admission(&run_id("run-1"), "call").await;
    again.key = Some("key");
    assert!(matches!(t.commit(&again).await, Ok(remit_app::intent::Committed::Repeated { .. })));
}

pub(super) async fn retires_under_the_holds_it_was_chosen_under(t: Trial) {
    let (run, _) = answered(&t).await;
    hold(&t, HoldTarget::Run(run.clone())).await;
    let step = Retirement { disclosures: vec![1], ..Retirement::default() };
    assert_eq!(conflict(t.store.retire(step.clone()).await), "holds");
    assert!(!all(&t).await[0].disclosures.is_empty());
    let known = Retirement { held: vec![HoldTarget::Run(run)], ..step };
    t.store.retire(known).await.expect("whoever knows of the hold has chosen around it");
}

pub(super) async fn retires_ended_spans_at_their_end(t: Trial) {
    let run = t.run("run-1").await;
    let calls = budget("calls", Unit::Calls, 10);
    let customers = budget("customers", Unit::Objects, 10);
    let mut admission = t.admission(&run, "call").await;
    admission.reservations = vec![reservation(&calls, 1), object(&customers, "erika")];
    let call = t.admit(&admission).await;
    let ends = calls.1.ends.expect("it ends");
    let at = |before| Retirement { spans_ended_before: Some(before), ..Retirement::default() };
    let later = ends + jiff::SignedDuration::from_micros(1);
    assert_eq!(t.store.retire(at(later)).await.expect("read").spans, 0, "something is reserved there");
    t.settle(&call, completed()).await;
    assert_eq!(t.store.retire(at(ends)).await.expect("read").spans, 0, "not before it has ended");
    let usage = [(calls.0.clone(), calls.1.clone()), (customers.0.clone(), customers.1.clone())];
    assert_eq!(t.store.usage(&usage).await.expect("read"), [(1, 0), (1, 0)]);
    assert_eq!(t.store.retire(at(later)).await.expect("it is retired").spans, 2);
    assert_eq!(t.store.usage(&usage).await.expect("read"), [(0, 0), (0, 0)]);
    assert!(!t.budget(&run, &customers.0, &customers.1, Some("erika")).await.object_known, "objects go with it");
    let other = Span { id: "day-2".into(), ..calls.1 };
    let mut admission = t.admission(&run, "call").await;
    admission.reservations = vec![reservation(&(calls.0, other), 1)];
    t.admit(&admission).await;
}
