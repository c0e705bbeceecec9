//! Approvals: for one exact call, once, until they lapse.

use remit_app::question::QuestionState;
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
