//! A tool's arguments as policies see them: the part of its input schema that Cedar has types for.
//! What Cedar cannot hold exactly is left out, so that a policy that reads it errs, and denies.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cedar;

/// A type of Cedar's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// `Bool`.
    Bool,
    /// `Long`, a signed 64-bit integer.
    Long,
    /// `decimal`, four fractional digits.
    Decimal,
    /// `String`.
    String,
    /// `Set<…>`.
    Set(Box<Shape>),
    /// A record.
    Record(BTreeMap<String, Member>),
}

/// A member of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// Its type.
    pub shape: Shape,
    /// Whether it is always there.
    pub required: bool,
}

impl Shape {
    /// The shape of an input schema's object; members of types that Cedar lacks are left out.
    #[must_use]
    pub fn of_object(schema: &Value) -> Self {
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        let members = properties.into_iter().flatten().filter_map(|(name, schema)| {
            let (shape, nullable) = Self::of(schema)?;
            let required = required.contains(&name.as_str()) && !nullable;
            Some((name.clone(), Member { shape, required }))
        });
        Self::Record(members.collect())
    }

    /// The shape of a property, and whether it may be null.
    fn of(schema: &Value) -> Option<(Self, bool)> {
        let (kind, nullable) = match schema.get("type") {
            Some(Value::String(kind)) => (kind.as_str(), false),
            Some(Value::Array(kinds)) => {
                let nullable = kinds.iter().any(|kind| kind == "null");
                let mut others = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
                (others.next().filter(|_| others.next().is_none())?, nullable)
            }
            _ => {
                let words = schema.get("enum").and_then(Value::as_array)?;
                return words.iter().all(Value::is_string).then_some((Self::String, false));
            }
        };
        let shape = match kind {
            "boolean" => Self::Bool,
            "integer" => Self::Long,
            "number" => Self::Decimal,
            "string" => Self::String,
            "array" => Self::Set(Box::new(Self::of(schema.get("items")?)?.0)),
            "object" if schema.get("properties").is_some() => Self::of_object(schema),
            _ => return None,
        };
        Some((shape, nullable))
    }

    /// A member by its path, and whether every step on the way is always there.
    #[must_use]
    pub fn member(&self, path: &[&str]) -> Option<(&Self, bool)> {
        let mut shape = self;
        let mut required = true;
        for step in path {
            let Self::Record(members) = shape else { return None };
            let member = members.get(*step)?;
            required &= member.required;
            shape = &member.shape;
        }
        Some((shape, required))
    }

    /// The value as Cedar holds it; `None` when it cannot hold it exactly.
    pub(crate) fn express(&self, value: &Value) -> Option<cedar::Value> {
        Some(match (self, value) {
            (Self::Bool, Value::Bool(b)) => cedar::Value::from(*b),
            (Self::String, Value::String(s)) => cedar::text(s),
            (Self::Long, Value::Number(n)) => cedar::Value::from(integer(n)?),
            (Self::Decimal, Value::Number(n)) => cedar::decimal(&decimal_text(&n.to_string())?)?,
            (Self::Set(of), Value::Array(items)) => {
                let items: Option<Vec<_>> = items.iter().map(|item| of.express(item)).collect();
                cedar::set(items?)
            }
            (Self::Record(members), Value::Object(values)) => {
                let fields = values.iter().filter_map(|(name, value)| {
                    let member = members.get(name)?;
                    Some((name.as_str(), member.shape.express(value)?))
                });
                cedar::record(fields)
            }
            _ => return None,
        })
    }

    /// The type in Cedar's schema language.
    #[must_use]
    pub fn cedar(&self) -> String {
        match self {
            Self::Bool => "Bool".into(),
            Self::Long => "Long".into(),
            Self::Decimal => "decimal".into(),
            Self::String => "String".into(),
            Self::Set(of) => format!("Set<{}>", of.cedar()),
            Self::Record(members) => {
                let members = members.iter().map(|(name, member)| {
                    let optional = if member.required { "" } else { "?" };
                    format!("{}{optional}: {}", quoted(name), member.shape.cedar())
                });
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// A Cedar string literal; Cedar's escapes are Rust's.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

fn integer(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        // Beyond 2^53 a double no longer says which integer was meant.
        (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
    })
}

/// The text of a decimal with one to four fractional digits, or `None` when more would be needed.
pub(crate) fn decimal_text(number: &str) -> Option<String> {
    if number.contains(['e', 'E']) {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = whole.trim_start_matches('-').len();
    // Cedar's range is that of an i64 of ten-thousandths; 14 digits before the point always fit.
    (fraction.len() <= 4 && digits <= 14).then(|| format!("{whole}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape() -> Shape {
        Shape::of_object(&json!({
            "type": "object",
            "properties": {
                "amount": {"type": "number"}, "count": {"type": "integer"}, "to": {"type": ["string", "null"]},
                "tags": {"type": "array", "items": {"type": "string"}}, "any": {},
                "deep": {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]},
            },
            "required": ["amount", "to", "deep"],
        }))
    }

    #[test]
    fn a_schema_becomes_a_cedar_type() {
        assert_eq!(
            shape().cedar(),
            "{\"amount\": decimal, \"count\"?: Long, \"deep\": {\"x\": Bool}, \"tags\"?: Set<String>, \"to\"?: String}"
        );
        assert_eq!(shape().member(&["deep", "x"]), Some((&Shape::Bool, true)));
        assert_eq!(shape().member(&["to"]), Some((&Shape::String, false)));
        assert_eq!(shape().member(&["any"]), None);
    }

    #[test]
    fn what_cedar_cannot_hold_is_left_out() {
        let held = |shape: Shape, value: Value| shape.express(&value).is_some();
        assert!(held(Shape::Decimal, json!(49.99)));
        assert!(held(Shape::Decimal, json!(50)));
        assert!(!held(Shape::Decimal, json!(0.000_01)));
        assert!(!held(Shape::Decimal, json!(1e300)));
        assert!(held(Shape::Long, json!(50.0)));
        assert!(!held(Shape::Long, json!(u64::MAX)));
        assert!(!held(Shape::Long, json!(1e17)));
        assert!(!held(Shape::Long, json!("50")));
    }
}
