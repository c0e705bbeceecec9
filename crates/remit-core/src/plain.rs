//! Text that others wrote, in which a reader can see every character.
//!
//! Whatever is invisible, reorders its neighbours or looks like a space is written out as `⟨U+202E⟩`. The brackets
//! themselves are written out too, so that nobody can imitate that. Consoles, terminals and messages share these rules.

/// One line: breaks are written out as well.
#[must_use]
pub fn line(text: &str) -> String {
    written(text, is_hidden)
}

/// Several lines, each ended by a line feed.
#[must_use]
pub fn lines(text: &str) -> String {
    written(text, |c| is_hidden(c) && c != '\n')
}

/// A whole page, parts of which went through [`line`] or [`lines`] before: the brackets stay as they are.
#[must_use]
pub fn page(text: &str) -> String {
    written(text, |c| is_hidden(c) && !matches!(c, '\n' | '⟨' | '⟩'))
}

/// JSON text that says the same: characters are written out as JSON writes them. For programs, and for fields that
/// people change, where our own way of writing them out would become part of the value.
#[must_use]
pub fn json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) && c != '\n' {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        } else {
            text.push(c);
        }
    }
    text
}

/// A character by its number.
#[must_use]
pub fn code(c: char) -> String {
    format!("⟨U+{:04X}⟩", u32::from(c))
}

fn written(text: &str, hidden: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) { out.push_str(&code(c)) } else { out.push(c) }
    }
    out
}

/// Whether a reader could overlook this character, or be misled by what it does to others. By Unicode 16:
/// controls, format characters, whatever is ignored by default, spaces but the usual one, private
/// use, what is no character, and our own brackets.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(u32::from(c),
            0x00AD | 0x034F | 0x0600..=0x0605 | 0x061C | 0x06DD | 0x070F | 0x0890..=0x0891 | 0x08E2
            | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0x27E8..=0x27E9 | 0x2800 | 0x3164
            | 0xE000..=0xF8FF | 0xFDD0..=0xFDEF | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0xFFFE..=0xFFFF
            | 0x110BD | 0x110CD | 0x13430..=0x1343F | 0x16FE4 | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
            | 0xE0000..=0x10FFFF)
        // The last two of each plane are no characters.
        || u32::from(c) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_misleads_is_written_out() {
        for (text, seen) in [
            ("abc", "abc"),
            ("a\u{202E}b\n", "a⟨U+202E⟩b⟨U+000A⟩"),
            ("\u{E0100}", "⟨U+E0100⟩"),
            ("⟨U+202E⟩", "⟨U+27E8⟩U+202E⟨U+27E9⟩"),
        ] {
            assert_eq!(line(text), seen, "{text:?}");
        }
        assert_eq!(lines("a\r\nb"), "a⟨U+000D⟩\nb");
        assert_eq!(page(&format!("{}\n\u{1b}", line("\u{3164}"))), "⟨U+3164⟩\n⟨U+001B⟩");
    }

    proptest! {
        #[test]
        fn nothing_stays_hidden_in_any_place(before in any::<String>(), c in any::<char>(), after in any::<String>()) {
            let text = format!("{before}{c}{after}");
            for seen in [line(&text), lines(&text), page(&text)] {
                prop_assert!(seen.chars().all(|c| !is_hidden(c) || matches!(c, '\n' | '⟨' | '⟩')), "{:?}", seen);
            }
            prop_assert!(!is_hidden(c) || line(&text).contains(&code(c)));
            let json_text = serde_json::to_string(&text).expect("JSON");
            prop_assert!(!json(&json_text).chars().any(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&json(&json_text)).expect("JSON"), text);
        }
    }
}
