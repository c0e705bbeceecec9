//! Good bundles and tampered ones, each with the verdict it must get from every verifier.

mod memory;
mod stamps;
mod stories;
mod votes;

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
    let own = [good(), signatures(), keys(), trees(), texts()];
    let rooms = [stories::all(), votes::all(), memory::all(), stamps::all()];
    own.into_iter().chain(rooms).flatten().collect()
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

/// The writer of the history, at another place of its sequence.
fn writer_at(seq: u64) -> Writer {
    let key = Pen(SigningKey::from_bytes(&[2; 32]));
    Writer::resuming(Box::new(key), TenantId::parse("acme").expect("tenant"), seq)
}
