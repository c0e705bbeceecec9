//! A preview: another tool of the same upstream that only looks, and says what a call would do.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ids::ToolName;
use crate::registry::Facet;

/// Which tool shows people what a call would do before they decide on it, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// A tool of class `read` of the same upstream.
    pub tool: ToolName,
    /// Its arguments by name; none means those of the call itself.
    pub arguments: Option<BTreeMap<String, Facet>>,
}

impl Preview {
    /// What the tool is asked about a call with these arguments. An argument that the call does not have is left out.
    #[must_use]
    pub fn arguments(&self, of_call: &Value) -> Value {
        let Some(arguments) = &self.arguments else { return of_call.clone() };
        let found = arguments.iter().filter_map(|(name, facet)| {
            let value = match facet {
                Facet::Fixed(text) => Value::String(text.clone()),
                Facet::Argument(path) => path.iter().try_fold(of_call, |value, step| value.get(step))?.clone(),
            };
            Some((name.clone(), value))
        });
        Value::Object(found.collect::<Map<_, _>>())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_those_of_the_call_or_the_ones_that_are_named() {
        let preview = |arguments| Preview { tool: ToolName::parse("pay/preview").expect("a tool"), arguments };
        let call = json!({"payment": {"id": "P-1"}, "amount": 0.10});
        assert_eq!(preview(None).arguments(&call), call);
        let named = |path: &[&str]| Facet::Argument(path.iter().map(ToString::to_string).collect());
        let some = BTreeMap::from([
            ("id".to_owned(), named(&["payment", "id"])),
            ("sum".to_owned(), named(&["amount"])),
            ("dry".to_owned(), Facet::Fixed("yes".into())),
            ("not".to_owned(), named(&["payment", "missing"])),
        ]);
        assert_eq!(preview(Some(some)).arguments(&call), json!({"id": "P-1", "sum": 0.10, "dry": "yes"}));
    }
}
