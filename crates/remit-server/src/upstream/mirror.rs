//! Headers that repeat the body (SEP-2243; MCP 2026-07-28, Streamable HTTP, "Request metadata").
//! A modern server refuses a request whose headers say something else than its body.

use ::http::{HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

const ANNOTATION: &str = "x-mcp-header";
/// Members of a schema that hold data, in which an annotation means nothing.
const DATA: [&str; 5] = ["default", "const", "enum", "examples", "$comment"];
/// Members of a schema that hold schemas under names of somebody's choosing.
const NAMED_SCHEMAS: [&str; 5] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

/// The value of a header that repeats this text.
pub(crate) fn value(text: &str) -> HeaderValue {
    let padded = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    let sentinel = text.starts_with("=?base64?") && text.ends_with("?=");
    let plain = !padded && !sentinel && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e | b'\t'));
    let encoded = || format!("=?base64?{}?=", STANDARD.encode(text));
    let value = if plain { HeaderValue::from_str(text) } else { HeaderValue::from_str(&encoded()) };
    // Both are printable ASCII by now.
    value.unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The headers that a tool's definition wants for these arguments.
pub(crate) fn params(definition: &Value, arguments: &str) -> Vec<(HeaderName, HeaderValue)> {
    let mut wanted = Vec::new();
    if let Some(schema) = definition.get("inputSchema") {
        collect(schema, &mut Vec::new(), &mut wanted);
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    let Ok(arguments) = remit_core::json::parse(arguments.as_bytes()) else { return Vec::new() };
    let found = wanted.into_iter().filter_map(|(path, name)| {
        let found = path.iter().try_fold(&arguments, |value, step| value.get(step))?;
        let text = match found {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => found.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((name, value(&text)))
    });
    found.collect()
}

fn collect<'a>(schema: &'a Value, path: &mut Vec<&'a str>, found: &mut Vec<(Vec<&'a str>, HeaderName)>) {
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        path.push(name);
        if let Some(header) = property.get(ANNOTATION).and_then(Value::as_str).and_then(header_name) {
            found.push((path.clone(), header));
        }
        collect(property, path, found);
        path.pop();
    }
}

fn header_name(suffix: &str) -> Option<HeaderName> {
    HeaderName::from_bytes(format!("mcp-param-{suffix}").as_bytes()).ok().filter(|_| !suffix.is_empty())
}

/// Whether a definition asks for headers only as the specification allows. A client over HTTP must
/// leave out tools whose definitions do not.
///
/// # Errors
/// Says what is wrong.
pub(super) fn check(definition: &Value) -> Result<(), String> {
    match definition.get("inputSchema") {
        Some(schema) => walk(schema, Place::Root, &mut Vec::new()),
        None => Ok(()),
    }
}

/// Where in a schema a walk stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// A property that is reached by nothing but `properties`.
    Property,
    Elsewhere,
}

fn walk(schema: &Value, place: Place, seen: &mut Vec<HeaderName>) -> Result<(), String> {
    match schema {
        Value::Object(members) => {
            if let Some(annotation) = members.get(ANNOTATION) {
                annotated(annotation, members, place, seen)?;
            }
            for (name, inner) in members {
                let reached = name == "properties" && place != Place::Elsewhere;
                let place = if reached { Place::Property } else { Place::Elsewhere };
                match inner {
                    _ if name == ANNOTATION || DATA.contains(&name.as_str()) => {}
                    Value::Object(named) if NAMED_SCHEMAS.contains(&name.as_str()) => {
                        named.values().try_for_each(|schema| walk(schema, place, seen))?;
                    }
                    inner => walk(inner, Place::Elsewhere, seen)?,
                }
            }
            Ok(())
        }
        Value::Array(schemas) => schemas.iter().try_for_each(|schema| walk(schema, Place::Elsewhere, seen)),
        _ => Ok(()),
    }
}

fn annotated(
    annotation: &Value,
    schema: &Map<String, Value>,
    place: Place,
    seen: &mut Vec<HeaderName>,
) -> Result<(), String> {
    if place != Place::Property {
        return Err(format!("`{ANNOTATION}` where no fixed path of properties leads"));
    }
    let name = annotation.as_str().and_then(header_name);
    let name = name.ok_or_else(|| format!("`{ANNOTATION}` is no name of a header"))?;
    let primitive = |kind: &Value| matches!(kind.as_str(), Some("string" | "integer" | "boolean"));
    let fits = match schema.get("type") {
        Some(Value::Array(kinds)) => {
            let mut others = kinds.iter().filter(|kind| *kind != "null");
            others.next().is_some_and(primitive) && others.next().is_none()
        }
        kind => kind.is_some_and(primitive),
    };
    if !fits {
        return Err(format!("`{ANNOTATION}` on something that is no string, integer or boolean"));
    }
    if seen.contains(&name) {
        return Err(format!("`{ANNOTATION}` names a header twice"));
    }
    seen.push(name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_encoded_as_the_specification_shows() {
        for (text, expected) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("a b\tc", "a b\tc"),
            ("", ""),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn headers_repeat_the_arguments() {
        let definition = json!({"inputSchema": {"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "count": {"type": "integer", "x-mcp-header": "Count"},
            "deep": {"type": "object", "properties": {"dry": {"type": "boolean", "x-mcp-header": "Dry"}}},
            "plain": {"type": "string"},
        }}});
        let check = |arguments: &str, expected: &[(&str, &str)]| {
            let found = params(&definition, arguments);
            let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.to_str().expect("ascii"))).collect();
            assert_eq!(found, expected, "{arguments}");
        };
        check("{}", &[]);
        check(r#"{"plain":"x"}"#, &[]);
        check(r#"{"region":null,"count":[1]}"#, &[]);
        check(
            r#"{"count":42,"deep":{"dry":true},"region":"é"}"#,
            &[("mcp-param-region", "=?base64?w6k=?="), ("mcp-param-count", "42"), ("mcp-param-dry", "true")],
        );
    }

    #[test]
    fn definitions_ask_for_headers_in_one_way_only() {
        let property = |schema: Value| json!({"type": "object", "properties": {"p": schema}});
        let header = |name: &str| json!({"type": "string", "x-mcp-header": name});
        for (schema, fine) in [
            (property(header("Region")), true),
            (property(json!({"type": ["string", "null"], "x-mcp-header": "R"})), true),
            (property(property(header("Region"))), true),
            // A property may have any name, and data may look like anything.
            (json!({"type": "object", "properties": {"x-mcp-header": {"type": "array"}}}), true),
            (json!({"type": "object", "default": {"x-mcp-header": 1}}), true),
            (property(header("")), false),
            (property(header("a b")), false),
            (property(header("a\r\nb")), false),
            (property(header("é")), false),
            (property(json!({"type": "string", "x-mcp-header": 1})), false),
            (property(json!({"type": "number", "x-mcp-header": "N"})), false),
            (property(json!({"type": "array", "x-mcp-header": "N"})), false),
            (property(json!({"x-mcp-header": "N"})), false),
            (header("Root"), false),
            (json!({"properties": {"a": header("Same"), "b": header("sAME")}}), false),
            (property(json!({"type": "array", "items": header("I")})), false),
            (property(json!({"type": "array", "items": property(header("I"))})), false),
            (json!({"anyOf": [property(header("A"))]}), false),
            (json!({"$defs": {"d": header("D")}}), false),
            (json!({"additionalProperties": header("D")}), false),
        ] {
            let found = check(&json!({"name": "t", "inputSchema": schema}));
            assert_eq!(found.is_ok(), fine, "{schema} {found:?}");
        }
    }
}
