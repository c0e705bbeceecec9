//! A tool's JSON Schema, compiled when the registry is built. References are never fetched.

use std::fmt;

use serde_json::Value;

/// A compiled JSON Schema (2020-12 unless the schema says otherwise).
pub struct Schema {
    validator: jsonschema::Validator,
}

/// A schema that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema is not usable: {0}")]
pub struct SchemaError(String);

impl Schema {
    /// Compiles.
    ///
    /// # Errors
    /// When the schema is malformed or refers to a document that is not part of it.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        jsonschema::options()
            .build(schema)
            .map(|validator| Self { validator })
            .map_err(|error| SchemaError(error.to_string()))
    }

    /// Checks a value.
    ///
    /// # Errors
    /// The first violation, with the place where it is; at most about 200 characters.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let Some(error) = self.validator.iter_errors(value).next() else { return Ok(()) };
        let place = error.instance_path().to_string();
        let text: String = error.to_string().chars().take(200).collect();
        Err(if place.is_empty() { text } else { format!("{text} at {place}") })
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_not_fetched() {
        assert!(Schema::compile(&json!({"$ref": "https://example.com/x.json"})).is_err());
        assert!(Schema::compile(&json!({"$ref": "file:///etc/passwd"})).is_err());
        assert!(Schema::compile(&json!({"$defs":{"a":{"type":"string"}},"$ref":"#/$defs/a"})).is_ok());
    }

    #[test]
    fn a_violation_says_where() {
        let schema = Schema::compile(&json!({"properties":{"a":{"type":"integer"}},"required":["a"]})).expect("ok");
        assert_eq!(schema.check(&json!({"a":1})), Ok(()));
        assert!(schema.check(&json!({"a":"x"})).expect_err("type").ends_with("at /a"));
    }
}
