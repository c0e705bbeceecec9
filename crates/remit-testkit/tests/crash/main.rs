//! The real program, killed at many moments. After every crash the same laws hold: no effect without
//! a durable record, no budget above its limit, nothing executed twice under one key, no admitted
//! call left without a receipt, and every record verifies.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod gateway;
mod previews;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gateway::Gateway;
use remit_cli::boot::Running;
use remit_core::ids::Digest;
use remit_evidence::dsse::Envelope;
use remit_evidence::record::Kind;
use remit_evidence::record::disclosed;
use remit_evidence::verify::{Trust, Verified, examine};
use remit_evidence::writer::Sign as _;
use remit_server::keys::Ed25519;
use remit_testkit::place::{Place, business, program};
use remit_testkit::upstream::Upstream;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::task::JoinSet;

const ROUNDS: u64 = 32;
const WORKERS: u64 = 6;
const AGENT: &str = "crash-agent";

/// A call that a client makes, and makes again when it does not know what came of it.
#[derive(Clone, Debug)]
struct Errand {
    key: String,
    tool: &'static str,
    arguments: Value,
}

/// What clients know.
#[derive(Default)]
struct Known {
    /// Records of writes that were acknowledged.
    acknowledged: Vec<String>,
    /// Errands without an answer.
    uncertain: Vec<Errand>,
}

impl Errand {
    fn nth(round: u64, worker: u64, at: u64) -> Self {
        let key = format!("{round}-{worker}-{at}");
        let (tool, arguments) = match (worker + at) % 3 {
            0 => ("business/refund", json!({"payment": key, "amount": 1})),
            1 => ("business/update_ticket", json!({"id": key, "status": "open"})),
            _ => ("business/get_customer", json!({"id": key})),
        };
        Self { key, tool, arguments }
    }

    fn writes(&self) -> bool {
        self.tool != "business/get_customer"
    }

    async fn run(&self, wire: &Wire) -> Result<(u16, Value), String> {
        let body = json!({"tool": self.tool, "arguments": self.arguments, "idempotency_key": self.key});
        wire.send(AGENT, "/v1/calls", Some(&body)).await
    }
}

/// The name that an errand has in the upstream's books.
fn name(arguments: &Value) -> Option<&str> {
    arguments["payment"].as_str().or_else(|| arguments["id"].as_str())
}

/// The scenarios' organisation with one more agent, before this upstream.
fn set_up(upstream: &Upstream) -> Place {
    let place = Place::before(upstream);
    let keys = format!(
        "agents:\n  - {{ id: crasher, agent: crasher, expires: 2099-01-01, sha256: {} }}\n",
        Digest::of(AGENT.as_bytes())
    );
    place.write("keys.yaml", &(keys + &place.text("keys.yaml")));
    place.write(
        "remits/crasher.yaml",
        "agent: crasher\nowner: team:t\nexpires: 2099-01-01\nread: [{ tools: [business/get_customer] }]\n\
         write: [{ tools: [business/update_ticket], limits: [100000 per month, 90000 objects per month] }]\n\
         trigger: [{ tools: [business/refund], limits: [150 per month, 500 USD per month] }]\n",
    );
    place
}

/// Clients at work until the gateway is gone.
fn drive(wire: &Wire, round: u64, stop: &Arc<AtomicBool>) -> JoinSet<Known> {
    let mut clients = JoinSet::new();
    for worker in 0..WORKERS {
        let (wire, stop) = (wire.clone(), stop.clone());
        clients.spawn(async move {
            let mut known = Known::default();
            for at in 0.. {
                let errand = Errand::nth(round, worker, at);
                match errand.run(&wire).await {
                    Ok((200, answer)) if errand.writes() => {
                        known.acknowledged.push(answer["record"].as_str().expect("a record").to_owned());
                    }
                    Ok(_) => {}
                    Err(_) => known.uncertain.push(errand),
                }
                if stop.load(Ordering::SeqCst) || known.uncertain.len() > 2 {
                    break;
                }
            }
            known
        });
    }
    clients
}

fn budgets_hold(budgets: &Value, round: u64) {
    for budget in budgets["budgets"].as_array().expect("budgets") {
        let number = |name: &str| budget[name].as_u64().expect("a number");
        assert!(number("settled") + number("reserved") <= number("limit"), "round {round}: {budget}");
    }
}

fn once(upstream: &Upstream, round: u64) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for arguments in upstream.calls() {
        *times.entry(name(&arguments).expect("a name").to_owned()).or_default() += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "round {round}: executed more than once: {twice:?}");
}

/// A kill moment after the spawn: every fourth while it starts, the others while it works.
fn moment(round: u64) -> (bool, Duration) {
    if round % 4 == 3 {
        return (false, Duration::from_millis(round * 12 % 240));
    }
    (true, Duration::from_micros(round * 13_700 % 400_000 + round * 311))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_law_survives_every_crash() {
    let upstream = business(Duration::from_millis(4)).await;
    let place = set_up(&upstream);
    let (began, mut all, mut retried) = (Instant::now(), Known::default(), 0);
    for round in 0..ROUNDS {
        let mut gateway = Gateway::spawn(place.path());
        let (at_work, delay) = moment(round);
        if !at_work {
            tokio::time::sleep(delay).await;
            gateway.kill().await;
            ledger_is_sound(place.path(), round).await;
            continue;
        }
        gateway.ready().await;
        budgets_hold(&gateway.get("/admin/v1/budgets").await, round);
        for errand in std::mem::take(&mut all.uncertain) {
            let (status, answer) = errand.run(&gateway.wire).await.expect("an answer after the restart");
            let code = answer["error"]["code"].as_str().unwrap_or_default();
            assert!(code != "idempotency.pending" && status < 600, "nobody settles {errand:?}: {answer}");
            retried += 1;
        }
        once(&upstream, round);
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = drive(&gateway.wire, round, &stop);
        tokio::time::sleep(delay).await;
        gateway.kill().await;
        stop.store(true, Ordering::SeqCst);
        ledger_is_sound(place.path(), round).await;
        while let Some(known) = clients.join_next().await {
            let known = known.expect("a client");
            all.acknowledged.extend(known.acknowledged);
            all.uncertain.extend(known.uncertain);
        }
    }
    let mut gateway = Gateway::spawn(place.path());
    gateway.ready().await;
    for errand in std::mem::take(&mut all.uncertain) {
        errand.run(&gateway.wire).await.expect("an answer after the restart");
        retried += 1;
    }
    // Receipts of reads may be batched: as long as the bound says, and then some.
    tokio::time::sleep(Duration::from_millis(400)).await;
    once(&upstream, ROUNDS);
    let budgets = gateway.get("/admin/v1/budgets").await;
    budgets_hold(&budgets, ROUNDS);
    let count = the_records_tell_it(&gateway, place.path(), &upstream, &all, &budgets).await;
    println!(
        "{ROUNDS} crashes, {} effects, {} acknowledged writes, {retried} retries, {count} records, {:?}",
        upstream.calls().len(),
        all.acknowledged.len(),
        began.elapsed(),
    );
    gateway.kill().await;
    // One more start and a good end: then every record that any of them wrote is sealed.
    let running = Running::start(place.path(), Some(([127, 0, 0, 1], 0).into())).await;
    running.map_err(|error| error.to_string()).expect("it starts").stop().await;
    let told = ledger_is_sound(place.path(), ROUNDS).await;
    assert!(told.contains(" leaves, 0 records not yet sealed, 0 things"), "{told}");
}

/// Whatever moment it died at: what is published stands on files that are there, and on records that are.
async fn ledger_is_sound(place: &Path, round: u64) -> String {
    if !place.join(".remit/ledger/checkpoint").exists() {
        return String::new();
    }
    let output = Command::new(program()).arg("-C").arg(place).args(["ledger", "fsck"]).output().await.expect("it runs");
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "round {round}: {told}");
    told
}

/// The very first start makes keys and a store: a crash there must not spoil the folder for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_may_crash_too() {
    let upstream = business(Duration::ZERO).await;
    for round in 0..16 {
        let place = set_up(&upstream);
        let first = Gateway::spawn(place.path());
        tokio::time::sleep(Duration::from_millis(round * 9)).await;
        first.kill().await;
        let mut second = Gateway::spawn(place.path());
        second.ready().await;
        second.kill().await;
    }
}

fn unclear(review: &Value) -> Option<&str> {
    review["record"].as_str().filter(|_| review["effect_unknown"] == true)
}

async fn the_records_tell_it(
    gateway: &Gateway,
    place: &Path,
    upstream: &Upstream,
    all: &Known,
    budgets: &Value,
) -> usize {
    let root = Ed25519::in_file(&place.join(".remit/gateway.key")).expect("the gateway's key").public_key();
    let mut trust = Trust::in_roots([root]).expect("a root");
    let mut verified: Vec<Verified> = Vec::new();
    let mut allowed: BTreeMap<String, (String, String)> = BTreeMap::new();
    loop {
        let page = gateway.get(&format!("/admin/v1/records?after={}&limit=500", verified.len())).await;
        let page = page["records"].as_array().expect("records").clone();
        if page.is_empty() {
            break;
        }
        for entry in page {
            let envelope = Envelope::parse(entry["envelope"].to_string().as_bytes()).expect("an envelope");
            let record = trust.verify(&envelope).unwrap_or_else(|error| panic!("{error}: {entry}"));
            let texts: Vec<String> = serde_json::from_value(entry["disclosures"].clone()).expect("disclosures");
            let arguments = disclosed(&texts).into_iter().find(|(name, _)| name == "arguments");
            if record.kind == Kind::Decision && record.predicate["verdict"] == "allow" {
                let name = arguments.as_ref().and_then(|(_, arguments)| name(arguments)).expect("a name").to_owned();
                let tool = record.predicate["tool"]["name"].as_str().expect("a tool").to_owned();
                let twice = allowed.insert(name, (record.id.clone(), tool));
                assert!(twice.is_none(), "admitted twice under one key: {twice:?}");
            }
            verified.push(record);
        }
    }
    let findings = examine(&verified);
    assert!(findings.doubles.is_empty(), "two records at one place: {:?}", findings.doubles);
    assert!(findings.open.is_empty(), "admitted and never settled: {:?}", findings.open);
    assert!(findings.dangling.is_empty(), "links to nothing: {:?}", findings.dangling);
    // What was lost can only be what was under way: every client has at most one call there, with a
    // decision, a receipt, and perhaps the opening of a run.
    let mut gaps: BTreeMap<&str, u64> = BTreeMap::new();
    for (writer, _) in &findings.gaps {
        *gaps.entry(writer).or_default() += 1;
    }
    assert!(gaps.values().all(|lost| *lost <= WORKERS), "more is lost than was under way: {:?}", findings.gaps);
    for arguments in
        upstream.calls().iter().filter(|arguments| arguments["status"] == "open" || arguments["payment"].is_string())
    {
        let name = name(arguments).expect("a name");
        assert!(allowed.contains_key(name), "an effect without a record: {arguments}");
    }
    let durable: BTreeSet<&str> = verified.iter().map(|record| record.id.as_str()).collect();
    let lost: Vec<_> = all.acknowledged.iter().filter(|id| !durable.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "acknowledged, and forgotten: {lost:?}");
    // Whatever may have changed something, and nobody knows: a person is shown it.
    let reviews = gateway.get("/admin/v1/reviews?closed=true&limit=1000").await;
    let shown: BTreeSet<&str> = reviews["reviews"].as_array().expect("reviews").iter().filter_map(unclear).collect();
    let unknown = verified.iter().filter(|record| record.predicate["result"]["state"] == "unknown");
    let unknown: BTreeSet<&str> = unknown.filter_map(|record| record.predicate["intent"].as_str()).collect();
    let changes =
        allowed.values().filter(|(id, tool)| unknown.contains(id.as_str()) && tool != "business/get_customer");
    for (id, tool) in changes {
        assert!(shown.contains(id.as_str()), "nobody is shown {id} of {tool}: {reviews}");
    }
    for (budget, tool) in
        [("agent:crasher/trigger.0", "business/refund"), ("agent:crasher/write.0", "business/update_ticket")]
    {
        let rows = budgets["budgets"].as_array().expect("budgets").iter();
        let calls = rows
            .clone()
            .find(|row| row["unit"] == "calls" && row["budget"].as_str().is_some_and(|b| b.starts_with(budget)));
        let row = calls.unwrap_or_else(|| panic!("no such budget: {budgets}"));
        let admitted = allowed.values().filter(|(_, of)| of == tool).count();
        assert!(row["reserved"] == 0, "still reserved after everything was settled: {row}");
        let settled = usize::try_from(row["settled"].as_u64().expect("a number")).expect("a size");
        // What never reached the upstream is released; what may have is charged.
        let effects = upstream
            .calls()
            .iter()
            .filter(|a| {
                (tool == "business/refund") == a["payment"].is_string()
                    && a["status"].is_string() == (tool == "business/update_ticket")
            })
            .count();
        assert!((effects..=admitted).contains(&settled), "{effects} effects, {admitted} admitted, and booked {row}");
    }
    verified.len()
}
