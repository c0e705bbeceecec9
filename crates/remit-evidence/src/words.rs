//! Words: what people, agents and upstreams wrote, or what repeats it. No signed text holds any of it; it stands in
//! one disclosure beside the record, each part under its place, so that it can be shown where it belongs and erased.

use serde_json::{Map, Value};

/// The name of the disclosure.
pub const WORDS: &str = "words";

/// The words of one record, each under its place: a JSON pointer (RFC 6901) into the predicate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Map<String, Value>);

impl Words {
    /// Puts a value into this place.
    pub fn put(&mut self, place: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(place.into(), value.into());
    }

    /// Puts a value into this place, if there is one.
    pub fn put_some(&mut self, place: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(place, value);
        }
    }

    /// The disclosure, if there is anything to disclose: its name, and the value in canonical form.
    #[must_use]
    pub fn disclosure(self) -> Option<(&'static str, String)> {
        (!self.0.is_empty()).then(|| (WORDS, remit_core::json::canonical(&Value::Object(self.0))))
    }
}

/// A predicate with its disclosed words in their places. What was signed in clear stays as it is: words that claim
/// the place of a member, or a place where there is nothing to stand in, are passed over.
#[must_use]
pub fn whole(mut predicate: Value, disclosed: &[(String, Value)]) -> Value {
    let words = disclosed.iter().filter(|(name, _)| name == WORDS).filter_map(|(_, value)| value.as_object());
    for (place, value) in words.flatten() {
        let Some((above, name)) = place.rsplit_once('/') else { continue };
        if let Some(object) = predicate.pointer_mut(above).and_then(Value::as_object_mut) {
            object.entry(name).or_insert_with(|| value.clone());
        }
    }
    predicate
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_come_back_into_their_places_and_never_over_what_was_signed() {
        let mut words = Words::default();
        words.put("/refusal/reason", "because");
        words.put("/halts/1/reason", "drill");
        words.put("/verdict", "allow");
        words.put("/verdict/code", "x");
        words.put("/nowhere/at/all", 1);
        words.put("place", 1);
        let (name, text) = words.disclosure().expect("some words");
        let value = remit_core::json::parse(text.as_bytes()).expect("JSON");
        assert_eq!(remit_core::json::canonical(&value), text);
        let signed = json!({"verdict": "deny", "refusal": {"code": "c"}, "halts": [{}, {"target": "all"}]});
        let told = json!({
            "verdict": "deny", "refusal": {"code": "c", "reason": "because"},
            "halts": [{}, {"target": "all", "reason": "drill"}],
        });
        assert_eq!(whole(signed, &[(name.to_owned(), value)]), told);
        assert_eq!(Words::default().disclosure(), None);
    }
}
