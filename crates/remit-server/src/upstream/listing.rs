//! What an upstream serves, read page by page and within bounds.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::failure::{Failure, invalid};
use super::mirror;

/// Most pages of one list.
const PAGES_MAX: usize = 100;
/// Most entries of one list.
const ENTRIES_MAX: usize = 10_000;
/// Most text of all lists together, in bytes.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// What an upstream serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// Definitions of tools, as served.
    pub tools: Vec<Value>,
    /// Prompts, as served.
    pub prompts: Vec<Value>,
    /// Resources, as served.
    pub resources: Vec<Value>,
    /// Resource templates, as served.
    pub templates: Vec<Value>,
    /// The server's capabilities; empty when it would not say.
    pub capabilities: Map<String, Value>,
    /// Tools that are served, and are not in `tools`.
    pub left_out: Vec<LeftOut>,
}

/// A tool that cannot be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name; empty when it has none.
    pub name: String,
    /// Why it was left out.
    pub why: String,
}

/// A page of a list.
pub(super) struct Page {
    /// The result.
    pub result: Value,
    /// The length of its text, in bytes.
    pub bytes: usize,
}

/// Gathers one list.
#[derive(Debug)]
pub(super) struct Pages {
    key: &'static str,
    pages: usize,
    entries: Vec<Value>,
}

impl Pages {
    /// The list whose pages have their entries under this key.
    pub const fn new(key: &'static str) -> Self {
        Self { key, pages: 0, entries: Vec::new() }
    }

    /// Takes a page and gives the cursor of the next; `bytes` counts over all lists.
    ///
    /// # Errors
    /// When the list has no entries where they should be, or does not end.
    pub fn take(&mut self, page: Page, bytes: &mut usize) -> Result<Option<String>, Failure> {
        let Page { mut result, bytes: length } = page;
        *bytes = bytes.saturating_add(length);
        self.pages += 1;
        let Some(Value::Array(entries)) = result.get_mut(self.key).map(Value::take) else {
            return Err(invalid(format!("a list without `{}`", self.key)));
        };
        self.entries.extend(entries);
        let next = match result.get_mut("nextCursor").map(Value::take) {
            None | Some(Value::Null) => None,
            Some(Value::String(cursor)) => Some(cursor),
            Some(_) => return Err(invalid("a cursor that is no string")),
        };
        let endless = next.is_some() && self.pages >= PAGES_MAX;
        if endless || self.entries.len() > ENTRIES_MAX || *bytes > BYTES_MAX {
            return Err(invalid(format!("the list of {} is too long", self.key)));
        }
        Ok(next)
    }

    /// The entries.
    pub fn entries(self) -> Vec<Value> {
        self.entries
    }
}

impl Listing {
    /// Takes the tools that can be called and names the others. `headers` says whether their
    /// definitions may ask for headers, and so may ask for impossible ones.
    pub(super) fn admit(&mut self, tools: Vec<Value>, headers: bool) {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for name in tools.iter().filter_map(name_of) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
        for tool in tools {
            let why = match name_of(&tool) {
                None => Some("it has no name".to_owned()),
                // Nobody could tell which of them was approved.
                Some(name) if counts.get(name).is_some_and(|count| *count > 1) => {
                    Some("there are several of this name".to_owned())
                }
                Some(_) if headers => mirror::check(&tool).err(),
                Some(_) => None,
            };
            match why {
                None => self.tools.push(tool),
                Some(why) => {
                    let name = name_of(&tool).unwrap_or_default().to_owned();
                    tracing::warn!(tool = %name.escape_debug(), why, "a tool was left out");
                    self.left_out.push(LeftOut { name, why });
                }
            }
        }
    }
}

fn name_of(tool: &Value) -> Option<&str> {
    tool.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())
}
