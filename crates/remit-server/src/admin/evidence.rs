//! `GET /admin/v1/evidence`: records as a bundle for somebody else, who can verify it without us.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use remit_app::prove::Wanted;
use remit_core::ids::{AgentId, RecordId, RunId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use remit_evidence::bundle::MEDIA_TYPE;

use crate::admin::operator;
use crate::edge::Edge;
use crate::gateway::http::{bundle, refused};

/// `record=`, `run=`, or `agent=` with `from=` and `until=`; `show=` names the values to disclose, by commas.
pub(super) async fn evidence(
    State(edge): State<Arc<Edge>>,
    Query(params): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let made = async {
        operator(&edge, &headers, Deed::Evidence).await?;
        let shown = params.get("show").map(String::as_str).unwrap_or_default();
        let shown: Vec<&str> = shown.split(',').filter(|name| !name.is_empty()).collect();
        bundle(&edge, &wanted(&params)?, &shown).await
    };
    match made.await {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

fn wanted(params: &HashMap<String, String>) -> Result<Wanted, Refusal> {
    let bad = |text: String| Refusal::new(Code::Malformed, text);
    let time = |name: &str, default: Timestamp| {
        let read = params.get(name).map(|text| text.parse().map_err(|_| bad(format!("`{name}` is no time"))));
        read.transpose().map(|time| time.unwrap_or(default))
    };
    match (params.get("record"), params.get("run"), params.get("agent")) {
        (Some(id), None, None) => RecordId::parse(id).map(Wanted::Record).map_err(|error| bad(error.to_string())),
        (None, Some(id), None) => RunId::parse(id).map(Wanted::Run).map_err(|error| bad(error.to_string())),
        (None, None, Some(id)) => {
            let agent = AgentId::parse(id).map_err(|error| bad(error.to_string()))?;
            Ok(Wanted::Agent(agent, time("from", Timestamp::MIN)?, time("until", Timestamp::MAX)?))
        }
        _ => Err(bad("name one of `record`, `run` and `agent`".into())),
    }
}
