//! The person at the terminal: what is said to them, and how a command ends.

use std::process::ExitCode;

use remit_core::plain;
use serde_json::Value;

/// What ends a command early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// In words, for the person at the terminal.
    #[error("{0}")]
    Said(String),
    /// Reading or writing failed.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
}

impl Failure {
    /// A failure in words.
    pub fn said(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }

    /// Whether the reader of our output went away.
    pub fn broken_pipe(&self) -> bool {
        matches!(self, Self::Io(_, error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// How a command ends.
pub type Outcome = Result<ExitCode, Failure>;

/// Runs something asynchronous on a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.map_err(|error| Failure::Io("the runtime".into(), error))?.block_on(future))
}

/// Prints a line; a closed pipe ends the command quietly.
///
/// INVARIANT (plain): nothing is printed for people that they cannot see, whoever wrote it.
pub fn say(text: impl std::fmt::Display) -> Result<(), Failure> {
    print(&plain::page(&text.to_string()))
}

/// Prints an answer as JSON, in which every character can be seen.
pub fn say_json(answer: &Value) -> Result<(), Failure> {
    print(&plain::json(&answer.to_string()))
}

fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    writeln!(std::io::stdout().lock(), "{text}").map_err(|error| Failure::Io("standard output".into(), error))
}

/// A table without frames, as wide as its words.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(head.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    table
}

/// What is listed of an answer.
pub struct Listing<'a> {
    /// The member that holds it.
    pub of: &'a str,
    /// What is said when it is empty.
    pub none: &'a str,
    /// Over the columns.
    pub head: &'a [&'a str],
}

impl Listing<'_> {
    /// Says the answer as it is when JSON is wanted, and else one row for each that is listed.
    pub fn say(&self, answer: &Value, json: bool, row: impl Fn(&Value) -> Vec<String>) -> Result<(), Failure> {
        let listed = answer[self.of].as_array().map(Vec::as_slice).unwrap_or_default();
        if json {
            say_json(answer)
        } else if listed.is_empty() {
            say(self.none)
        } else {
            say(table(self.head, listed.iter().map(row)))
        }
    }
}

/// Members of an answer, as columns.
pub fn columns<const N: usize>(value: &Value, names: [&str; N]) -> Vec<String> {
    names.map(|name| text(&value[name])).to_vec()
}

/// A count with its noun.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A text of an answer, or a dash.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => visible(text),
        Value::Null => "-".into(),
        other => visible(&other.to_string()),
    }
}

/// A text of somebody else on one line, in which every character can be seen.
pub fn visible(text: &str) -> String {
    plain::line(text)
}

/// The same on several lines, all but the first indented: none of them looks like one of ours.
pub fn indented(text: &str, by: usize) -> String {
    plain::lines(text).replace('\n', &format!("\n{:by$}", ""))
}

/// A value as JSON on several lines, in which every character can be seen.
pub fn pretty(value: &Value) -> String {
    plain::lines(&serde_json::to_string_pretty(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_cannot_play_with_the_terminal() {
        assert_eq!(super::visible("a\u{1b}[2J\u{202e}b\n"), "a⟨U+001B⟩[2J⟨U+202E⟩b⟨U+000A⟩");
        assert_eq!(super::indented("a\n\u{2028}Until", 2), "a\n  ⟨U+2028⟩Until");
    }
}
