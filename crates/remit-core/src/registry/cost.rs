//! What a call costs in money, as a function of its arguments. Exact: amounts are micro-USD, and an
//! argument that cannot be turned into them exactly refuses the call.

use serde_json::Value;

/// How a tool's cost follows from its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// Nothing.
    #[default]
    Free,
    /// The same for every call, in micro-USD.
    Fixed(u64),
    /// An argument that is an amount of US dollars, by its path.
    Argument(Vec<String>),
}

/// A cost that cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`args.{path}` must be an amount of US dollars, not negative, with at most six decimals")]
pub struct CostError {
    path: String,
}

impl Cost {
    /// The cost of a call with these arguments, in micro-USD.
    ///
    /// # Errors
    /// When the argument is missing, negative, no number, or finer than a micro-dollar.
    pub fn of(&self, arguments: &Value) -> Result<u64, CostError> {
        match self {
            Self::Free => Ok(0),
            Self::Fixed(amount) => Ok(*amount),
            Self::Argument(path) => {
                let found = path.iter().try_fold(arguments, |value, step| value.get(step));
                let number = found.and_then(Value::as_number).map(ToString::to_string);
                number.as_deref().and_then(micro_usd).ok_or_else(|| CostError { path: path.join(".") })
            }
        }
    }
}

/// Reads `12`, `12.5` or `0.000001` as micro-dollars, exactly.
#[must_use]
pub fn micro_usd(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 6 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn money_is_exact_or_refused() {
        let cost = Cost::Argument(vec!["amount".into()]);
        assert_eq!(cost.of(&json!({"amount": 49.99})), Ok(49_990_000));
        assert_eq!(cost.of(&json!({"amount": 50.0})), Ok(50_000_000));
        for bad in
            [json!({}), json!({"amount": -1}), json!({"amount": "5"}), json!({"amount": 1e-7}), json!({"amount": 1e40})]
        {
            assert!(cost.of(&bad).is_err(), "{bad}");
        }
    }
}
