//! Headers that repeat the body (SEP-2243; MCP 2026-07-28, Streamable HTTP, "Request metadata").
//! Others on the way may route or filter by them, so they are held to the body, and only the body
//! is ever decided on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

use super::fault::{Fault, HEADER_MISMATCH};

pub(super) const METHOD: &str = "mcp-method";
pub(super) const NAME: &str = "mcp-name";
const PARAM_PREFIX: &str = "mcp-param-";
/// Beyond 2^53 a header's decimal text and a client's double may differ.
const SAFE_INTEGER: i64 = (1 << 53) - 1;

fn mismatch(what: String) -> Fault {
    Fault::bad(HEADER_MISMATCH, format!("header mismatch: {what}"))
}

/// The one value of a header, without the white space around it.
///
/// # Errors
/// When there are several, or it is not visible ASCII.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(mismatch(format!("`{name}` is sent more than once")));
    }
    let text = value.to_str().map_err(|_| mismatch(format!("`{name}` has characters that no header may have")))?;
    Ok(Some(text.trim_matches([' ', '\t'])))
}

/// Undoes the form in which clients send what is no plain ASCII: `=?base64?…?=`.
fn decoded(name: &str, text: &str) -> Result<String, Fault> {
    let Some(inner) = text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(text.to_owned());
    };
    let bytes = STANDARD.decode(inner).map_err(|_| mismatch(format!("`{name}` is not valid Base64")))?;
    String::from_utf8(bytes).map_err(|_| mismatch(format!("`{name}` is not valid UTF-8")))
}

/// The parameter that `Mcp-Name` repeats.
pub(super) fn named(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    }
}

/// Holds `Mcp-Method` and `Mcp-Name` to the body of a request.
///
/// # Errors
/// -32020 when one is missing, repeated, malformed or different.
pub(super) fn check(headers: &HeaderMap, method: &str, params: &Map<String, Value>) -> Result<(), Fault> {
    match one(headers, METHOD)? {
        Some(header) if header == method => {}
        Some(_) => return Err(mismatch("Mcp-Method differs from the method in the body".into())),
        None => return Err(mismatch("Mcp-Method is missing".into())),
    }
    let Some(key) = named(method) else { return Ok(()) };
    // Without the parameter the request is refused for that, later and in better words.
    let Some(body) = params.get(key).and_then(Value::as_str) else { return Ok(()) };
    match one(headers, NAME)? {
        Some(header) if decoded(NAME, header)? == body => Ok(()),
        Some(_) => Err(mismatch(format!("Mcp-Name differs from `{key}` in the body"))),
        None => Err(mismatch("Mcp-Name is missing".into())),
    }
}

/// Holds the `Mcp-Param-…` headers that a tool's schema asks for to the arguments.
///
/// # Errors
/// -32020 when one is missing, repeated, malformed, different, or there without a value in the body.
pub(super) fn check_params(headers: &HeaderMap, schema: &Value, arguments: &Value) -> Result<(), Fault> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Ok(()) };
    for (property, schema) in properties {
        let value = arguments.get(property).unwrap_or(&Value::Null);
        if let Some(suffix) = schema.get("x-mcp-header").and_then(Value::as_str) {
            check_param(headers, suffix, value)?;
        }
        // Only chains of `properties` lead to a header; everything else is invalid in a definition.
        check_params(headers, schema, value)?;
    }
    Ok(())
}

fn check_param(headers: &HeaderMap, suffix: &str, value: &Value) -> Result<(), Fault> {
    let name = format!("{PARAM_PREFIX}{}", suffix.to_ascii_lowercase());
    // A definition whose header is no header name asks for none.
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Ok(());
    }
    let header = one(headers, &name)?.map(|text| decoded(&name, text)).transpose()?;
    match (header, value) {
        (None, Value::Null) => Ok(()),
        (Some(_), Value::Null) => Err(mismatch(format!("`{name}` is sent without a value in the body"))),
        (None, _) => Err(mismatch(format!("`{name}` is missing"))),
        (Some(header), value) if repeats(&header, value) => Ok(()),
        (Some(_), _) => Err(mismatch(format!("`{name}` differs from the body"))),
    }
}

/// Whether a header says what the body says. Integers are compared as numbers: `42.0` is 42.
fn repeats(header: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => header == text,
        Value::Bool(flag) => header == if *flag { "true" } else { "false" },
        Value::Number(number) => {
            let Some(number) = integer(&number.to_string()) else { return false };
            number.abs() <= SAFE_INTEGER && integer(header) == Some(number)
        }
        _ => false,
    }
}

/// An integer, also when it is written with a fraction of zeros.
fn integer(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let zeros = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if zeros && plain { whole.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("name");
            headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).expect("value"));
        }
        headers
    }

    #[test]
    fn method_and_name_repeat_the_body() {
        let call = json!({"name": "t", "arguments": {}});
        let unicode = json!({"name": "té"});
        let m = ("Mcp-Method", "tools/call");
        for (pairs, method, params, fine) in [
            (vec![m, ("Mcp-Name", "t")], "tools/call", &call, true),
            (vec![m, ("mcp-name", "  t\t")], "tools/call", &call, true),
            (vec![m, ("Mcp-Name", "=?base64?dA==?=")], "tools/call", &call, true),
            (vec![m, ("Mcp-Name", "=?base64?dMOp?=")], "tools/call", &unicode, true),
            (vec![m, ("Mcp-Name", "té")], "tools/call", &unicode, false),
            (vec![m, ("Mcp-Name", "=?base64?dA?=")], "tools/call", &call, false),
            (vec![m, ("Mcp-Name", "=?BASE64?dA==?=")], "tools/call", &call, false),
            (vec![m, ("Mcp-Name", "T")], "tools/call", &call, false),
            (vec![m, ("Mcp-Name", "t"), ("Mcp-Name", "t")], "tools/call", &call, false),
            (vec![m, m, ("Mcp-Name", "t")], "tools/call", &call, false),
            (vec![m], "tools/call", &call, false),
            (vec![("Mcp-Name", "t")], "tools/call", &call, false),
            (vec![("Mcp-Method", "TOOLS/CALL"), ("Mcp-Name", "t")], "tools/call", &call, false),
            (vec![("Mcp-Method", "tools/list")], "tools/list", &call, true),
            (vec![("Mcp-Method", "resources/read")], "resources/read", &json!({"uri": "a:b"}), false),
            (
                vec![("Mcp-Method", "resources/read"), ("Mcp-Name", "a:b")],
                "resources/read",
                &json!({"uri": "a:b"}),
                true,
            ),
            (vec![("Mcp-Method", "tasks/get"), ("Mcp-Name", "x")], "tasks/get", &json!({"taskId": "y"}), false),
        ] {
            let found = check(&headers(&pairs), method, params.as_object().expect("object"));
            assert_eq!(found.is_ok(), fine, "{pairs:?} {params} {found:?}");
            assert!(found.err().is_none_or(|fault| fault.code == HEADER_MISMATCH));
        }
    }

    #[test]
    fn parameters_repeat_the_arguments() {
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "count": {"type": "integer", "x-mcp-header": "Count"},
            "dry": {"type": "boolean", "x-mcp-header": "Dry"},
            "deep": {"type": "object", "properties": {"id": {"type": "string", "x-mcp-header": "Id"}}},
            "odd": {"type": "string", "x-mcp-header": "not a name"},
        }});
        for (pairs, arguments, fine) in [
            (vec![], json!({}), true),
            (vec![], json!({"region": null}), true),
            (vec![("Mcp-Param-Region", "eu")], json!({"region": "eu"}), true),
            (vec![("Mcp-Param-Region", "=?base64?SGVsbG8=?=")], json!({"region": "Hello"}), true),
            (vec![("Mcp-Param-Region", "=?base64?SGVsbG8?=")], json!({"region": "Hello"}), false),
            (vec![("Mcp-Param-Region", "=?base64?SGVs!!!bG8=?=")], json!({"region": "Hello"}), false),
            (vec![("Mcp-Param-Region", "SGVsbG8=")], json!({"region": "SGVsbG8="}), true),
            (vec![("Mcp-Param-Region", "=?base64?SGVsbG8=")], json!({"region": "=?base64?SGVsbG8="}), true),
            (vec![("Mcp-Param-Region", "us")], json!({"region": "eu"}), false),
            (vec![], json!({"region": "eu"}), false),
            (vec![("Mcp-Param-Region", "eu")], json!({}), false),
            (vec![("Mcp-Param-Region", "eu"), ("Mcp-Param-Region", "eu")], json!({"region": "eu"}), false),
            (vec![("Mcp-Param-Count", "42.0")], json!({"count": 42}), true),
            (vec![("Mcp-Param-Count", "42")], json!({"count": 42.0}), true),
            (vec![("Mcp-Param-Count", "42.5")], json!({"count": 42}), false),
            (vec![("Mcp-Param-Count", "+42")], json!({"count": 42}), false),
            (vec![("Mcp-Param-Count", "9007199254740993")], json!({"count": 9_007_199_254_740_993_i64}), false),
            (vec![("Mcp-Param-Dry", "true")], json!({"dry": true}), true),
            (vec![("Mcp-Param-Dry", "True")], json!({"dry": true}), false),
            (vec![("Mcp-Param-Id", "7")], json!({"deep": {"id": "7"}}), true),
            (vec![], json!({"deep": {"id": "7"}}), false),
            (vec![("Mcp-Param-Unknown", "x")], json!({}), true),
            (vec![], json!({"odd": "x"}), true),
        ] {
            let found = check_params(&headers(&pairs), &schema, &arguments);
            assert_eq!(found.is_ok(), fine, "{pairs:?} {arguments} {found:?}");
            assert!(found.err().is_none_or(|fault| fault.code == HEADER_MISMATCH));
        }
    }
}
