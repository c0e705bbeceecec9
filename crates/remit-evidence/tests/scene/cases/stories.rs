//! Records that contradict each other.

use super::*;

/// All of them.
pub(super) fn all() -> Vec<Case> {
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
