//! Arguments as people read them: every value, exactly, with its kind; long ones folded, none cut off.

use remit_core::origin::Origin;
use serde_json::Value;

use crate::console::plain::{Plain, head, line, lines};
use crate::console::tag::Tag;

/// How many characters of a value are shown at once.
const FOLD_CHARS: usize = 1_200;
/// How long a summary is.
const SUMMARY_CHARS: usize = 140;

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Argument {
    /// Its name.
    pub name: Plain,
    /// Where its value came from, when that is known.
    pub origin: Option<Tag>,
    /// What kind of value it is, when that cannot be seen from the value itself.
    pub kind: &'static str,
    /// The value, or its beginning.
    pub value: Plain,
    /// The whole value, when that was only its beginning.
    pub whole: Option<Plain>,
    /// How many characters the value has.
    pub chars: usize,
}

/// The arguments of a call, each member of the object by itself. Anything else is one value without a name.
pub(super) fn arguments(value: &Value) -> Vec<Argument> {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| argument(name, value)).collect(),
        other => vec![argument("", other)],
    }
}

fn argument(name: &str, value: &Value) -> Argument {
    // Text of several lines is shown as it reads; everything else as JSON, so that 5 and "5" differ.
    let (kind, text) = match value {
        Value::String(text) if text.contains('\n') => ("text", text.clone()),
        other => ("", serde_json::to_string_pretty(other).unwrap_or_default()),
    };
    let (beginning, rest) = head(&text, FOLD_CHARS);
    Argument {
        name: line(name),
        origin: None,
        kind,
        value: lines(beginning),
        whole: (rest > 0).then(|| lines(&text)),
        chars: text.chars().count(),
    }
}

/// Marks each argument with where it came from: of several parts, each by its place.
pub(super) fn mark(arguments: &mut [Argument], value: &Value, origins: &Value) {
    let Some(members) = value.as_object() else { return };
    for (argument, name) in arguments.iter_mut().zip(members.keys()) {
        let place = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let own = |of: &str| of == place || of.strip_prefix(place.as_str()).is_some_and(|rest| rest.starts_with('/'));
        let found = origins.as_array().into_iter().flatten().filter_map(|one| {
            let (of, word) = (one.get(0)?.as_str()?, one.get(1)?.as_str()?);
            own(of).then(|| Origin::parse(word)).flatten()
        });
        argument.origin = found.max_by_key(|origin| origin.doubt()).map(|origin| match origin {
            Origin::User => Tag::good("named by the user"),
            Origin::Config => Tag::plain("named by the tool's schema"),
            Origin::Trusted => Tag::good("named by a trusted tool"),
            Origin::Model => Tag::wait("named by nobody but the model"),
            Origin::Unknown => Tag::wait("nobody known has named it"),
            Origin::Untrusted => Tag::bad("only outsiders have named it"),
        });
    }
}

/// The arguments in one line, cut off where it gets long.
pub(super) fn summary(value: &Value) -> Plain {
    let text = match value {
        Value::Object(members) => {
            let short = |value: &Value| head(&value.to_string(), SUMMARY_CHARS).0.to_owned();
            let members = members.iter().take(20).map(|(name, value)| format!("{name}: {}", short(value)));
            members.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    let (beginning, rest) = head(&text, SUMMARY_CHARS);
    if rest > 0 { line(&format!("{beginning}…")) } else { line(beginning) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_exact_and_long_ones_are_folded_not_cut() {
        let long = "x".repeat(FOLD_CHARS + 5);
        let shown = arguments(&json!({"n": 5, "s": "5", "t": "a\n<b>\u{202E}", "l": long}));
        let text = |at: usize| shown[at].value.to_string();
        assert_eq!(text(0), "5");
        assert_eq!(text(1), "&quot;5&quot;");
        assert_eq!(text(2), "a\n&lt;b&gt;<b class=\"cp\">⟨U+202E⟩</b>");
        assert_eq!((shown[2].kind, shown[2].whole.is_some()), ("text", false));
        // With its quotes it is two longer.
        assert_eq!(shown[3].chars, FOLD_CHARS + 7);
        assert_eq!(shown[3].whole.as_ref().map(ToString::to_string), Some(format!("&quot;{long}&quot;")));
        assert_eq!(arguments(&json!([1])).len(), 1);
    }

    #[test]
    fn a_summary_is_one_short_line() {
        let shown = summary(&json!({"amount": 420, "to": "a\nb", "note": "y".repeat(1000)})).to_string();
        assert!(shown.starts_with("amount: 420, to: &quot;a\\nb&quot;, note: &quot;yyy"), "{shown}");
        assert!(shown.ends_with('…') && !shown.contains('\n'));
    }
}
