//! The ledger: its head, who has seen it, and a record judged on the page. What is judged here is judged by
//! the gateway itself, and the page says so: it proves nothing to whoever does not trust the gateway.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use remit_app::ledger::sealed;
use remit_app::prove::Wanted;
use remit_core::ids::RecordId;
use remit_core::steering::Deed;
use remit_core::unsealed::{Then, Unsealed};
use remit_core::verdict::{Code, Refusal};
use remit_evidence::judge::{Level, Outcome, Report, Step, Verdict, judge};
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::note::Note;
use remit_evidence::log::vkey::{Algorithm, VerifierKey};
use remit_evidence::trust::Trust;
use serde::Deserialize;

use super::moment::Moment;
use super::page::{Page, Place, answer, refused};
use super::plain::{Plain, line};
use super::tag::Tag;
use crate::admin::{operator, unavailable};
use crate::edge::Edge;
use crate::gateway::http::bundle;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    record: String,
}

/// The head, as it is published.
struct Head {
    origin: Plain,
    size: u64,
    root: String,
    signed: Option<Moment>,
    seals: Vec<(Plain, &'static str, bool)>,
}

/// A witness, and when it saw the published head.
struct Witness {
    name: Plain,
    key: Plain,
    seen: Option<Moment>,
}

/// A record, judged.
struct Judged {
    record: String,
    verdict: Tag,
    valid: bool,
    level: Option<String>,
    place: Option<(Plain, u64)>,
    existed_by: Option<Plain>,
    stamped: Option<(Plain, Plain)>,
    claims: usize,
    steps: Vec<Judgement>,
    limits: Vec<Plain>,
    file: String,
    download: Option<String>,
}

/// What one kind of check answered, over all records of the bundle.
struct Judgement {
    step: &'static str,
    /// Whether it holds because the trust document asks for nothing.
    needs_none: bool,
    outcome: Tag,
    count: usize,
    details: Vec<(Tag, Plain)>,
}

/// Why nothing was judged.
struct Unjudged {
    record: Plain,
    code: &'static str,
    reason: Plain,
    remedy: Plain,
}

#[derive(Template)]
#[template(path = "ledger.html")]
struct Ledger {
    page: Page,
    wish: Wish,
    recorded: u64,
    sealed: u64,
    head: Option<Head>,
    trouble: Option<String>,
    behind: Option<(String, String)>,
    witnesses: Vec<Witness>,
    quorum: u64,
    keys: Vec<(Plain, &'static str)>,
    fingerprint: Option<String>,
    judged: Option<Judged>,
    unjudged: Option<Unjudged>,
}

/// `GET /console/ledger?record=`.
pub(super) async fn ledger(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    answer(shown(&edge, wish, &headers).await)
}

/// `GET /console/ledger/trust`: the gateway's own trust document, for a verifier elsewhere.
pub(super) async fn trust(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    if let Err(refusal) = operator(&edge, &headers, Deed::Look).await {
        return refused(&refusal);
    }
    let Some(document) = &edge.trust else {
        return refused(&Refusal::new(Code::RecordUnknown, "this gateway has no trust document"));
    };
    let headers = [(CONTENT_TYPE, "application/json"), (CONTENT_DISPOSITION, "attachment; filename=\"trust.json\"")];
    (StatusCode::OK, headers, document.to_string()).into_response()
}

async fn shown(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<Ledger, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::Ledger, "Ledger").await?;
    let store = &edge.gate.ports().store;
    let recorded = store.count().await.map_err(unavailable)?;
    let sealed = sealed(&**store).await.map_err(unavailable)?;
    let now = edge.gate.ports().clock.now();
    let trust = own_trust(edge)?;
    let published = published(edge).await;
    let (note, trouble) = match published {
        Ok(note) => (note, None),
        Err(why) => (None, Some(why)),
    };
    let (mut judged, mut unjudged) = (None, None);
    let asked = wish.record.trim();
    if !asked.is_empty() {
        match verdict(edge, trust.clone(), asked, person.may(Deed::Evidence)).await {
            Ok(found) => judged = Some(found),
            Err(refusal) if refusal.code == Code::StoreUnavailable => return Err(refusal),
            Err(refusal) => {
                let (reason, remedy) = (line(&refusal.reason), line(&refusal.remedy));
                unjudged = Some(Unjudged { record: line(asked), code: refusal.code.as_str(), reason, remedy });
            }
        }
    }
    let policy = trust.as_ref().map(|trust| &trust.policy);
    let keys: Vec<&VerifierKey> = policy.map(|policy| policy.logs().collect()).unwrap_or_default();
    let seen: Vec<(String, &VerifierKey)> = policy.map(|policy| policy.witnesses().collect()).unwrap_or_default();
    let witnesses = seen.iter().map(|(_, key)| Witness {
        name: line(key.name()),
        key: line(&key.to_string()),
        seen: note.as_ref().and_then(|note| seal(note, key)).map(|time| Moment::new(time.unwrap_or(now), now)),
    });
    Ok(Ledger {
        page,
        recorded,
        sealed,
        head: note.as_ref().and_then(|note| head(note, &keys, now)),
        trouble,
        behind: behind(edge, now),
        witnesses: witnesses.collect(),
        quorum: trust.as_ref().map_or(0, |trust| trust.require.witnesses),
        keys: keys.iter().map(|key| (line(&key.to_string()), algorithm(key.algorithm()))).collect(),
        fingerprint: trust.as_ref().map(|trust| trust.fingerprint.to_string()),
        judged,
        unjudged,
        wish,
    })
}

/// Why the log is behind, and what that means for calls.
fn behind(edge: &Edge, now: Timestamp) -> Option<(String, String)> {
    let lag = edge.gate.lag()?;
    let why = lag.trouble(now)?;
    let Unsealed { within_secs, then } = lag.bound();
    let what = match then {
        Then::Refuse => "no call goes ahead",
        Then::Reads => "only reads of data up to internal go ahead",
        Then::GoOn => "calls go ahead all the same",
    };
    Some((why, format!("Once records have waited {within_secs} s, {what}.")))
}

fn own_trust(edge: &Edge) -> Result<Option<Arc<Trust>>, Refusal> {
    let Some(document) = &edge.trust else { return Ok(None) };
    Trust::parse(document.as_bytes()).map(|trust| Some(Arc::new(trust))).map_err(|error| {
        tracing::error!(%error, "the gateway's own trust document cannot be read");
        Refusal::new(Code::Internal, "the gateway's own trust document cannot be read")
    })
}

/// The checkpoint that everybody sees. It is read where everybody reads it, not from the store.
async fn published(edge: &Edge) -> Result<Option<Note>, String> {
    let Some(prover) = edge.prover.clone() else { return Ok(None) };
    let read = tokio::task::spawn_blocking(move || prover.published()).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            tracing::error!(%error, "the published checkpoint could not be read");
            return Err("The published checkpoint cannot be read now.".to_owned());
        }
        Err(_) => return Err("The published checkpoint cannot be read now.".to_owned()),
    };
    let Some(bytes) = bytes else { return Ok(None) };
    Note::parse(&bytes).map(Some).map_err(|_| "What is published is no checkpoint. Run `remit ledger fsck`.".to_owned())
}

fn head(note: &Note, keys: &[&VerifierKey], now: Timestamp) -> Option<Head> {
    let checkpoint = Checkpoint::parse(note.text()).ok()?;
    let keys: Vec<_> = keys.iter().filter(|key| key.name() == checkpoint.origin).collect();
    let checked = keys.iter().map(|key| (line(key.name()), algorithm(key.algorithm()), seal(note, key).is_some()));
    let signed = keys.iter().filter_map(|key| seal(note, key)?).max();
    Some(Head {
        origin: line(&checkpoint.origin),
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
        signed: signed.map(|at| Moment::new(at, now)),
        seals: checked.collect(),
    })
}

/// Whether this key has signed the note: with the time, if it states one.
fn seal(note: &Note, key: &VerifierKey) -> Option<Option<Timestamp>> {
    let seals = note.seals([key]).ok()?;
    let found = seals.first()?;
    Some(found.time.and_then(|secs| Timestamp::from_second(i64::try_from(secs).ok()?).ok()))
}

/// Makes the bundle of a record, without any of the values beside it, and judges it.
async fn verdict(edge: &Edge, trust: Option<Arc<Trust>>, asked: &str, may_take: bool) -> Result<Judged, Refusal> {
    let unknown = || Refusal::new(Code::RecordUnknown, "there is no such record");
    let id = RecordId::parse(asked).map_err(|_| unknown())?;
    let trust = trust.ok_or_else(|| Refusal::new(Code::RecordUnsealed, "this gateway keeps no log"))?;
    let text = bundle(edge, &Wanted::Record(id.clone()), &[], &[]).await?;
    let quorum = trust.require.witnesses;
    let judging = tokio::task::spawn_blocking(move || judge(text.as_bytes(), &trust, &[]));
    let report = judging.await.map_err(|_| Refusal::new(Code::Internal, "the record could not be judged"))?;
    Ok(Judged::of(&id, &report, quorum, may_take))
}

impl Judged {
    fn of(id: &RecordId, report: &Report, quorum: u64, may_take: bool) -> Self {
        let own =
            report.claims.iter().find(|claim| claim.record.as_ref().is_some_and(|(known, _)| known == id.as_str()));
        let mut steps: BTreeMap<Step, Vec<(Outcome, Plain)>> = BTreeMap::new();
        for check in &report.checks {
            steps.entry(check.step).or_default().push((check.outcome, line(&check.detail)));
        }
        let steps = steps.into_iter().map(|(step, found)| Judgement {
            step: says(step),
            needs_none: step == Step::Quorum && quorum == 0,
            outcome: tag(found.iter().map(|(outcome, _)| *outcome).max().unwrap_or(Outcome::Missing)),
            count: found.len(),
            details: found.into_iter().map(|(outcome, detail)| (tag(outcome), detail)).collect(),
        });
        let word = report.verdict.as_str();
        let file = format!("{id}.evidence.json");
        Self {
            record: id.to_string(),
            verdict: if report.verdict == Verdict::Valid { Tag::good(word) } else { Tag::bad(word) },
            valid: report.verdict == Verdict::Valid && own.is_some(),
            level: own.map(|claim| backed(claim.level)),
            place: own.and_then(|claim| claim.place.as_ref()).map(|(log, index)| (line(log), *index)),
            existed_by: own.and_then(remit_evidence::judge::Finding::existed_by_text).map(|text| line(&text)),
            stamped: own
                .and_then(|claim| claim.anchor.as_ref())
                .map(|anchor| (line(&anchor.by), line(&anchor.at_text()))),
            claims: report.claims.len(),
            steps: steps.collect(),
            limits: report.limits.iter().map(|limit| line(limit)).collect(),
            download: may_take.then(|| super::page::link("/admin/v1/evidence", &[("record", id.as_str())])),
            file,
        }
    }
}

/// Who stands behind a record, so that nobody takes a signature for a witness.
fn backed(level: Level) -> String {
    match level {
        Level::Nothing => "Nobody that is known stands behind it.".to_owned(),
        Level::Signed => "Its writer has signed it; the log has not committed to it.".to_owned(),
        Level::Logged => "The log has committed to it; no witness has seen it.".to_owned(),
        Level::Witnessed { seen, known } => format!("{seen} of {known} known witnesses saw the log with it."),
    }
}

fn tag(outcome: Outcome) -> Tag {
    match outcome {
        Outcome::Holds => Tag::good("holds"),
        Outcome::Missing => Tag::wait("missing"),
        Outcome::Diverges => Tag::bad("diverges"),
        Outcome::Fails => Tag::bad("fails"),
    }
}

/// What a step asks.
const fn says(step: Step) -> &'static str {
    match step {
        Step::Form => "Is the bundle in its format?",
        Step::Statement => "Is each signed text a record of this organisation?",
        Step::Checkpoint => "Did the log sign its head?",
        Step::Quorum => "Did as many witnesses see that head as must?",
        Step::Inclusion => "Does each record stand in the log?",
        Step::Signature => "Is each record signed by a key that may?",
        Step::Delegation => "Did that key count at that place?",
        Step::Disclosures => "Are the values shown those that were signed?",
        Step::Story => "Do records that belong together agree?",
        Step::Time => "Do the times agree with those of others?",
        Step::Anchor => "Did a timestamper see the log with each record?",
        Step::Consistency => "Are all heads one log that grew?",
        Step::History => "Is it the log that was seen before?",
    }
}

const fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "Ed25519",
        Algorithm::Ed25519Cosignature => "Ed25519 cosignature",
        Algorithm::MlDsa44 => "ML-DSA-44",
    }
}
