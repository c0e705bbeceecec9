//! What of `remit.yaml` is about people's attention: how much may be asked of them, and whether they look.

use crate::report::Report;
use crate::settings::Canaries;
use crate::settings::file::{CanariesFile, WaitFile};

const HOLD_MS: u64 = 45_000;
const HOLD_MS_MAX: u64 = 10 * 60_000;
const QUESTIONS_PER_AGENT: u32 = 100;
const TARGET_CHARS_MAX: usize = 100;
/// Names that belong to nobody (RFC 2606), in the shape of things that agents work on.
const TARGETS: [&str; 4] = [
    "billing@acme-refunds.example",
    "backup.storage-eu.example",
    "admin@staging-login.example",
    "payroll-export.example",
];

/// How long a call is kept waiting, in milliseconds, and how many questions an agent may have.
pub(super) fn wait(file: Option<WaitFile>, report: &mut Report<'_>) -> (u64, u32) {
    let (hold, most) = file.map_or((None, None), |wait| (wait.hold, wait.questions_per_agent_max));
    let hold_ms = hold.and_then(|at| {
        let hold = report.length_ms(&at)?;
        if hold > HOLD_MS_MAX {
            report.fault(&at, "no client waits that long", "write at most `10m`");
        }
        Some(hold)
    });
    if let Some(at) = most.as_ref().filter(|most| ***most == 0) {
        report.fault(at, "then no agent could ask anything", "write at least 1, or leave it out");
    }
    (hold_ms.unwrap_or(HOLD_MS), most.map_or(QUESTIONS_PER_AGENT, |most| *most))
}

/// The requests that must be denied.
pub(super) fn canaries(file: Option<CanariesFile>, report: &mut Report<'_>) -> Option<Canaries> {
    let file = file?;
    let votes = |text: &str| text.strip_suffix(" votes")?.parse::<u32>().ok().filter(|votes| *votes > 0);
    let every_votes = report.read(&file.every, votes, "a number of votes", "write `50 votes`");
    let targets = match &file.targets {
        None => TARGETS.map(str::to_owned).to_vec(),
        Some(targets) => {
            if targets.is_empty() {
                report.fault(targets, "nothing is left to aim at", "name some targets, or leave it out");
            }
            let plain = |text: &str| {
                let plain =
                    !text.is_empty() && text.chars().count() <= TARGET_CHARS_MAX && !text.contains(char::is_control);
                plain.then(|| text.to_owned())
            };
            targets
                .iter()
                .filter_map(|at| report.read(at, plain, "a target", "write at most 100 characters on one line"))
                .collect()
        }
    };
    Some(Canaries { every_votes: every_votes?, targets })
}
