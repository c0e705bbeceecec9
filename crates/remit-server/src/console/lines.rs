//! What is different between two sets of texts, as lines that come and go.

use remit_app::history::FileChange;

use super::plain::{Plain, line};

/// More lines of one file than this push everything else off the page.
const LONG: usize = 80;

/// One file. Templates call it `file`.
pub(crate) struct File {
    /// Its name.
    pub name: Plain,
    /// `added`, `removed` or `changed`.
    pub kind: &'static str,
    /// How many lines come.
    pub came: usize,
    /// How many go.
    pub went: usize,
    /// Its lines, in the order of the file.
    pub lines: Vec<Line>,
}

/// A line that comes or goes.
pub(crate) struct Line {
    /// Whether it comes; else it goes.
    pub comes: bool,
    /// Its number, after or before.
    pub number: usize,
    /// What it says.
    pub text: Plain,
}

impl File {
    /// One difference.
    pub(crate) fn of(change: &FileChange) -> Self {
        let (came, went) = (change.added.len(), change.removed.len());
        Self { name: line(&change.name), kind: change.kind, came, went, lines: merged(change) }
    }

    /// Whether its lines are folded away until somebody wants to see them.
    pub(crate) fn is_long(&self) -> bool {
        self.lines.len() > LONG
    }
}

/// Both kinds of lines in the order of the file: where lines are replaced, those that go stand before those that come.
fn merged(change: &FileChange) -> Vec<Line> {
    let (mut went, mut came) = (change.removed.iter().peekable(), change.added.iter().peekable());
    let (mut out, mut shift) = (Vec::new(), 0_isize);
    let place = |number: usize| isize::try_from(number).unwrap_or(isize::MAX);
    loop {
        let goes = match (went.peek(), came.peek()) {
            (None, None) => return out,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            // A line before stands where it would stand after by as many as came and went so far.
            (Some((before, _)), Some((after, _))) => place(*before).saturating_add(shift) <= place(*after),
        };
        let next = if goes { went.next() } else { came.next() };
        shift += if goes { -1 } else { 1 };
        out.extend(next.map(|(number, text)| Line { comes: !goes, number: *number, text: line(text) }));
    }
}

#[cfg(test)]
mod tests {
    use remit_app::history::differences;
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_stand_in_the_order_of_the_file() {
        let shown = |old: &str, new: &str| {
            let files = differences(&json!({ "f": old }).to_string(), &json!({ "f": new }).to_string());
            let lines = files.iter().map(File::of).flat_map(|file| file.lines);
            let word = |line: Line| format!("{}{}{}", if line.comes { '+' } else { '-' }, line.number, line.text);
            lines.map(word).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown("a\nb\nc\nd\n", "a\nx\nc\ny\nd\n"), "-2b +2x +4y");
        assert_eq!(shown("a\nb\nc\nd\ne\n", "c\nd\nz\n"), "-1a -2b -5e +3z");
        assert_eq!(shown("a\n", "1\n2\n3\na\nb\n"), "+11 +2 2 +3 3 +5b".replace("+2 2 +3 3", "+22 +33"));
    }
}
