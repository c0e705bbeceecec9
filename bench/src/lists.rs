//! How long the lists of the console take over 100,000 questions that all wait and a million records: the
//! pages that people open, and the worst that a filter without an index can cost.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::signature::Ed25519KeyPair;
use jiff::{SignedDuration, Timestamp};
use remit_app::action::Salt;
use remit_app::intent::{Basis, Effect, Intent};
use remit_app::ports::Store;
use remit_app::ports::listing::{Asked, Latest, RunsAsked, Waiting};
use remit_app::question::{Question, QuestionRule};
use remit_app::run::Run;
use remit_app::standing::{Counted, Counter, Happened};
use remit_core::approval::CallParties;
use remit_core::ids::{AgentId, Digest, QuestionId, RecordId, RuleId, RunId, TenantId};
use remit_core::json::Object;
use remit_core::labels::Labels;
use remit_core::registry::Class;
use remit_evidence::record::{Draft, Entropy, Kind};
use remit_evidence::writer::{SignedRecord, Writer};
use remit_store_sqlite::{Options, SqliteStore};
use serde_json::json;

use crate::key::Key;

const QUESTIONS: u64 = 100_000;
const RECORDS: u64 = 1_000_000;
/// How many deeds wait for the writer at once while the store is filled.
const TASKS: u64 = 64;
/// How often each page is asked for.
const ROUNDS: usize = 40;

/// How many authorities were in force one after the other.
const AUTHORITIES: u64 = 200;

/// Fills a store in this folder, and times the pages.
pub fn run(folder: &Path) {
    let Ok(place) = tempfile::tempdir_in(folder) else { return eprintln!("no folder to write to") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let Ok(runtime) = runtime else { return eprintln!("no runtime") };
    if runtime.block_on(measure(&place.path().join("lists.db"))).is_none() {
        eprintln!("the store could not be filled");
    }
}

async fn measure(file: &Path) -> Option<()> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(file, Options::default()).ok()?);
    let began = Instant::now();
    fill(&store).await?;
    println!(
        "{QUESTIONS} questions and {} records in {:.0} s",
        store.count().await.ok()?,
        began.elapsed().as_secs_f64()
    );
    println!("{:<52} {:>8} {:>8} {:>6}", "", "ms p50", "ms max", "rows");
    let now = at(0);
    let waiting = Waiting { now, agent: None, tool: None, rules: None, after: None, limit: 50 };
    let waits = async |what: &str, asked: Waiting| {
        timed(what, async || store.waiting(&asked).await.map_or(0, |sheet| sheet.items.len())).await;
    };
    let rule = |id: &str| RuleId::parse(id).ok().map(|id| vec![id]);
    waits("waiting: first page", waiting.clone()).await;
    let mut after = None;
    for _ in 0..20 {
        after = store.waiting(&Waiting { after, ..waiting.clone() }).await.ok()?.older;
    }
    waits("waiting: page 21", Waiting { after, ..waiting.clone() }).await;
    waits("waiting: one rule in 100", Waiting { rules: rule("rare"), ..waiting.clone() }).await;
    waits("waiting: a rule that nobody asks for", Waiting { rules: rule("never"), ..waiting.clone() }).await;
    waits("waiting: an agent that asks for nothing", Waiting { agent: AgentId::parse("idle").ok(), ..waiting }).await;
    let asks = async |what: &str, asked: Asked| {
        timed(what, async || store.asked(&asked).await.map_or(0, |sheet| sheet.items.len())).await;
    };
    let alike = Asked {
        agent: AgentId::parse("agent-7").ok(),
        tool: Some("payments/refund".into()),
        limit: 9,
        ..Asked::default()
    };
    asks("questions: same agent and tool", alike).await;
    asks("questions: one agent", Asked { agent: AgentId::parse("agent-7").ok(), limit: 50, ..Asked::default() }).await;
    let latest = Latest { kind: Some(Kind::Decision), limit: 50, ..Latest::default() };
    let calls = async |what: &str, asked: Latest| {
        timed(what, async || store.latest(&asked).await.map_or(0, |sheet| sheet.items.len())).await;
    };
    let said = |text: &str| Some(text.to_owned());
    calls("calls: newest", latest.clone()).await;
    calls("calls: page in the middle", Latest { before: Some(RECORDS / 2), ..latest.clone() }).await;
    calls("calls: refusals (one in 20)", Latest { verdict: said("deny"), ..latest.clone() }).await;
    calls("calls: one agent of 50", Latest { agent: said("agent-7"), ..latest.clone() }).await;
    calls("calls: an agent that never called", Latest { agent: said("idle"), ..latest.clone() }).await;
    calls("calls: within a time without any", Latest { since: Some(at(1_000_000)), ..latest }).await;
    let runs = RunsAsked { limit: 50, ..RunsAsked::default() };
    timed("runs: newest", async || store.run_sheet(&runs).await.map_or(0, |sheet| sheet.items.len())).await;
    store.count_on(Counted::default(), Counted { records: RECORDS, since: AUTHORITIES }, counted()).await.ok()?;
    let agent = AgentId::parse("agent-7").ok()?;
    timed("standing: one agent of 50, under 200 authorities", async || {
        store.standing(&agent, 0).await.map_or(0, |found| found.len())
    })
    .await;
    timed("records: how many (asked each second by each console)", async || {
        store.count().await.map_or(0, |count| usize::try_from(count.min(1)).unwrap_or(0))
    })
    .await;
    store.close().await;
    Some(())
}

async fn timed(what: &str, ask: impl AsyncFn() -> usize) {
    let mut times = Vec::with_capacity(ROUNDS);
    let mut rows = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        rows = ask().await;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let (median, most) = (times.get(ROUNDS / 2).copied().unwrap_or(0.0), times.last().copied().unwrap_or(0.0));
    println!("{what:<52} {median:>8.2} {most:>8.2} {rows:>6}");
}

fn at(secs: i64) -> Timestamp {
    let began = Timestamp::from_second(1_795_000_000).unwrap_or_default();
    began.checked_add(SignedDuration::from_secs(secs)).unwrap_or(began)
}

async fn fill(store: &Arc<dyn Store>) -> Option<()> {
    let key = Key(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).ok()?);
    let writer = Arc::new(Writer::new(Box::new(key), TenantId::parse("acme").ok()?));
    let run = RunId::parse("run_1").ok()?;
    store.open_run(&opened(&run)?, signed(&writer, Kind::Run, 0)?).await.ok()?;
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let (store, writer, run) = (store.clone(), writer.clone(), run.clone());
        tasks.push(tokio::spawn(async move {
            for number in (task..QUESTIONS).step_by(TASKS as usize) {
                let record = signed(&writer, Kind::Decision, number + 1)?;
                store.commit_intent(held(&run, record, number)?).await.ok()?;
            }
            for number in (QUESTIONS + task..RECORDS).step_by(TASKS as usize) {
                store.append(signed(&writer, Kind::Decision, number + 1)?).await.ok()?;
            }
            Some(())
        }));
    }
    for task in tasks {
        task.await.ok()??;
    }
    Some(())
}

/// What was counted of every agent, under each authority.
fn counted() -> Vec<(Counter, u64)> {
    let mut out = Vec::new();
    for agent in (0..50).filter_map(|number| AgentId::parse(&format!("agent-{number}")).ok()) {
        for since in 1..=AUTHORITIES {
            for what in Class::ALL.into_iter().flat_map(|class| [Happened::Allowed(class), Happened::Denied(class)]) {
                out.push((Counter { agent: agent.clone(), since, what }, since));
            }
        }
    }
    out
}

/// A record of the size that decisions with two budgets have.
fn signed(writer: &Writer, kind: Kind, number: u64) -> Option<SignedRecord> {
    let mut body = Object::new();
    body.object("agent", |agent| {
        agent.text("id", &format!("agent-{}", number % 50));
    });
    body.object("tool", |tool| {
        tool.text("class", "trigger").text("name", "payments/refund");
    });
    body.text("verdict", if number.is_multiple_of(20) { "deny" } else { "allow" }).text("filler", &"x".repeat(900));
    let draft = Draft {
        kind,
        id: RecordId::parse(&format!("rec_{number:026}")).ok()?,
        time: format!("{:.3}", at(i64::try_from(number / 100).ok()?)),
        run: None,
        traceparent: None,
        action: None,
        links: Vec::new(),
        body,
        disclosures: vec![("arguments", r#"{"amount":20,"id":"C-1"}"#.into()), ("user", "\"ada\"".into())],
    };
    let entropy = Entropy { nonce: u128::from(number).to_be_bytes(), salt: [9; 16] };
    Some(writer.sign(&writer.ticket(), draft, &entropy))
}

fn opened(id: &RunId) -> Option<Run> {
    Some(Run {
        id: id.clone(),
        agent: AgentId::parse("agent-7").ok()?,
        user: None,
        workflow: None,
        environment: None,
        release_phase: None,
        intent: None,
        implicit: false,
        opened_at: at(0),
        used_at: at(0),
        closed_at: None,
        calls: 0,
        spend: 0,
        labels: Labels::none(),
    })
}

fn held(run: &RunId, record: SignedRecord, number: u64) -> Option<Intent> {
    let rule = RuleId::parse(if number % 100 == 99 { "rare" } else { "finance" }).ok()?;
    let agent = AgentId::parse(&format!("agent-{}", number % 50)).ok()?;
    let call = Digest::of(&number.to_be_bytes());
    let question = Question {
        id: QuestionId::parse(&format!("q_{number:026}")).ok()?,
        call,
        action: call,
        salt: Salt::NONE,
        voters: Salt::NONE,
        intent: record.id.clone(),
        decision: record.digest,
        run: run.clone(),
        agent: agent.clone(),
        user: None,
        via: Vec::new(),
        workflow: None,
        parties: CallParties::default(),
        tool: "payments/refund".into(),
        arguments: json!({"payment": format!("P-{number}"), "amount": number % 500}),
        resource: format!("payment:P-{number}"),
        cost: 1_000_000,
        reason: "payments/refund must be approved first".into(),
        rules: vec![QuestionRule { definition: Digest::of(rule.as_str().as_bytes()), id: rule, quorum: 2, deny: 1 }],
        asked_at: at(0),
        expires_at: at(i64::try_from(3_600 + number).ok()?),
        votes: Vec::new(),
        remarks: Vec::new(),
        origins: Vec::new(),
        preview: None,
        narrowed: None,
        escalated: 0,
        step_at: None,
        uses: 0,
        used: false,
    };
    Some(Intent {
        record,
        run: run.clone(),
        agent,
        user: None,
        call,
        tool: question.tool.clone(),
        at: at(0),
        basis: Basis::default(),
        idempotency: None,
        preview_of: None,
        effect: Effect::Hold(Box::new(question)),
        questions_max: u32::MAX,
        review: false,
    })
}
