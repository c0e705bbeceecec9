//! One YAML text into one typed file, or one located fault.
//!
//! Stricter than YAML: no anchors, aliases, merge keys or tags, no second document, no duplicate
//! keys, and only `true` and `false` are booleans. What a reviewer reads is what counts.

use remit_core::authority::Fault;
use remit_core::authority::remit::Locus;
use serde::de::DeserializeOwned;
use serde_saphyr::{Error, MergeKeyPolicy, Options};

use crate::at::At;
use crate::report::{near_or_all, shown};

const ONCE: &str = "write the value out where it is used";

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0 },
        merge_keys: MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// Reads a text.
///
/// # Errors
/// The first thing that is wrong with its form; the reader cannot go on after one.
pub(crate) fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<At<T>, Box<Fault>> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| Box::new(fault(file, text, &error)))
}

fn fault(file: &str, text: &str, error: &Error) -> Fault {
    let (line, column) = place(text, error);
    let (message, help) = explain(error);
    Fault { locus: Locus { file: file.to_owned(), line, column }, message, help }
}

fn place(text: &str, error: &Error) -> (usize, usize) {
    let Some(location) = error.location() else { return (0, 0) };
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let (line, column) = (number(location.line()), number(location.column()));
    if let Error::SerdeMissingField { .. } = error {
        return block_start(text, line, column);
    }
    // The reader reports the value that carries an anchor or a tag; the mark before it is meant.
    let mark = match error {
        Error::Budget { .. } => '&',
        Error::UnsupportedTag { .. } => '!',
        _ => return (line, column),
    };
    let before: Vec<char> =
        text.lines().nth(line.saturating_sub(1)).unwrap_or("").chars().take(column.saturating_sub(1)).collect();
    let back = before.iter().rposition(|c| *c == mark);
    (line, back.map_or(column, |at| at + 1))
}

/// The first key of the block in which a key stands: the reader reports a missing key where the
/// block ends. Keys of `{…}` stay where they are.
fn block_start(text: &str, line: usize, column: usize) -> (usize, usize) {
    let lines: Vec<&str> = text.lines().collect();
    let mut first = line;
    for number in (1..=line).rev() {
        let words = lines.get(number - 1).copied().unwrap_or_default();
        let content = words.trim_start_matches(' ');
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let item =
            content.strip_prefix('-').filter(|rest| rest.starts_with(' ')).map(|rest| rest.trim_start_matches(' '));
        let begins = |part: &str| words.len() - part.len() + 1;
        if item.is_some_and(|item| begins(item) == column) {
            return (number, column);
        }
        match begins(content) {
            indent if indent == column => first = number,
            indent if indent > column && number < line => {}
            _ => break,
        }
    }
    (first, column)
}

fn explain(error: &Error) -> (String, Option<String>) {
    let help = |text: &str| Some(text.to_owned());
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{}`", shown(field)), near_or_all(field, expected.iter().copied()))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let all: Vec<_> = expected.iter().map(|word| format!("`{word}`")).collect();
            let near = remit_core::nearest(variant, expected.iter().copied());
            let hint =
                near.map_or_else(|| format!("one of {}", all.join(", ")), |word| format!("did you mean `{word}`?"));
            (format!("unknown word `{}`", shown(variant)), Some(hint))
        }
        Error::SerdeMissingField { field, .. } => (format!("`{field}` is missing"), help("add it to this block")),
        Error::DuplicateMappingKey { key, .. } => {
            (format!("`{}` stands here twice", key.as_deref().map(shown).unwrap_or_default()), help("keep one of them"))
        }
        Error::Budget { .. } => ("anchors are not allowed".to_owned(), help(ONCE)),
        Error::UnknownAnchor { .. } | Error::AliasError { .. } => ("aliases are not allowed".to_owned(), help(ONCE)),
        Error::UnsupportedTag { tag, .. } => (format!("the tag `{}` is not allowed", shown(tag)), help("remove it")),
        Error::MergeKeyNotAllowed { .. } => ("merge keys are not allowed".to_owned(), help(ONCE)),
        Error::MultipleDocuments { .. } => ("a second document begins here".to_owned(), help("one document per file")),
        Error::Eof { .. } => ("the file is empty".to_owned(), help("remove it, or fill it in")),
        Error::NullIntoString { .. } => {
            ("a text is expected here, found nothing".to_owned(), help("write a value, or leave the key out"))
        }
        Error::Unexpected { expected, .. } => (format!("expected {}", plain(expected)), None),
        Error::InvalidScalar { ty, .. } => (format!("expected {}", plain(ty)), None),
        Error::InvalidBooleanStrict { .. } => ("expected `true` or `false`".to_owned(), None),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            (format!("expected {expected}, found {}", shown(unexpected)), None)
        }
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } => ("expected one word".to_owned(), None),
        other => {
            let text = other.to_string();
            let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
            let tab = message.contains("tab").then(|| "indent with spaces".to_owned());
            (shown(message), tab)
        }
    }
}

/// The reader's words for what it expected, in ours.
fn plain(expected: &str) -> &str {
    match expected {
        "string scalar" => "a text",
        "mapping start" => "a block of `key: value` lines",
        "sequence start" => "a list",
        "u16" | "u32" | "u64" | "usize" => "a whole number",
        "boolean" | "bool" => "`true` or `false`",
        other => other,
    }
}
