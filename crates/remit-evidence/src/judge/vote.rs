//! A vote: what its statement covers, and who stands behind it. A login vouches for a person, a passkey signs; the
//! two are never said in the same words. Owns whose passkeys are known.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use remit_core::ids::Digest;
use remit_core::json::canonical;
use serde_json::Value;

use super::place::Place;
use super::statement::Statement;
use super::{Outcome, Read};
use crate::members::{Malformed, Members};
use crate::record::{Kind, disclosed};
use crate::trust::Trust;
use crate::webauthn::{Assertion, Expected, PublicKey, verify};

type Answer = (Outcome, String);

/// The type of the statement that a vote covers.
const STATEMENT_TYPE: &str = "https://remit.dev/approval-statement/v1";

/// Who says that a passkey is a person's.
enum Known<'t> {
    /// The trust document, by this name.
    Pinned(&'t str),
    /// The operator, in this record.
    Announced(String),
}

/// The passkeys that are known: by the trust document, or only by the operator's word.
pub(super) struct Passkeys<'t> {
    pinned: HashMap<&'t str, &'t str>,
    /// By key, what records say became of it, and where in which log.
    told: BTreeMap<String, Vec<Told>>,
}

/// That a passkey was added or taken away.
struct Told {
    record: String,
    added: bool,
    place: Option<(String, u64)>,
}

impl<'t> Passkeys<'t> {
    /// Those of the trust document, and those that records of this bundle announce.
    pub(super) fn find(read: &[Read<'_>], trust: &'t Trust) -> Self {
        let mut told: BTreeMap<String, Vec<Told>> = BTreeMap::new();
        for read in read {
            let Some(record) = read.statement.as_ref().filter(|record| record.kind == Kind::Key) else { continue };
            let added = match record.text("/event") {
                Some("passkey_added" | "person_returned") => true,
                Some("passkey_removed" | "invited" | "login_given" | "person_removed") => false,
                _ => continue,
            };
            let keys = record.text("/key").into_iter().chain(record.texts("/keys"));
            let place = read.place.as_ref().map(|place| (place.head.origin.clone(), place.index));
            for key in keys {
                told.entry(key.to_owned()).or_default().push(Told {
                    record: record.id.clone(),
                    added,
                    place: place.clone(),
                });
            }
        }
        let pinned = trust.approvers.iter().map(|approver| (approver.key.as_str(), approver.id.as_str()));
        Self { pinned: pinned.collect(), told }
    }

    /// Whose the key is for a vote in this place. By position, as with writers' keys: what was signed before a key was
    /// taken away counts, and nothing that was signed later.
    fn of(&self, key: &str, at: Option<&Place>) -> Result<Known<'t>, Answer> {
        let told = self.told.get(key).map_or(&[][..], Vec::as_slice);
        let here = |told: &Told| {
            let ((log, index), at) = (told.place.as_ref()?, at?);
            (*log == at.head.origin).then_some((*index, at.index))
        };
        let before = told.iter().filter(|told| here(told).is_some_and(|(index, at)| index < at));
        let last = before.max_by_key(|told| here(told));
        if let Some(gone) = last.filter(|last| !last.added) {
            return fails(format!("signed by a passkey that was taken away before, in {}", gone.record));
        }
        if let Some(id) = self.pinned.get(key) {
            return Ok(Known::Pinned(id));
        }
        // Where the two cannot be compared, nothing says that it came later.
        let added = last.or_else(|| told.iter().find(|told| told.added && here(told).is_none()));
        let nobody = || (Outcome::Missing, "signed by a passkey that nobody here knew at that time".to_owned());
        added.map(|added| Known::Announced(added.record.clone())).ok_or_else(nobody)
    }
}

fn fails<T>(detail: impl Into<String>) -> Result<T, Answer> {
    Err((Outcome::Fails, detail.into()))
}

/// What stands behind this vote, in words; or why it counts for nothing.
pub(super) fn assurance(read: &Read<'_>, record: &Statement, passkeys: &Passkeys<'_>) -> Result<Answer, Answer> {
    let shown: HashMap<String, Value> = disclosed(&read.claim.disclosures).into_iter().collect();
    let statement = record.value("/statement");
    if let Some(statement) = statement {
        covers(record, statement).map_err(|error| (Outcome::Fails, error.0))?;
        opens(statement, &read.claim.disclosures, &shown)?;
    }
    match (record.text("/assurance"), statement) {
        (Some("operator_attested"), _) if record.value("/assertion").is_none() => {
            Ok((Outcome::Holds, "a login vouches for the person, who signed nothing".into()))
        }
        (Some("passkey"), Some(statement)) => signed(read, record, statement, &shown, passkeys),
        _ => fails("it says neither that a login vouches for it nor that a passkey signed it"),
    }
}

/// The statement is about this record's own question, call and choice, and about nothing else.
fn covers(record: &Statement, statement: &Value) -> Result<(), Malformed> {
    const MEMBERS: [&str; 14] = [
        "_type",
        "tenant",
        "question",
        "action",
        "rule",
        "definition",
        "choice",
        "shown",
        "expires",
        "approver",
        "reason",
        "bounds",
        "principal",
        "arguments",
    ];
    let of = Members::of("what the vote covers", statement, &MEMBERS)?;
    if of.text("_type")? != STATEMENT_TYPE {
        return Err(of.wrong("_type"));
    }
    for (name, path) in [
        ("tenant", "/tenant"),
        ("question", "/question"),
        ("rule", "/rule"),
        ("choice", "/choice"),
        ("expires", "/expires"),
    ] {
        if Some(of.text(name)?) != record.text(path) {
            return Err(Malformed(format!("the vote covers another `{name}` than its record says")));
        }
    }
    if Some(of.digest("action")?) != record.action {
        return Err(Malformed("the vote covers another call than its record says".into()));
    }
    // How far an approval reaches that is for a run.
    if of.maybe("bounds", Value::as_str)? != record.text("/bounds") {
        return Err(Malformed("the vote covers other `bounds` than its record says".into()));
    }
    for name in ["definition", "shown", "approver", "reason"] {
        of.digest(name)?;
    }
    // In whose place it was cast, and what was put in the call's place: each is there exactly when the record says so.
    let in_place = record.value("/in_place").and_then(Value::as_bool) == Some(true);
    for (name, said) in [("principal", in_place), ("arguments", record.text("/choice") == Some("narrow"))] {
        let committed = of.maybe(name, |value| value.as_str().and_then(Digest::from_hex))?;
        if committed.is_some() != said {
            return Err(Malformed(format!(
                "the vote covers a `{name}` and its record does not say so, or the other way round"
            )));
        }
    }
    Ok(())
}

/// The values that are shown are those that the statement commits to.
fn opens(statement: &Value, texts: &[String], shown: &HashMap<String, Value>) -> Result<(), Answer> {
    let committed = |name: &str| statement.get(name).and_then(Value::as_str);
    let as_it_stands = |name| texts.iter().filter_map(move |text| as_it_stands(text, name));
    for sight in as_it_stands("shown") {
        if committed("shown") != Some(Digest::of(sight.as_bytes()).to_string().as_str()) {
            return fails("what was shown is not what the vote covers");
        }
    }
    let Some(nonce) = shown.get("statement_nonce").and_then(Value::as_str) else { return Ok(()) };
    let texts = ["approver", "reason", "principal"]
        .into_iter()
        .filter_map(|name| Some((name, shown.get(name)?.as_str()?.to_owned())));
    let told = texts.chain(as_it_stands("arguments").map(|text| ("arguments", text)));
    for (name, value) in told.filter(|(name, _)| committed(name).is_some()) {
        if committed(name) != Some(Digest::of(format!("{nonce}\0{name}\0{value}").as_bytes()).to_string().as_str()) {
            return fails(format!("the {name} that is shown is not the one that the vote covers"));
        }
    }
    Ok(())
}

/// The text of a value of this name, byte for byte as it stands in its disclosure.
fn as_it_stands(disclosure: &str, name: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(disclosure).ok()?).ok()?;
    let (_, value) = text.strip_suffix(']')?.split_once(&format!(",\"{name}\","))?;
    let read = remit_core::json::parse(text.as_bytes()).ok()?;
    (read.get(1)?.as_str()? == name).then(|| value.to_owned())
}

fn signed(
    read: &Read<'_>,
    record: &Statement,
    statement: &Value,
    shown: &HashMap<String, Value>,
    passkeys: &Passkeys<'_>,
) -> Result<Answer, Answer> {
    let assertion = record.value("/assertion").ok_or((Outcome::Fails, "it has no passkey's signature".to_owned()))?;
    let key = answered(assertion, statement).map_err(|error| (Outcome::Fails, error.0))?;
    match passkeys.of(&key, read.place.as_ref())? {
        Known::Pinned(id) => {
            if shown.get("approver").is_some_and(|approver| approver.as_str() != Some(id)) {
                return fails(format!("the passkey is `{id}`'s, and the vote is said to be another's"));
            }
            Ok((Outcome::Holds, format!("signed by the passkey that the trust document knows as `{id}`'s")))
        }
        Known::Announced(record) => {
            let detail = format!("signed by a passkey that only the operator says is theirs, in {record}");
            Ok((Outcome::Holds, detail))
        }
    }
}

/// Checks the passkey's signature over the statement; answers the key.
fn answered(assertion: &Value, statement: &Value) -> Result<String, Malformed> {
    let members = ["key", "rp_id", "origins", "client_data", "authenticator_data", "signature"];
    let of = Members::of("the passkey's signature", assertion, &members)?;
    let bytes = |name| of.member(name, |value| URL_SAFE_NO_PAD.decode(value.as_str()?).ok());
    let (client_data, authenticator_data, signature) =
        (bytes("client_data")?, bytes("authenticator_data")?, bytes("signature")?);
    let origins = of.list("origins")?.iter().map(|origin| origin.as_str().map(str::to_owned));
    let origins = origins.collect::<Option<Vec<_>>>().ok_or_else(|| of.wrong("origins"))?;
    let challenge = Digest::of(canonical(statement).as_bytes());
    let expected =
        Expected { rp_id: of.text("rp_id")?, origins: &origins, challenge: challenge.as_bytes(), user_verified: true };
    let assertion =
        Assertion { client_data: &client_data, authenticator_data: &authenticator_data, signature: &signature };
    let text = of.text("key")?;
    let key = PublicKey::parse(text).map_err(|error| Malformed(error.0.into()))?;
    verify(&key, &expected, &assertion).map_err(|error| Malformed(format!("the approver's passkey: {}", error.0)))?;
    Ok(text.to_owned())
}
