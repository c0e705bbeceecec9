//! Where in its file a place within a condition is. The core counts characters of the condition;
//! in the file there may be quotes, escapes and line breaks in between.

use remit_core::authority::Fault;
use remit_core::authority::remit::{Grant, Locus};

/// A condition, and the source from which it was read.
#[derive(Debug)]
pub(crate) struct Condition<'a> {
    start: Locus,
    text: String,
    source: &'a str,
}

/// The place of a condition's first character: after the quote, when it is quoted.
pub(super) fn first_character(mut locus: Locus, source: &str) -> Locus {
    if rest(source, &locus).starts_with(['"', '\'']) {
        locus.column += 1;
    }
    locus
}

impl<'a> Condition<'a> {
    /// The condition of a grant, when it has one.
    pub fn of(grant: &Grant, source: &'a str) -> Option<Self> {
        Some(Self { start: grant.when_locus.clone(), text: grant.when.clone()?, source })
    }

    /// Whether a fault points into this condition.
    fn holds(&self, fault: &Fault) -> bool {
        let (here, at) = (&self.start, &fault.locus);
        let columns = here.column..=here.column + self.text.len();
        here.file == at.file && here.line == at.line && columns.contains(&at.column)
    }

    /// The place of a character of the condition, by its offset in bytes: as many characters into
    /// the source, where white space, which YAML folds, and the marks of escapes do not count.
    fn place(&self, offset: usize) -> Locus {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let mut ahead = before.chars().filter(|c| !c.is_whitespace()).count();
        let single = self.start.column > 1
            && rest(self.source, &Locus { column: self.start.column - 1, ..self.start.clone() }).starts_with('\'');
        let mut at = self.start.clone();
        let mut chars = rest(self.source, &self.start).chars().peekable();
        while let Some(c) = chars.next() {
            let doubled = single && c == '\'' && chars.peek() == Some(&'\'');
            if !c.is_whitespace() && c != '\\' && !doubled {
                if ahead == 0 {
                    break;
                }
                ahead -= 1;
            }
            at = if c == '\n' {
                Locus { line: at.line + 1, column: 1, ..at }
            } else {
                Locus { column: at.column + 1, ..at }
            };
        }
        at
    }
}

/// Moves faults that point into conditions to where that is in the file.
pub(crate) fn relocate(faults: &mut [Fault], conditions: &[Condition<'_>]) {
    for fault in faults {
        let inside = conditions.iter().filter(|condition| condition.holds(fault));
        if let Some(condition) = inside.max_by_key(|condition| condition.start.column) {
            fault.locus = condition.place(fault.locus.column - condition.start.column);
        }
    }
}

/// The source from a place on.
fn rest<'a>(source: &'a str, locus: &Locus) -> &'a str {
    let skip = source.split_inclusive('\n').take(locus.line.saturating_sub(1)).map(str::len).sum::<usize>();
    let line = source.get(skip..).unwrap_or_default();
    line.char_indices().nth(locus.column.saturating_sub(1)).map_or("", |(at, _)| line.get(at..).unwrap_or_default())
}
