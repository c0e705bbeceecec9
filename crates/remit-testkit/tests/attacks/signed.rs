//! What a passkey signs, besides a vote on a question: that another call takes the place of a held one, in whose place
//! somebody votes, and a vote on a change of the authority.

use std::time::Duration;

use remit_core::ids::Digest;
use remit_evidence::judge::judge;
use remit_evidence::trust::Trust;
use serde_json::{Value, json};

use crate::world::{Authenticator, World, operator_key};
use crate::{RULE, SIGNED, refused};

const TWICE: &str = "  finance-sign-off:\n    quorum: 1\n    deny: 2\n    from: [team:finance]\n";

async fn post(world: &World, by: &str, path: &str, body: &Value) -> (u16, Value) {
    world.wire.send(&operator_key(by), path, Some(body)).await.expect("an answer")
}

/// Another amount for a held refund, signed where there is a passkey.
async fn narrowed(
    world: &World,
    by: &str,
    question: &str,
    amount: u64,
    passkey: Option<&Authenticator>,
) -> (u16, Value) {
    let path = format!("/admin/v1/questions/{question}");
    let shown = world.look(question).await["shown"].clone();
    let arguments = json!({"payment": "P-1", "amount": amount});
    let mut body = json!({"arguments": arguments, "reason": "half is enough", "shown": shown});
    if let Some(passkey) = passkey {
        let mut asked = body.clone();
        asked["choice"] = "narrow".into();
        let (status, stated) = post(world, by, &format!("{path}/statements"), &asked).await;
        assert_eq!(status, 200, "{stated}");
        body["assertion"] = passkey.answer(&stated);
    }
    post(world, by, &format!("{path}/narrow"), &body).await
}

/// The bundle of a question's run is judged, once it is sealed.
async fn valid(world: &World, question: &str) {
    let run = world.look(question).await["run"].as_str().expect("a run").to_owned();
    let path = format!("/admin/v1/evidence?run={run}&show=approver,reason,shown,principal,arguments,statement_nonce");
    let document = world.running.edge.trust.clone().expect("a trust document");
    let trust = Trust::parse(document.as_bytes()).expect("it reads");
    let sealed = async {
        loop {
            let (status, bundle) = world.wire.send(&operator_key("rehearsal"), &path, None).await.expect("an answer");
            if status == 200 {
                break bundle;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let bundle = tokio::time::timeout(Duration::from_secs(20), sealed).await.expect("it is sealed");
    let report = judge(bundle.to_string().as_bytes(), &trust, &[]);
    assert_eq!(report.verdict.as_str(), "VALID", "{}", report.to_json());
}

#[tokio::test(flavor = "multi_thread")]
async fn narrowing_by_login_where_only_a_passkey_counts() {
    let world = World::with(RULE, SIGNED).await;
    let bobs = world.passkey("bob", 11).await;
    let question = world.held(200).await;
    let (status, answer) = narrowed(&world, "bob", &question, 100, None).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (403, Some("policy.no_permit")), "{answer}");
    assert_eq!(world.state(&question).await, "open", "a login closes nothing here");
    // A signature over a denial, or over other arguments, is none over this.
    let mut denial = world.signed("bob", &question, "deny", &bobs).await;
    let changed = json!({"payment": "P-1", "amount": 100});
    denial["arguments"] = changed;
    denial.as_object_mut().expect("an object").remove("choice");
    let (status, answer) = post(&world, "bob", &format!("/admin/v1/questions/{question}/narrow"), &denial).await;
    assert_eq!(status, 403, "{answer}");
    assert_eq!(world.state(&question).await, "open");

    let (status, answer) = narrowed(&world, "bob", &question, 100, Some(&bobs)).await;
    assert_eq!((status, answer["next"]["state"].as_str()), (200, Some("open")), "{answer}");
    assert_eq!(answer["next"]["votes"], json!([]), "what was signed closes the one and approves nothing of the other");
    let next = answer["next"]["question"].as_str().expect("a question").to_owned();
    world.refund(100).await;
    assert_eq!(world.effects(), 0);
    let ballot = world.signed("bob", &next, "approve", &bobs).await;
    assert_eq!(world.cast(&operator_key("bob"), &next, &ballot).await, (200, String::new()));
    world.refund(100).await;
    assert_eq!(world.effects(), 1);
    valid(&world, &next).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn narrowing_alone_where_two_must_deny() {
    let world = World::with_voter(RULE, TWICE, Some(("fiona", "fiona@acme.example"))).await;
    let question = world.held(200).await;
    let (status, answer) = narrowed(&world, "bob", &question, 100, None).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"]["reason"].as_str().is_some_and(|why| why.contains("nobody puts another call")), "{answer}");
    assert_eq!(world.vote("bob", &question, "deny").await.0, 200);
    assert_eq!(world.state(&question).await, "open");
    let (status, answer) = narrowed(&world, "bob", &question, 100, None).await;
    assert_eq!(status, 409, "one person is not two denials: {answer}");
    assert_eq!(narrowed(&world, "fiona", &question, 100, None).await.0, 200, "the second one closes it");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_signs_in_whose_place_they_vote() {
    let world = World::with(RULE, SIGNED).await;
    let eves = world.passkey("eve", 12).await;
    let later = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24)).expect("a time");
    let lent = json!({"to": "eve", "until": later.to_string()});
    assert_eq!(post(&world, "bob", "/admin/v1/delegations", &lent).await.0, 200);
    let question = world.held(200).await;
    let ballot = world.ballot(&question, "approve").await;
    let (_, stated) = post(&world, "eve", &format!("/admin/v1/questions/{question}/statements"), &ballot).await;
    let statement: Value = serde_json::from_str(stated["statement"].as_str().expect("a statement")).expect("JSON");
    let committed = format!("{}\0principal\0bob", stated["nonce"].as_str().expect("a nonce"));
    assert_eq!(statement["principal"], Digest::of(committed.as_bytes()).to_string().as_str(), "{statement}");
    let ballot = world.signed("eve", &question, "approve", &eves).await;
    assert_eq!(world.cast(&operator_key("eve"), &question, &ballot).await, (200, String::new()));
    world.refund(200).await;
    assert_eq!(world.effects(), 1);
    valid(&world, &question).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_on_a_change_by_login_where_only_a_passkey_counts() {
    let world = World::new().await;
    let chiefs = world.passkey("rehearsal", 13).await;
    world.change("remit.yaml", "widening: 0 }", "widening: 0, factor: passkey }").await;
    let stage = json!({"stage": "autonomous"});
    let (status, answer) = post(&world, "rehearsal", "/admin/v1/agents/desk/widenings", &stage).await;
    assert_eq!((status, answer["pending"]["needed"].as_u64()), (202, Some(1)), "somebody votes, always: {answer}");
    let path = format!("/admin/v1/changes/{}", answer["pending"]["change"].as_str().expect("a change"));
    let votes = format!("{path}/votes");
    let mut ballot = json!({"choice": "approve", "reason": "looked at it"});
    let (status, answer) = post(&world, "rehearsal", &votes, &ballot).await;
    let answer = (status, answer["error"]["reason"].as_str().unwrap_or_default().to_owned());
    refused(&answer, 403, "signed by the voter's own passkey");
    assert_eq!(post(&world, "bob", &format!("{path}/statements"), &ballot).await.0, 403, "no role of his lets him");
    let (status, stated) = post(&world, "rehearsal", &format!("{path}/statements"), &ballot).await;
    assert_eq!(status, 200, "{stated}");
    ballot["assertion"] = chiefs.answer(&stated);
    // What was signed is a yes for this reason, and nothing else.
    for (name, value) in [("choice", "refuse"), ("reason", "something else")] {
        let mut forged = ballot.clone();
        forged[name] = value.into();
        assert_eq!(post(&world, "rehearsal", &votes, &forged).await.0, 403, "{name}");
    }
    let (status, done) = post(&world, "rehearsal", &votes, &ballot).await;
    assert_eq!((status, done["state"].as_str()), (200, Some("in_force")), "{done}");
    assert_eq!(done["votes"][0]["factor"], "passkey");
    // It is on record, with the signature.
    let list =
        world.wire.done(&operator_key("rehearsal"), "/admin/v1/records?limit=10000", None).await.expect("records");
    let voted = list["records"].as_array().expect("records").iter().filter_map(|record| {
        use base64::Engine as _;
        let payload = base64::engine::general_purpose::STANDARD.decode(record["envelope"]["payload"].as_str()?).ok()?;
        Some(serde_json::from_slice::<Value>(&payload).ok()?["predicate"].clone())
    });
    let voted: Vec<Value> = voted.filter(|said| said["event"] == "voted").collect();
    assert_eq!(voted.len(), 1, "refused votes are no votes");
    assert_eq!(voted[0]["assurance"], "passkey");
    assert_eq!(voted[0]["statement"]["_type"], "https://remit.dev/change-statement/v1");
    assert_eq!(voted[0]["statement"]["proposes"], done["snapshot"]);
    assert!(voted[0]["assertion"]["signature"].is_string());
    world.stop().await;
}
