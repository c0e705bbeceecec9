//! Lists for people who look.

use remit_app::ports::listing::{Asked, Lapse, Latest, RunsAsked, Waiting};
use remit_app::question::Question;
use remit_core::ids::RunId;
use remit_evidence::dsse::Envelope;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::{Value, json};

use super::trial::{Trial, agent, moment, question, rule, run, user, vote};

fn waiting() -> Waiting {
    Waiting { now: moment(2), agent: None, tool: None, rules: None, after: None, limit: 50 }
}

fn ids(questions: &[Question]) -> Vec<&str> {
    questions.iter().map(|question| question.id.as_str()).collect()
}

/// Five questions, of which `q-2` lapses first; `q-4` is decided and `q-5` is over.
async fn five(t: &Trial) -> RunId {
    let run = t.run("run-1").await;
    let other = |id: &str, rules: &[(&str, u32)]| question(id, id, rules);
    t.hold(&run, other("q-1", &[("finance", 1)])).await;
    t.hold(&run, Question { expires_at: moment(30), ..other("q-2", &[("finance", 1), ("legal", 1)]) }).await;
    t.hold(&run, Question { agent: agent("other"), tool: "mail/send".into(), ..other("q-3", &[("security", 1)]) })
        .await;
    let decided = t.hold(&run, other("q-4", &[("finance", 1)])).await;
    t.vote(vote(&decided, "finance", "fiona", false)).await.expect("it counts");
    t.hold(&run, Question { expires_at: moment(1), ..other("q-5", &[("finance", 1)]) }).await;
    run
}

pub(super) async fn what_waits_lapses_in_order(t: Trial) {
    five(&t).await;
    let of = async |asked: Waiting| t.store.waiting(&asked).await.expect("a list");
    assert_eq!(ids(&of(waiting()).await.items), ["q-2", "q-1", "q-3"]);
    assert_eq!(of(waiting()).await.older, None);
    assert_eq!(ids(&of(Waiting { agent: Some(agent("other")), ..waiting() }).await.items), ["q-3"]);
    assert_eq!(ids(&of(Waiting { tool: Some("payments/refund".into()), ..waiting() }).await.items), ["q-2", "q-1"]);
    assert_eq!(ids(&of(Waiting { tool: Some("Payments/refund".into()), ..waiting() }).await.items), [""; 0]);
    let rules = |names: &[&str]| Waiting { rules: Some(names.iter().map(|id| rule(id)).collect()), ..waiting() };
    assert_eq!(ids(&of(rules(&["legal", "security"])).await.items), ["q-2", "q-3"]);
    assert_eq!(ids(&of(rules(&["fin"])).await.items), [""; 0]);
    assert_eq!(ids(&of(rules(&[])).await.items), [""; 0]);
    assert_eq!(ids(&of(Waiting { now: moment(30), ..waiting() }).await.items), ["q-1", "q-3"]);
}

pub(super) async fn what_waits_goes_on_where_it_ended(t: Trial) {
    five(&t).await;
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..10 {
        let sheet = t.store.waiting(&Waiting { after, limit: 1, ..waiting() }).await.expect("a list");
        seen.extend(ids(&sheet.items).into_iter().map(ToOwned::to_owned));
        after = sheet.older;
        let Some(lapse) = after else { break };
        assert_eq!(Lapse::parse(&lapse.to_string()), Some(lapse));
    }
    assert_eq!((seen, after), (vec!["q-2".into(), "q-1".into(), "q-3".into()], None));
}

pub(super) async fn what_was_asked_is_newest_first(t: Trial) {
    let run = five(&t).await;
    let of = async |asked: Asked| t.store.asked(&asked).await.expect("a list");
    let all = Asked { limit: 50, ..Asked::default() };
    assert_eq!(ids(&of(all.clone()).await.items), ["q-5", "q-4", "q-3", "q-2", "q-1"]);
    let alike = Asked { agent: Some(agent("bot")), tool: Some("payments/refund".into()), ..all.clone() };
    assert_eq!(ids(&of(alike.clone()).await.items), ["q-5", "q-4", "q-2", "q-1"]);
    assert_eq!(ids(&of(Asked { agent: Some(agent("other")), ..all.clone() }).await.items), ["q-3"]);
    assert_eq!(of(Asked { run: Some(run), ..all.clone() }).await.items.len(), 5);
    let first = of(Asked { limit: 2, ..alike.clone() }).await;
    let second = of(Asked { before: first.older, ..alike }).await;
    assert_eq!((ids(&first.items), ids(&second.items)), (vec!["q-5", "q-4"], vec!["q-2", "q-1"]));
    let denied = first.items.last().expect("q-4");
    assert_eq!(denied.votes.len(), 1, "votes come with it");
}

/// A decision record as gateways write them.
fn decision(t: &Trial, time: &str, agent: &str, tool: Value, verdict: &str) -> SignedRecord {
    let predicate = json!({"agent": {"id": agent, "owner": null}, "tool": tool, "verdict": verdict});
    let payload = remit_core::json::canonical(&json!({"predicate": predicate})).into_bytes();
    let record = t.record(Kind::Decision, None);
    let envelope = Envelope { payload, ..record.envelope };
    SignedRecord { digest: envelope.digest(), envelope, time: time.into(), ..record }
}

pub(super) async fn records_are_newest_first(t: Trial) {
    let tool = |name: &str| json!({"class": "read", "name": name});
    let mut made = Vec::new();
    for (minute, agent, tool, verdict) in [
        (0, "bot", tool("crm/get"), "allow"),
        (1, "bot", tool("mail/send"), "deny"),
        // A request that never became a call has no tool, and this one is called what it asks for.
        (2, "mail/send", Value::Null, "deny"),
        (3, "bot2", tool("mail/send"), "allow"),
    ] {
        let record = decision(&t, &format!("2026-11-21T10:0{minute}:00.000Z"), agent, tool, verdict);
        t.store.append(record.clone()).await.expect("appended");
        made.push(record.id);
    }
    t.store.append(t.record(Kind::Halt, None)).await.expect("appended");
    let of = async |asked: Latest| {
        let sheet = t.store.latest(&Latest { kind: Some(Kind::Decision), limit: 50, ..asked }).await.expect("a list");
        let place = |record: &SignedRecord| made.iter().position(|id| *id == record.id).expect("one of those");
        sheet.items.iter().map(place).collect::<Vec<_>>()
    };
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(of(Latest::default()).await, [3, 2, 1, 0]);
    assert_eq!(of(Latest { agent: said("bot"), ..Latest::default() }).await, [1, 0]);
    assert_eq!(of(Latest { tool: said("mail/send"), ..Latest::default() }).await, [3, 1]);
    assert_eq!(of(Latest { verdict: said("deny"), ..Latest::default() }).await, [2, 1]);
    assert_eq!(of(Latest { verdict: said("deny"), agent: said("bot"), ..Latest::default() }).await, [1]);
    let since = "2026-11-21T10:02:00Z".parse().ok();
    assert_eq!(of(Latest { since, ..Latest::default() }).await, [3, 2]);
    assert_eq!(of(Latest { agent: said("\"%_"), ..Latest::default() }).await, [0; 0]);
    let halts = Latest { kind: Some(Kind::Halt), limit: 50, ..Latest::default() };
    assert_eq!(t.store.latest(&halts).await.expect("a list").items.len(), 1);
    let (mut seen, mut before) = (0, None);
    loop {
        let asked = Latest { before, limit: 2, ..Latest::default() };
        let sheet = t.store.latest(&asked).await.expect("a list");
        seen += sheet.items.len();
        before = sheet.older;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, 5, "each once");
}

pub(super) async fn runs_are_newest_first(t: Trial) {
    for (id, name, person) in [("run-1", "bot", "ada"), ("run-2", "other", "bob"), ("run-3", "bot", "bob")] {
        let run = remit_app::run::Run { agent: agent(name), user: Some(user(person)), ..run(id) };
        t.store.open_run(&run, t.record(Kind::Run, Some(&run.id))).await.expect("opened");
    }
    let closing = t.record(Kind::Run, None);
    t.store.close_run(&super::trial::run_id("run-3"), moment(1), closing).await.expect("closed");
    let of = async |asked: RunsAsked| {
        let sheet = t.store.run_sheet(&asked).await.expect("a list");
        (sheet.items.iter().map(|run| run.id.as_str().to_owned()).collect::<Vec<_>>(), sheet.older)
    };
    let all = RunsAsked { limit: 50, ..RunsAsked::default() };
    assert_eq!(of(all.clone()).await.0, ["run-3", "run-2", "run-1"]);
    assert_eq!(of(RunsAsked { agent: Some(agent("bot")), ..all.clone() }).await.0, ["run-3", "run-1"]);
    assert_eq!(of(RunsAsked { user: Some(user("bob")), ..all.clone() }).await.0, ["run-3", "run-2"]);
    assert_eq!(of(RunsAsked { open: true, ..all.clone() }).await.0, ["run-2", "run-1"]);
    let (first, before) = of(RunsAsked { limit: 2, ..all.clone() }).await;
    assert_eq!((first.len(), of(RunsAsked { before, ..all }).await), (2, (vec!["run-1".into()], None)));
}
