//! Where faults of one file are collected while it is checked.

use remit_core::authority::Fault;
use remit_core::authority::remit::Locus;
use remit_core::ids::InvalidId;
use remit_core::nearest;

use crate::at::At;

/// The faults of one file. Checking goes on after a fault, so that all of them are found at once;
/// what is wrong reads as `None` and is left out.
pub(crate) struct Report<'a> {
    file: &'a str,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Report<'a> {
    pub fn new(file: &'a str, faults: &'a mut Vec<Fault>) -> Self {
        Self { file, faults }
    }

    /// The place of a value.
    pub fn locus<T>(&self, at: &At<T>) -> Locus {
        Locus { file: self.file.to_owned(), line: at.line, column: at.column }
    }

    /// Something is wrong here.
    pub fn fault<T>(&mut self, at: &At<T>, message: impl Into<String>, help: impl Into<String>) {
        self.push(at, message.into(), Some(help.into()));
    }

    /// A name is none of those that are known.
    pub fn unknown<'n, T>(
        &mut self,
        at: &At<T>,
        kind: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n str> + Clone,
    ) {
        let help = near_or_all(name, known);
        self.push(at, format!("unknown {kind} `{name}`"), help);
    }

    /// Reads an identifier.
    pub fn id<T>(&mut self, at: &At<String>, parse: fn(&str) -> Result<T, InvalidId>) -> Option<T> {
        parse(at).map_err(|error| self.push(at, error.to_string(), None)).ok()
    }

    /// Reads a text in a form of its own; `what` completes "`x` is not …".
    pub fn read<T>(
        &mut self,
        at: &At<String>,
        parse: impl FnOnce(&str) -> Option<T>,
        what: &str,
        help: &str,
    ) -> Option<T> {
        let found = parse(at);
        if found.is_none() {
            self.fault(at, format!("`{}` is not {what}", shown(at)), help);
        }
        found
    }

    fn push<T>(&mut self, at: &At<T>, message: String, help: Option<String>) {
        let locus = self.locus(at);
        self.faults.push(Fault { locus, message, help });
    }
}

/// Suggests the nearest name, or lists them all when there are few.
pub(crate) fn near_or_all<'n>(name: &str, known: impl IntoIterator<Item = &'n str> + Clone) -> Option<String> {
    if let Some(near) = nearest(name, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
    (!all.is_empty() && all.len() <= 24).then(|| format!("known here: {}", all.join(", ")))
}

/// A text as it may be repeated in a message: on one line, and not without end.
pub(crate) fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect()
}
