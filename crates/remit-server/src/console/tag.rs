//! Words that matter at a glance: each with a shape and a colour of its own, in that order.

use std::fmt;

use remit_app::question::QuestionState;
use remit_core::registry::Risk;

use super::plain::{Plain, line};

/// A marked word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    word: Plain,
    class: &'static str,
}

impl askama::filters::HtmlSafe for Tag {}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"tag {}\">{}</span>", self.class, self.word)
    }
}

impl Tag {
    /// A word that means neither good nor bad.
    pub(crate) fn plain(word: &str) -> Self {
        Self { word: line(word), class: "plain" }
    }

    /// A word that says that things went as they should.
    pub(crate) fn good(word: &str) -> Self {
        Self { word: line(word), class: "good" }
    }

    /// A word that asks for attention.
    pub(crate) fn wait(word: &str) -> Self {
        Self { word: line(word), class: "wait" }
    }

    /// A word that says that something was stopped, or is wrong.
    pub(crate) fn bad(word: &str) -> Self {
        Self { word: line(word), class: "bad" }
    }

    /// A verdict, as records say it.
    pub(crate) fn verdict(word: &str) -> Self {
        match word {
            "allow" => Self::good("allow"),
            "ask" => Self::wait("ask"),
            "deny" => Self::bad("deny"),
            other => Self::plain(other),
        }
    }

    /// What became of a call, as receipts say it.
    pub(crate) fn outcome(word: &str, is_error: bool) -> Self {
        match (word, is_error) {
            ("completed", false) => Self::good("completed"),
            ("completed", true) => Self::wait("completed with an error"),
            ("unknown", _) => Self::bad("unknown"),
            ("not_started", _) => Self::plain("not started"),
            (other, _) => Self::plain(other),
        }
    }

    /// A risk.
    pub(crate) fn risk(risk: Risk) -> Self {
        match risk {
            Risk::Low => Self::plain("low risk"),
            Risk::Medium => Self::plain("medium risk"),
            Risk::High => Self::wait("high risk"),
            Risk::Critical => Self::bad("critical risk"),
        }
    }

    /// Where a question stands.
    pub(crate) fn state(state: QuestionState) -> Self {
        match state.as_str() {
            "open" => Self::wait("open"),
            word @ ("approved" | "used") => Self::good(word),
            "denied" => Self::bad("denied"),
            other => Self::plain(other),
        }
    }
}
