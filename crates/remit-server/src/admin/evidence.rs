//! `GET /admin/v1/evidence`: records as a bundle for somebody else, who can verify it without us.

use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use remit_app::prove::Wanted;
use remit_core::ids::{AgentId, RecordId, RunId};
use remit_core::verdict::{Code, Refusal};
use remit_evidence::bundle::MEDIA_TYPE;
use remit_evidence::record::DISCLOSED;

use crate::admin::asked::{Asked, Query};
use crate::gateway::http::{bundle, since_of};

/// `record=`, `run=`, or `agent=` with `from=` and `until=`; `show=` names the values to disclose,
/// `since=` sizes of trees that the recipient has seen, both by commas.
pub(super) async fn evidence(Asked { edge, query, .. }: Asked) -> Result<Response, Refusal> {
    let shown = query.get("show").unwrap_or_default();
    let shown: Vec<&str> = shown.split(',').filter(|name| !name.is_empty()).collect();
    known(&shown)?;
    let text = bundle(&edge, &wanted(&query)?, &shown, &since_of(query.get("since"))?).await?;
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], text).into_response())
}

/// Refuses a name that no value has: whoever mistypes one would hand out a bundle that shows nothing.
fn known(shown: &[&str]) -> Result<(), Refusal> {
    let Some(unknown) = shown.iter().find(|name| !DISCLOSED.contains(name)) else { return Ok(()) };
    let near = remit_core::nearest(unknown, DISCLOSED);
    let help = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let name: String = unknown.chars().filter(|c| !c.is_control()).take(64).collect();
    let refusal =
        Refusal::new(Code::Malformed, format!("`show`: nothing that records disclose is called `{name}`{help}"));
    Err(refusal.with_remedy(format!("They are {}.", DISCLOSED.join(", "))))
}

fn wanted(query: &Query) -> Result<Wanted, Refusal> {
    let bad = |text: String| Refusal::new(Code::Malformed, text);
    let time = |name: &str, default: Timestamp| {
        let read = query.get(name).map(|text| text.parse().map_err(|_| bad(format!("`{name}` is no time"))));
        read.transpose().map(|time| time.unwrap_or(default))
    };
    match (query.get("record"), query.get("run"), query.get("agent")) {
        (Some(id), None, None) => RecordId::parse(id).map(Wanted::Record).map_err(|error| bad(error.to_string())),
        (None, Some(id), None) => RunId::parse(id).map(Wanted::Run).map_err(|error| bad(error.to_string())),
        (None, None, Some(id)) => {
            let agent = AgentId::parse(id).map_err(|error| bad(error.to_string()))?;
            Ok(Wanted::Agent(agent, time("from", Timestamp::MIN)?, time("until", Timestamp::MAX)?))
        }
        _ => Err(bad("name one of `record`, `run` and `agent`".into())),
    }
}
