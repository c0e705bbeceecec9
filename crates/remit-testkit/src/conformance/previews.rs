//! What upstreams say of held calls.

use remit_app::delivery::Event;
use remit_app::intent::Committed;
use remit_app::outcome::StoredOutcome;
use remit_app::preview::Preview;
use remit_app::question::Question;
use remit_core::ids::QuestionId;

use super::trial::{Admission, Trial, completed, digest, moment, question, record_id, vote};

fn id(text: &str) -> QuestionId {
    QuestionId::parse(text).expect("an id")
}

fn shown(text: &str) -> Preview {
    let (tool, text) = ("payments/preview".to_owned(), text.to_owned());
    Preview::Shown { tool, text, left_out: 3, failed: false, record: record_id("rec-preview") }
}

/// A question that waits for its preview.
fn awaiting(name: &str, call: &str) -> Question {
    Question { preview: Some(Preview::Awaited), ..question(name, call, &[("finance", 1)]) }
}

async fn awaited(t: &Trial, secs: i64, limit: u32) -> Vec<String> {
    let found = t.store.awaiting_preview(moment(secs), limit).await.expect("read");
    found.iter().map(ToString::to_string).collect()
}

pub(super) async fn are_put_beside_their_question_once(t: Trial) {
    let run = t.run("run-1").await;
    t.hold(&run, awaiting("q-1", "call")).await;
    t.hold(&run, question("q-2", "another", &[("finance", 1)])).await;
    assert_eq!(awaited(&t, 1, 9).await, ["q-1"]);
    let preview = shown("- 5\n+ 4 <b>\u{202e}\0");
    assert!(t.store.attach_preview(&id("q-1"), preview.clone(), moment(1)).await.expect("attached"));
    assert_eq!(awaited(&t, 1, 9).await, Vec::<String>::new());
    for (question, why) in [("q-1", "it has one"), ("q-2", "it waits for none"), ("q-3", "there is none")] {
        let again = Preview::Absent { why: "no".into() };
        assert!(!t.store.attach_preview(&id(question), again, moment(1)).await.expect("nothing"), "{why}");
    }
    let found = t.store.question(&id("q-1")).await.expect("read").expect("there is one");
    assert_eq!(found, Question { preview: Some(preview), ..awaiting("q-1", "call") });
    assert_eq!(t.store.question(&id("q-2")).await.expect("read").expect("there is one").preview, None);
}

pub(super) async fn are_awaited_while_their_question_is_open(t: Trial) {
    let run = t.run("run-1").await;
    for (name, call) in [("q-1", "call"), ("q-2", "another"), ("q-3", "a third")] {
        t.hold(&run, awaiting(name, call)).await;
    }
    assert_eq!(awaited(&t, 1, 2).await, ["q-1", "q-2"]);
    t.vote(vote(&id("q-1"), "finance", "fiona", false)).await.expect("it counts");
    assert_eq!(awaited(&t, 59, 9).await, ["q-2", "q-3"]);
    assert!(!t.store.attach_preview(&id("q-1"), shown("late"), moment(2)).await.expect("nothing"));
    assert!(!t.store.attach_preview(&id("q-2"), shown("late"), moment(60)).await.expect("nothing"), "it has lapsed");
    assert_eq!(awaited(&t, 60, 9).await, Vec::<String>::new());
}

pub(super) async fn are_waited_for_before_people_are_told(t: Trial) {
    let run = t.run("run-1").await;
    t.hold(&run, awaiting("q-1", "call")).await;
    assert_eq!(t.store.due(moment(1), 9).await.expect("read"), [], "they would vote on what is about to change");
    let told = t.store.next_due(moment(0)).await.expect("read").expect("they are told, whatever becomes of it");
    assert!(told < moment(30), "long before it lapses");
    assert!(t.store.attach_preview(&id("q-1"), shown("x"), moment(1)).await.expect("attached"));
    let due = t.store.due(moment(1), 9).await.expect("read");
    assert_eq!(
        due.iter().map(|delivery| (delivery.event, delivery.next_at)).collect::<Vec<_>>(),
        [(Event::Asked, moment(1))]
    );
}

pub(super) async fn are_called_once_and_tell_their_run_nothing(t: Trial) {
    let run = t.run("run-1").await;
    t.hold(&run, awaiting("q-1", "call")).await;
    let of =
        |call: &str, admission: Admission| Admission { call: digest(call), preview_of: Some(id("q-1")), ..admission };
    let first = t.admit(&of("look", t.admission(&run, "look").await)).await;
    for call in ["look", "look again"] {
        let again = t.commit(&of(call, t.admission(&run, call).await)).await.expect("answered");
        let Committed::Repeated { intent, call } = again else { panic!("it is made a second time: {again:?}") };
        assert_eq!((&intent, call), (&first, digest("look")));
    }
    t.settle(&first, completed()).await;
    assert_eq!(t.store.outcome(&first).await.expect("read"), Some(StoredOutcome::Settled(completed())));
    assert_eq!(t.store.outcomes(&run, 9).await.expect("read"), [], "the agent has not read it");
    let own = t.admit(&t.admission(&run, "look").await).await;
    t.settle(&own, completed()).await;
    assert_eq!(t.store.outcomes(&run, 9).await.expect("read").len(), 1);
}
