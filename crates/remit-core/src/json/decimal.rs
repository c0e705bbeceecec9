//! Decimal spellings of doubles: what a text denotes, and the one text everyone agrees on.

use serde_json::Number;

/// A decimal without its sign: significant digits, neither led nor followed by a zero, times a power of ten.
#[derive(PartialEq, Eq)]
pub(super) struct Decimal {
    /// Empty for zero.
    pub digits: String,
    /// The exponent of the last digit.
    pub exponent: i64,
}

impl Decimal {
    /// What a JSON number denotes.
    pub fn of(text: &str) -> Self {
        let text = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        // An exponent beyond i64 can only belong to zero or to a number that was refused as infinite.
        let exponent: i64 = exponent.parse().unwrap_or(0);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Self { digits: String::new(), exponent: 0 };
        }
        let dropped = digits.len() - significant.len();
        Self { digits: significant.to_owned(), exponent: exponent - fraction.len() as i64 + dropped as i64 }
    }

    /// The shortest decimal that is read as `float`, of two equally near ones the even (ECMA-262 6.1.6.1.20, note 2,
    /// which RFC 8785 3.2.2.3 requires). `{:e}` of the standard library takes the upper one.
    pub fn shortest(float: f64) -> Self {
        Number::from_f64(float).map_or_else(|| Self::of("0"), |number| Self::of(&number.to_string()))
    }

    /// Whether this is a shortest decimal of `float`, be it the even or the upper one: both are read as the same
    /// double by everyone, and there are writers of both.
    pub fn is_shortest(&self, float: f64) -> bool {
        *self == Self::shortest(float) || *self == Self::of(&format!("{float:e}"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    /// Finite doubles, half of them where many lie in the middle between two shortest decimals (2^49 to 2^50).
    pub fn doubles() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("finite", |f| f.is_finite()),
            (0..1u64 << 52).prop_map(|mantissa| f64::from_bits((0x430 << 52) | mantissa)),
        ]
    }
}
