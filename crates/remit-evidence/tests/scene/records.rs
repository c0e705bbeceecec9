//! One small history with every kind of record in it, as the gateway writes them.

use remit_evidence::record::action_of;

use super::*;

pub const KEY: usize = 0;
pub const ASKED: usize = 3;
pub const APPROVAL: usize = 4;
pub const ADMITTED: usize = 5;
pub const RECEIPT: usize = 6;
pub const READ: usize = 7;
pub const READ_RECEIPT: usize = 8;

pub fn disclosures(kind: Kind, at: u8) -> Vec<(&'static str, String)> {
    match kind {
        Kind::Decision => vec![
            ("arguments", format!("{{\"amount\":{at}}}")),
            ("resource", "\"order:1\"".into()),
            ("user", "\"ada\"".into()),
        ],
        Kind::Execution => vec![("user", "\"ada\"".into())],
        Kind::Halt => vec![("operator", "\"grace\"".into()), ("reason", "\"drill\"".into())],
        _ => Vec::new(),
    }
}

/// All records, in the order of the log. The first delegates the writer's key.
pub fn history() -> Vec<SignedRecord> {
    let (root, pen) = (writer(1, "acme"), writer(2, "acme"));
    let key = record(&root, 0, Kind::Key, Vec::new(), |body| {
        body.text("delegate", &hex(pen.public_key())).text("software", "remit/0.1.0");
    });
    let policy = record(&pen, 1, Kind::Policy, Vec::new(), |body| {
        body.text("snapshot", &snapshot()).text("by", "start").number("remits", 2).number("tools", 3);
    });
    let run = record(&pen, 2, Kind::Run, Vec::new(), |body| run_body(body, "open"));
    let asked = decision(&pen, 3, "ask", "shop/refund");
    let sealed = Log::of(vec![key.clone(), policy.clone(), run.clone(), asked.clone()]);
    pen.saw(Head::of(&sealed.head(4)));
    let approval = approval(&pen, 4, &asked, "approve");
    let admitted = resting_on(&pen, 5, "allow-approved", "shop/refund", &[&approval]);
    let receipt = receipt(&pen, 6, admitted.digest, &admitted);
    let read = decision(&pen, 7, "allow", "shop/read");
    let read_receipt = self::receipt(&pen, 8, read.digest, &read);
    let refused = decision(&pen, 9, "deny", "shop/refund");
    let halt = record(&pen, 10, Kind::Halt, Vec::new(), |body| {
        body.text("event", "halt").text("target", "all");
    });
    let grant = record(&pen, 11, Kind::Grant, Vec::new(), |body| {
        body.text("event", "give").text("remit", "shop").text("expires", "2026-11-22T10:00:00.000Z");
    });
    let erasure = record(&pen, 12, Kind::Erasure, vec![("decision", read.digest)], |body| {
        body.texts("erased", ["user"]);
    });
    let peer = record(&pen, 13, Kind::Peer, Vec::new(), |body| {
        body.text("origin", "peer.example/log").number("size", 7).text("root", &"00".repeat(32));
    });
    let closed = record(&pen, 14, Kind::Run, Vec::new(), |body| run_body(body, "close"));
    vec![
        key,
        policy,
        run,
        asked,
        approval,
        admitted,
        receipt,
        read,
        read_receipt,
        refused,
        halt,
        grant,
        erasure,
        peer,
        closed,
    ]
}

pub fn snapshot() -> String {
    Digest::of(b"snapshot").to_string()
}

fn run_body(body: &mut Object, event: &str) {
    body.text("event", event).flag("implicit", false).object("agent", |agent| {
        agent.text("id", "clerk");
    });
    if event == "close" {
        body.number("calls", 3);
    }
}

/// A decision. `allow-approved` is one that rests on an approval.
pub fn decision(pen: &Writer, at: u8, verdict: &str, tool: &str) -> SignedRecord {
    resting_on(pen, at, verdict, tool, &[])
}

/// A decision that names the approvals it rests on.
pub fn resting_on(pen: &Writer, at: u8, verdict: &str, tool: &str, votes: &[&SignedRecord]) -> SignedRecord {
    taking(pen, at, (verdict, 1), tool, votes)
}

/// What the digest of a call of this tool is of.
fn action_text(tool: &str) -> String {
    let mut of = Object::new();
    of.number("v", 1).text("salt", &"5a".repeat(16)).text("tool", tool);
    of.text("pin", &Digest::of(tool.as_bytes()).to_string()).text("arguments", &Digest::of(b"{}").to_string());
    of.text("caller", &Digest::of(b"[]").to_string());
    of.finish()
}

/// What the records of a call of this tool name it by.
pub fn action(tool: &str) -> Digest {
    Digest::of(action_text(tool).as_bytes())
}

/// A decision under a rule that takes so many people.
pub fn taking(
    pen: &Writer,
    at: u8,
    (verdict, quorum): (&str, u64),
    tool: &str,
    votes: &[&SignedRecord],
) -> SignedRecord {
    let links = votes.iter().map(|vote| ("approval", vote.digest)).collect();
    let mut more = vec![("action", action_text(tool))];
    if !matches!(verdict, "ask" | "allow" | "allow-approved") {
        more.push(("words", r#"{"/refusal/reason":"no","/refusal/remedy":"ask"}"#.into()));
    }
    let rules = |body: &mut Object| {
        body.objects("rules", [quorum], |quorum, rule| {
            rule.text("rule", "large").text("definition", &passkeys::definition());
            rule.number("quorum", quorum).number("deny", 1);
        });
    };
    about(pen, at, Kind::Decision, (Some(action(tool)), more), links, |body| {
        body.object("agent", |agent| {
            agent.text("id", "clerk").text("owner", "sales");
        });
        body.object("tool", |of| {
            of.text("name", tool).text("class", "write").text("pin", &Digest::of(tool.as_bytes()).to_string());
        });
        body.object("policy", |policy| {
            policy.text("snapshot", &snapshot()).text("engine", "cedar/4").texts("determining", ["large"]);
        });
        body.number("cost_micro_usd", 1000);
        match verdict {
            "ask" => rules(body.text("verdict", "ask").texts("asks", ["large"])),
            "allow-approved" => rules(body.text("verdict", "allow").texts("approvals", ["large"])),
            "allow" => {
                body.text("verdict", "allow").texts("approvals", [""; 0]);
            }
            _ => {
                body.text("verdict", verdict).object("refusal", |refusal| {
                    refusal.text("code", "policy.denied").text_or_null("factor", None);
                });
            }
        }
    })
}

pub fn approval(pen: &Writer, at: u8, asked: &SignedRecord, choice: &str) -> SignedRecord {
    passkeys::vote(pen, at, asked, &passkeys::statement("q_1", choice), None)
}

/// A receipt that refers to one decision and names another, if they differ.
pub fn receipt(pen: &Writer, at: u8, decision: Digest, intent: &SignedRecord) -> SignedRecord {
    let words = format!(r#"{{"/result/digest":"{}"}}"#, Digest::of(b"answer"));
    let of = (action_of(&intent.envelope), vec![("words", words)]);
    about(pen, at, Kind::Execution, of, vec![("decision", decision)], |body| {
        body.text("intent", intent.id.as_str()).object("result", |result| {
            result.text("state", "completed").flag("is_error", false);
        });
    })
}

/// The record with another text in it, signed again.
pub fn rewritten(record: &SignedRecord, seed: u8, from: &str, to: &str) -> SignedRecord {
    let text = String::from_utf8(record.envelope.payload.clone()).expect("text");
    assert!(text.contains(from), "{text}");
    let mut record = record.clone();
    record.envelope.payload = text.replacen(from, to, 1).into_bytes();
    let encoding = remit_evidence::dsse::pae(&record.envelope.payload);
    record.envelope.signature.bytes = Pen(SigningKey::from_bytes(&[seed; 32])).sign(&encoding);
    record.digest = record.envelope.digest();
    record
}
