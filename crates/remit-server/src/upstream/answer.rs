//! Answers: whether a result is one that the era and the request allow.

use serde_json::{Map, Value};

use super::failure::{Failure, invalid};
use super::footing::Era;

/// Holds a result to the protocol and gives it back as it came. `declared` are the capabilities that
/// the request declared; `None` for requests that cannot be answered with a wish for input.
///
/// # Errors
/// [`Failure::Invalid`] for a kind of result that the era or the request does not allow. Passed on, it
/// could be read as an empty success by clients of another era.
pub(super) fn held(result: Value, era: Era, declared: Option<&Value>) -> Result<Value, Failure> {
    match result.get("resultType") {
        // Servers of before 2026 do not say.
        None => Ok(result),
        Some(Value::String(kind)) if kind == "complete" => Ok(result),
        Some(Value::String(kind)) if kind == "input_required" && era == Era::Modern => {
            let Some(declared) = declared else { return Err(invalid("this request takes no input")) };
            wishes(&result, declared)?;
            Ok(result)
        }
        Some(_) => Err(invalid("a kind of result that was not asked for")),
    }
}

/// An upstream may wish only for what the request said its client can give.
fn wishes(result: &Value, declared: &Value) -> Result<(), Failure> {
    let state = result.get("requestState");
    if state.is_some_and(|state| !state.is_string()) {
        return Err(invalid("a `requestState` that is no string"));
    }
    let none = Map::new();
    let wishes = match result.get("inputRequests") {
        Some(Value::Object(wishes)) => wishes,
        Some(_) => return Err(invalid("`inputRequests` that are no object")),
        None if state.is_some() => &none,
        None => return Err(invalid("a wish for input that says nothing")),
    };
    for wish in wishes.values() {
        let capability = match wish.get("method").and_then(Value::as_str) {
            Some("elicitation/create") => "elicitation",
            Some("sampling/createMessage") => "sampling",
            Some("roots/list") => "roots",
            _ => return Err(invalid("a wish for input of an unknown kind")),
        };
        if declared.get(capability).is_none_or(|capability| !capability.is_object()) {
            return Err(invalid(format!("a wish for input ({capability}) that was not declared")));
        }
    }
    Ok(())
}
