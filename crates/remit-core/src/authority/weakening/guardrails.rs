//! Guardrails: compared by what their policies say, whatever they are called and in whichever file they stand.

use serde_json::Value;

use super::Weakening;
use crate::Snapshot;
use crate::authority::guardrail::Guardrail;
use crate::authority::remit::Mode;
use crate::json::canonical;

pub(super) fn compare(old: &Snapshot, new: &Snapshot, out: &mut Vec<Weakening>) {
    let now: Vec<(String, Option<String>, Mode)> =
        new.guardrails().iter().map(|g| (g.policy.id().to_string(), says(g), g.mode)).collect();
    for guardrail in old.guardrails().iter().filter(|guardrail| guardrail.mode == Mode::Enforce) {
        let (id, said) = (guardrail.policy.id().to_string(), says(guardrail));
        let same = |mode| now.iter().any(|(_, body, m)| said.is_some() && *body == said && *m == mode);
        if same(Mode::Enforce) {
            continue;
        }
        out.push(if same(Mode::Observe) {
            Weakening::new("guardrail.observed", format!("guardrail `{id}` would only be observed, not enforced"))
        } else if now.iter().any(|(other, _, _)| *other == id) {
            Weakening::new("guardrail.changed", format!("guardrail `{id}` would say something else"))
        } else {
            Weakening::new("guardrail.removed", format!("guardrail `{id}` would be gone"))
        });
    }
}

/// What a policy says without its annotations; nothing when that cannot be told.
fn says(guardrail: &Guardrail) -> Option<String> {
    let mut json = guardrail.policy.to_json().ok()?;
    if let Value::Object(members) = &mut json {
        members.remove("annotations");
    }
    Some(canonical(&json))
}
