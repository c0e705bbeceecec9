//! The strict reader. Beyond RFC 8259 it refuses what two parsers may read differently: duplicate
//! keys at any depth, lone surrogates, a byte order mark, trailing text, numbers that a double or a
//! 64-bit integer cannot hold exactly as written, and keys that `serde_json` itself treats as magic.

use serde_json::{Map, Number, Value};

use super::decimal::Decimal;
use crate::limits::JSON_DEPTH_MAX;

/// Why a text is not acceptable JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct JsonError {
    what: &'static str,
    at: usize,
}

impl JsonError {
    /// What is wrong, without the place.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// Zero-based offset in the text, in bytes.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }
}

/// Reads one JSON value.
///
/// # Errors
/// Says what is wrong and at which byte; the text itself is never echoed.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| JsonError { what: "invalid UTF-8", at: error.valid_up_to() })?;
    let mut reader = Reader { text, bytes, at: 0 };
    reader.space();
    let value = reader.value(0)?;
    reader.space();
    if reader.at == bytes.len() { Ok(value) } else { reader.fail("text after the value") }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, what: &'static str) -> Result<T, JsonError> {
        Err(JsonError { what, at: self.at })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        if depth > JSON_DEPTH_MAX {
            return self.fail("nesting too deep");
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => self.fail("unexpected character"),
            None => self.fail("unexpected end"),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            return Ok(value);
        }
        self.fail("unexpected character")
    }

    fn array(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat(b']') {
                return Ok(Value::Array(items));
            }
            if !self.eat(b',') {
                return self.fail("expected `,` or `]`");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut members = Map::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.fail("expected a member name");
            }
            let name = self.string()?;
            // With some feature sets serde_json rewrites values under these names.
            if name.starts_with("$serde_json::private::") {
                return self.fail("reserved member name");
            }
            self.space();
            if !self.eat(b':') {
                return self.fail("expected `:`");
            }
            self.space();
            let value = self.value(depth + 1)?;
            if members.insert(name, value).is_some() {
                return self.fail("duplicate member name");
            }
            self.space();
            if self.eat(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.eat(b',') {
                return self.fail("expected `,` or `}`");
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        let mut start = self.at;
        loop {
            match self.peek() {
                None => return self.fail("unterminated string"),
                Some(b'"') => {
                    out.push_str(&self.text[start..self.at]);
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    out.push_str(&self.text[start..self.at]);
                    self.at += 1;
                    out.push(self.escape()?);
                    start = self.at;
                }
                Some(0..=0x1f) => return self.fail("control character in string"),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let Some(byte) = self.peek() else { return self.fail("unterminated string") };
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex4()?;
                let point = match high {
                    0xd800..=0xdbff => {
                        if !(self.eat(b'\\') && self.eat(b'u')) {
                            return self.fail("lone surrogate");
                        }
                        let low = self.hex4()?;
                        if !(0xdc00..=0xdfff).contains(&low) {
                            return self.fail("lone surrogate");
                        }
                        0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
                    }
                    point => point,
                };
                match char::from_u32(point) {
                    Some(c) => c,
                    None => return self.fail("lone surrogate"),
                }
            }
            _ => return self.fail("unknown escape"),
        })
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|d| u32::from_str_radix(d, 16).ok()) {
            Some(point) => {
                self.at += 4;
                Ok(point)
            }
            None => self.fail("expected four hex digits"),
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from { self.fail("expected a digit") } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let from = self.at;
        let negative = self.eat(b'-');
        let leading_zero = self.peek() == Some(b'0');
        let integer = self.at;
        self.digits()?;
        if leading_zero && self.at > integer + 1 {
            return self.fail("leading zero");
        }
        let mut whole = true;
        if self.eat(b'.') {
            whole = false;
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            whole = false;
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        let text = &self.text[from..self.at];
        let number = match whole && text != "-0" {
            true if negative => text.parse::<i64>().ok().map(Number::from),
            true => text.parse::<u64>().ok().map(Number::from),
            false => None,
        };
        // A double beyond 64 bits has a canonical text without a point: `7e19` is `70000000000000000000`.
        let number = number.or_else(|| double(text));
        match number {
            Some(number) => Ok(Value::Number(number)),
            None => {
                self.at = from;
                self.fail("number cannot be held exactly")
            }
        }
    }
}

/// The double that this text denotes exactly.
fn double(text: &str) -> Option<Number> {
    let float = text.parse::<f64>().ok().filter(|float| float.is_finite())?;
    if Decimal::of(text).is_shortest(float) { Number::from_f64(float) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).expect_err(text).to_string()
    }

    #[test]
    fn reads_what_rfc_8259_allows() {
        let text = r#" {"a":[1,-2,0.5,1e2,-0,true,null],"b":{"\u00e9\ud83d\ude00\n":"x/\/"}} "#;
        let value = parse(text.as_bytes()).expect("valid");
        assert_eq!(value, json!({"a":[1,-2,0.5,1e2,-0.0,true,null],"b":{"é😀\n":"x//"}}));
    }

    #[test]
    fn refuses_what_two_parsers_may_read_differently() {
        assert_eq!(refused(r#"{"a":1,"b":{"x":1,"x":2}}"#), "duplicate member name at byte 23");
        assert_eq!(refused(r#"{"a":1,"\u0061":2}"#), "duplicate member name at byte 17");
        assert_eq!(refused(r#"{"a":{"$serde_json::private::Number":"42"}}"#), "reserved member name at byte 36");
        for (text, why) in [
            ("12345678901234567890123", "held exactly"),
            ("18446744073709551616", "held exactly"),
            ("-9223372036854775809", "held exactly"),
            ("0.12345678901234567890", "held exactly"),
            ("1e400", "held exactly"),
            ("01", "leading zero"),
            ("1.", "digit"),
            ("NaN", "unexpected"),
            ("\u{feff}{}", "unexpected"),
            ("{} {}", "after the value"),
            (r#""\ud800""#, "surrogate"),
            ("\"a\u{1}\"", "control"),
            ("[1,]", "unexpected"),
            ("{a:1}", "member name"),
            ("", "unexpected end"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn a_double_between_two_shortest_decimals_is_read_from_either() {
        for (even, upper) in [
            ("562949953421312.2", "562949953421312.3"),
            ("2.9802322387695312e-8", "2.9802322387695313e-8"),
            ("-127111427579672.62", "-127111427579672.63"),
        ] {
            assert_eq!(parse(even.as_bytes()).expect(even), parse(upper.as_bytes()).expect(upper));
            assert_eq!(crate::json::canonical(&parse(upper.as_bytes()).expect(upper)), even);
        }
        assert!(refused("562949953421312.21").contains("held exactly"));
    }

    #[test]
    fn a_double_beyond_64_bits_is_read_from_its_canonical_text() {
        for (written, canonical) in [("7e19", "70000000000000000000"), ("-1e19", "-10000000000000000000")] {
            let value = parse(written.as_bytes()).expect(written);
            assert_eq!(crate::json::canonical(&value), canonical);
            assert_eq!(parse(canonical.as_bytes()).expect(canonical), value);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(deep(JSON_DEPTH_MAX).as_bytes()).is_ok());
        assert!(refused(&deep(100_000)).contains("too deep"));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_wherever_both_accept(text in r#"[\[\]{}:,"a-c0-9.eE+\- \\u]{0,40}"#) {
            if let Ok(ours) = parse(text.as_bytes()) {
                let theirs: Value = serde_json::from_str(&text).expect("serde_json accepts what we accept");
                prop_assert_eq!(ours, theirs);
            }
        }

        #[test]
        fn own_text_is_read_back(float in crate::json::decimal::tests::doubles(), int in any::<i64>(), s in ".*") {
            let value = json!({"f": float, "i": int, "s": s});
            prop_assert_eq!(parse(value.to_string().as_bytes()).expect("own text"), value);
        }
    }
}
