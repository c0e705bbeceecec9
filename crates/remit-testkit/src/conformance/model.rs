//! Budgets against a model: random scripts of admissions and settlements. After every step the store
//! counts what the model counts, and never more than the limit.

use std::collections::BTreeMap;

use remit_app::intent::{CommitError, Committed};
use remit_core::budget::{Budget, Span, Unit};
use remit_core::ids::RecordId;

use super::trial::{Admission, Trial, budget, completed, not_started, object, reservation};

const LIMITS: [u64; 3] = [3, 5, 8];
const OBJECTS: [&str; 3] = ["ticket/1", "ticket/2", "ticket/3"];

/// What the model knows of one admitted call.
struct Call {
    intent: RecordId,
    amount: u64,
    object: &'static str,
    settled: Option<bool>,
}

/// Follows a script, a step per byte, on a fresh store.
///
/// # Panics
/// When the store counts otherwise than the model, or overspends.
pub async fn follow(trial: Trial, script: &[u8]) {
    let run = trial.run("run-1").await;
    let mut calls: Vec<Call> = Vec::new();
    for step in script {
        let choice = usize::from(*step >> 2);
        match step % 4 {
            // Admit, sometimes under another limit than before.
            0 | 1 => {
                let limit = LIMITS[choice % 3];
                let (amount, name) = (1 + (choice as u64 / 3) % 3, OBJECTS[(choice / 9) % 3]);
                let reservations = vec![reservation(&money(limit), amount), object(&objects(limit.min(2)), name)];
                let admission = trial.admission(&run, "call").await;
                let admission = Admission { reservations, batched: step % 4 == 1, ..admission };
                let fits = spent(&calls) + amount <= limit && room(&calls, name, limit.min(2));
                match trial.commit(&admission).await {
                    Ok(Committed::Admitted(receipt)) => {
                        assert!(fits, "it was admitted beyond the limit");
                        calls.push(Call { intent: receipt.intent().clone(), amount, object: name, settled: None });
                    }
                    Err(CommitError::Conflict("budget")) => assert!(!fits, "it was refused although there is room"),
                    other => panic!("admitted or a conflict, and the store says {other:?}"),
                }
            }
            _ if calls.is_empty() => {}
            // Settle any call, perhaps one that is settled already.
            charged => {
                let at = choice % calls.len();
                let outcome = if charged == 2 { completed() } else { not_started() };
                trial.settle(&calls[at].intent, outcome).await;
                calls[at].settled.get_or_insert(charged == 2);
            }
        }
        check(&trial, &calls).await;
    }
}

async fn check(trial: &Trial, calls: &[Call]) {
    let held = |settled| calls.iter().filter(move |call| call.settled == settled);
    let money_used = (held(Some(true)).map(|c| c.amount).sum(), held(None).map(|c| c.amount).sum());
    let counted = known(calls);
    let booked = counted.values().filter(|booked| **booked).count() as u64;
    let objects_used = (booked, counted.len() as u64 - booked);
    let used = trial.store.usage(&[money(0), objects(0)]).await.expect("read");
    assert_eq!(used, [money_used, objects_used]);
}

fn money(limit: u64) -> (Budget, Span) {
    budget("money", Unit::MicroUsd, limit)
}

fn objects(limit: u64) -> (Budget, Span) {
    budget("objects", Unit::Objects, limit)
}

fn spent(calls: &[Call]) -> u64 {
    calls.iter().filter(|call| call.settled != Some(false)).map(|call| call.amount).sum()
}

/// The objects that count, and whether each is booked. Released ones are gone once nobody holds them.
fn known(calls: &[Call]) -> BTreeMap<&'static str, bool> {
    let mut known = BTreeMap::new();
    for call in calls.iter().filter(|call| call.settled != Some(false)) {
        *known.entry(call.object).or_insert(false) |= call.settled == Some(true);
    }
    known
}

fn room(calls: &[Call], object: &str, limit: u64) -> bool {
    let known = known(calls);
    known.contains_key(object) || (known.len() as u64) < limit
}
