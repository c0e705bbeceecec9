//! Pins: a tool's definition as an operator approved it. An upstream that serves another definition
//! later has changed the tool, whatever it says about versions.

use serde_json::{Value, json};

use crate::ids::Digest;
use crate::json::canonical;

/// A tool's definition with the digest of its canonical text.
///
/// The digest covers the whole definition, description and annotations included, because all of it
/// is text that a model reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    json: Value,
    digest: Digest,
}

impl Definition {
    /// Takes the definition as the upstream lists it. Members under `_meta` that begin with the
    /// protocol's own prefix vary by request and are left out.
    #[must_use]
    pub fn new(mut json: Value) -> Self {
        if let Some(Value::Object(meta)) = json.get_mut("_meta") {
            meta.retain(|key, _| !key.starts_with("io.modelcontextprotocol/"));
        }
        if json.get("_meta") == Some(&json!({}))
            && let Some(members) = json.as_object_mut()
        {
            members.shift_remove("_meta");
        }
        let digest = Digest::of(canonical(&json).as_bytes());
        Self { json, digest }
    }

    /// The definition.
    #[must_use]
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// Digest over the canonical text.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The input schema; without one, any object is accepted by MCP's rules.
    #[must_use]
    pub fn input_schema(&self) -> Value {
        self.json.get("inputSchema").cloned().unwrap_or_else(|| json!({"type": "object"}))
    }

    /// The output schema, when there is one.
    #[must_use]
    pub fn output_schema(&self) -> Option<&Value> {
        self.json.get("outputSchema")
    }
}

/// One difference between two definitions.
#[derive(Clone, Debug, PartialEq)]
pub struct PinDiff {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What was approved; `None` when the member is new.
    pub approved: Option<Value>,
    /// What the upstream serves now; `None` when the member is gone.
    pub served: Option<Value>,
}

/// The differences, leaf by leaf, in the order in which they are met.
#[must_use]
pub fn diff(approved: &Value, served: &Value) -> Vec<PinDiff> {
    let mut out = Vec::new();
    walk(String::new(), Some(approved), Some(served), &mut out);
    out
}

fn walk(pointer: String, approved: Option<&Value>, served: Option<&Value>, out: &mut Vec<PinDiff>) {
    match (approved, served) {
        (Some(a), Some(b)) if a == b => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let added = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(added) {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                walk(format!("{pointer}/{escaped}"), a.get(key), b.get(key), out);
            }
        }
        (a, b) => out.push(PinDiff { pointer, approved: a.cloned(), served: b.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_covers_every_word_and_no_order() {
        let a = Definition::new(json!({"name":"t","description":"d","inputSchema":{"type":"object"}}));
        let b = Definition::new(json!({"inputSchema":{"type":"object"},"description":"d","name":"t"}));
        let c = Definition::new(json!({"name":"t","description":"d ","inputSchema":{"type":"object"}}));
        assert_eq!(a.digest(), b.digest());
        assert_ne!(a.digest(), c.digest());
    }

    #[test]
    fn a_diff_names_each_leaf() {
        let found = diff(&json!({"a":{"b":1,"c":2},"d":[1]}), &json!({"a":{"b":1,"c":3,"e/f":4}}));
        let pointers: Vec<_> = found.iter().map(|d| d.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a/c", "/a/e~1f", "/d"]);
    }
}
