//! Weakening what protects the organisation, over the whole gateway: it waits for two people, they agree to exact
//! texts, and neither a restart nor a crash is a way around them.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod crash;
mod world;

use remit_app::change::Candidate;
use remit_app::people::{AccountChange, Invitation, Passkey, Spent};
use remit_core::ids::{Digest, OperatorId};
use remit_evidence::record::Kind;
use remit_evidence::webauthn::PublicKey;
use remit_evidence::writer::Sign as _;
use remit_server::keys::Ed25519;
use serde_json::{Value, json};

use crate::world::{AGENT, GUARDRAIL, PEOPLE, Place, codes, get, id, key, keys, pending, post, ticket, verified, vote};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guardrail_is_removed_by_two_people_and_bites_until_then() {
    let place = Place::new();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    assert_eq!(ticket(wire).await, "policy.guardrail");
    place.weaken();
    let change = pending(wire).await;
    assert_eq!(codes(&change), ["guardrail.removed"]);
    assert_eq!(change["needed"], 2);
    assert_eq!(ticket(wire).await, "policy.guardrail", "it waits, and the guardrail bites");
    assert_eq!(id(&pending(wire).await), id(&change), "reloading again proposes nothing new");
    let (status, one) = vote(wire, "sam", &id(&change), "approve").await;
    assert_eq!((status, one["state"].as_str(), one["approved"].as_u64()), (200, Some("open"), Some(1)), "{one}");
    assert_eq!(ticket(wire).await, "policy.guardrail", "one person is not enough");
    let (status, two) = vote(wire, "sue", &id(&change), "approve").await;
    assert_eq!((status, two["state"].as_str()), (200, Some("in_force")), "{two}");
    assert_eq!(ticket(wire).await, "allow");
    // Putting it back needs nobody, and is instant.
    place.write("guardrails/tickets.cedar", GUARDRAIL);
    let (status, answer) = post(wire, "olga", "/admin/v1/reload", json!({})).await;
    assert_eq!((status, answer["taken"].as_bool()), (200, Some(true)), "{answer}");
    assert_eq!(ticket(wire).await, "policy.guardrail");
    let (status, _) = vote(wire, "sam", &id(&change), "approve").await;
    assert_eq!(status, 409, "what has ended takes no votes");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_votes_at_once_are_two_votes() {
    let place = Place::new();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    place.weaken();
    let change = id(&pending(wire).await);
    let both = tokio::join!(vote(wire, "sam", &change, "approve"), vote(wire, "sue", &change, "approve"));
    assert_eq!((both.0.0, both.1.0), (200, 200), "{both:?}");
    assert_eq!(get(wire, &format!("/admin/v1/changes/{change}")).await["state"], "in_force");
    assert_eq!(ticket(wire).await, "allow");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_is_not_two_and_nobody_else_has_a_say() {
    let place = Place::new();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    place.weaken();
    let change = id(&pending(wire).await);
    assert_eq!(vote(wire, "sam", &change, "approve").await.0, 200);
    // Again, under another name of the same user, without a user, and with every other role.
    for by in ["sam", "sam-again", "nobody-says-who", "olga", "fred", "vera"] {
        let (status, answer) = vote(wire, by, &change, "approve").await;
        assert_eq!((status, answer["error"]["code"].as_str()), (403, Some("policy.no_permit")), "{by}: {answer}");
    }
    let ballot = json!({"choice": "approve", "by": "sue"});
    let (status, answer) = post(wire, "sam-again", &format!("/admin/v1/changes/{change}/votes"), ballot).await;
    assert_eq!(status, 400, "a name in the body: {answer}");
    let path = format!("/admin/v1/changes/{change}/votes");
    let (status, _) = wire.send(AGENT, &path, Some(&json!({"choice": "approve"}))).await.expect("an answer");
    assert_eq!(status, 401, "an agent has no say");
    assert_eq!(ticket(wire).await, "policy.guardrail");
    assert_eq!(get(wire, &format!("/admin/v1/changes/{change}")).await["approved"], 1);
    let (status, refused) = vote(wire, "sue", &change, "refuse").await;
    assert_eq!((status, refused["state"].as_str()), (200, Some("refused")));
    assert_eq!(ticket(wire).await, "policy.guardrail");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_approved_comes_into_force_and_not_what_the_folder_says_by_then() {
    let place = Place::new();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    place.write("guardrails/tickets.cedar", &format!("@mode(\"observe\") {GUARDRAIL}"));
    let change = pending(wire).await;
    assert_eq!(codes(&change), ["guardrail.observed"]);
    assert_eq!(vote(wire, "sam", &id(&change), "approve").await.0, 200);
    // By now the folder is no configuration at all. The vote is for the texts that were proposed.
    let before = place.text("remit.yaml");
    place.write("remit.yaml", "tenant: [");
    let (status, last) = vote(wire, "sue", &id(&change), "approve").await;
    assert_eq!((status, last["state"].as_str()), (200, Some("in_force")), "{last}");
    let in_force = get(wire, "/admin/v1/snapshots").await["in_force"].as_str().expect("a digest").to_owned();
    assert_eq!(last["snapshot"], in_force.as_str());
    let texts = get(wire, &format!("/admin/v1/snapshots/{in_force}")).await["texts"].clone();
    assert_eq!(texts["remit.yaml"], before.as_str());
    assert_eq!(ticket(wire).await, "allow");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_for_one_change_do_not_count_for_the_next() {
    let place = Place::new();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    place.weaken();
    let first = id(&pending(wire).await);
    assert_eq!(vote(wire, "sam", &first, "approve").await.0, 200);
    place.edit("remit.yaml", "quorum: 2", "quorum: 1");
    let second = pending(wire).await;
    assert_eq!(codes(&second), ["guardrail.removed", "rule.loosened"]);
    assert_eq!(second["approved"], 0);
    let (status, answer) = vote(wire, "sue", &first, "approve").await;
    assert_eq!(status, 409, "the first is superseded: {answer}");
    let (_, one) = vote(wire, "sue", &id(&second), "approve").await;
    assert_eq!(one["state"], "open", "{one}");
    assert_eq!(ticket(wire).await, "policy.guardrail");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_weakening_waits_and_narrowing_does_not() {
    let place = Place::new();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    let edits: [(&str, &str, &str, &str); 5] = [
        ("remit.yaml", "quorum: 2", "quorum: 1", "rule.loosened"),
        ("remit.yaml", "distinct_from: [user]", "distinct_from: []", "rule.loosened"),
        ("remit.yaml", "  - 5000 USD per day\n", "", "limit.raised"),
        ("upstreams/business.yaml", "risk: critical", "risk: low", "tool.risk_lowered"),
        ("remits/desk.yaml", "agent: desk", "agent: desk\nmode: observe", "remit.observed"),
    ];
    for (file, from, to, code) in edits {
        let before = place.text(file);
        place.edit(file, from, to);
        assert_eq!(codes(&pending(wire).await), [code]);
        place.write(file, &before);
    }
    place.edit("remits/desk.yaml", "args.amount <= 500", "args.amount <= 500 and args.payment != \"P-0\"");
    let (_, wider) = post(wire, "olga", "/admin/v1/reload", json!({})).await;
    assert_eq!(codes(&wider["pending"]), ["remit.widened"], "a condition that cannot be compared is not narrower");
    assert_eq!(wider["pending"]["needed"], 1, "one person lets a remit grow");
    place.edit("remits/desk.yaml", " and args.payment != \"P-0\"", "");
    place.edit("remits/desk.yaml", "write:\n  - tools: [business/update_ticket]\n", "");
    let (status, answer) = post(wire, "olga", "/admin/v1/reload", json!({})).await;
    assert_eq!((status, answer["taken"].as_bool()), (200, Some(true)), "{answer}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remit_grows_in_one_category_at_a_time_with_one_person() {
    let place = Place::new();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    place.edit("remits/desk.yaml", "args.amount <= 50\n", "args.amount <= 60\n");
    place.edit("remits/desk.yaml", "stage: supervised", "stage: autonomous");
    let (status, answer) = post(wire, "olga", "/admin/v1/reload", json!({})).await;
    assert_eq!(status, 422, "{answer}");
    assert!(answer["error"]["remedy"].as_str().is_some_and(|remedy| remedy.contains("one category")), "{answer}");
    place.edit("remits/desk.yaml", "stage: autonomous", "stage: supervised");
    let change = pending(wire).await;
    assert_eq!((codes(&change), change["needed"].as_u64()), (vec!["remit.widened"], Some(1)));
    let (_, done) = vote(wire, "sue", &id(&change), "approve").await;
    assert_eq!(done["state"], "in_force", "{done}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_alone_can_only_name_a_second() {
    let place = Place::new();
    place.write("keys.yaml", &keys(&[PEOPLE[0], PEOPLE[4], PEOPLE[6]]));
    let gateway = place.start().await;
    let wire = &gateway.wire;
    place.weaken();
    let (status, answer) = post(wire, "olga", "/admin/v1/reload", json!({})).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"]["remedy"].as_str().is_some_and(|remedy| remedy.contains("security")), "{answer}");
    // Not together with anything else either.
    place.write("keys.yaml", &keys(&[PEOPLE[0], PEOPLE[1], PEOPLE[4], PEOPLE[6]]));
    assert_eq!(post(wire, "olga", "/admin/v1/reload", json!({})).await.0, 409);
    place.write("guardrails/tickets.cedar", GUARDRAIL);
    let change = pending(wire).await;
    assert_eq!(codes(&change), ["steering.security_named"]);
    assert_eq!(vote(wire, "sue", &id(&change), "approve").await.0, 401, "who is not named yet has no say");
    let (_, done) = vote(wire, "sam", &id(&change), "approve").await;
    assert_eq!(done["state"], "in_force", "{done}");
    // Now there are two, and losing one of them again is not for one of them to say.
    place.write("keys.yaml", &keys(&[PEOPLE[0], PEOPLE[4], PEOPLE[6]]));
    let change = pending(wire).await;
    assert_eq!((codes(&change), change["needed"].as_u64()), (vec!["steering.security_lost"], Some(2)));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_no_way_around_two_people() {
    let place = Place::new();
    place.start().await.stop().await;
    place.weaken();
    let gateway = place.start().await;
    assert_eq!(ticket(&gateway.wire).await, "policy.guardrail", "the last authority stays in force");
    let (status, _) = gateway.wire.fetch("/readyz").await.expect("an answer");
    assert_eq!(status, 200);
    let changes = get(&gateway.wire, "/admin/v1/changes").await;
    let change = id(&changes["changes"][0]);
    assert_eq!(vote(&gateway.wire, "sam", &change, "approve").await.0, 200);
    gateway.stop().await;
    // It waits over the restart, with the vote.
    let gateway = place.start().await;
    assert_eq!(ticket(&gateway.wire).await, "policy.guardrail");
    let waits = get(&gateway.wire, &format!("/admin/v1/changes/{change}")).await;
    assert_eq!((waits["state"].as_str(), waits["approved"].as_u64()), (Some("open"), Some(1)), "{waits}");
    assert_eq!(waits["files"][0]["file"], "guardrails/tickets.cedar", "{waits}");
    let (_, done) = vote(&gateway.wire, "sue", &change, "approve").await;
    assert_eq!(done["state"], "in_force", "{done}");
    gateway.stop().await;
    let gateway = place.start().await;
    assert_eq!(ticket(&gateway.wire).await, "allow");
    gateway.stop().await;
    // What only narrows is taken by a restart as by a reload.
    place.write("guardrails/tickets.cedar", GUARDRAIL);
    let gateway = place.start().await;
    assert_eq!(ticket(&gateway.wire).await, "policy.guardrail");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_lost_the_role_does_not_count_any_more() {
    let place = Place::new();
    let more = [PEOPLE[0], PEOPLE[1], ("ted", Some("ted@acme.example"), "security"), PEOPLE[4], PEOPLE[6]];
    place.write("keys.yaml", &keys(&more));
    let gateway = place.start().await;
    let wire = &gateway.wire;
    place.weaken();
    let change = id(&pending(wire).await);
    assert_eq!(vote(wire, "ted", &change, "approve").await.0, 200);
    // Ted goes. Two are left, so that is narrower, and it is in force at once. What rested on the authority
    // before is over, with Ted's vote.
    place.write("guardrails/tickets.cedar", GUARDRAIL);
    place.write("keys.yaml", &keys(&[PEOPLE[0], PEOPLE[1], PEOPLE[4], PEOPLE[6]]));
    let (status, answer) = post(wire, "olga", "/admin/v1/reload", json!({})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(vote(wire, "sam", &change, "approve").await.0, 409);
    assert_eq!(vote(wire, "ted", &change, "approve").await.0, 401);
    assert_eq!(ticket(wire).await, "policy.guardrail");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_authority_comes_back_the_same_way() {
    let place = Place::new();
    place.weaken();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    let open = get(wire, "/admin/v1/snapshots").await["in_force"].as_str().expect("a digest").to_owned();
    place.write("guardrails/tickets.cedar", GUARDRAIL);
    assert_eq!(post(wire, "olga", "/admin/v1/reload", json!({})).await.0, 200);
    let history = get(wire, "/admin/v1/snapshots").await;
    assert_eq!(history["snapshots"].as_array().map(Vec::len), Some(2), "{history}");
    assert_eq!(history["snapshots"][0]["files"][0]["file"], "guardrails/tickets.cedar");
    assert_eq!(history["snapshots"][0]["files"][0]["added"][0]["line"], 1);
    let restore = format!("/admin/v1/snapshots/{open}/restore");
    assert_eq!(post(wire, "vera", &restore, json!({})).await.0, 403);
    let (status, answer) = post(wire, "olga", &restore, json!({})).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(ticket(wire).await, "policy.guardrail");
    let change = id(&answer["pending"]);
    for by in ["sam", "sue"] {
        assert_eq!(vote(wire, by, &change, "approve").await.0, 200);
    }
    assert_eq!(ticket(wire).await, "allow");
    let history = get(wire, "/admin/v1/snapshots").await;
    assert_eq!(history["snapshots"][0]["snapshot"], open.as_str());
    assert_eq!(history["snapshots"][0]["change"]["votes"].as_array().map(Vec::len), Some(2), "who, and why");
    let (status, _) = post(wire, "olga", &restore.replace(&open, &"0".repeat(64)), json!({})).await;
    assert_eq!(status, 404);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn always_is_no_vote_but_a_proposal_that_works() {
    let place = Place::new();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    let refund = json!({"tool": "business/refund", "arguments": {"payment": "P-7", "amount": 200}});
    let (_, held) = wire.send(AGENT, "/v1/decisions", Some(&refund)).await.expect("an answer");
    let question = held["question"].as_str().unwrap_or_else(|| panic!("{held}")).to_owned();
    let asked = json!({"agent": "desk", "question": question});
    assert_eq!(post(wire, "fred", "/admin/v1/proposals", asked.clone()).await.0, 403);
    let (status, proposal) = post(wire, "olga", "/admin/v1/proposals", asked).await;
    assert_eq!(status, 200, "{proposal}");
    assert_eq!(proposal["file"], "remits/desk.yaml");
    assert_eq!(proposal["evidence"]["holds"], 1, "{proposal}");
    let lines = proposal["lines"].as_str().expect("lines");
    let (_, again) = wire.send(AGENT, "/v1/decisions", Some(&refund)).await.expect("an answer");
    assert_eq!(again["decision"], "ask", "a proposal is no vote");
    let listed = get(wire, "/admin/v1/proposals?agent=desk").await;
    assert_eq!(listed["proposals"][0]["lines"], proposal["lines"]);
    // A person takes the lines over, and somebody agrees.
    place.edit("remits/desk.yaml", "trigger:\n", lines);
    let change = pending(wire).await;
    assert_eq!(codes(&change), ["remit.widened"], "{change}");
    assert_eq!(vote(wire, "sam", &id(&change), "approve").await.0, 200);
    let (_, allowed) = wire.send(AGENT, "/v1/decisions", Some(&refund)).await.expect("an answer");
    assert_eq!(allowed["decision"], "allow", "{allowed}");
    for other in [json!({"payment": "P-8", "amount": 200}), json!({"payment": "P-7", "amount": 201})] {
        let call = json!({"tool": "business/refund", "arguments": other});
        let (_, held) = wire.send(AGENT, "/v1/decisions", Some(&call)).await.expect("an answer");
        assert_eq!(held["decision"], "ask", "no other call passes: {held}");
    }
    let standing = get(wire, "/admin/v1/agents/desk/standing").await;
    assert_eq!(standing["classes"][0]["class"], "trigger", "{standing}");
    assert_eq!(standing["classes"][0]["calls"], 1, "counted since the remit changed: {standing}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_an_agent_fares_is_counted_once_and_outlives_the_process() {
    let place = Place::new();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    let refund = |amount: u64| json!({"tool": "business/refund", "arguments": {"payment": "P-7", "amount": amount}});
    for amount in [20, 200, 9_000] {
        wire.send(AGENT, "/v1/decisions", Some(&refund(amount))).await.expect("an answer");
    }
    let (_, held) = wire.send(AGENT, "/v1/decisions", Some(&refund(200))).await.expect("an answer");
    let question = format!("/admin/v1/questions/{}", held["question"].as_str().unwrap_or_else(|| panic!("{held}")));
    let asked = post(wire, "fred", &format!("{question}/remarks"), json!({"text": "For whom?"})).await;
    assert_eq!(asked.0, 200, "{asked:?}");
    let seen = get(wire, &question).await;
    let ballot = json!({"choice": "deny", "reason": "not this one", "shown": seen["shown"]});
    assert_eq!(post(wire, "fred", &format!("{question}/votes"), ballot).await.0, 200);
    let order = json!({"target": format!("run:{}", seen["run"].as_str().expect("a run")), "reason": "a look"});
    assert_eq!(post(wire, "olga", "/admin/v1/halts", order).await.0, 200);
    let path = "/admin/v1/agents/desk/standing";
    let standing = get(wire, path).await;
    let trigger = json!({
        "class": "trigger", "calls": 1, "refusals": 1, "holds": 2, "approvals": 0, "denials": 1, "unknown": 0,
        "undos": 0, "objections": 0,
    });
    assert_eq!(standing["classes"], json!([trigger]), "what is asked back is no vote");
    assert_eq!((&standing["halts"], &standing["whole"]), (&json!(1), &json!(true)), "{standing}");
    assert_eq!(get(wire, path).await, standing, "nothing is counted twice");
    gateway.stop().await;
    let gateway = place.start().await;
    let again = get(&gateway.wire, path).await;
    // The outcome of the call that nobody has reported is unknown now.
    let mut expected = standing.clone();
    expected["classes"][0]["unknown"] = again["classes"][0]["unknown"].clone();
    assert_eq!(again, expected);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_did_what_to_the_gateway_is_on_record() {
    let place = Place::new();
    let gateway = place.start().await;
    let wire = &gateway.wire;
    place.weaken();
    let change = id(&pending(wire).await);
    for by in ["sam", "sue"] {
        assert_eq!(vote(wire, by, &change, "approve").await.0, 200);
    }
    assert_eq!(vote(wire, "fred", &change, "approve").await.0, 403);
    assert_eq!(post(wire, "vera", "/admin/v1/halts", json!({"target": "tenant", "reason": "x"})).await.0, 403);
    let records = verified(wire, place.path()).await;
    let deeds: Vec<String> = records
        .iter()
        .filter(|(record, _)| record.kind == Kind::Decision && record.predicate["deed"].is_string())
        .map(|(record, shown)| {
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (deed, verdict) = (word(&record.predicate["deed"]), word(&record.predicate["verdict"]));
            format!("{} {deed} {verdict} {}", word(&shown["operator"]), word(&record.predicate["refusal"]["code"]))
        })
        .collect();
    assert_eq!(deeds, ["olga reload allow ", "fred change deny policy.no_permit", "vera halt deny policy.no_permit"]);
    let event = |event: &str| {
        records.iter().filter(|(r, _)| r.kind == Kind::Policy && r.predicate["event"] == event).collect::<Vec<_>>()
    };
    let (proposed, votes, in_force) = (event("proposed"), event("voted"), event("in_force"));
    assert_eq!((proposed.len(), votes.len(), in_force.len()), (1, 2, 2));
    assert_eq!(proposed[0].1["operator"], "olga");
    assert_eq!(proposed[0].0.predicate["weakens"], json!(["guardrail.removed"]));
    assert_eq!(votes.iter().map(|(_, shown)| shown["approver"].clone()).collect::<Vec<_>>(), ["sam", "sue"]);
    let links: Vec<&str> = in_force[1].0.links.iter().map(|(rel, _)| rel.as_str()).collect();
    assert_eq!(links, ["proposal", "vote", "vote"], "the authority names the votes that it rests on");
    gateway.stop().await;
}

/// A verifier knows by these records when the votes of somebody's passkey counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_or_comes_back_is_on_record_with_their_passkeys() {
    let (place, other) = (Place::new(), Place::new());
    let gateway = place.start().await;
    let gate = gateway.running.edge.gate.clone();
    let fred = OperatorId::parse("fred").expect("an id");
    let key = PublicKey::ed25519(&Ed25519::generate().expect("a key").public_key()).expect("a key");
    let (at, challenge) = (jiff::Timestamp::now(), Digest::of(b"challenge"));
    let passkey = Passkey { id: vec![7], key, label: "a stick".into(), sign_count: 0, added_at: at, used_at: None };
    let named = passkey.key.to_string();
    let invitation = Invitation {
        token: Digest::of(b"token"),
        operator: fred.clone(),
        by: OperatorId::parse("sam").expect("an id"),
        expires_at: at + jiff::SignedDuration::from_hours(1),
    };
    let added = AccountChange::PasskeyAdded {
        passkey: Box::new(passkey),
        invitation: Some(invitation.token),
        spent: Spent { challenge, until: invitation.expires_at },
    };
    gate.change_account(&fred, &invitation.by.clone(), AccountChange::Invited(invitation)).await.expect("invited");
    gate.change_account(&fred, &fred, added).await.expect("added");
    let candidate = |people: &[(&str, Option<&str>, &str)]| {
        other.write("keys.yaml", &keys(people));
        let folder = remit_config::Folder::read(other.path()).expect("a folder");
        let config = remit_config::load(&folder).expect("it loads");
        Candidate { steering: config.steering(), snapshot: config.snapshot.into(), sources: config.sources }
    };
    let without: Vec<_> = PEOPLE.into_iter().filter(|(id, ..)| *id != "fred").collect();
    for people in [&without[..], &without[..], &PEOPLE[..]] {
        gate.put_into_force(&candidate(people), "test").await.expect("in force");
    }
    let records = verified(&gateway.wire, place.path()).await;
    let told = records.iter().filter(|(record, shown)| record.kind == Kind::Key && shown.contains_key("operator"));
    let told: Vec<_> = told
        .filter(|(record, _)| record.predicate["event"] != "invited")
        .map(|(record, _)| {
            let of = &record.predicate;
            let key = of["key"].as_str().or_else(|| of["keys"][0].as_str()).unwrap_or_default().to_owned();
            (of["event"].as_str().unwrap_or_default().to_owned(), key == named)
        })
        .collect();
    let words = ["passkey_added", "person_removed", "person_returned"];
    assert_eq!(told, words.map(|word| (word.to_owned(), true)));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_when_the_folder_is_not_what_is_in_force() {
    let place = Place::new();
    let gateway = place.start().await;
    let looked = || {
        let mut doctor = std::process::Command::new(remit_testkit::place::program());
        doctor.arg("-C").arg(place.path()).arg("doctor").env("REMIT_URL", &gateway.running.url);
        let told = doctor.env("REMIT_OPERATOR_KEY", key("olga")).output().expect("it runs");
        String::from_utf8(told.stdout).expect("text")
    };
    assert!(looked().contains("ok    in force: this folder"), "{}", looked());
    place.weaken();
    assert!(looked().contains("WRONG in force: not this folder"), "{}", looked());
    let change = id(&pending(&gateway.wire).await);
    assert!(looked().contains(&format!("waits for people; `remit changes show {change}`")), "{}", looked());
    vote(&gateway.wire, "sam", &change, "refuse").await;
    assert!(looked().contains("people were asked, and it is refused"), "{}", looked());
    gateway.stop().await;
}
