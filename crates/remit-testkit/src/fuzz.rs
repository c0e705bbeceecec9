//! What must hold for any bytes whatever. The bodies of the fuzz targets in `fuzz/`, as plain
//! functions, so that they also run where there is no fuzzer: over the committed corpus and a fixed
//! number of mutations of it.
#![expect(clippy::panic, reason = "a finding is a panic: that is what a fuzzer looks for")]

use remit_config::Folder;
use remit_core::authority::Fault;
use remit_core::json;
use remit_evidence::dsse::Envelope;
use remit_evidence::stamp::{self, Timestamper};
use serde_json::Value;

/// A target: its name, which is that of its folder in `fuzz/corpus`, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 5] =
    [("frames", frames), ("config", config), ("policy", policy), ("records", records), ("stamps", stamps)];

/// What our JSON reader accepts serde_json accepts too, with the same meaning; and what it accepted
/// has a canonical text that means the same, and is its own canonical text.
pub fn frames(bytes: &[u8]) {
    let Ok(value) = json::parse(bytes) else { return };
    match serde_json::from_slice::<Value>(bytes) {
        Ok(other) if other == value => {}
        other => panic!("we read {value}, and serde_json {other:?}"),
    }
    let canonical = json::canonical(&value);
    let again = json::parse(canonical.as_bytes());
    let again = again.unwrap_or_else(|error| panic!("our own canonical text is refused: {error}: {canonical}"));
    assert!(json::canonical(&again) == canonical, "canonical is not final: {canonical}");
}

/// A folder of any texts is loaded or refused, and a refusal says where. The texts are set apart by
/// lines `=== name`.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let files = text.split("=== ").filter_map(|part| part.split_once('\n'));
    let Ok(folder) = Folder::from_texts(files.map(|(name, text)| (name.trim(), text))) else { return };
    for faults in [remit_config::load(&folder).err(), remit_config::scenarios(&folder).err()].into_iter().flatten() {
        assert!(!faults.is_empty(), "refused without a fault");
        faults.iter().for_each(|fault| stands_in(&folder, fault));
    }
}

/// A fault points at a line that there is.
fn stands_in(folder: &Folder, fault: &Fault) {
    let Some(text) = folder.text(&fault.locus.file) else { return };
    assert!(fault.locus.line <= text.split('\n').count(), "{}: there is no such line: {}", fault.locus, fault.message);
}

/// A condition of a remit compiles to Cedar or is refused at a place inside its file, and so does a
/// guardrail with that text.
pub fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let quoted = Value::from(text).to_string();
    let remit = format!("agent: a\nowner: team:t\nexpires: 2099-01-01\nread: [{{ tools: [x/y], when: {quoted} }}]\n");
    let files = [("remit.yaml", SETTINGS), ("upstreams/x.yaml", UPSTREAM), ("pins/x.json", PINS)];
    let folder = |name: &str, text: &str| Folder::from_texts(files.into_iter().chain([(name, text)]));
    for (name, text) in [("remits/a.yaml", remit.as_str()), ("guardrails/g.cedar", text)] {
        if let Ok(folder) = folder(name, text) {
            let faults = remit_config::load(&folder).err();
            faults.iter().flatten().for_each(|fault| stands_in(&folder, fault));
        }
    }
}

/// An envelope that is read is one that is written.
pub fn records(bytes: &[u8]) {
    let Ok(envelope) = Envelope::parse(bytes) else { return };
    let again = Envelope::parse(envelope.to_json().to_string().as_bytes());
    let again = again.unwrap_or_else(|error| panic!("our own envelope is refused: {error}"));
    assert!(again.digest() == envelope.digest(), "an envelope changes when it is written");
}

/// A token of time says one thing or nothing, over the bytes it is about and under the certificate that is named; the
/// same bytes as an answer or a certificate are read or refused.
pub fn stamps(bytes: &[u8]) {
    let timestamper =
        |name: &str, certificate: &[u8]| Timestamper { name: name.into(), certificate: certificate.into() };
    match stamp::verify(bytes, STAMPED, &[timestamper("root", ROOT)]) {
        // Those of the corpus were all made within one second.
        Ok(stamp) => assert!(stamp.by == "root" && stamp.at == STAMPED_AT, "another time: {}", stamp.at),
        Err(error) => assert!(!error.to_string().is_empty(), "refused without a reason"),
    }
    if let Ok(token) = stamp::answered(bytes) {
        assert!(bytes.ends_with(token), "what is not in the answer");
    }
    // Of a certificate that is named, its name and key count, and nothing that can be flipped besides them.
    if stamp::nameable(bytes).is_ok()
        && let Ok(stamp) = stamp::verify(STAMP, STAMPED, &[timestamper("fuzzed", bytes)])
    {
        assert!(stamp.at == STAMPED_AT, "another time: {}", stamp.at);
    }
}

/// The same for the same seed: bytes flipped, cut, doubled, moved, and replaced by telling ones.
pub fn mutate(input: &[u8], seed: u64) -> Vec<u8> {
    const TELLING: [&[u8]; 16] = [
        b"\"",
        b"{",
        b"[",
        b"\\u0000",
        b"\\ud800",
        b"1e999",
        b"-0",
        b"\xff",
        b"\n",
        b": ",
        b"- ",
        b"&&",
        b"not ",
        b"(",
        b"\xe2\x80\xae",
        b"9223372036854775808",
    ];
    let mut out = input.to_vec();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or(0) % below.max(1)
    };
    for _ in 0..=draw(4) {
        let (at, to) = (draw(out.len() + 1), draw(out.len() + 1));
        let (from, to) = (at.min(to), at.max(to));
        match draw(5) {
            0 => out.iter_mut().skip(from).take(1).for_each(|byte| *byte ^= 1 << (seed % 8)),
            1 => drop(out.drain(from..to.min(from + 64))),
            2 => {
                let piece: Vec<u8> = out.iter().skip(from).take((to - from).min(64)).copied().collect();
                drop(out.splice(to..to, piece));
            }
            _ => drop(out.splice(from..from, TELLING.get(draw(16)).copied().unwrap_or_default().iter().copied())),
        }
    }
    out
}

/// What the tokens of the corpus are over, the certificate they lead to, one of them, and the time they say.
const STAMPED: &[u8] = include_bytes!("../../remit-evidence/tests/stamps/stamped.txt");
const ROOT: &[u8] = include_bytes!("../../remit-evidence/tests/stamps/root1.der");
const STAMP: &[u8] = include_bytes!("../../remit-evidence/tests/stamps/p256.token");
const STAMPED_AT: i64 = 1_795_287_968_500;
const SETTINGS: &str = "tenant: t\nlisten: 127.0.0.1:1\nauthentication: keys\nstore: { sqlite: r.db }\napprovals: { r: { from: [team:t], within: 1h } }\n";
const UPSTREAM: &str =
    "upstream: x\nowner: team:t\nurl: http://127.0.0.1:2/mcp\ntools: { y: { class: read, risk: low } }\n";
const PINS: &str = r#"{"upstream":"x","tools":{"y":{"approved_by":"p","approved_at":"2026-01-01T00:00:00Z","definition":{"name":"y","description":"d","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"to":{"type":"string"}}}}}}}"#;
