//! The OpenAPI document of the HTTP API. The text is a file of its own, so that people can read it;
//! a test holds its paths to the router's.

use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;

/// The document.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /v1/openapi.json`.
pub(super) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_path_is_described_and_no_other() {
        let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
        let mut described: Vec<_> = document["paths"].as_object().expect("paths").keys().cloned().collect();
        let source = include_str!("mod.rs");
        let routed = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
        let mut routed: Vec<_> = routed.map(str::to_owned).collect();
        described.sort();
        routed.sort();
        assert_eq!(described, routed);
    }
}
