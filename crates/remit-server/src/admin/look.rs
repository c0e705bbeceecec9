//! What operators look at.

use remit_app::ports::RecordFilter;
use remit_app::run::RunFilter;
use remit_core::ids::{AgentId, RecordId, RunId, UpstreamId};
use remit_core::verdict::{Code, Refusal};
use remit_evidence::record::disclosed;
use remit_evidence::words::{WORDS, whole};
use remit_evidence::writer::SignedRecord;
use serde_json::{Value, json};

use crate::accept::malformed;
use crate::admin::asked::{Answer, Asked};
use crate::admin::unavailable;
use crate::gateway::http::run_shown;

/// Most records of a run in one answer.
const RECORDS: u32 = 1_000;

/// `GET /admin/v1/runs?agent=&limit=`.
pub(super) async fn runs(Asked { edge, query, .. }: Asked) -> Answer {
    let agent = query.get("agent").map(AgentId::parse).transpose().map_err(malformed)?;
    let filter = RunFilter { agent, limit: query.number("limit").unwrap_or(0), ..RunFilter::default() };
    let runs = edge.gate.ports().store.runs(&filter).await.map_err(unavailable)?;
    Ok(json!({"runs": runs.iter().map(run_shown).collect::<Vec<_>>()}))
}

/// `GET /admin/v1/runs/{id}?after=&limit=`: the run and its records, the oldest first; `next` is where they go on.
pub(super) async fn run(Asked { edge, id, query, .. }: Asked) -> Answer {
    let unknown =
        || Refusal::new(Code::RunUnknown, "there is no such run").with_remedy("The list of runs says which there are.");
    let id = RunId::parse(&id).map_err(|_| unknown())?;
    let store = &edge.gate.ports().store;
    let run = store.run(&id).await.map_err(unavailable)?.ok_or_else(unknown)?;
    let (after, limit) = (query.number("after").unwrap_or(0), query.number("limit").unwrap_or(RECORDS));
    let limit = limit.clamp(1, RECORDS);
    let filter = RecordFilter { run: Some(id), after, limit, ..RecordFilter::default() };
    let records = store.records(&filter).await.map_err(unavailable)?;
    let mut shown = run_shown(&run);
    // Whoever looks must not take the first page for all of it.
    shown["next"] = json!((records.len() == limit as usize).then(|| after.saturating_add(u64::from(limit))));
    shown["intent"] = json!(run.intent);
    shown["records"] = records.iter().map(record_shown).collect();
    Ok(shown)
}

/// `GET /admin/v1/records?after=&limit=&run=`: the signed envelopes with their disclosures, in the
/// order in which they became durable.
pub(super) async fn records(Asked { edge, query, .. }: Asked) -> Answer {
    let run = query.get("run").map(RunId::parse).transpose().map_err(malformed)?;
    let after = query.number("after").unwrap_or(0);
    let filter = RecordFilter { run, kind: None, after, limit: query.number("limit").unwrap_or(0) };
    let records = edge.gate.ports().store.records(&filter).await.map_err(unavailable)?;
    Ok(json!({"records": records.iter().map(|record| json!({
        "envelope": record.envelope.to_json(), "disclosures": record.disclosures,
    })).collect::<Vec<_>>()}))
}

/// `GET /admin/v1/records/{id}`: one record, everything about it.
pub(super) async fn record(Asked { edge, id, .. }: Asked) -> Answer {
    let unknown = || Refusal::new(Code::RecordUnknown, "there is no such record");
    let id = RecordId::parse(&id).map_err(|_| unknown())?;
    let store = &edge.gate.ports().store;
    let record = store.record(&id).await.map_err(unavailable)?.ok_or_else(unknown)?;
    let mut related = Vec::new();
    if let Some(run) = &record.run {
        let filter = RecordFilter { run: Some(run.clone()), ..RecordFilter::default() };
        let digest = record.digest.to_string();
        for other in store.records(&filter).await.map_err(unavailable)? {
            let shown = record_shown(&other);
            let links = shown["statement"]["links"].as_array().cloned().unwrap_or_default();
            if links.iter().any(|link| link["digest"] == digest.as_str()) {
                related.push(shown);
            }
        }
    }
    let mut shown = record_shown(&record);
    shown["envelope"] = record.envelope.to_json();
    shown["related"] = Value::Array(related);
    Ok(shown)
}

/// `GET /admin/v1/tools`: every tool with its classification and the state of its pin.
pub(super) async fn tools(Asked { edge, .. }: Asked) -> Answer {
    Ok(json!({"tools": edge.fleet.report(&edge.gate.snapshot())}))
}

/// `POST /admin/v1/tools/survey`: asks every upstream anew what it serves, and names those that were never reached.
pub(super) async fn survey(Asked { edge, .. }: Asked) -> Answer {
    edge.fleet.survey_all().await;
    let absent: Vec<_> = edge.fleet.absent().iter().map(UpstreamId::to_string).collect();
    Ok(json!({"tools": edge.fleet.report(&edge.gate.snapshot()), "absent": absent}))
}

/// `GET /admin/v1/snapshot`: the authority in force, as Cedar.
pub(super) async fn snapshot(Asked { edge, .. }: Asked) -> Answer {
    let snapshot = edge.gate.snapshot();
    Ok(json!({
        "digest": snapshot.digest().to_string(),
        "permits": snapshot.permits().collect::<Vec<_>>(),
        "schema": remit_core::authority::cedar_schema(snapshot.registry()),
    }))
}

/// `GET /admin/v1/budgets`: every budget and its present span.
pub(super) async fn budgets(Asked { edge, .. }: Asked) -> Answer {
    let snapshot = edge.gate.snapshot();
    let all = snapshot.all_budgets(edge.gate.ports().clock.now());
    let usage = edge.gate.ports().store.usage(&all).await.map_err(unavailable)?;
    let rows = all.iter().zip(usage).map(|((budget, span), (settled, reserved))| {
        edge.metrics.budget(&budget.key.0, settled.saturating_add(reserved), budget.limit);
        json!({
            "budget": budget.key.0, "unit": budget.unit.as_str(), "limit": budget.limit, "settled": settled,
            "reserved": reserved, "resets": span.ends.map(|at| at.to_string()),
            "used": budget.unit.show(settled.saturating_add(reserved)), "of": budget.unit.show(budget.limit),
        })
    });
    Ok(json!({"budgets": rows.collect::<Vec<_>>()}))
}

fn record_shown(record: &SignedRecord) -> Value {
    let mut statement = remit_core::json::parse(&record.envelope.payload).unwrap_or_default();
    let mut beside = disclosed(&record.disclosures);
    let said = whole(statement["predicate"].take(), &beside);
    beside.retain(|(name, _)| name != WORDS);
    let values: serde_json::Map<String, Value> = beside.into_iter().collect();
    json!({
        "record": record.id.as_str(),
        "kind": record.kind.as_str(),
        "time": record.time,
        "run": record.run.as_ref().map(ToString::to_string),
        "writer": {"key": record.writer, "seq": record.seq},
        "digest": record.digest.to_string(),
        "statement": said,
        "disclosed": values,
    })
}
