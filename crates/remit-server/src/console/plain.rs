//! Text that others wrote, made safe to look at: no markup, and nothing in it that a reader cannot see.
//!
//! Characters are written out as [`remit_core::plain`] does it, and marked.

use std::fmt;

pub(crate) use remit_core::plain::json as plain_json;
use remit_core::plain::{code, is_hidden};

/// What marks a character that was written out. The text itself cannot hold it, as it is escaped.
const OPEN: &str = "<b class=\"cp\">";
const CLOSE: &str = "</b>";

/// Text as HTML in which every character can be seen. Templates print it as it is.
///
/// INVARIANT (plain): it is made by [`line`], [`coded`], [`lines`] and [`bare`] only, which escape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plain(String);

impl askama::filters::HtmlSafe for Plain {}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Plain {
    /// Whether there is nothing to see.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One line: breaks are written out as well.
pub(crate) fn line(text: &str) -> Plain {
    let mut html = String::with_capacity(text.len());
    text.chars().for_each(|c| write(&mut html, c));
    Plain(html)
}

/// One line in which what stands between backticks is shown as a name: `rule \`two\` has changed`.
pub(crate) fn coded(text: &str) -> Plain {
    let parts: Vec<_> = text.split('`').collect();
    if parts.len() % 2 == 0 {
        return line(text);
    }
    let mut html = String::with_capacity(text.len());
    for (at, part) in parts.iter().enumerate() {
        let (begin, end) = if at % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
        html.push_str(begin);
        part.chars().for_each(|c| write(&mut html, c));
        html.push_str(end);
    }
    Plain(html)
}

/// Several lines, each ended by a line feed.
pub(crate) fn lines(text: &str) -> Plain {
    let mut html = String::with_capacity(text.len());
    text.chars().for_each(|c| if c == '\n' { html.push(c) } else { write(&mut html, c) });
    Plain(html)
}

/// One line without any mark-up of ours, for attributes, titles and pictures.
pub(crate) fn bare(text: &str) -> Plain {
    Plain(line(text).0.replace(OPEN, "").replace(CLOSE, ""))
}

/// The first `most` characters, and how many were left out.
pub(crate) fn head(text: &str, most: usize) -> (&str, usize) {
    match text.char_indices().nth(most) {
        None => (text, 0),
        Some((end, _)) => {
            let (head, rest) = text.split_at(end);
            (head, rest.chars().count())
        }
    }
}

fn write(html: &mut String, c: char) {
    match c {
        '&' => html.push_str("&amp;"),
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '"' => html.push_str("&quot;"),
        '\'' => html.push_str("&#39;"),
        c if is_hidden(c) => html.push_str(&format!("{OPEN}{}{CLOSE}", code(c))),
        c => html.push(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_in_backticks_are_marked_and_nothing_else() {
        assert_eq!(coded("rule `<b>` has `x`").0, "rule <code>&lt;b&gt;</code> has <code>x</code>");
        assert_eq!(coded("one ` alone").0, "one ` alone");
        assert_eq!(coded("").0, "");
    }

    /// What a browser shows of it: the tags taken out, the entities read.
    fn read(html: &Plain) -> String {
        let text = html.0.replace("<b class=\"cp\">", "").replace("</b>", "");
        assert!(!text.contains(['<', '>', '"', '\'']), "{text}");
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
        text.replace("&amp;", "&")
    }

    /// The text that was written out, from what a reader sees.
    fn unwritten(seen: &str) -> String {
        let mut text = String::new();
        let mut rest = seen;
        while let Some((before, after)) = rest.split_once("⟨U+") {
            let (hex, after) = after.split_once('⟩').expect("closed");
            text.push_str(before);
            text.push(u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).expect("character"));
            rest = after;
        }
        text + rest
    }

    #[test]
    fn what_is_changed_can_be_seen_and_says_the_same() {
        let value = serde_json::json!({"to": "a\u{202E}b\u{E0041}", "n\u{200B}": "x\ny"});
        let text = plain_json(&serde_json::to_string_pretty(&value).expect("JSON"));
        assert!(text.contains("a\\u202eb\\udb40\\udc41") && text.contains("x\\ny"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
    }

    #[test]
    fn what_misleads_is_written_out() {
        let cp = |code: &str| format!("<b class=\"cp\">⟨U+{code}⟩</b>");
        for (text, html) in [
            ("abc", "abc".to_owned()),
            ("<script>", "&lt;script&gt;".into()),
            ("a\u{202E}b", format!("a{}b", cp("202E"))),
            ("pay\u{200B}pal", format!("pay{}pal", cp("200B"))),
            ("a\nb", format!("a{}b", cp("000A"))),
            ("a\u{A0}b", format!("a{}b", cp("00A0"))),
            ("\u{E0041}", cp("E0041")),
            ("⟨U+202E⟩", format!("{}U+202E{}", cp("27E8"), cp("27E9"))),
        ] {
            assert_eq!(line(text).0, html, "{text:?}");
        }
        assert_eq!(lines("a\nb").0, "a\nb");
        assert_eq!(bare("<b>\u{202E}\"").0, "&lt;b&gt;⟨U+202E⟩&quot;");
        assert_eq!(head("añb", 2), ("añ", 1));
        assert_eq!(head("añ", 2), ("añ", 0));
    }

    proptest! {
        #[test]
        fn nothing_gets_lost_and_nothing_stays_hidden(text in any::<String>()) {
            let seen = read(&line(&text));
            prop_assert!(seen.chars().all(|c| !is_hidden(c) || matches!(c, '⟨' | '⟩')), "{seen:?}");
            prop_assert_eq!(unwritten(&seen), text);
        }

        #[test]
        fn hidden_characters_in_any_place(code in prop::sample::select(vec![
            0x00u32, 0x1B, 0x7F, 0x85, 0xAD, 0x200B, 0x200D, 0x200E, 0x2028, 0x202A, 0x202E, 0x2066, 0x2069, 0xFEFF,
            0x3164, 0xE0001, 0xE0020, 0x10FFFF,
        ]), before in ".{0,8}", after in ".{0,8}") {
            let hidden = char::from_u32(code).expect("character");
            let seen = read(&line(&format!("{before}{hidden}{after}")));
            prop_assert!(!seen.contains(hidden));
            let written = format!("⟨U+{code:04X}⟩");
            prop_assert!(seen.contains(&written));
        }
    }
}
