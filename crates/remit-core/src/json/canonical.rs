//! The canonical text of a value (RFC 8785, JCS): what digests are taken over, so that the same
//! call has the same digest however its members were ordered or its numbers spelled.

use std::fmt::Write as _;

use serde_json::{Number, Value};

use super::decimal::Decimal;

/// The canonical text.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut out = String::with_capacity(256);
    write(value, &mut out);
    out
}

pub(super) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(n) => number(n, out),
        Value::String(s) => string(s, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by(|(a, _), (b, _)| by_utf16(a, b));
            out.push('{');
            for (i, (name, item)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                string(name, out);
                out.push(':');
                write(item, out);
            }
            out.push('}');
        }
    }
}

/// The canonical text of a text.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    string(text, &mut out);
    out
}

/// RFC 8785 3.2.3 sorts by UTF-16 code units, which differs from byte order above U+FFFF.
fn by_utf16(a: &str, b: &str) -> std::cmp::Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

pub(super) fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[start..at]);
        start = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x09 => out.push_str("\\t"),
            0x0a => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            0x0d => out.push_str("\\r"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
    }
    out.push_str(&text[start..]);
    out.push('"');
}

fn number(number: &Number, out: &mut String) {
    if number.is_f64() {
        float(number.as_f64().unwrap_or_default(), out);
    } else if let Some(whole) = number.as_u64() {
        out.push_str(&whole.to_string());
    } else {
        let _ = write!(out, "{number}");
    }
}

/// ECMAScript's Number::toString (ECMA-262 6.1.6.1.20) for finite doubles.
fn float(f: f64, out: &mut String) {
    if f == 0.0 {
        return out.push('0');
    }
    if f < 0.0 {
        out.push('-');
    }
    let Decimal { digits, exponent: last } = Decimal::shortest(f);
    let count = digits.len() as i64;
    // `point` is the place of the decimal point relative to the first digit.
    let point = last + count;
    if (count..=21).contains(&point) {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', (point - count) as usize));
    } else if (1..=21).contains(&point) {
        let (whole, fraction) = digits.split_at(point as usize);
        let _ = write!(out, "{whole}.{fraction}");
    } else if (-5..=0).contains(&point) {
        let _ = write!(out, "0.{}{digits}", "0".repeat(point.unsigned_abs() as usize));
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let _ = write!(out, "{first}{dot}{rest}e{:+}", point - 1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_and_numbers_have_one_spelling() {
        let value = json!({"b": [1.0, 1e21, 1e-7, 0.000001, -0.0, 123.456], "a": "\u{7f}\n\u{1}\"", "é": null});
        assert_eq!(
            canonical(&value),
            "{\"a\":\"\u{7f}\\n\\u0001\\\"\",\"b\":[1,1e+21,1e-7,0.000001,0,123.456],\"é\":null}"
        );
    }

    proptest! {
        #[test]
        fn agrees_with_an_independent_writer(
            f in crate::json::decimal::tests::doubles(),
            i in -(1i64 << 53)..(1i64 << 53),
            k in ".{0,8}", s in ".{0,20}",
        ) {
            let value = json!({k: f, "i": i, "s": [s]});
            prop_assert_eq!(canonical(&value), serde_json_canonicalizer::to_string(&value).expect("canonicalizer"));
        }
    }
}
