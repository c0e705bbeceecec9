//! `pins/<upstream>.json`: the definitions of tools as an operator approved them. Programs write
//! these files and people review them, so their text is stable: the same pins are the same bytes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use remit_core::authority::remit::Locus;
use remit_core::authority::{Fault, line_and_column};
use remit_core::ids::{ToolName, UpstreamId};
use remit_core::registry::Definition;
use serde_json::{Map, Value, json};

/// The approved definitions of one upstream.
#[derive(Clone, Debug, PartialEq)]
pub struct Pins {
    /// The upstream.
    pub upstream: UpstreamId,
    /// By the name that the upstream itself uses.
    pub tools: BTreeMap<String, Pin>,
}

/// One approved definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// The whole definition, as the upstream lists it.
    pub definition: Definition,
    /// The operator who approved it.
    pub approved_by: String,
    /// When.
    pub approved_at: Timestamp,
}

impl Pins {
    /// No definition of this upstream is approved yet.
    #[must_use]
    pub const fn new(upstream: UpstreamId) -> Self {
        Self { upstream, tools: BTreeMap::new() }
    }

    /// The name of the file these pins belong in.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("pins/{}.json", self.upstream)
    }

    /// Reads the text of a file of this name.
    ///
    /// # Errors
    /// The first thing that is wrong. Pins are written by programs: a file that was damaged in one
    /// place is not trusted in another.
    pub fn parse(file: &str, text: &str) -> Result<Self, Box<Fault>> {
        let fault = |offset: Option<usize>, message: String| {
            let (line, column) = offset.map_or((0, 0), |at| line_and_column(text, at));
            let help =
                Some("`remit tools approve` writes this file; restore it, or approve the tools again".to_owned());
            Box::new(Fault { locus: Locus { file: file.to_owned(), line, column }, message, help })
        };
        let json = remit_core::json::parse(text.as_bytes())
            .map_err(|error| fault(Some(error.at()), format!("this is no JSON: {}", error.what())))?;
        let pins = Self::from_json(&json).map_err(|message| fault(None, message))?;
        if pins.file_name() != file {
            let message = format!("the pins of `{}` belong in {}", pins.upstream, pins.file_name());
            return Err(fault(None, message));
        }
        Ok(pins)
    }

    /// The text of the file: two spaces of indentation, tools sorted by name, definitions as they were served.
    #[must_use]
    pub fn render(&self) -> String {
        let tool = |(name, pin): (&String, &Pin)| {
            let pin = json!({
                "approved_by": pin.approved_by,
                "approved_at": pin.approved_at.to_string(),
                "definition": pin.definition.json(),
            });
            (name.clone(), pin)
        };
        let tools: Map<String, Value> = self.tools.iter().map(tool).collect();
        format!("{:#}\n", json!({ "upstream": self.upstream.as_str(), "tools": tools }))
    }

    fn from_json(json: &Value) -> Result<Self, String> {
        let members = members(json, "the file", &["upstream", "tools"])?;
        let upstream = UpstreamId::parse(text(members, "upstream", "the file")?).map_err(|error| error.to_string())?;
        let tools = members.get("tools").and_then(Value::as_object).ok_or("`tools` must be an object")?;
        let tool = |(name, json): (&String, &Value)| {
            ToolName::join(&upstream, name).map_err(|error| error.to_string())?;
            Ok((name.clone(), Pin::from_json(name, json)?))
        };
        let tools = tools.iter().map(tool).collect::<Result<_, String>>()?;
        Ok(Self { upstream, tools })
    }
}

impl Pin {
    fn from_json(name: &str, json: &Value) -> Result<Self, String> {
        let place = format!("`{name}`");
        let members = members(json, &place, &["definition", "approved_by", "approved_at"])?;
        let definition = members.get("definition").filter(|definition| definition.is_object());
        let definition = definition.ok_or_else(|| format!("the `definition` of {place} must be an object"))?;
        if definition.get("name").and_then(Value::as_str) != Some(name) {
            return Err(format!("the definition under {place} is that of another tool"));
        }
        let approved_at = text(members, "approved_at", &place)?;
        Ok(Self {
            definition: Definition::new(definition.clone()),
            approved_by: text(members, "approved_by", &place)?.to_owned(),
            approved_at: approved_at
                .parse()
                .map_err(|_| format!("the `approved_at` of {place} is not a time: `{approved_at}`"))?,
        })
    }
}

fn members<'j>(json: &'j Value, place: &str, known: &[&str]) -> Result<&'j Map<String, Value>, String> {
    let members = json.as_object().ok_or_else(|| format!("{place} must be an object"))?;
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown member `{key}` in {place}")),
        None => Ok(members),
    }
}

fn text<'j>(members: &'j Map<String, Value>, key: &str, place: &str) -> Result<&'j str, String> {
    members.get(key).and_then(Value::as_str).ok_or_else(|| format!("the `{key}` of {place} must be a text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "upstream": "crm",
  "tools": {
    "get": {
      "approved_by": "bob",
      "approved_at": "2026-11-01T10:00:00Z",
      "definition": {
        "name": "get",
        "inputSchema": {
          "type": "object"
        }
      }
    }
  }
}
"#;

    #[test]
    fn the_text_is_stable() {
        let pins = Pins::parse("pins/crm.json", TEXT).expect("pins");
        assert_eq!(pins.render(), TEXT);
        assert_eq!(pins.tools["get"].approved_by, "bob");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let refused = |text: &str| Pins::parse("pins/crm.json", text).expect_err(text).to_string();
        let twice = TEXT.replace("\"approved_by\": \"bob\",", "\"approved_by\": \"bob\", \"approved_by\": \"eve\",");
        for (text, message) in [
            (twice, "pins/crm.json:5:49: this is no JSON: duplicate member name"),
            (
                TEXT.replace("\"name\": \"get\"", "\"name\": \"put\""),
                "pins/crm.json: the definition under `get` is that of another tool",
            ),
            (TEXT.replace("\"crm\"", "\"mail\""), "pins/crm.json: the pins of `mail` belong in pins/mail.json"),
            (TEXT.replace("approved_by", "approver"), "pins/crm.json: unknown member `approver` in `get`"),
            (
                TEXT.replace("2026-11-01T10:00:00Z", "once"),
                "pins/crm.json: the `approved_at` of `get` is not a time: `once`",
            ),
        ] {
            assert!(refused(&text).starts_with(message), "{}", refused(&text));
        }
    }
}
