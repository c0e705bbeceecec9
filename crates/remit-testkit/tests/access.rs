//! Access for a while, over a whole gateway: asked for in the protocol, given by people, used, taken back.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use remit_app::delivery::Event;
use remit_app::message::Message;
use remit_app::ports::{RecordFilter, Store};
use remit_app::question::Vote;
use remit_app::replay::{Unreplayable, replay};
use remit_app::tell::{Addressee, Messenger, NotSent, Route, Telling};
use remit_cli::boot::Running;
use remit_cli::rehearse::Rehearsal;
use remit_core::Caller;
use remit_core::approval::{Approver, Factor};
use remit_core::ids::{AgentId, ChannelId, OperatorId, RuleId, TeamId, UserId};
use remit_core::steering::Role;
use remit_core::verdict::Code;
use remit_evidence::record::{Kind, disclosed};
use remit_server::keys::Ed25519;
use remit_store_sqlite::{Options, SqliteStore};
use remit_testkit::conformance::trial::{self as conformance, Trial};
use remit_testkit::memory::MemoryStore;
use remit_testkit::place::{EMERGENCY, OFFERS, Place, base, business};
use remit_testkit::upstream::{Manner, Upstream};
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

const ADA: &str = "agent-for-ada";
const BOB: &str = "scenario-operator-bob";
const CAROL: &str = "scenario-operator-carol";
const DAN: &str = "scenario-operator-dan";
const CHIEF: &str = "scenario-operator-rehearsal";

/// A gate without edge or disk, under an authority that lets `desk` ask.
async fn gate(store: Arc<dyn Store>) -> Rehearsal {
    let base = base();
    let desk = format!("{}{OFFERS}", base.text("remits/desk.yaml").expect("a remit"));
    let remit = format!("{}{EMERGENCY}", base.text("remit.yaml").expect("settings"));
    let folder = base.with([("remits/desk.yaml".to_owned(), desk), ("remit.yaml".to_owned(), remit)]);
    let folder = folder.expect("a folder");
    let config = remit_config::load(&folder).unwrap_or_else(|faults| panic!("{faults:?}"));
    let signer = Box::new(Ed25519::generate().expect("a key"));
    let now = "2026-11-24T10:00:00Z".parse().expect("a time");
    Rehearsal::new(config.snapshot, config.keys, store, signer, now)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_decided_before_a_crash_is_completed_once() {
    let place = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&place.path().join("remit.db"), Options::default()).expect("it opens");
    let store: Arc<dyn Store> = Arc::new(store);
    let stage = gate(store.clone()).await;
    let caller = Caller::agent(stage.gate().snapshot().tenant().clone(), AgentId::parse("desk").expect("id"));
    let caller = caller.for_user(UserId::parse("ada@acme.example").expect("id"));
    let asked = json!({"tools": ["business/delete_customer"]});
    let request = stage.gate().request_access(&caller, None, &asked, "gone").await.expect("it is asked");
    // The vote is durable, and nothing came of it: as after a crash between the two deeds.
    let vote = Vote { at: request.asked_at, ..conformance::vote(&request.question, "finance-sign-off", "bob", true) };
    let record = Trial::new(store.clone()).record(Kind::Approval, None);
    store.answer_question(vote, record).await.expect("it counts");
    let (one, other) = tokio::join!(stage.gate().tend_grants(), stage.gate().tend_grants());
    assert_eq!(one.expect("tended") + other.expect("tended"), 1, "once, however many look");
    assert_eq!(stage.gate().tend_grants().await.expect("tended"), 0);
    assert_eq!(store.grants(true).await.expect("read").len(), 1);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_agent_buries_people_in_requests() {
    let stage = gate(Arc::new(MemoryStore::new())).await;
    let caller = Caller::agent(stage.gate().snapshot().tenant().clone(), AgentId::parse("desk").expect("id"));
    let asked = json!({"tools": ["business/delete_customer"]});
    for at in 0..10 {
        stage.gate().request_access(&caller, None, &asked, &format!("why {at}")).await.expect("it is asked");
    }
    let refusal = stage.gate().request_access(&caller, None, &asked, "one more").await.expect_err("too many");
    assert_eq!(refusal.code, Code::BudgetExhausted);
    stage.gate().request_access(&caller, None, &asked, "why 3").await.expect("that one is asked already");
}

/// Keeps what it is handed.
#[derive(Default)]
struct Kept(Mutex<Vec<Message>>);

#[async_trait]
impl Messenger for Kept {
    async fn send(&self, _: &ChannelId, message: &Message) -> Result<(), NotSent> {
        // Long enough for another gateway to come upon the same delivery.
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.0.lock().expect("a lock").push(message.clone());
        Ok(())
    }
}

fn addressee(id: &str, team: &str, role: Role) -> Addressee {
    let teams = vec![TeamId::parse(team).expect("a team")];
    let id = OperatorId::parse(id).expect("an id");
    let user = UserId::parse(&format!("{id}@acme.example")).ok();
    let approver = Approver { id, user, teams, factor: Factor::Passkey };
    let address = format!("{}@acme.example", approver.id);
    Addressee { approver, address, roles: vec![role], until: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_on_one_store_tell_people_once() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (one, other) = (gate(store.clone()).await, gate(store.clone()).await);
    let caller = Caller::agent(one.gate().snapshot().tenant().clone(), AgentId::parse("desk").expect("id"));
    let asked = json!({"tools": ["business/delete_customer"]});
    one.gate().request_access(&caller, None, &asked, "gone").await.expect("it is asked");
    let leak = RuleId::parse("leak").expect("a rule");
    let chief = addressee("rehearsal", "operations", Role::Operator).approver;
    one.gate().break_glass(&chief, &leak, None, None, "INC-7", "leak").await.expect("broken");
    let telling = Telling {
        routes: vec![Route {
            rules: None,
            events: Event::ALL.to_vec(),
            to: vec![ChannelId::parse("mail").expect("a channel")],
        }],
        addressees: vec![
            addressee("bob", "finance", Role::Approver),
            addressee("olga", "support", Role::Approver),
            addressee("sid", "security", Role::Security),
        ],
        console: "https://remit.example/".into(),
        ..Telling::default()
    };
    let kept = Kept::default();
    // Routed first, then sent: by both, each time.
    for _ in 0..2 {
        let due = store.due(one.gate().ports().clock.now(), 9).await.expect("read");
        assert_eq!(due.len(), 2, "{due:?}");
        for delivery in &due {
            let both = (one.gate().deliver(&telling, &kept, delivery), other.gate().deliver(&telling, &kept, delivery));
            let (a, b) = tokio::join!(both.0, both.1);
            assert!(a.expect("worked on").is_some() != b.expect("worked on").is_some(), "one of them works on it");
        }
    }
    assert_eq!(store.due(one.gate().ports().clock.now(), 9).await.expect("read"), []);
    let told = kept.0.lock().expect("a lock").clone();
    let seen = told.iter().map(|m| (m.kind.as_str(), m.title.as_str(), m.to.iter().map(|to| to.id.as_str()).collect()));
    let mut seen: Vec<(&str, &str, Vec<&str>)> = seen.collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            ("glass.broken", "The glass was broken: leak for desk", vec!["sid"]),
            ("question.asked", "Access asked: desk", vec!["bob"]),
        ]
    );
    assert!(told.iter().any(|message| message.text(true).contains("Incident: INC-7")));
}

/// A gateway over a folder of its own, which it can leave and come back to.
struct House {
    place: Place,
    upstream: Upstream,
    running: Option<Running>,
    wire: Wire,
}

impl House {
    async fn new() -> Self {
        let upstream = business(Duration::ZERO).await;
        upstream.behave(Manner::Result(json!({"content": []})));
        let place = Place::before(&upstream);
        let powers = "roles: [viewer, approver, operator, security]";
        let mut people = place.text("keys.yaml");
        for team in ["finance", "security"] {
            let (from, to) =
                (format!("teams: [{team}]\n    roles: [viewer, approver]"), format!("teams: [{team}]\n    {powers}"));
            people = people.replace(&from, &to);
        }
        place.write("keys.yaml", &people);
        place.admit(ADA, "ada@acme.example");
        place.admit("agent-for-grace", "grace@acme.example");
        place.append("remits/desk.yaml", OFFERS);
        place.append("remit.yaml", EMERGENCY);
        let mut house = Self { place, upstream, running: None, wire: Wire::to("http://127.0.0.1:1") };
        house.start().await;
        house
    }

    async fn start(&mut self) {
        let address = "127.0.0.1:0".parse().expect("an address");
        let running = Running::start(self.place.path(), Some(address)).await;
        let running = running.unwrap_or_else(|error| panic!("it starts: {error}"));
        self.wire = Wire::to(&running.url);
        self.running = Some(running);
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    fn rewrite(&self, file: &str, from: &str, to: &str) {
        self.place.edit(file, from, to);
    }

    async fn post(&self, key: &str, path: &str, body: Value) -> (u16, Value) {
        self.wire.send(key, path, Some(&body)).await.expect("an answer")
    }

    async fn done(&self, key: &str, path: &str, body: Value) -> Value {
        self.wire.done(key, path, Some(&body)).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn get(&self, key: &str, path: &str) -> Value {
        self.wire.done(key, path, None).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Deletes a customer; the code when it may not.
    async fn delete(&self, key: &str) -> Result<Value, Value> {
        let before = self.upstream.calls().len();
        let call = json!({"tool": "business/delete_customer", "arguments": {"id": "C-1"}});
        let (status, answer) = self.post(key, "/v1/calls", call).await;
        assert_eq!(self.upstream.calls().len() > before, status == 200, "{answer}");
        if status == 200 { Ok(answer) } else { Err(answer["error"].clone()) }
    }

    async fn ask(&self, body: Value) -> String {
        let asked = self.done(ADA, "/v1/access-requests", body).await;
        assert_eq!(asked["state"], "open", "{asked}");
        asked["question"].as_str().expect("an id").to_owned()
    }

    /// Casts a vote on what is shown; the status and the answer.
    async fn vote(&self, key: &str, question: &str, choice: &str) -> (u16, Value) {
        let shown = self.get(CHIEF, &format!("/admin/v1/questions/{question}")).await["shown"].clone();
        let ballot = json!({"choice": choice, "reason": "no need", "shown": shown});
        self.post(key, &format!("/admin/v1/questions/{question}/votes"), ballot).await
    }

    async fn approve(&self, key: &str, question: &str) {
        let (status, answer) = self.vote(key, question, "approve").await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn status(&self, key: &str, question: &str) -> Value {
        self.get(key, &format!("/v1/questions/{question}")).await
    }

    /// Asks for the tool and has it approved; the grant.
    async fn given(&self, why: &str) -> String {
        let question = self.ask(json!({"tools": ["business/delete_customer"], "reason": why})).await;
        self.approve(BOB, &question).await;
        let status = self.status(ADA, &question).await;
        assert_eq!(status["state"], "granted", "{status}");
        status["grant"].as_str().expect("a grant").to_owned()
    }

    /// What the gateway's records say of grants, in order; and each decision that was made under the present
    /// authority is made again, with the grants it rested on.
    async fn events(&self) -> Vec<Value> {
        let gate = &self.running.as_ref().expect("it runs").edge.gate;
        let filter = RecordFilter { limit: 10_000, ..RecordFilter::default() };
        let mut events = Vec::new();
        let mut rested = 0;
        for record in gate.ports().store.records(&filter).await.expect("records") {
            let mut statement = remit_core::json::parse(&record.envelope.payload).expect("JSON");
            let predicate = statement["predicate"].take();
            match record.kind {
                Kind::Grant => {
                    let said = ["@acme", "INC-7", "customers have to know"];
                    let said = said.iter().find(|said| predicate.to_string().contains(*said));
                    assert_eq!(said, None, "people and their words stand beside the record: {predicate}");
                    events.push(predicate["event"].clone());
                }
                Kind::Decision => {
                    rested += usize::from(predicate["facts"].get("grants").is_some());
                    match replay(&gate.snapshot(), &predicate, &disclosed(&record.disclosures)) {
                        Ok(differences) => assert_eq!(differences, [], "{predicate}"),
                        Err(Unreplayable::NotDecided | Unreplayable::OtherAuthority(_)) => {}
                        Err(error) => panic!("{error}: {predicate}"),
                    }
                }
                _ => {}
            }
        }
        assert!(rested > 0, "some decision rested on a grant");
        events
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_asks_is_given_and_loses_it_again() {
    let mut house = House::new().await;
    let listed = house.get(ADA, "/v1/tools").await.to_string();
    assert!(!listed.contains("delete_customer"), "what may only be asked for is not listed");

    let refusal = house.delete(ADA).await.expect_err("no remit covers it");
    assert_eq!(refusal["code"], "policy.no_permit");
    assert_eq!(refusal["may_request"][0]["tools"], json!(["business/delete_customer"]), "{refusal}");
    let offers = house.get(ADA, "/v1/access-requests").await;
    assert_eq!(offers["may_request"].as_array().map(Vec::len), Some(2), "{offers}");

    for beyond in [
        json!({"tools": ["business/*"], "reason": "all of it"}),
        json!({"tools": ["business/delete_customer"], "for_secs": 28_801, "reason": "longer"}),
        json!({"tools": ["business/delete_customer"], "calls": 3, "reason": "more"}),
        json!({"tools": ["business/delete_customer"], "where": {"environment": ["staging"]}, "reason": "elsewhere"}),
    ] {
        let (status, answer) = house.post(ADA, "/v1/access-requests", beyond.clone()).await;
        assert_eq!((status, &answer["error"]["code"]), (403, &json!("access.not_offered")), "{beyond}: {answer}");
    }

    let asked = json!({"tools": ["business/delete_customer"], "for_secs": 3600, "reason": "Ada wants her data gone"});
    let question = house.ask(asked.clone()).await;
    assert_eq!(house.ask(asked).await, question, "asking again asks nobody anew");
    house.delete(ADA).await.expect_err("nobody has said yes");
    let (status, _) = house.vote(ADA, &question, "approve").await;
    assert_eq!(status, 401, "an agent cannot vote, least of all for itself");
    let own = house.vote("scenario-operator-ada", &question, "approve").await;
    assert_eq!(own.0, 403, "nor can the user for whom it asks");
    let stranger =
        house.wire.send("agent-for-grace", &format!("/v1/questions/{question}"), None).await.expect("an answer");
    assert_eq!(stranger.0, 404, "another user's request does not exist");

    house.approve(BOB, &question).await;
    let status = house.status(ADA, &question).await;
    assert_eq!(status["state"], "granted", "{status}");
    let grant = status["grant"].as_str().expect("a grant").to_owned();
    house.delete(ADA).await.expect("it was granted");
    assert!(house.get(ADA, "/v1/tools").await.to_string().contains("delete_customer"), "now it is listed");
    house.delete("agent-for-grace").await.expect_err("it was given for Ada");

    house.stop().await;
    house.start().await;
    house.delete(ADA).await.expect("a restart takes nothing");
    let used_up = house.delete(ADA).await.expect_err("two calls were given");
    assert_eq!(used_up["code"], "budget.exhausted");
    let listed = house.get(CHIEF, "/admin/v1/grants").await;
    assert_eq!((&listed["grants"][0]["used"], &listed["used"]), (&json!(2), &json!(1)), "{listed}");

    let more = house.given("again").await;
    house.delete(ADA).await.expect("it was granted again");
    for id in [&grant, &more] {
        let answer = house.done(CHIEF, &format!("/admin/v1/grants/{id}/revoke"), json!({"reason": "enough"})).await;
        assert_eq!(answer["revoked"], true);
    }
    let again = house.done(CHIEF, &format!("/admin/v1/grants/{more}/revoke"), json!({"reason": "enough"})).await;
    assert_eq!(again["revoked"], false, "once");
    assert_eq!(house.delete(ADA).await.expect_err("taken back")["code"], "policy.no_permit");
    assert_eq!(house.status(ADA, &question).await["state"], "ended");

    assert_eq!(house.events().await, ["requested", "granted", "requested", "granted", "revoked", "revoked"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_give_less_or_nothing_or_without_being_asked() {
    let mut house = House::new().await;
    let ask = |why: &str| json!({"tools": ["business/delete_customer"], "reason": why});
    let question = house.ask(ask("first")).await;
    let narrow = format!("/admin/v1/access-requests/{question}/narrow");
    let (status, _) = house.post(BOB, &narrow, json!({"calls": 3})).await;
    assert_eq!(status, 403, "more is not narrower");
    let (status, _) = house.post("scenario-operator-eve", &narrow, json!({"calls": 1})).await;
    assert_eq!(status, 403, "whose vote does not count cannot narrow either");
    assert_eq!(house.status(ADA, &question).await["state"], "open");
    let narrowed = house.done(BOB, &narrow, json!({"calls": 1, "for_secs": 60})).await;
    assert_eq!(narrowed["state"], "granted", "{narrowed}");
    let status = house.status(ADA, &question).await;
    assert_eq!((&status["state"], &status["access"]["calls"]), (&json!("granted"), &json!(1)), "{status}");
    house.delete(ADA).await.expect("one call");
    assert_eq!(house.delete(ADA).await.expect_err("and no more")["code"], "budget.exhausted");

    let question = house.ask(ask("second")).await;
    assert_eq!(house.vote(BOB, &question, "deny").await.0, 200);
    let status = house.status(ADA, &question).await;
    assert_eq!((&status["state"], &status["reason"]), (&json!("refused"), &json!("no need")), "{status}");

    let give = |user: &str| json!({"agent": "desk", "user": user, "tools": ["business/delete_customer"], "calls": 1, "reason": "for today"});
    let (status, _) = house.post(CAROL, "/admin/v1/grants", give("grace@acme.example")).await;
    assert_eq!(status, 403, "the same rule decides: Carol is not in finance");
    let own = house.post(BOB, "/admin/v1/grants", give("bob@acme.example")).await;
    assert_eq!(own.0, 403, "nobody gives an agent more in their own name");
    assert_eq!(
        house.get(CHIEF, "/admin/v1/access-requests").await["requests"],
        json!([]),
        "refused leaves nothing open"
    );
    let given = house.done(BOB, "/admin/v1/grants", give("grace@acme.example")).await;
    assert_eq!(given["state"], "granted", "{given}");
    house.delete("agent-for-grace").await.expect("it was given");
    assert_eq!(
        house.events().await,
        ["requested", "narrowed", "granted", "requested", "refused", "requested", "granted"]
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_ends_unused_and_with_what_the_files_offer() {
    let mut house = House::new().await;
    let question = house.ask(json!({"tools": ["business/send_mail"], "reason": "a letter"})).await;
    house.approve(BOB, &question).await;
    let began = Instant::now();
    loop {
        let ended = house.get(CHIEF, "/admin/v1/grants?all=true").await;
        if ended["grants"][0]["state"] == "expired_unused" {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{ended}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mail = json!({"tool": "business/send_mail", "arguments": {"to": "x@elsewhere.example", "text": "x"}});
    let (status, answer) = house.post(ADA, "/v1/calls", mail).await;
    assert_eq!((status, &answer["error"]["code"]), (403, &json!("policy.no_permit")), "{answer}");

    house.given("the files change").await;
    house.delete(ADA).await.expect("granted");
    house.rewrite("remits/desk.yaml", "calls: 2", "calls: 1");
    house.done(CHIEF, "/admin/v1/reload", json!({})).await;
    let refusal = house.delete(ADA).await.expect_err("the remit offers less now");
    assert_eq!(refusal["code"], "policy.no_permit", "{refusal}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_glass_is_broken_loudly_and_reviewed_by_somebody_else() {
    let mut house = House::new().await;
    let mail = |to: &str| json!({"tool": "business/send_mail", "arguments": {"to": to, "text": "x"}});
    let read = json!({"tool": "business/list_tickets", "arguments": {}});
    house.done(ADA, "/v1/calls", read).await;
    let (status, _) = house.post(ADA, "/v1/calls", mail("press@elsewhere.example")).await;
    assert_ne!(status, 200, "after untrusted content two people look");
    let order = json!({"name": "leak", "incident": "INC-7", "reason": "customers have to know"});
    let (status, _) = house.post(BOB, "/admin/v1/break-glass", order.clone()).await;
    assert_eq!(status, 403, "the declaration does not name Bob");
    let (status, _) = house.post(CHIEF, "/admin/v1/break-glass", json!({"name": "leak", "reason": "quick"})).await;
    assert_eq!(status, 400, "an incident must be named");
    let given = house.done(CHIEF, "/admin/v1/break-glass", order.clone()).await;
    assert_eq!(house.post(CHIEF, "/admin/v1/break-glass", order).await.0, 409, "one at a time");
    assert_eq!(given["emergency"]["review_due"], true, "{given}");
    let (status, answer) = house.post(ADA, "/v1/calls", mail("press@elsewhere.example")).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = house.post(ADA, "/v1/calls", mail("more@elsewhere.example")).await;
    assert_ne!(status, 200, "one call was declared: {answer}");

    let grant = given["grant"].as_str().expect("a grant");
    let review = format!("/admin/v1/grants/{grant}/review");
    let verdict = json!({"justified": true, "note": "looked at the mail"});
    assert_eq!(house.post(CHIEF, &review, verdict.clone()).await.0, 403, "whoever used it cannot review it");
    assert_eq!(house.post(BOB, &review, verdict.clone()).await.0, 403, "Bob is no reviewer");
    assert_eq!(house.get(CHIEF, "/admin/v1/grants").await["review_due"], json!([grant]));
    house.stop().await;
    house.start().await;
    assert_eq!(house.get(CHIEF, "/admin/v1/grants").await["review_due"], json!([grant]), "a restart forgets nothing");
    house.done(DAN, &review, verdict.clone()).await;
    assert_eq!(house.get(CHIEF, "/admin/v1/grants").await["review_due"], json!([]));
    assert_eq!(house.post(CAROL, &review, verdict).await.0, 409, "once");
    assert_eq!(house.events().await, ["break_glass", "reviewed"]);
    house.stop().await;
}
