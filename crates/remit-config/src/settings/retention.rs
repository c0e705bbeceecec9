//! The `retention` block of `remit.yaml`: how long what is kept beside the signed records. What is not
//! named is kept for ever: nothing is deleted by default.

use remit_core::registry::Class;

use crate::at::At;
use crate::report::Report;
use crate::settings::Retention;
use crate::settings::file::RetentionFile;

/// Below this, what a caller is just about to ask for would be gone.
const SECS_MIN: u64 = 60 * 60;

pub(crate) fn check(file: Option<RetentionFile>, report: &mut Report<'_>) -> Retention {
    let Some(file) = file else { return Retention::default() };
    let mut length = |at: Option<At<String>>| {
        let at = at?;
        let secs = report.length_secs(&at)?;
        if secs < SECS_MIN {
            report.fault(&at, "nothing is deleted that soon", "write at least `1h`");
        }
        Some(secs)
    };
    let mut retention =
        Retention { outcomes: length(file.outcomes), budget_spans: length(file.budget_spans), ..Retention::default() };
    if let Some(of) = file.disclosures {
        let classes = [
            (Class::Read, of.read),
            (Class::Write, of.write),
            (Class::Trigger, of.trigger),
            (Class::Approve, of.approve),
            (Class::Expose, of.expose),
        ];
        retention.classes = classes.into_iter().filter_map(|(class, at)| Some((class, length(at)?))).collect();
        retention.other = length(of.other);
    }
    retention
}
