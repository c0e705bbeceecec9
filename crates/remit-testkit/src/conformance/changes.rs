//! Changes of the authority: who may still vote, and that the last vote and the new authority are one deed.

use remit_app::change::{Change, ChangeState, ChangeVote, Ended, Weakens};
use remit_app::intent::CommitError;
use remit_app::ports::Erasure;
use remit_app::proposal::Proposal;
use remit_core::ids::{ChangeId, OperatorId, ProposalId, QuestionId};
use remit_evidence::record::Kind;

use super::trial::{Trial, agent, ballot, change, conflict, digest, moment, record_id, user};

fn id(id: &str) -> ChangeId {
    ChangeId::parse(id).expect("a change id")
}

fn operator(id: &str) -> OperatorId {
    OperatorId::parse(id).expect("an operator")
}

async fn authority(t: &Trial, name: &str) {
    t.store.put_authority(digest(name), t.record(Kind::Policy, None)).await.expect("it is put into force");
}

async fn open(t: &Trial, change: &Change) {
    t.store.open_change(change, t.record(Kind::Policy, None)).await.expect("it opens");
}

async fn cast(t: &Trial, vote: ChangeVote, seen: usize, last: bool) -> Result<Change, CommitError> {
    let in_force = last.then(|| t.record(Kind::Policy, None));
    t.store.vote_on_change(vote, seen, t.record(Kind::Policy, None), in_force).await
}

async fn one(t: &Trial, name: &str) -> Change {
    t.store.change(&id(name)).await.expect("read").expect("there is one")
}

pub(super) async fn come_back_as_they_were(t: Trial) {
    authority(&t, "old").await;
    let first = change("c-1", "old", "new");
    open(&t, &first).await;
    assert_eq!(one(&t, "c-1").await, first);
    assert_eq!(t.store.change(&id("C-1")).await.expect("read"), None);
    let voted = cast(&t, ballot("c-1", "carol", true), 0, false).await.expect("it counts");
    assert_eq!(voted, Change { votes: vec![ballot("c-1", "carol", true)], ..first.clone() });
    let second = Change { by: None, weakens: Vec::new(), ..change("c-2", "old", "other") };
    open(&t, &second).await;
    let superseded = Change { ended: Some(Ended::Superseded), ..voted };
    assert_eq!(t.store.changes(10).await.expect("read"), [second.clone(), superseded]);
    assert_eq!(t.store.changes(1).await.expect("read"), [second]);
}

pub(super) async fn rest_on_the_authority_in_force(t: Trial) {
    assert_eq!(t.store.authority().await.expect("read"), None);
    let opened = t.store.open_change(&change("c-1", "old", "new"), t.record(Kind::Policy, None)).await;
    assert_eq!(conflict(opened), "superseded", "nothing is in force yet");
    authority(&t, "old").await;
    let before = t.count().await;
    let opened = t.store.open_change(&change("c-1", "other", "new"), t.record(Kind::Policy, None)).await;
    assert_eq!(conflict(opened), "superseded");
    assert_eq!(t.count().await, before);
    open(&t, &change("c-1", "old", "new")).await;
    // A start over the same authority leaves it open, another authority does not.
    authority(&t, "old").await;
    assert_eq!(one(&t, "c-1").await.state(moment(1)), ChangeState::Open);
    authority(&t, "narrower").await;
    assert_eq!(one(&t, "c-1").await.ended, Some(Ended::Superseded));
    assert_eq!(conflict(cast(&t, ballot("c-1", "carol", true), 0, true).await), "superseded");
    assert_eq!(t.store.authority().await.expect("read").expect("one").0, digest("narrower"));
}

pub(super) async fn come_into_force_with_the_last_vote(t: Trial) {
    authority(&t, "old").await;
    open(&t, &change("c-1", "old", "new")).await;
    cast(&t, ballot("c-1", "carol", true), 0, false).await.expect("it counts");
    assert_eq!(t.store.authority().await.expect("read").expect("one").0, digest("old"));
    let before = t.count().await;
    let ended = cast(&t, ballot("c-1", "dan", true), 1, true).await.expect("it counts");
    assert_eq!((ended.ended, ended.votes.len()), (Some(Ended::InForce), 2));
    assert_eq!(t.count().await, before + 2, "the vote and the authority, together");
    let (now, record) = t.store.authority().await.expect("read").expect("one");
    assert_eq!(now, digest("new"));
    assert!(t.store.record(&record).await.expect("read").is_some());
    assert_eq!(conflict(cast(&t, ballot("c-1", "eve", true), 2, false).await), "in_force");
}

pub(super) async fn take_each_operator_once_and_in_order(t: Trial) {
    authority(&t, "old").await;
    open(&t, &change("c-1", "old", "new")).await;
    cast(&t, ballot("c-1", "carol", true), 0, false).await.expect("it counts");
    let before = t.count().await;
    assert_eq!(conflict(cast(&t, ballot("c-1", "carol", true), 1, true).await), "voted");
    // Whoever has not seen the first vote would think that theirs is not enough.
    assert_eq!(conflict(cast(&t, ballot("c-1", "dan", true), 0, false).await), "votes");
    assert_eq!(conflict(cast(&t, ballot("c-9", "dan", true), 0, true).await), "change");
    let late = ChangeVote { at: moment(60), ..ballot("c-1", "dan", true) };
    assert_eq!(conflict(cast(&t, late, 1, true).await), "lapsed");
    assert_eq!(t.count().await, before);
    assert_eq!(t.store.authority().await.expect("read").expect("one").0, digest("old"));
}

pub(super) async fn end_with_a_no(t: Trial) {
    authority(&t, "old").await;
    open(&t, &change("c-1", "old", "new")).await;
    let refused = cast(&t, ballot("c-1", "carol", false), 0, false).await.expect("it counts");
    assert_eq!(refused.ended, Some(Ended::Refused));
    assert_eq!(conflict(cast(&t, ballot("c-1", "dan", true), 1, true).await), "refused");
    assert_eq!(t.store.authority().await.expect("read").expect("one").0, digest("old"));
}

pub(super) async fn forget_who_it_was(t: Trial) {
    authority(&t, "old").await;
    let by = operator("alice@example.com");
    let what = "user `alice@example.com` would hold more".to_owned();
    let weakens = vec![Weakens { code: "user.team_added".into(), what }];
    open(&t, &Change { by: Some(by.clone()), weakens, ..change("c-1", "old", "new") }).await;
    cast(&t, ballot("c-1", "alice@example.com", true), 0, false).await.expect("it counts");
    let erasure =
        Erasure { person: user("alice@example.com"), positions: Vec::new(), also_open: false, now: moment(10) };
    let erase = async || t.store.erase(erasure.clone(), t.record(Kind::Erasure, None)).await;
    assert_eq!(conflict(erase().await), "an open change that they voted on");
    cast(&t, ballot("c-1", "dan", true), 1, true).await.expect("it counts");
    while erase().await.expect("it is erased") {}
    let change = one(&t, "c-1").await;
    assert_eq!((change.by, change.votes.len()), (None, 2));
    assert!(change.votes.iter().all(|vote| vote.by != by), "the vote stays, and nobody's name");
    assert_eq!(change.votes[0].reason, "");
    assert_eq!(change.weakens[0].what, "user `erased` would hold more");
}

pub(super) async fn proposals_come_back(t: Trial) {
    let proposal = |id: &str| Proposal {
        id: ProposalId::parse(id).expect("an id"),
        agent: agent("bot"),
        question: QuestionId::parse("q-1").expect("an id"),
        by: operator("olga"),
        at: moment(3),
        record: record_id("rec-9"),
    };
    for id in ["p-1", "p-2"] {
        t.store.put_proposal(&proposal(id), t.record(Kind::Policy, None)).await.expect("it is kept");
    }
    assert_eq!(t.store.proposals(10).await.expect("read"), [proposal("p-2"), proposal("p-1")]);
    assert_eq!(t.store.proposal(&proposal("p-1").id).await.expect("read"), Some(proposal("p-1")));
    assert_eq!(t.store.proposal(&ProposalId::parse("p-3").expect("an id")).await.expect("read"), None);
}
