//! Parts of a resource, as files name them: a literal, or `args.path`.

use remit_core::registry::Facet;
use serde_json::Value;

use crate::at::At;
use crate::report::Report;

/// The environments of the organisation. Where none are listed, every name is accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environments(Vec<String>);

impl Environments {
    pub fn new(names: Vec<At<String>>, report: &mut Report<'_>) -> Self {
        let mut known: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            if name.is_empty() || known.contains(&*name) {
                report.fault(&name, format!("`{}` is empty or stands here twice", *name), "remove it");
            } else {
                known.push(name.into_value());
            }
        }
        Self(known)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(String::as_str)
    }

    /// An environment somebody named must be one of the organisation's.
    pub fn check(&self, at: &At<String>, report: &mut Report<'_>) {
        if !self.0.is_empty() && !self.0.contains(at) {
            report.unknown(at, "environment", at, self.names());
        }
    }
}

/// Splits `args.a.b` into its path.
pub(crate) fn argument(text: &str) -> Option<Vec<String>> {
    let path: Vec<String> = text.strip_prefix("args.")?.split('.').map(str::to_owned).collect();
    path.iter().all(|step| !step.is_empty()).then_some(path)
}

/// Reads a facet, and checks a path against the tool's input schema when that is known.
pub(crate) fn facet(at: &At<String>, schema: Option<&Value>, report: &mut Report<'_>) -> Option<Facet> {
    if at.is_empty() {
        report.fault(at, "this is empty", "write a name, or `args.path` for an argument");
        return None;
    }
    let Some(path) = argument(at) else {
        if at.starts_with("args") && !at.bytes().all(|b| b.is_ascii_alphanumeric()) {
            report.fault(
                at,
                format!("`{}` is not a path into the arguments", **at),
                "write `args.name` or `args.outer.inner`",
            );
            return None;
        }
        return Some(Facet::Fixed((**at).clone()));
    };
    if let Some(schema) = schema {
        property(at, &path, schema, report)?;
    }
    Some(Facet::Argument(path))
}

/// The schema of the property at a path; a fault names the step that does not exist.
pub(crate) fn property<'s>(
    at: &At<String>,
    path: &[String],
    schema: &'s Value,
    report: &mut Report<'_>,
) -> Option<&'s Value> {
    let mut here = schema;
    for step in path {
        let properties = resolve(here, schema).get("properties").and_then(Value::as_object);
        match properties.and_then(|properties| properties.get(step)) {
            Some(next) => here = next,
            None => {
                let names: Vec<_> = properties.into_iter().flat_map(|p| p.keys()).map(String::as_str).collect();
                report.unknown(at, "argument", step, names);
                return None;
            }
        }
    }
    Some(resolve(here, schema))
}

/// Follows references within the same document, as generators of schemas like to write them.
fn resolve<'s>(mut here: &'s Value, root: &'s Value) -> &'s Value {
    // A bound instead of a memory of what was seen: references may go round.
    for _ in 0..16 {
        let target = here.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(next) => here = next,
            None => break,
        }
    }
    here
}
