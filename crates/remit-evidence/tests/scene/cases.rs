//! Good bundles and tampered ones, each with the verdict it must get from every verifier.

mod stamps;

use super::records::*;
use super::*;
use remit_evidence::judge::{Step, Verdict};

/// A bundle, what it is judged by, and what must be said.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub bundle: Vec<u8>,
    pub trust: Vec<u8>,
    pub memory: Vec<Head>,
    pub expect: Verdict,
    /// The check that says so, if not all hold.
    pub by: Option<Step>,
}

const CHAIN: [usize; 5] = [KEY, ASKED, APPROVAL, ADMITTED, RECEIPT];
const SHORT: [usize; 3] = [KEY, READ, READ_RECEIPT];

fn case(name: &'static str, bundle: &Value, expect: Verdict, by: impl Into<Option<Step>>) -> Case {
    let (bundle, trust) = (bundle.to_string().into_bytes(), trust().to_string().into_bytes());
    Case { name, bundle, trust, memory: Vec::new(), expect, by: by.into() }
}

impl Case {
    fn under(self, change: impl FnOnce(&mut Value)) -> Self {
        let mut trust = trust();
        change(&mut trust);
        Self { trust: trust.to_string().into_bytes(), ..self }
    }

    fn knowing(self, heads: &[Checkpoint]) -> Self {
        Self { memory: heads.iter().map(Head::of).collect(), ..self }
    }
}

/// The log of the history, with one record put in the place of another. What rests on a vote refers to the new one.
fn forged(at: usize, record: impl FnOnce(&[SignedRecord]) -> SignedRecord) -> Log {
    let mut records = history();
    records[at] = record(&records);
    if at == APPROVAL { relinked(records) } else { Log::of(records) }
}

/// The log of these records, in which the admitted call rests on the vote that is there.
fn relinked(mut records: Vec<SignedRecord>) -> Log {
    let pen = |at: usize| writer_at(records[at].seq);
    let admitted = resting_on(&pen(ADMITTED), 5, "allow-approved", "shop/refund", &[&records[APPROVAL]]);
    let receipt = receipt(&pen(RECEIPT), 6, admitted.digest, &admitted);
    (records[ADMITTED], records[RECEIPT]) = (admitted, receipt);
    Log::of(records)
}

/// The writer of the history, at a place of its sequence that is not used there.
fn pen() -> Writer {
    let key = Pen(SigningKey::from_bytes(&[2; 32]));
    Writer::resuming(Box::new(key), TenantId::parse("acme").expect("tenant"), 100)
}

fn changed(bundle: &Bundle, place: &str, change: impl FnOnce(&Value) -> Value) -> Value {
    let mut value = bundle.to_json();
    let at = value.pointer_mut(place).expect("place");
    *at = change(at);
    value
}

fn with_note(log: &Log, which: &[usize], note: &Note) -> Value {
    let mut bundle = log.bundle(which);
    for claim in &mut bundle.claims {
        claim.proof.as_mut().expect("proof").checkpoint = note.clone();
    }
    bundle.to_json()
}

/// A text in base64 with one bit of its bytes changed.
fn flipped(value: &Value, at: usize) -> Value {
    let mut bytes = STANDARD.decode(value.as_str().expect("text")).expect("base64");
    bytes[at] ^= 1;
    encode(&bytes).into()
}

/// All cases.
pub fn all() -> Vec<Case> {
    let kinds = [good(), signatures(), keys(), trees(), texts(), stories(), votes(), signed_votes()];
    let wholes = [quorums(), seen(), memories(), stamps::all()];
    kinds.into_iter().chain(wholes).flatten().collect()
}

fn good() -> Vec<Case> {
    use Verdict::Valid;
    let log = Log::of(history());
    let everything: Vec<usize> = (0..log.size()).collect();
    let mut withheld = log.bundle(&CHAIN);
    withheld.claims.iter_mut().for_each(|claim| claim.disclosures.clear());
    let mut carried = log.bundle(&SHORT);
    for claim in &mut carried.claims {
        let extra = claim.envelope.to_json().to_string().into_bytes();
        claim.proof.as_mut().expect("proof").extra = Some(extra);
    }
    let mut furnished = log.bundle(&SHORT);
    furnished.attachments.insert(Digest::of(b"policy"), b"policy".to_vec());
    furnished.trust_url = Some("https://example.com/trust.json".into());
    let mut note = log.note(log.size());
    note.push(cosign(&witness(77), &log.head(log.size()).to_string(), START).expect("cosigned"));
    vec![
        case("good_chain", &log.bundle(&CHAIN).to_json(), Valid, None),
        case("good_everything", &log.bundle(&everything).to_json(), Valid, None),
        case("good_withheld", &withheld.to_json(), Valid, None),
        case("good_records_in_proofs", &carried.to_json(), Valid, None),
        case("good_attachments_and_hints", &furnished.to_json(), Valid, None),
        case("good_unknown_witness", &with_note(&log, &SHORT, &note), Valid, None),
        light(),
    ]
}

/// A small bundle: one algorithm, the line of a witness nobody knows, and a hint.
fn light() -> Case {
    let mut log = Log::of(history());
    log.keys.truncate(1);
    let mut note = log.note(log.size());
    note.push(cosign(&witness(77), &log.head(log.size()).to_string(), START).expect("cosigned"));
    let mut bundle = with_note(&log, &SHORT, &note);
    bundle["hints"] = json!({"trust_url": "https://example.com/trust.json"});
    let quantum = format!("log {}\n", Log::of(Vec::new()).keys[1].0);
    case("good_one_algorithm", &bundle, Verdict::Valid, None).under(|trust| {
        trust["policy"] = trust["policy"].as_str().expect("text").replace(&quantum, "").into();
        trust["require"]["log_algorithms"] = json!(["ed25519"]);
    })
}

fn signatures() -> Vec<Case> {
    use Verdict::{Indeterminate, Invalid};
    let log = Log::of(history());
    let bundle = log.bundle(&CHAIN);
    let signature = "/claims/3/envelope/signatures/0/sig";
    let mut twice = log.note(log.size());
    let third = twice.signatures()[2].clone();
    let mut once = Log::of(history());
    once.witnesses.truncate(1);
    let mut token = once.note(once.size());
    token.push(third);
    token.push(cosign(&witness(1), &once.head(once.size()).to_string(), START + 105).expect("cosigned"));
    twice.push(cosign(&witness(1), &log.head(3).to_string(), START + 103).expect("cosigned"));
    let mut single = Log::of(history());
    single.keys.truncate(1);
    let swapped = |bundle: &Bundle| {
        let mut bundle = bundle.clone();
        let other = bundle.claims[1].disclosures.clone();
        bundle.claims[3].disclosures = other;
        bundle.to_json()
    };
    vec![
        case("payload_changed", &changed(&bundle, "/claims/3/envelope/payload", |v| flipped(v, 500)), Invalid, None),
        case("signature_changed", &changed(&bundle, signature, |v| flipped(v, 5)), Invalid, Step::Signature),
        case(
            "type_changed",
            &changed(&bundle, "/claims/3/envelope/payloadType", |_| json!("text/plain")),
            Invalid,
            Step::Form,
        ),
        case(
            "member_added",
            &changed(&bundle, "/claims/3/envelope", |v| {
                let mut value = v.clone();
                value["verdict"] = json!("allow");
                value
            }),
            Invalid,
            Step::Form,
        ),
        case("disclosure_swapped", &swapped(&bundle), Invalid, Step::Disclosures),
        case(
            "disclosure_twice",
            &changed(&bundle, "/claims/3/disclosures", |v| json!([v[0], v[0]])),
            Invalid,
            Step::Disclosures,
        ),
        case("witness_twice", &with_note(&once, &CHAIN, &token), Indeterminate, Step::Quorum),
        case("witness_of_another_tree", &with_note(&log, &CHAIN, &twice), Invalid, Step::Checkpoint),
        case("one_algorithm", &single.bundle(&CHAIN).to_json(), Indeterminate, Step::Checkpoint),
        extended(&log),
    ]
}

/// A line in the checkpoint that the log's ML-DSA signature does not cover.
fn extended(log: &Log) -> Case {
    let note = log.note(log.size());
    let quantum = note.signatures()[1].to_string();
    let text = format!("{}all is well\n\n{quantum}\n", note.text());
    let note = Note::parse(text.as_bytes()).expect("note");
    let only = format!("log {}\nquorum none\n", log.keys[1].0);
    case("line_outside_the_signature", &with_note(log, &CHAIN, &note), Verdict::Invalid, Step::Checkpoint).under(
        |trust| {
            trust["policy"] = only.into();
            trust["require"] = json!({});
        },
    )
}

fn keys() -> Vec<Case> {
    use Verdict::{Indeterminate, Invalid, Valid};
    let log = Log::of(history());
    let chain = log.bundle(&CHAIN).to_json();
    let own = hex(writer(2, "acme").public_key());
    let revoked = |from: usize| json!([{"key": own, "log": ORIGIN, "from": from}]);
    let stranger = {
        let (root, pen) = (writer(21, "acme"), writer(22, "acme"));
        let mut records = history();
        records[KEY] = record(&root, 0, Kind::Key, Vec::new(), |body| {
            body.text("delegate", &hex(pen.public_key())).text("software", "remit/0.1.0");
        });
        records[READ] = decision(&pen, 7, "allow", "shop/read");
        Log::of(records)
    };
    let mut late = history();
    let delegation = late.remove(KEY);
    late.push(delegation);
    let late = Log::of(late);
    let last = late.size() - 1;
    let by_root = forged(READ, |_| decision(&writer(1, "acme"), 7, "allow", "shop/read"));
    let by_pen = forged(READ, |_| {
        record(&pen(), 7, Kind::Key, Vec::new(), |body| {
            body.text("delegate", &hex(writer(23, "acme").public_key()));
        })
    });
    let of_a_person = |pen: &Writer, seq: u8, delegate: bool| {
        record(pen, seq, Kind::Key, Vec::new(), |body| {
            body.text("event", "passkey_added").text("credential", &"00".repeat(32));
            if delegate {
                body.text("delegate", &hex(writer(23, "acme").public_key()));
            }
        })
    };
    let persons = forged(READ, |_| of_a_person(&pen(), 7, false));
    let posing = forged(READ, |_| of_a_person(&pen(), 7, true));
    let rooted = forged(READ, |_| of_a_person(&writer(1, "acme"), 7, false));
    let mut tenants = history();
    let (root, pen) = (writer(1, "umbrella"), writer(2, "umbrella"));
    tenants[READ] = decision(&pen, 7, "allow", "shop/read");
    drop(root);
    let tenants = Log::of(tenants);
    vec![
        case("key_out_of_the_bundle", &stranger.bundle(&[KEY, READ]).to_json(), Indeterminate, Step::Signature),
        case("no_delegation", &log.bundle(&[READ]).to_json(), Indeterminate, Step::Signature),
        case("delegated_too_late", &late.bundle(&[last, READ - 1]).to_json(), Invalid, Step::Delegation),
        case("signed_by_the_root", &by_root.bundle(&[KEY, READ]).to_json(), Invalid, Step::Signature),
        case("delegated_by_the_writer", &by_pen.bundle(&[KEY, READ]).to_json(), Invalid, Step::Signature),
        case("a_persons_key_by_the_writer", &persons.bundle(&[KEY, READ]).to_json(), Valid, None),
        case("a_persons_key_that_delegates", &posing.bundle(&[KEY, READ]).to_json(), Invalid, Step::Signature),
        case("a_persons_key_by_the_root", &rooted.bundle(&[KEY, READ]).to_json(), Invalid, Step::Signature),
        case("another_tenant", &tenants.bundle(&[KEY, READ]).to_json(), Invalid, Step::Statement),
        case("revoked_before", &chain, Invalid, Step::Delegation).under(|trust| trust["revoked"] = revoked(ADMITTED)),
        case("revoked_after", &chain, Valid, None).under(|trust| trust["revoked"] = revoked(RECEIPT + 1)),
        case("root_ended_before", &chain, Invalid, Step::Delegation)
            .under(|trust| trust["roots"][0]["until"] = json!(4)),
        case("root_begins_later", &chain, Invalid, Step::Delegation)
            .under(|trust| trust["roots"][0]["from"] = json!(1)),
        case("kind_not_accepted", &chain, Indeterminate, Step::Statement).under(|trust| {
            trust["accept"] = json!([Kind::Key.predicate_type(), Kind::Decision.predicate_type()]);
        }),
        case("unknown_root", &chain, Indeterminate, Step::Signature).under(|trust| {
            trust["roots"][0]["key"] = json!(hex(writer(21, "acme").public_key()));
        }),
    ]
}

fn trees() -> Vec<Case> {
    use Verdict::{Indeterminate, Invalid};
    let log = Log::of(history());
    let bundle = log.bundle(&SHORT);
    let edited = |edit: &dyn Fn(&mut Proof)| {
        let mut bundle = bundle.clone();
        bundle.claims.iter_mut().for_each(|claim| edit(claim.proof.as_mut().expect("proof")));
        bundle.to_json()
    };
    let mut unproven = bundle.clone();
    unproven.claims[1].proof = None;
    let mut foreign = Log::of(history());
    foreign.keys = vec![Key::ed25519(ORIGIN, Algorithm::Ed25519, 33), Key::ml_dsa_44(ORIGIN, 34)];
    // A tree of the forger's own: the path leads to the root that stands beside it, which nobody signed.
    let other = forged(READ, |_| decision(&pen(), 7, "allow", "shop/refund"));
    let (old, new) = (log.note(log.size()), other.head(log.size()));
    let note = old.to_string().replace(&encode(log.head(log.size()).root.as_bytes()), &encode(new.root.as_bytes()));
    let note = Note::parse(note.as_bytes()).expect("note");
    let single = Log::of(history().into_iter().take(1).collect());
    let (mut growth, mut off) = (log.growth(8, log.size()), log.growth(5, 8));
    growth.path[0] = Digest::of(b"other");
    off.old.origin = "other.example/log".into();
    off.new.origin = "other.example/log".into();
    let grown = |growth: Growth| Bundle { consistency: vec![growth], ..bundle.clone() }.to_json();
    vec![
        case("no_proof", &unproven.to_json(), Indeterminate, Step::Inclusion),
        case("log_of_the_forger", &foreign.bundle(&SHORT).to_json(), Indeterminate, Step::Checkpoint),
        case("root_of_the_document", &with_note(&other, &SHORT, &note), Invalid, Step::Checkpoint),
        case("empty_path", &edited(&|proof| proof.path.clear()), Invalid, Step::Inclusion),
        case("another_index", &edited(&|proof| proof.index += 1), Invalid, Step::Inclusion),
        case("single_leaf", &single.bundle(&[KEY]).to_json(), Indeterminate, Step::Checkpoint).under(|trust| {
            trust["require"].as_object_mut().expect("object").remove("tree_size");
        }),
        case("small_tree", &log.bundle(&SHORT).to_json(), Indeterminate, Step::Checkpoint).under(|trust| {
            trust["require"]["tree_size"] = json!(16);
        }),
        case("growth_unproven", &grown(growth), Invalid, Step::Consistency),
        case("growth_of_another_log", &grown(off), Invalid, Step::Consistency),
    ]
}

/// Records that their writer signed and that are none.
fn texts() -> Vec<Case> {
    let subject = history()[1].envelope.payload.clone();
    let subject = String::from_utf8(subject).expect("text");
    let subject = subject.split("\"sha256\":\"").nth(1).and_then(|rest| rest.get(..64)).expect("subject").to_owned();
    let text = |name, from: &str, to: &str| {
        let log = forged(READ, |records| rewritten(&records[READ], 2, from, to));
        case(name, &log.bundle(&[KEY, READ]).to_json(), Verdict::Invalid, Step::Statement)
    };
    let of_policy = |name, from: &str, to: &str| {
        let log = forged(1, |records| rewritten(&records[1], 2, from, to));
        case(name, &log.bundle(&[KEY, 1]).to_json(), Verdict::Invalid, Step::Statement)
    };
    let weak = hex(writer(2, "acme").public_key());
    let weak = forged(KEY, |records| rewritten(&records[KEY], 1, &weak, &"00".repeat(32)));
    vec![
        text("text_of_another_kind", "\"kind\":\"decision\"", "\"kind\":\"approval\""),
        text("text_with_a_fraction", "\"cost_micro_usd\":1000", "\"cost_micro_usd\":1000.5"),
        text("text_with_a_large_number", "\"cost_micro_usd\":1000", "\"cost_micro_usd\":9223372036854775808"),
        text("text_with_a_member_twice", "\"v\":1", "\"v\":1,\"v\":1"),
        text("text_with_another_member", "{\"_type\"", "{\"also\":1,\"_type\""),
        text("text_with_another_time", "10:00:07.000Z", "10:00:61.000Z"),
        of_policy("text_with_another_subject", &subject, &"00".repeat(32)),
        of_policy("text_that_is_about_no_call_and_says_so", "\"name\":\"record\"", "\"name\":\"action\""),
        text("text_with_more_seen", "\"log_seen\":{", "\"log_seen\":{\"also\":1,"),
        text("text_with_another_version", "\"v\":1", "\"v\":2"),
        text("text_without_a_nonce", "\"nonce\"", "\"once\""),
        case("weak_key_delegated", &weak.bundle(&[KEY]).to_json(), Verdict::Invalid, Step::Signature),
    ]
}

/// Admissions and the votes they rest on.
fn votes() -> Vec<Case> {
    use Verdict::{Indeterminate, Invalid, Valid};
    let linked =
        forged(ADMITTED, |records| resting_on(&pen(), 5, "allow-approved", "shop/refund", &[&records[APPROVAL]]));
    let other =
        forged(ADMITTED, |records| resting_on(&pen(), 5, "allow-approved", "shop/delete", &[&records[APPROVAL]]));
    let unlinked = forged(ADMITTED, |_| decision(&pen(), 5, "allow-approved", "shop/refund"));
    let expired = forged(APPROVAL, |records| {
        let mut said = passkeys::statement("q_1", "approve");
        said["expires"] = "2026-11-21T09:00:00.000Z".into();
        passkeys::vote(&pen(), 4, &records[ASKED], &said, None)
    });
    let which = [KEY, ASKED, APPROVAL, ADMITTED];
    vec![
        case("approval_linked", &linked.bundle(&which).to_json(), Valid, None),
        case("approval_linked_missing", &linked.bundle(&[KEY, ADMITTED]).to_json(), Indeterminate, Step::Story),
        case("approval_linked_of_another_call", &other.bundle(&which).to_json(), Invalid, Step::Story),
        case("approval_not_linked", &unlinked.bundle(&which).to_json(), Invalid, Step::Story),
        case("approval_expired", &expired.bundle(&which).to_json(), Invalid, Step::Story),
    ]
}

/// Votes that a passkey signed, and what is no such vote.
fn signed_votes() -> Vec<Case> {
    use Verdict::{Indeterminate, Invalid, Valid};
    const VERIFIED: u8 = 0x05;
    let (grace, mallory) = (passkeys::es256(21), passkeys::ed25519(22));
    let which = [KEY, ASKED, APPROVAL, ADMITTED];
    let pinned = |trust: &mut Value| trust["approvers"] = json!([{"id": "grace", "key": passkeys::es256(21).public()}]);
    let said = passkeys::statement("q_1", "approve");
    let good = grace.answer(&said, VERIFIED);
    let vote = |statement: &Value, answer: Option<&Value>| {
        forged(APPROVAL, |records| passkeys::vote(&pen(), 4, &records[ASKED], statement, answer)).bundle(&which)
    };
    let with = |name: &str, value: Value, answer: &Value| {
        let mut other = passkeys::statement("q_1", "approve");
        other[name] = value;
        vote(&other, Some(answer)).to_json()
    };
    let by = |key: &str| {
        let mut answer = good.clone();
        answer["key"] = key.into();
        vote(&said, Some(&answer)).to_json()
    };
    let other = Digest::of(b"other").to_string();
    // The record says another thing than what was signed.
    let swapped = |from: &str, to: &str| {
        let log = forged(APPROVAL, |records| {
            let denied = passkeys::statement("q_1", if from.contains("deny") { "deny" } else { "approve" });
            let answer = passkeys::es256(21).answer(&denied, VERIFIED);
            rewritten(&passkeys::vote(&pen(), 4, &records[ASKED], &denied, Some(&answer)), 2, from, to)
        });
        log.bundle(&which).to_json()
    };
    let mut dressed = passkeys::vote(&pen(), 4, &history()[ASKED], &said, None);
    dressed = rewritten(&dressed, 2, "operator_attested", "passkey");
    let dressed = forged(APPROVAL, |_| dressed);
    let undressed = forged(APPROVAL, |records| {
        let signed = passkeys::vote(&pen(), 4, &records[ASKED], &said, Some(&good));
        rewritten(&signed, 2, "\"assurance\":\"passkey\"", "\"assurance\":\"operator_attested\"")
    });
    let twice = forged(10, |records| passkeys::vote(&pen(), 10, &records[ASKED], &said, Some(&good)));
    let mut records = twice.records;
    records[APPROVAL] = passkeys::vote(&writer_at(200), 4, &records[ASKED], &said, Some(&good));
    let twice = relinked(records);
    let announced = |key: &passkeys::Passkey, answer: &Value| {
        let mut records = history();
        records[1] = passkeys::announced(&writer_at(300), 1, key);
        records[APPROVAL] = passkeys::vote(&pen(), 4, &records[ASKED], &said, Some(answer));
        relinked(records).bundle(&[KEY, 1, ASKED, APPROVAL, ADMITTED]).to_json()
    };
    // What records say became of Grace's key, by their places.
    let became = |events: &[(usize, &str)]| {
        let mut records = history();
        for (at, event) in events {
            let seq = 300 + *at as u64;
            records[*at] = passkeys::told(&writer_at(seq), u8::try_from(*at).expect("small"), event, &grace);
        }
        records[APPROVAL] = passkeys::vote(&pen(), 4, &records[ASKED], &said, Some(&good));
        let which = [vec![KEY, ASKED, APPROVAL, ADMITTED], events.iter().map(|(at, _)| *at).collect()].concat();
        relinked(records).bundle(&which).to_json()
    };
    let for_run = |bounds: &str| {
        let mut said = passkeys::statement("q_1", "approve");
        said["bounds"] = bounds.into();
        said
    };
    let bounded = |bounds: &str| vote(&for_run(bounds), Some(&grace.answer(&for_run(bounds), VERIFIED)));
    let somebody =
        |trust: &mut Value| trust["approvers"] = json!([{"id": "alan", "key": passkeys::es256(21).public()}]);
    let story = Step::Story;
    vec![
        case("vote_attested", &vote(&said, None).to_json(), Valid, None),
        case("vote_signed", &vote(&said, Some(&good)).to_json(), Valid, None).under(pinned),
        case("vote_for_a_run", &bounded("2 calls").to_json(), Valid, None).under(pinned),
        case(
            "vote_for_a_longer_run",
            &forged(APPROVAL, |records| {
                let said = for_run("2 calls");
                let vote = passkeys::vote(&pen(), 4, &records[ASKED], &said, Some(&grace.answer(&said, VERIFIED)));
                rewritten(&vote, 2, "\"bounds\":\"2 calls\",\"choice\"", "\"bounds\":\"9 calls\",\"choice\"")
            })
            .bundle(&which)
            .to_json(),
            Invalid,
            story,
        )
        .under(pinned),
        case("vote_signed_by_an_announced_key", &announced(&mallory, &mallory.answer(&said, VERIFIED)), Valid, None),
        case("vote_by_a_removed_key", &became(&[(1, "passkey_removed")]), Invalid, story).under(pinned),
        case(
            "vote_by_an_announced_key_that_was_removed",
            &became(&[(1, "passkey_added"), (2, "passkey_removed")]),
            Invalid,
            story,
        ),
        case("vote_by_a_key_that_an_invitation_took", &became(&[(1, "invited")]), Invalid, story).under(pinned),
        case("vote_by_a_key_that_a_login_took_the_place_of", &became(&[(1, "login_given")]), Invalid, story).under(pinned),
        case("vote_by_a_key_that_went_with_its_person", &became(&[(1, "person_removed")]), Invalid, story)
            .under(pinned),
        case("vote_before_its_key_was_removed", &became(&[(1, "passkey_added"), (10, "passkey_removed")]), Valid, None),
        case("vote_by_a_person_who_came_back", &became(&[(1, "person_removed"), (2, "person_returned")]), Valid, None),
        case("vote_after_signing_out", &became(&[(1, "passkey_added"), (2, "signed_out")]), Valid, None),
        case("vote_by_a_key_that_came_back", &became(&[(1, "passkey_removed"), (2, "passkey_added")]), Valid, None),
        case("vote_before_its_key_was_announced", &became(&[(10, "passkey_added")]), Indeterminate, story),
        case("vote_signed_by_an_unknown_key", &vote(&said, Some(&good)).to_json(), Indeterminate, story),
        case("vote_of_another_person", &vote(&said, Some(&good)).to_json(), Invalid, story).under(somebody),
        case("vote_on_something_else_shown", &with("shown", other.clone().into(), &good), Invalid, story).under(pinned),
        case("vote_under_another_rule", &with("definition", other.into(), &good), Invalid, story).under(pinned),
        case("vote_replayed_on_another_question", &with("question", "q_2".into(), &good), Invalid, story).under(pinned),
        case("vote_with_more_members", &with("also", "x".into(), &good), Invalid, story).under(pinned),
        case("vote_under_another_key", &by(&mallory.public()), Invalid, story).under(pinned),
        case("vote_under_no_key", &by("es256:AAAA"), Invalid, story).under(pinned),
        case(
            "vote_swapped",
            &swapped("\"choice\":\"deny\",\"expires\"", "\"choice\":\"approve\",\"expires\""),
            Invalid,
            story,
        )
        .under(pinned),
        case(
            "vote_moved",
            &swapped("\"question\":\"q_1\",\"record_id\"", "\"question\":\"q_2\",\"record_id\""),
            Invalid,
            story,
        )
        .under(pinned),
        case("vote_unverified", &vote(&said, Some(&grace.answer(&said, 0x01))).to_json(), Invalid, story).under(pinned),
        case("vote_dressed_as_signed", &dressed.bundle(&which).to_json(), Invalid, story).under(pinned),
        case("vote_undressed", &undressed.bundle(&which).to_json(), Invalid, story).under(pinned),
        case("vote_written_down_twice", &twice.bundle(&[KEY, ASKED, APPROVAL, 10]).to_json(), Invalid, story)
            .under(pinned),
    ]
}

/// The writer of the history, at another place of its sequence.
fn writer_at(seq: u64) -> Writer {
    let key = Pen(SigningKey::from_bytes(&[2; 32]));
    Writer::resuming(Box::new(key), TenantId::parse("acme").expect("tenant"), seq)
}

fn stories() -> Vec<Case> {
    use Verdict::{Indeterminate, Invalid};
    let log = Log::of(history());
    let other = forged(RECEIPT, |records| receipt(&pen(), 6, records[READ].digest, &records[ADMITTED]));
    let elsewhere = forged(APPROVAL, |records| {
        let mut said = passkeys::statement("q_1", "approve");
        said["action"] = action("shop/delete").to_string().into();
        passkeys::vote(&pen(), 4, &records[ASKED], &said, None)
    });
    let mut unsaid = history();
    unsaid[ASKED] = decision(&writer_at(unsaid[ASKED].seq), 3, "ask", "shop/delete");
    let vote = passkeys::vote(&pen(), 4, &unsaid[ASKED], &passkeys::statement("q_1", "approve"), None);
    let subject = |tool: &str| format!("\"sha256\":\"{}\"", action(tool));
    unsaid[APPROVAL] = rewritten(&vote, 2, &subject("shop/refund"), &subject("shop/delete"));
    let unsaid = Log::of(unsaid);
    let repeated = forged(RECEIPT, |records| {
        let of = (Some(action("shop/delete")), Vec::new());
        let decision = records[ADMITTED].digest;
        about(&pen(), 6, Kind::Execution, of, vec![("decision", decision)], |body| {
            body.text("intent", records[ADMITTED].id.as_str()).object("result", |result| {
                result.text("state", "completed");
            });
        })
    });
    let twice = forged(9, |records| receipt(&pen(), 9, records[READ].digest, &records[READ]));
    let refused = forged(10, |records| receipt(&pen(), 10, records[9].digest, &records[9]));
    let denied = forged(APPROVAL, |records| approval(&pen(), 4, &records[ASKED], "deny"));
    let unasked = forged(10, |records| approval(&pen(), 10, &records[READ], "approve"));
    let early = forged(6, |records| receipt(&pen(), 6, records[READ].digest, &records[READ]));
    let mut double = history();
    let pen_ = writer(2, "acme");
    double[9] = decision(&pen_, 30, "deny", "shop/read");
    let double = Log::of(double);
    let mut slow = Log::of(history());
    slow.records[14] = {
        let at_night = |body: &mut Object| {
            body.text("event", "close").flag("implicit", false).number("calls", 3);
        };
        record_at(&pen(), "2026-11-21T10:03:00.000Z", at_night)
    };
    vec![
        case("receipt_without_decision", &log.bundle(&[KEY, RECEIPT]).to_json(), Indeterminate, Step::Story),
        case("receipt_of_another_decision", &other.bundle(&[KEY, READ, RECEIPT]).to_json(), Invalid, Step::Story),
        case("two_receipts", &twice.bundle(&[KEY, READ, READ_RECEIPT, 9]).to_json(), Invalid, Step::Story),
        case("receipt_of_a_refusal", &refused.bundle(&[KEY, 9, 10]).to_json(), Invalid, Step::Story),
        case("receipt_before_decision", &early.bundle(&[KEY, 6, READ]).to_json(), Invalid, Step::Story),
        case("approval_missing", &log.bundle(&[KEY, ADMITTED]).to_json(), Indeterminate, Step::Story),
        case("approval_refused", &denied.bundle(&[KEY, ASKED, APPROVAL, ADMITTED]).to_json(), Invalid, Step::Story),
        case("approval_of_nothing", &unasked.bundle(&[KEY, READ, 10]).to_json(), Invalid, Step::Story),
        case("approval_of_another_call", &elsewhere.bundle(&[KEY, ASKED, APPROVAL]).to_json(), Invalid, Step::Story),
        case(
            "approval_that_covers_another_call",
            &unsaid.bundle(&[KEY, ASKED, APPROVAL]).to_json(),
            Invalid,
            Step::Story,
        ),
        case("receipt_of_another_call", &repeated.bundle(&[KEY, ADMITTED, RECEIPT]).to_json(), Invalid, Step::Story),
        case("one_place_twice", &double.bundle(&[KEY, 1, 9]).to_json(), Invalid, Step::Story),
        case("after_the_witness", &slow.bundle(&[KEY, 14]).to_json(), Invalid, Step::Time),
    ]
}

fn record_at(pen: &Writer, time: &str, fill: impl FnOnce(&mut Object)) -> SignedRecord {
    let mut body = Object::new();
    fill(&mut body);
    let id = RecordId::parse("rec_night").expect("id");
    let (run, time) = (Some(RunId::parse("run_1").expect("id")), time.to_owned());
    let (links, disclosures) = (Vec::new(), Vec::new());
    let draft = Draft { kind: Kind::Run, id, time, run, traceparent: None, action: None, links, body, disclosures };
    pen.sign(&pen.ticket(), draft, &Entropy { nonce: [99; 16], salt: [98; 16] })
}

/// Calls that take two people.
fn quorums() -> Vec<Case> {
    use Verdict::{Indeterminate, Invalid, Valid};
    const ALL: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
    let story = Step::Story;
    let judged = |name, ballots: &[quorums::Ballot<'_>], linked: usize, expect, by: Option<Step>| {
        let log = Log::of(quorums::records(ballots, linked));
        case(name, &log.bundle(&ALL[..log.size()]).to_json(), expect, by)
    };
    let ballot = |who, people| quorums::Ballot { who, people, choice: "approve", key: None };
    let (grace, ada) = (ballot("grace", &["operator grace"]), ballot("ada", &["operator ada"]));
    let alias = ballot("gracie", &["operator gracie", "user grace"]);
    let known = ballot("grace", &["operator grace", "user grace"]);
    let lent = ballot("alan", &["operator alan", "operator grace"]);
    let denied = quorums::Ballot { choice: "deny", ..ballot("alan", &["operator alan"]) };
    let (one, two) = (passkeys::es256(21), passkeys::ed25519(22));
    let signed = |who, people, key| quorums::Ballot { key: Some(key), ..ballot(who, people) };
    let keys = |trust: &mut Value| {
        trust["approvers"] = json!([
            {"id": "grace", "key": passkeys::es256(21).public()}, {"id": "ada", "key": passkeys::ed25519(22).public()}
        ]);
    };
    let (by_grace, by_ada) = (signed("grace", &["operator grace"], &one), signed("ada", &["operator ada"], &two));
    // Both are said to be of other people, and one key has signed them.
    let same = |trust: &mut Value| trust["approvers"] = json!([]);
    let mut announced = quorums::records(&[by_grace, signed("ada", &["operator ada"], &one)], 2);
    announced.insert(1, passkeys::announced(&writer_at(300), 9, &one));
    let announced = Log::of(announced).bundle(&[0, 1, 2, 3, 4, 5]);
    let mut without = Log::of(quorums::records(&[grace, ada], 2)).bundle(&ALL[..5]);
    without.claims.remove(2);
    vec![
        judged("quorum_of_two", &[grace, ada], 2, Valid, None),
        judged("quorum_of_two_signed", &[by_grace, by_ada], 2, Valid, None).under(keys),
        judged("quorum_of_two_signed_and_attested", &[by_grace, ada], 2, Valid, None).under(keys),
        judged("quorum_of_one_too_few", &[grace], 1, Invalid, Some(story)),
        judged("quorum_that_names_one_of_two", &[grace, ada], 1, Invalid, Some(story)),
        judged("quorum_by_one_person_twice", &[grace, ballot("ada", &["operator grace"])], 2, Invalid, Some(story)),
        judged("quorum_by_one_name_twice", &[grace, ballot("grace", &["operator ada"])], 2, Invalid, Some(story)),
        judged("quorum_by_one_user_under_two_names", &[known, alias], 2, Invalid, Some(story)),
        judged("quorum_by_somebody_and_who_stands_in", &[grace, lent], 2, Invalid, Some(story)),
        judged("quorum_over_a_denial", &[grace, ada, denied], 2, Invalid, Some(story)),
        case("quorum_by_one_key_twice", &announced.to_json(), Invalid, story).under(same),
        case("quorum_with_a_vote_withheld", &without.to_json(), Indeterminate, story),
        case("quorum_unstated", &Log::of(quorums::unstated(&[grace, ada])).bundle(&ALL[..5]).to_json(), Invalid, story),
        case("quorum_later", &Log::of(quorums::late(&[grace, ada])).bundle(&ALL[..5]).to_json(), Invalid, story),
    ]
}

/// What a record's writer had seen of the log.
fn seen() -> Vec<Case> {
    use Verdict::{Diverged, Invalid, Valid};
    let log = Log::of(history());
    let having = |name, head: Head, expect, by: Option<Step>| {
        let log = forged(READ, |_| {
            let pen = pen();
            pen.saw(head);
            decision(&pen, 7, "allow", "shop/read")
        });
        let bundle = Bundle { consistency: vec![log.growth(4, log.size())], ..log.bundle(&[KEY, READ]) };
        case(name, &bundle.to_json(), expect, by)
    };
    let head = |size: usize| Head::of(&log.head(size));
    let other = |size| Head { root: Digest::of(b"other"), ..head(size) };
    vec![
        having("seen_before_itself", head(READ), Valid, None),
        having("seen_itself", head(READ + 1), Invalid, Some(Step::Time)),
        having("seen_beyond_itself", Head { size: 99, ..other(READ) }, Invalid, Some(Step::Time)),
        having("seen_elsewhere", Head { size: 99, origin: "other.example/log".into(), ..head(4) }, Valid, None),
        having("seen_as_remembered", head(4), Valid, None).knowing(&[log.head(4)]),
        having("seen_another_tree", other(4), Diverged, Some(Step::Consistency)).knowing(&[log.head(4)]),
    ]
}

fn memories() -> Vec<Case> {
    use Verdict::{Diverged, Indeterminate, Valid};
    let log = Log::of(history());
    let other = forged(1, |_| {
        record(&pen(), 1, Kind::Policy, Vec::new(), |body| {
            body.text("snapshot", &snapshot()).text("by", "mallory").number("remits", 2).number("tools", 3);
        })
    });
    let (size, short) = (log.size(), log.bundle(&SHORT));
    let grown = |bundle: Bundle, old: usize| Bundle { consistency: vec![log.growth(old, size)], ..bundle }.to_json();
    let mut two = log.bundle_at(&[KEY, READ], 10);
    two.claims.push(log.bundle(&[KEY, READ, READ_RECEIPT]).claims.remove(2));
    let mut equivocal = log.bundle(&[KEY, READ]);
    equivocal.claims.push(other.bundle(&[READ_RECEIPT]).claims.remove(0));
    vec![
        case("seen_before", &short.to_json(), Valid, None).knowing(&[log.head(size)]),
        case("grown", &grown(short.clone(), 8), Valid, None).knowing(&[log.head(8)]),
        case("grown_in_steps", &grown(short.clone(), 8), Valid, None).knowing(&[log.head(5), log.head(8)]),
        case("older_but_proven", &grown(log.bundle_at(&[KEY], 6), 6), Valid, None).knowing(&[log.head(size)]),
        case("grown_without_proof", &short.to_json(), Indeterminate, Step::History).knowing(&[log.head(8)]),
        case("smaller_tree", &log.bundle_at(&[KEY], 6).to_json(), Diverged, Step::History).knowing(&[log.head(size)]),
        case("another_tree", &short.to_json(), Diverged, Step::History).knowing(&[other.head(size)]),
        case("two_sizes_proven", &grown(two.clone(), 10), Valid, None),
        case("two_sizes_unproven", &two.to_json(), Indeterminate, Step::Consistency),
        case("two_trees_of_one_size", &equivocal.to_json(), Diverged, Step::Consistency),
    ]
}
