//! What an erasure and retention leave: not the values, neither in the file nor in its log, but every proof.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use remit_app::erase::NotErased;
use remit_app::hold::HoldTarget;
use remit_app::ports::{RecordFilter, Store};
use remit_app::replay::{Unreplayable, replay};
use remit_app::retain::{Retention, Walk};
use remit_cli::boot::Running;
use remit_cli::rehearse::{Rehearsal, play};
use remit_config::Scenario;
use remit_core::ids::{Digest, OperatorId, UserId};
use remit_core::registry::Class;
use remit_evidence::record::{Kind, disclosed};
use remit_evidence::verify::{Trust, Verified, examine};
use remit_evidence::writer::{Sign as _, SignedRecord, Writer};
use remit_server::keys::Ed25519;
use remit_store_sqlite::{Options, SqliteStore};
use remit_testkit::place::{Place, base};
use remit_testkit::wire::Wire;
use serde_json::json;

const ADA: &str = "ada@acme.example";
const GRACE: &str = "grace@acme.example";

fn tuesday() -> Timestamp {
    "2026-11-24T10:00:00Z".parse().expect("a time")
}

fn id<T, E: std::fmt::Debug>(parse: fn(&str) -> Result<T, E>, text: &str) -> T {
    parse(text).expect("an id")
}

/// A stage over a file, and what its records verify under.
struct World {
    stage: Rehearsal,
    store: Arc<dyn Store>,
    file: PathBuf,
    root: [u8; 32],
    _place: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("remit.db");
        let store: Arc<dyn Store> = Arc::new(open(&file));
        let config = remit_config::load(&base()).expect("it loads");
        let (snapshot, sources) = (config.snapshot, config.sources);
        let again = remit_config::load(&base()).expect("it loads").snapshot;
        let signer = Box::new(Ed25519::generate().expect("a key"));
        let stage = Rehearsal::new(snapshot, config.keys, store.clone(), signer, tuesday());
        let root = Ed25519::generate().expect("a key");
        let public = root.public_key();
        let tenant = again.tenant().clone();
        stage.gate().announce(&Writer::resuming(Box::new(root), tenant, 1)).await.expect("announced");
        stage.gate().activate(Arc::new(again), "start", Some(&sources)).await.expect("activated");
        Self { stage, store, file, root: public, _place: place }
    }

    async fn play(&mut self, steps: &str) {
        let scenario = Scenario::parse("s.yaml", &format!("name: s\nsteps:\n{steps}")).expect("a scenario");
        let wrong = play(&mut self.stage, &scenario).await;
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    async fn records(&self) -> Vec<SignedRecord> {
        let filter = RecordFilter { limit: 100_000, ..RecordFilter::default() };
        self.store.records(&filter).await.expect("records")
    }

    /// Every record verifies, nothing is missing, and what is disclosed is what was signed.
    async fn examined(&self) -> Vec<Verified> {
        let mut trust = Trust::in_roots([self.root]).expect("a root");
        let mut verified = Vec::new();
        for record in self.records().await {
            let one = trust.verify(&record.envelope).expect("it verifies");
            one.check_disclosures(record.disclosures.iter().map(String::as_str)).expect("what was signed");
            let value = remit_core::json::parse(&record.envelope.payload).expect("JSON");
            assert_eq!(remit_core::json::canonical(&value).as_bytes(), record.envelope.payload, "canonical");
            verified.push(one);
        }
        let findings = examine(&verified);
        assert!(findings.gaps.is_empty() && findings.doubles.is_empty(), "{findings:?}");
        assert!(findings.dangling.is_empty() && findings.open.is_empty(), "{findings:?}");
        verified
    }
}

fn open(file: &Path) -> SqliteStore {
    SqliteStore::open(file, Options { within: Duration::ZERO, ..Options::default() }).expect("it opens")
}

fn step(tool: &str, user: &str, args: &str, answer: &str, verdict: &str) -> String {
    format!(
        "  - call: business/{tool}\n    as: {{ agent: desk, user: {user} }}\n    args: {args}\n    \
         upstream: {{ result: {{ content: [{{ type: text, text: {answer} }}] }} }}\n    expect: {{ verdict: {verdict} }}\n"
    )
}

/// Where these texts stand in the file and in its log.
fn found(file: &Path, texts: &[String]) -> Vec<String> {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    let mut found = Vec::new();
    for part in [file.to_owned(), PathBuf::from(wal)] {
        let text: String = std::fs::read(&part).unwrap_or_default().into_iter().map(char::from).collect();
        for needle in texts {
            if text.contains(needle.as_str()) {
                found.push(format!("{}: {needle}", part.display()));
            }
        }
    }
    found
}

/// Calls of two people, some held and approved, with answers; enough to fill many pages.
async fn busy(world: &mut World, rounds: usize) {
    for round in 0..rounds {
        let mut steps = String::new();
        for (user, name) in [(ADA, "ERIKA"), (GRACE, "OTTO")] {
            let (id, text) = (format!("{{ id: C-{name}-{round} }}"), format!("{name}-ANSWER-{round}"));
            steps.push_str(&step("get_customer", user, &id, &text, "allow"));
        }
        if round % 10 == 0 {
            let refund = format!("{{ payment: P-ERIKA-{round}, amount: 200 }}");
            steps.push_str(&step("refund", ADA, &refund, "ERIKA-REFUND", "ask"));
            steps.push_str("  - approve: finance-sign-off\n    by: bob\n");
            steps.push_str(&step("refund", ADA, &refund, "ERIKA-REFUND", "allow"));
        }
        world.play(&steps).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_takes_the_values_and_leaves_the_proofs() {
    let mut world = World::new().await;
    busy(&mut world, 60).await;
    let before = world.records().await;
    let of_ada =
        |record: &&SignedRecord| disclosed(&record.disclosures).iter().any(|(_, value)| value.as_str() == Some(ADA));
    let concerned: Vec<&SignedRecord> = before.iter().filter(of_ada).collect();
    let mut texts: Vec<String> = concerned.iter().flat_map(|record| record.disclosures.clone()).collect();
    assert!(texts.len() > 200);
    texts.extend(["ERIKA", ADA].map(ToOwned::to_owned));
    assert!(!found(&world.file, &texts).is_empty(), "they are there before");

    let (ada, by) = (id(UserId::parse, ADA), id(OperatorId::parse, "olga"));
    let gate = world.stage.gate();
    let refused = |result| match result {
        Err(error) => error,
        Ok(erased) => panic!("it was refused, and the gate says {erased:?}"),
    };
    let oneself = gate.erase(&ada, &id(OperatorId::parse, ADA), "T-1", true).await;
    assert_eq!(refused(oneself), NotErased::Oneself);
    assert_eq!(refused(gate.erase(&ada, &by, &format!("{ADA} asked"), true).await), NotErased::Named);
    assert_eq!(refused(gate.erase(&ada, &by, "T-1", false).await), NotErased::Open("an open run"));
    gate.place_hold(HoldTarget::User(ada.clone()), &by, "a lawsuit").await.expect("placed");
    assert!(matches!(refused(gate.erase(&ada, &by, "T-1", true).await), NotErased::Held(_)));
    assert!(gate.lift_hold(&HoldTarget::User(ada.clone()), &by, "settled").await.expect("lifted"));

    let erased = gate.erase(&ada, &by, "T-1", true).await.expect("it is erased");
    assert!(erased.records as usize > concerned.len(), "the ends of runs and the holds too: {}", erased.records);
    let left = found(&world.file, &texts);
    assert!(left.is_empty(), "{} of {} texts are left: {:?}", left.len(), texts.len(), left.first());

    // Every payload is as it was, everything verifies, and what others disclosed is still there.
    let after = world.records().await;
    for (old, new) in before.iter().zip(&after) {
        assert_eq!((&old.envelope, old.digest), (&new.envelope, new.digest));
        assert_eq!(new.disclosures.is_empty(), old.disclosures.is_empty() || of_ada(&old), "{}", old.id);
    }
    world.examined().await;
    let snapshot = world.stage.gate().snapshot();
    let (mut withheld, mut agreed) = (0, 0);
    for (old, new) in before.iter().zip(&after) {
        let predicate = remit_core::json::parse(&new.envelope.payload).expect("JSON")["predicate"].clone();
        match replay(&snapshot, &predicate, &disclosed(&new.disclosures)) {
            Ok(differences) => {
                assert_eq!(differences, []);
                agreed += 1;
            }
            Err(Unreplayable::Withheld) if of_ada(&old) => withheld += 1,
            Err(Unreplayable::NotDecided) => {}
            Err(error) => panic!("{}: {error}", new.id),
        }
    }
    assert_eq!((withheld, agreed), (72, 60));

    // The record says how much and why; whom, only its opening shows.
    let record = world.store.record(&erased.recorded[0]).await.expect("read").expect("it is there");
    assert_eq!(record.kind, Kind::Erasure);
    let predicate = remit_core::json::parse(&record.envelope.payload).expect("JSON")["predicate"].clone();
    assert_eq!((&predicate["event"], &predicate["records"]), (&"erase".into(), &erased.records.into()));
    assert_eq!(
        disclosed(&record.disclosures).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["operator", "reason"]
    );
    let mut trust = Trust::in_roots([world.root]).expect("a root");
    let delegation = after.iter().find(|record| record.kind == Kind::Key).expect("a delegation");
    trust.verify(&delegation.envelope).expect("it verifies");
    let verified = trust.verify(&record.envelope).expect("it verifies");
    verified.check_disclosures([erased.openings[0].as_str()]).expect("the opening opens it");
    let opening = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&erased.openings[0]).expect("base64");
    assert!(String::from_utf8_lossy(&opening).contains(ADA));

    // Again: nothing is left to be deleted, and that is recorded too.
    let again = world.stage.gate().erase(&ada, &by, "T-1", true).await.expect("it is erased");
    assert_eq!((again.records, again.recorded.len()), (0, 1));
    world.examined().await;
    world.store.close().await;
    drop((world.stage, world.store));
    let rebuilt = open(&world.file);
    assert_eq!(rebuilt.count().await.expect("counted"), after.len() as u64 + 1);
    assert_eq!(found(&world.file, &texts), Vec::<String>::new());
}

/// What others wrote about somebody stands in that somebody's records too, when a call of theirs was refused for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_wrote_is_in_no_signed_text_and_goes_with_whom_it_is_about() {
    let mut world = World::new().await;
    let refund = "{ payment: P-5, amount: 200 }";
    let mut steps = step("refund", ADA, refund, "nothing", "ask");
    steps.push_str("  - deny: { by: bob, reason: ERIKA-IS-A-CHEAT }\n");
    steps.push_str(&step("refund", ADA, refund, "nothing", "deny"));
    steps.push_str("  - halt: agent:desk\n");
    steps.push_str(&step("get_customer", ADA, "{ id: C-ERIKA }", "nothing", "deny"));
    steps.push_str("  - resume: agent:desk\n");
    steps.push_str(&step("get_customer", ADA, "{ id: C-ERIKA }", "ERIKA-ANSWER", "allow"));
    world.play(&steps).await;
    let texts: Vec<String> = ["ERIKA", "refused this call", "agent:desk is halted"].map(ToOwned::to_owned).into();
    let digest = json!({"content": [{"type": "text", "text": "ERIKA-ANSWER"}]});
    let digest = Digest::of(remit_core::json::canonical(&digest).as_bytes()).to_string();
    let told = |records: &[SignedRecord]| {
        let values: Vec<_> = records.iter().flat_map(|record| disclosed(&record.disclosures)).collect();
        let words = values.into_iter().filter(|(name, _)| name == "words").map(|(_, words)| words.to_string());
        words.collect::<String>()
    };
    let before = world.records().await;
    for record in &before {
        let payload = String::from_utf8_lossy(&record.envelope.payload);
        let wrote = texts.iter().chain([&digest]).find(|text| payload.contains(text.as_str()));
        assert_eq!(wrote, None, "{payload}");
    }
    let words = told(&before);
    assert!(
        ["a person refused this call: ERIKA-IS-A-CHEAT", "/facts/halts/0/reason", "/facts/refused", &digest]
            .iter()
            .all(|text| words.contains(*text)),
        "{words}"
    );
    let (ada, by) = (id(UserId::parse, ADA), id(OperatorId::parse, "olga"));
    world.stage.gate().erase(&ada, &by, "T-1", true).await.expect("it is erased");
    let left = found(&world.file, &[texts, vec![ADA.to_owned(), digest]].concat());
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(told(&world.records().await), "");
    world.examined().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_deletes_by_class_and_age_and_skips_what_is_held() {
    let mut world = World::new().await;
    busy(&mut world, 11).await;
    world.play(&step("update_ticket", GRACE, "{ id: T-1, status: solved }", "OTTO-TICKET", "allow")).await;
    let (day, by) = (86_400, id(OperatorId::parse, "olga"));
    let gate = world.stage.gate();
    let retention = Retention {
        classes: [(Class::Read, 30 * day), (Class::Write, 60 * day)].into(),
        outcomes: Some(7 * day),
        ..Retention::default()
    };
    let after = |days: i64, micros: i64| {
        tuesday() + SignedDuration::from_hours(24 * days) + SignedDuration::from_micros(micros)
    };
    let mut walk = Walk::default();
    let early = gate.retire(&retention, &mut walk, after(7, -1)).await.expect("retired");
    assert_eq!(early, Default::default(), "a microsecond too early");
    let outcomes = gate.retire(&retention, &mut walk, after(7, 0)).await.expect("retired");
    // Eleven reads for each of two, two refunds after approval, one ticket.
    assert_eq!((outcomes.disclosures, outcomes.outcomes), (0, 25));

    gate.place_hold(HoldTarget::User(id(UserId::parse, ADA)), &by, "a lawsuit").await.expect("placed");
    assert_eq!(gate.retire(&retention, &mut walk, after(30, -1)).await.expect("retired"), Default::default());
    let held = gate.retire(&retention, &mut walk, after(30, 0)).await.expect("retired");
    assert_eq!(held.disclosures, 11, "the reads that are not held");
    gate.place_hold(HoldTarget::All, &by, "a raid").await.expect("placed");
    assert_eq!(gate.retire(&retention, &mut walk, after(99, 0)).await.expect("retired"), Default::default());
    for target in [HoldTarget::All, HoldTarget::User(id(UserId::parse, ADA))] {
        assert!(gate.lift_hold(&target, &by, "over").await.expect("lifted"));
    }
    let rest = gate.retire(&retention, &mut walk, after(30, 0)).await.expect("retired");
    assert_eq!(rest.disclosures, 11, "what had been held");
    let written = gate.retire(&retention, &mut walk, after(60, 0)).await.expect("retired");
    assert_eq!(written.disclosures, 1, "the ticket");
    assert_eq!(gate.retire(&retention, &mut walk, after(900, 0)).await.expect("retired"), Default::default());
    let left = world.records().await.iter().filter(|record| !record.disclosures.is_empty()).count();
    assert!(left > 8, "what is not named is kept: refunds, approvals, runs, the sources");
    world.examined().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_security_erases_and_holds() {
    let place = Place::base();
    let address = "127.0.0.1:0".parse().expect("an address");
    let running =
        Running::start(place.path(), Some(address)).await.map_err(|error| error.to_string()).expect("it starts");
    let wire = Wire::to(&running.url);
    let (carol, security) = ("scenario-operator-carol", "scenario-operator-rehearsal");
    let hold = json!({"target": format!("user:{ADA}"), "reason": "a lawsuit"});
    let erasure = json!({"user": ADA, "reason": "T-1"});
    for (path, body) in [("holds", &hold), ("holds/lift", &hold), ("erasures", &erasure)] {
        let (status, _) = wire.send(carol, &format!("/admin/v1/{path}"), Some(body)).await.expect("an answer");
        assert_eq!(status, 403, "{path}");
    }
    wire.done(security, "/admin/v1/holds", Some(&hold)).await.expect("placed");
    let listed = wire.done(carol, "/admin/v1/holds", None).await.expect("everybody may look");
    assert_eq!((&listed["holds"][0]["target"], &listed["holds"][0]["by"]), (&hold["target"], &json!("rehearsal")));
    let (status, told) = wire.send(security, "/admin/v1/erasures", Some(&erasure)).await.expect("an answer");
    assert_eq!(
        (status, told["error"]["reason"].as_str()),
        (409, Some("a hold keeps this: on this user, because: a lawsuit"))
    );
    let lifted = wire.done(security, "/admin/v1/holds/lift", Some(&hold)).await.expect("lifted");
    assert_eq!(lifted["lifted"], true);
    let themselves = json!({"user": "rehearsal@acme.example", "reason": "T-1"});
    for (body, status) in [
        (&themselves, 403),
        (&json!({"user": ADA}), 400),
        (&json!({"user": ADA, "reason": "T-1", "also_open": "no"}), 400),
        (&json!({"reason": "T-1"}), 400),
    ] {
        let (found, told) = wire.send(security, "/admin/v1/erasures", Some(body)).await.expect("an answer");
        assert_eq!(found, status, "{told}");
    }
    for target in ["run:nobody-knows", "agent:desk", ""] {
        let body = json!({"target": target, "reason": "why"});
        let (status, _) = wire.send(security, "/admin/v1/holds", Some(&body)).await.expect("an answer");
        assert!((400..500).contains(&status), "{target}");
    }
    // The two records of the hold disclosed her.
    let erased = wire.done(security, "/admin/v1/erasures", Some(&erasure)).await.expect("erased");
    assert_eq!((&erased["records"], erased["recorded"].as_array().map(Vec::len)), (&json!(2), Some(1)));
    running.stop().await;
    assert_eq!(found(&place.path().join(".remit/remit.db"), &[ADA.to_owned()]), Vec::<String>::new());
}
