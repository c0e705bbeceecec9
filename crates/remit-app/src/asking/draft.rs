//! A request before it is stored: met with what the agent's remit offers now, and made the call of a tool of our own.

use std::sync::Arc;

use jiff::Timestamp;
use remit_core::access::{Offer, Terms};
use remit_core::approval::{Approver, CallParties, Distinct, Hour};
use remit_core::call::Call;
use remit_core::ids::{RuleId, RunId, TeamId, ToolName};
use remit_core::labels::Labels;
use remit_core::registry::{Class, Cost, Definition, ResourceMap, Risk, Schema, Shape, Tool};
use remit_core::verdict::{Code, Refusal};
use remit_core::{Caller, Snapshot};
use serde_json::{Value, json};

use super::malformed;
use crate::approve::NotTaken;
use crate::question::REQUEST_TOOL;
use crate::records::bounded;

/// A request before it is stored: as the call of a tool of our own, so that it is bound to its exact
/// arguments, its caller and its run like any other.
pub(super) struct Drafted {
    pub call: Call,
    pub offer: Offer,
    pub terms: Terms,
    pub why: String,
}

/// What is asked for, and why; under which rule, when that is settled.
pub(super) struct Wanted<'a> {
    pub asked: &'a Value,
    pub why: &'a str,
    pub rule: Option<&'a RuleId>,
}

/// Finds out before anything is written whether this person's vote would count.
pub(super) fn entitled(
    snapshot: &Snapshot,
    approver: &Approver,
    drafted: &Drafted,
    now: Timestamp,
) -> Result<(), NotTaken> {
    let id = &drafted.offer.approval;
    let rule = snapshot.rule(id).ok_or_else(|| NotTaken::RuleChanged(id.clone()))?;
    let hour = Hour { now, steps: 0 };
    let entitled = rule.entitles(approver, &CallParties::of(&drafted.call), hour);
    entitled.map_err(|error| NotTaken::NotEntitled(error.to_string()))
}

/// Meets a request with what the agent's remit offers now.
pub(super) fn draft(
    snapshot: &Snapshot,
    caller: &Caller,
    run: RunId,
    wanted: Wanted<'_>,
    now: Timestamp,
) -> Result<Drafted, Refusal> {
    let Wanted { asked, why, rule } = wanted;
    if why.trim().is_empty() {
        return Err(Refusal::new(Code::Malformed, "`reason` is missing: people will ask"));
    }
    if asked.get("tools").is_none() {
        return Err(Refusal::new(Code::Malformed, "`tools` is missing"));
    }
    let remit = snapshot.remit(caller.calling_agent());
    let remit = remit.filter(|remit| remit.expires.is_none_or(|at| now < at));
    let mut beyond = format!("the remit of agent:{} lets it ask for nothing", caller.calling_agent());
    let mut found = None;
    let offers = remit.into_iter().flat_map(|remit| &remit.may_request);
    for offer in offers.filter(|offer| rule.is_none_or(|rule| offer.approval == *rule)) {
        let terms = Terms::read(asked, Some(&offer.terms)).map_err(malformed)?;
        match terms.check_within(&offer.terms) {
            Ok(()) => {
                found = Some((offer.clone(), terms));
                break;
            }
            Err(why) => beyond = format!("beyond what may be asked for ({}): {why}", offer.id),
        }
    }
    let (offer, terms) = found.ok_or_else(|| Refusal::new(Code::AccessNotOffered, beyond))?;
    let owner = owner(snapshot, &offer, &terms)?;
    let why: String = bounded(why).to_owned();
    let arguments = json!({"access": terms.to_json(), "rule": offer.approval.as_str(), "why": why});
    let team = remit.and_then(|remit| remit.owner.clone());
    let call = Call::resolve(caller.clone(), team, Arc::new(tool(owner)?), arguments, run);
    let call = call.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
    Ok(Drafted { call, offer, terms, why })
}

/// The team that owns the tools asked for, for rules that exclude its people.
fn owner(snapshot: &Snapshot, offer: &Offer, terms: &Terms) -> Result<Option<TeamId>, Refusal> {
    let tools = snapshot.registry().tools().iter().filter(|tool| terms.name(&tool.name));
    let mut owners: Vec<_> = tools.filter_map(|tool| tool.owner.clone()).collect();
    owners.sort();
    owners.dedup();
    let excludes = snapshot.rule(&offer.approval).is_some_and(|r| r.distinct_from.contains(&Distinct::ToolOwner));
    if excludes && owners.len() > 1 {
        let reason = format!("`{}` excludes owners of tools, and these tools have several", offer.approval);
        return Err(
            Refusal::new(Code::AccessNotOffered, reason).with_remedy("Ask for the tools of one owner at a time.")
        );
    }
    Ok(owners.into_iter().next().filter(|_| excludes))
}

/// The tool that a request is a call of. It stands in no registry, and nothing is ever forwarded to it.
fn tool(owner: Option<TeamId>) -> Result<Tool, Refusal> {
    let bug = |text: String| Refusal::new(Code::Internal, text);
    let definition = Definition::new(json!({"name": "request_access", "inputSchema": {"type": "object"}}));
    let schema = definition.input_schema();
    Ok(Tool {
        name: ToolName::parse(REQUEST_TOOL).map_err(|error| bug(error.to_string()))?,
        public: "remit__request_access".to_owned(),
        owner,
        class: Class::Approve,
        risk: Risk::High,
        reversible: true,
        undo: None,
        preview: None,
        labels: Labels::none(),
        resource: ResourceMap { kind: Some("access".to_owned()), ..ResourceMap::default() },
        cost: Cost::Free,
        input: Schema::compile(&schema).map_err(|error| bug(format!("{error:?}")))?,
        output: None,
        shape: Shape::of_object(&schema),
        definition,
        timeout_ms: 0,
        credential: None,
    })
}
