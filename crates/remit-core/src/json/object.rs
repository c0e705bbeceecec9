//! An object written straight into its canonical text (RFC 8785), without a tree of values in between.
//! What is written often is written so: records, above all.

use super::canonical::{string, write};
use serde_json::Value;

/// An object on its way into canonical text. Members may come in any order.
///
/// Names are the code's own, so they are static and ASCII; two members of one name are a bug.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// The members' texts, one after the other.
    text: String,
    /// Each member's name, and where its text ends.
    members: Vec<(&'static str, usize)>,
}

impl Object {
    /// An object without members.
    #[must_use]
    pub fn new() -> Self {
        Self { text: String::with_capacity(256), members: Vec::with_capacity(12) }
    }

    fn member(&mut self, name: &'static str, write: impl FnOnce(&mut String)) -> &mut Self {
        debug_assert!(name.is_ascii() && self.members.iter().all(|(known, _)| *known != name), "`{name}`");
        write(&mut self.text);
        self.members.push((name, self.text.len()));
        self
    }

    /// A text.
    pub fn text(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.member(name, |out| string(value, out))
    }

    /// A text, or null.
    pub fn text_or_null(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// A whole number.
    pub fn number(&mut self, name: &'static str, value: u64) -> &mut Self {
        self.raw(name, &value.to_string())
    }

    /// A truth value.
    pub fn flag(&mut self, name: &'static str, value: bool) -> &mut Self {
        self.raw(name, if value { "true" } else { "false" })
    }

    /// Any value.
    pub fn value(&mut self, name: &'static str, value: &Value) -> &mut Self {
        self.member(name, |out| write(value, out))
    }

    /// A text that is canonical JSON already.
    pub fn raw(&mut self, name: &'static str, canonical: &str) -> &mut Self {
        self.member(name, |out| out.push_str(canonical))
    }

    /// An object.
    pub fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self::new();
        fill(&mut inner);
        self.member(name, |out| inner.write(out))
    }

    /// A list of objects, one for each item.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(T, &mut Self),
    ) -> &mut Self {
        self.list(name, items, |item, out| {
            let mut inner = Self::new();
            fill(item, &mut inner);
            inner.write(out);
        })
    }

    /// A list of texts.
    pub fn texts<T: AsRef<str>>(&mut self, name: &'static str, items: impl IntoIterator<Item = T>) -> &mut Self {
        self.list(name, items, |item, out| string(item.as_ref(), out))
    }

    fn list<T>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(T, &mut String),
    ) -> &mut Self {
        self.member(name, |out| {
            out.push('[');
            for (at, item) in items.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                each(item, out);
            }
            out.push(']');
        })
    }

    /// The canonical text.
    #[must_use]
    pub fn finish(self) -> String {
        let mut out = String::with_capacity(self.text.len() + self.members.len() * 24);
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        let mut start = 0;
        let mut members: Vec<(&str, &str)> = Vec::with_capacity(self.members.len());
        for (name, end) in &self.members {
            members.push((name, self.text.get(start..*end).unwrap_or_default()));
            start = *end;
        }
        // Byte order is the order of RFC 8785 here: names are ASCII.
        members.sort_unstable();
        out.push('{');
        for (at, (name, text)) in members.into_iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            string(name, out);
            out.push(':');
            out.push_str(text);
        }
        out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_written_as_its_tree_would_be() {
        let mut object = Object::new();
        object.text("b", "\"\n").number("a", 7).flag("_c", true).text_or_null("Z", None).value("v", &json!({"y": 1.0}));
        object.object("o", |inner| {
            inner.texts("t", ["x", "y"]).number("n", u64::MAX);
        });
        object.objects("l", [1, 2], |item, inner| {
            inner.number("i", item);
        });
        object.texts("none", [""; 0]);
        let tree = json!({
            "b": "\"\n", "a": 7, "_c": true, "Z": null, "v": {"y": 1}, "none": [],
            "o": {"t": ["x", "y"], "n": u64::MAX}, "l": [{"i": 1}, {"i": 2}],
        });
        assert_eq!(object.finish(), super::super::canonical(&tree));
    }
}
