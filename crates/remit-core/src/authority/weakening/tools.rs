//! How tools are classified. Approving another definition of a tool (its pin) is one person's deed, and not
//! listed here.

use super::Weakening;
use crate::Snapshot;
use crate::registry::Tool;

pub(super) fn compare(old: &Snapshot, new: &Snapshot, out: &mut Vec<Weakening>) {
    for tool in old.registry().tools() {
        if let Some(now) = new.registry().tool(&tool.name) {
            each(tool, now, out);
        }
    }
}

fn each(old: &Tool, new: &Tool, out: &mut Vec<Weakening>) {
    let name = &old.name;
    let mut add = |code, what: String| out.push(Weakening::new(code, format!("tool `{name}` would {what}")));
    // Guardrails and grants name classes, so another class is never only narrower.
    if new.class != old.class {
        add("tool.class_changed", format!("be `{}` instead of `{}`", new.class.as_str(), old.class.as_str()));
    }
    if new.risk < old.risk {
        add("tool.risk_lowered", format!("be of {} risk instead of {}", new.risk.as_str(), old.risk.as_str()));
    }
    if new.reversible && !old.reversible {
        add("tool.risk_lowered", "count as reversible".to_owned());
    }
    let fewer = new.labels.sensitivity < old.labels.sensitivity
        || (old.labels.untrusted && !new.labels.untrusted)
        || !old.labels.marks.is_subset(&new.labels.marks);
    if fewer {
        add("tool.labels_lowered", "label its output less strictly".to_owned());
    }
    if new.resource != old.resource {
        add("tool.resource_changed", "be taken to touch something else".to_owned());
    }
    if new.cost != old.cost {
        add("tool.cost_changed", "be counted at another cost".to_owned());
    }
    if old.owner.is_some() && new.owner != old.owner {
        add("tool.owner_changed", "have another owner, whom approval rules may exclude".to_owned());
    }
    if old.preview.is_some() && new.preview != old.preview {
        add("tool.preview_changed", "be shown to approvers by another preview, or by none".to_owned());
    }
}
