//! Approvals: for one exact call, once, until they lapse.

use remit_app::action::Salt;
use remit_app::question::{Question, QuestionState, RunBounds, Vote};
use remit_core::ids::{Digest, QuestionId, RuleId, RunId};

use super::trial::{Admission, Trial, conflict, digest, moment, needed, question, rule, vote};

/// A question for `call` under these rules, approved by so many people as each needs.
async fn approved(t: &Trial, run: &RunId, id: &str, call: &str, rules: &[(&str, u32)]) -> QuestionId {
    let id = t.hold(run, question(id, call, rules)).await;
    for (rule, quorum) in rules {
        for person in 0..*quorum {
            t.vote(vote(&id, rule, &format!("person-{person}"), true)).await.expect("it counts");
        }
    }
    id
}

async fn admission(t: &Trial, run: &RunId, call: &str, rules: &[(RuleId, Digest, u32)], secs: i64) -> Admission {
    let case = t.load_with(run, digest(call), Vec::new(), rules, moment(secs)).await;
    let approvals = case.file.approved.clone();
    Admission { basis: case.basis, approvals, at: moment(secs), ..t.admission(run, call).await }
}

pub(super) async fn satisfy_with_the_quorum(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 2)])).await;
    let rules = [needed("finance", 2)];
    for (person, enough) in [("fiona", false), ("frank", true)] {
        t.vote(vote(&id, "finance", person, true)).await.expect("it counts");
        let case = t.load_with(&run, digest("call"), Vec::new(), &rules, moment(2)).await;
        let expected = if enough { vec![(rule("finance"), id.clone())] } else { Vec::new() };
        assert_eq!(case.basis.approvals, expected);
        assert_eq!(case.file.approved.len(), expected.len());
        assert_eq!(case.open_question.is_some(), !enough);
    }
    assert!(t.load(&run, digest("call")).await.file.approved.is_empty(), "only rules that are asked for");
}

/// Two callers may ask about one call at the same time, each under a salt of its own. The later one counts, for the call
/// can be named by one salt only; and what the earlier was told is asked again.
pub(super) async fn are_of_one_salt(t: Trial) {
    let run = t.run("run-1").await;
    approved(&t, &run, "q-1", "call", &[("finance", 1)]).await;
    let rules = [needed("finance", 1)];
    let case = t.load_with(&run, digest("call"), Vec::new(), &rules, moment(2)).await;
    assert_eq!((case.salt, case.file.approved.len()), (Some(Salt::new([7; 16])), 1));
    let other = Question { salt: Salt::new([9; 16]), ..question("q-2", "call", &[("finance", 1), ("legal", 1)]) };
    t.hold(&run, other).await;
    let case = t.load_with(&run, digest("call"), Vec::new(), &rules, moment(2)).await;
    assert_eq!((case.salt, case.file.approved.len()), (Some(Salt::new([9; 16])), 0));
    assert_eq!(t.load(&run, digest("another")).await.salt, None);
}

pub(super) async fn lapse_to_the_second(t: Trial) {
    let run = t.run("run-1").await;
    approved(&t, &run, "q-1", "call", &[("finance", 1)]).await;
    let rules = [needed("finance", 1)];
    let just = admission(&t, &run, "call", &rules, 59).await;
    assert_eq!(just.approvals.len(), 1);
    assert!(admission(&t, &run, "call", &rules, 60).await.approvals.is_empty());
    assert_eq!(conflict(t.commit(&Admission { at: moment(60), ..just.clone() }).await), "approval");
    t.admit(&just).await;
}

pub(super) async fn are_bound_to_the_call(t: Trial) {
    let run = t.run("run-1").await;
    approved(&t, &run, "q-1", "call", &[("finance", 1)]).await;
    let rules = [needed("finance", 1)];
    assert!(admission(&t, &run, "another", &rules, 2).await.approvals.is_empty());
    let mine = admission(&t, &run, "call", &rules, 2).await;
    let stolen = Admission { call: digest("another"), ..mine };
    assert_eq!(conflict(t.commit(&stolen).await), "approval");
}

pub(super) async fn are_bound_to_the_definition(t: Trial) {
    let run = t.run("run-1").await;
    approved(&t, &run, "q-1", "call", &[("finance", 1)]).await;
    let redefined = [(rule("finance"), digest("new definition"), 1)];
    assert!(admission(&t, &run, "call", &redefined, 2).await.approvals.is_empty());
    assert!(admission(&t, &run, "call", &[needed("finance", 2)], 2).await.approvals.is_empty());
    let other = [(rule("security"), digest("finance"), 1)];
    assert!(admission(&t, &run, "call", &other, 2).await.approvals.is_empty());
}

pub(super) async fn are_used_once(t: Trial) {
    let run = t.run("run-1").await;
    let id = approved(&t, &run, "q-1", "call", &[("finance", 1)]).await;
    let rules = [needed("finance", 1)];
    let admission_1 = admission(&t, &run, "call", &rules, 2).await;
    t.admit(&admission_1).await;
    assert_eq!(conflict(t.commit(&admission_1).await), "approval");
    let used = t.store.question(&id).await.expect("read").expect("there is one");
    assert_eq!(used.state(moment(2)), QuestionState::Used);
    assert!(admission(&t, &run, "call", &rules, 2).await.approvals.is_empty());
    // The next call is asked about anew.
    assert_eq!(approved(&t, &run, "q-2", "call", &[("finance", 1)]).await.as_str(), "q-2");
    t.admit(&admission(&t, &run, "call", &rules, 2).await).await;
}

pub(super) async fn of_several_rules_go_together(t: Trial) {
    let run = t.run("run-1").await;
    approved(&t, &run, "q-1", "call", &[("finance", 1), ("security", 2)]).await;
    let rules = [needed("finance", 1), needed("security", 2)];
    let both = admission(&t, &run, "call", &rules, 2).await;
    assert_eq!(both.approvals.len(), 2);
    // A call that needed only one of them uses the question up all the same.
    t.admit(&Admission { approvals: vec![rule("finance")], ..both.clone() }).await;
    assert_eq!(conflict(t.commit(&Admission { approvals: vec![rule("security")], ..both }).await), "approval");
    // Rules that were satisfied by two questions use up both.
    approved(&t, &run, "q-2", "call-2", &[("finance", 1)]).await;
    approved(&t, &run, "q-3", "call-2", &[("security", 2)]).await;
    let both = admission(&t, &run, "call-2", &rules, 2).await;
    assert_eq!(both.approvals.len(), 2);
    t.admit(&both).await;
    assert!(admission(&t, &run, "call-2", &rules, 2).await.approvals.is_empty());
}

pub(super) async fn must_be_in_the_basis(t: Trial) {
    let run = t.run("run-1").await;
    approved(&t, &run, "q-1", "call", &[("finance", 1)]).await;
    let blind = Admission { approvals: vec![rule("finance")], ..t.admission(&run, "call").await };
    assert_eq!(conflict(t.commit(&blind).await), "approval");
    // A basis that claims what nobody approved is no basis.
    let open = t.hold(&run, question("q-2", "call-2", &[("finance", 1)])).await;
    let mut forged = t.admission(&run, "call-2").await;
    forged.basis.approvals = vec![(rule("finance"), open)];
    assert_eq!(conflict(t.commit(&Admission { approvals: vec![rule("finance")], ..forged }).await), "approval");
}

pub(super) async fn a_denial_after_loading_is_a_conflict(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 1), ("security", 1)])).await;
    t.vote(vote(&id, "finance", "fiona", true)).await.expect("it counts");
    let half = admission(&t, &run, "call", &[needed("finance", 1)], 2).await;
    assert_eq!(half.approvals.len(), 1, "one rule may have its quorum while another is open");
    t.vote(vote(&id, "security", "sam", false)).await.expect("it counts");
    assert_eq!(conflict(t.commit(&half).await), "approval");
}

pub(super) async fn a_denial_refuses_until_it_lapses(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    t.vote(vote(&id, "finance", "fiona", false)).await.expect("it counts");
    let refused = async |call, secs| {
        let case = t.load_with(&run, digest(call), Vec::new(), &[needed("finance", 1)], moment(secs)).await;
        assert!(case.file.approved.is_empty() && case.open_question.is_none());
        case.file.refused
    };
    assert_eq!(refused("call", 59).await.as_deref(), Some("fiona has looked at it"));
    assert_eq!(refused("call", 60).await, None);
    assert_eq!(refused("another", 2).await, None);
}

/// An approval for the run of the question: so many calls, each for 12.50 USD.
fn for_run(id: &QuestionId, by: &str, calls_max: u32, cost_max: u64, until: i64) -> Vote {
    let bounds = RunBounds { calls_max, cost_max, until: moment(until) };
    Vote { bounds: Some(bounds), ..vote(id, "finance", by, true) }
}

pub(super) async fn for_a_run_are_counted_down(t: Trial) {
    let (run, other) = (t.run("run-1").await, t.run("run-2").await);
    let id = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    let cast = for_run(&id, "fiona", 2, u64::MAX, 30);
    let answered = t.vote(cast.clone()).await.expect("it counts");
    assert_eq!(answered.votes, std::slice::from_ref(&cast));
    assert_eq!(t.store.question(&id).await.expect("read").map(|question| question.votes), Some(vec![cast]));
    let rules = [needed("finance", 1)];
    let elsewhere = admission(&t, &other, "call", &rules, 2).await;
    assert!(elsewhere.approvals.is_empty(), "another run has no part in it");
    let own = admission(&t, &run, "call", &rules, 2).await;
    let mut stolen = Admission { run: other, approvals: own.approvals, ..elsewhere };
    stolen.basis.approvals = own.basis.approvals;
    assert_eq!(conflict(t.commit(&stolen).await), "approval");
    for used in 1..=2 {
        let next = admission(&t, &run, "call", &rules, 2).await;
        assert_eq!(next.approvals.len(), 1);
        t.admit(&next).await;
        let read = t.store.question(&id).await.expect("read").expect("there is one");
        assert_eq!((read.uses, read.used), (used, used == 2));
    }
    assert!(admission(&t, &run, "call", &rules, 2).await.approvals.is_empty(), "it is used up");
}

pub(super) async fn for_a_run_end_with_the_narrowest_vote(t: Trial) {
    let run = t.run("run-1").await;
    let rules = [needed("finance", 2)];
    let id = t.hold(&run, question("q-1", "call", &[("finance", 2)])).await;
    t.vote(for_run(&id, "fiona", 9, 25_000_000, 40)).await.expect("it counts");
    let both = t.vote(for_run(&id, "frank", 5, u64::MAX, 20)).await.expect("it counts");
    assert_eq!(both.uses_max(), 2, "money for two");
    assert_eq!(both.state(moment(20)), QuestionState::Expired);
    let last = admission(&t, &run, "call", &rules, 19).await;
    assert_eq!(last.approvals.len(), 1);
    assert_eq!(conflict(t.commit(&Admission { at: moment(20), ..last }).await), "approval");
    assert!(admission(&t, &run, "call", &rules, 20).await.approvals.is_empty());
    // Who approves once approves once, whatever others allow.
    let id = t.hold(&run, question("q-2", "call-2", &[("finance", 2)])).await;
    t.vote(for_run(&id, "fiona", 9, u64::MAX, 40)).await.expect("it counts");
    let both = t.vote(vote(&id, "finance", "frank", true)).await.expect("it counts");
    assert_eq!((both.bounds(), both.uses_max()), (None, 1));
}
