//! Authority: what the organisation's files allow, compiled. **Remits grant, guardrails bound,
//! approvals satisfy, budgets count; silence, error and unknown mean deny.**

mod budgets;
mod compile;
mod facts;
mod grants;
pub mod guardrail;
mod index;
mod permit;
pub mod remit;
mod slice;
mod tiers;
mod vocabulary;
pub mod weakening;
mod when;

use miette::Diagnostic;

pub(crate) use budgets::budget;
pub use compile::{Person, Sources, compile};
pub(crate) use facts::Facts;
pub use index::{Snapshot, Standing};
pub(crate) use slice::{Profile, Slice};
pub use tiers::{Tiers, asks_better};
pub use vocabulary::cedar_schema;

use guardrail::GuardrailFile;
use remit::Locus;

/// Something in the configuration that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub locus: Locus,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.locus, self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

/// Turns one of Cedar's diagnostics into a fault of ours.
pub(crate) fn locate(file: &GuardrailFile, error: &dyn Diagnostic, context: &str) -> Fault {
    let offset = error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let (line, column) = offset.map_or((0, 0), |at| line_and_column(&file.text, at));
    Fault {
        locus: Locus { file: file.name.clone(), line, column },
        message: format!("{context}: {error}"),
        help: error.help().map(|help| help.to_string()),
    }
}

/// One-based line and column of a byte offset.
#[must_use]
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
