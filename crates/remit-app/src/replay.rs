//! Replay: a recorded decision, made again from the recorded facts, the disclosed call and the authority of
//! that moment. It must say the same in every member, or somebody has changed one of them.

use jiff::Timestamp;
use remit_core::access::{AccessGrant, Ground, Terms, Whom};
use remit_core::budget::BudgetState;
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::{AgentId, Digest, GrantId, RuleId, RunId, TenantId, ToolName, UserId, WorkflowId};
use remit_core::json;
use remit_core::labels::Labels;
use remit_core::origin::Origin;
use remit_core::{Call, Caller, CaseFile, RunFacts, Snapshot, decide};
use remit_evidence::words::whole;
use serde_json::Value;

use crate::records::decision_body;

/// Why a record cannot be decided again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreplayable {
    /// Nothing was decided from policy: the request was turned away before, or it is no decision.
    #[error("nothing was decided from policy")]
    NotDecided,
    /// It was decided under another authority than the one at hand.
    #[error("it was decided under the authority {0}")]
    OtherAuthority(Digest),
    /// Arguments or user were withheld or erased.
    #[error("not everything that was decided on is disclosed")]
    Withheld,
    /// The record contradicts itself or the authority.
    #[error("`{0}` cannot be read, or does not fit the authority")]
    Malformed(&'static str),
}

/// A member of the record that is not what deciding again says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub member: String,
    /// What the record says.
    pub recorded: String,
    /// What deciding again says.
    pub replayed: String,
}

/// The authority under which a record was decided.
#[must_use]
pub fn authority_of(predicate: &Value) -> Option<Digest> {
    predicate.get("policy")?.get("snapshot")?.as_str().and_then(Digest::from_hex)
}

/// Decides a recorded case again. No differences means that it says the same, bit for bit.
///
/// # Errors
/// See [`Unreplayable`].
pub fn replay(
    snapshot: &Snapshot,
    predicate: &Value,
    disclosed: &[(String, Value)],
) -> Result<Vec<Difference>, Unreplayable> {
    let authority = authority_of(predicate).ok_or(Unreplayable::NotDecided)?;
    if authority != snapshot.digest() {
        return Err(Unreplayable::OtherAuthority(authority));
    }
    let committed = predicate.get("_sd").and_then(Value::as_array).map_or(0, Vec::len);
    if committed != disclosed.len() {
        return Err(Unreplayable::Withheld);
    }
    let predicate = &whole(predicate.clone(), disclosed);
    let now: Timestamp = text(predicate, "time")?.parse().map_err(|_| Unreplayable::Malformed("time"))?;
    let call = call(snapshot, predicate, disclosed)?;
    let file = case_file(snapshot, &call, predicate, now)?;
    let decision = decide(snapshot, &call, &file, now);
    let (body, words) = decision_body(&call, &file, snapshot, &decision);
    let read = |text: &str| json::parse(text.as_bytes()).map_err(|_| Unreplayable::Malformed("the replayed decision"));
    let words = words.disclosure().map(|(name, text)| Ok((name.to_owned(), read(&text)?))).transpose()?;
    let again = whole(read(&body.finish())?, words.as_slice());
    Ok(differences(predicate, &again))
}

fn differences(recorded: &Value, replayed: &Value) -> Vec<Difference> {
    // What the envelope's header says is no part of the decision.
    const HEADER: [&str; 12] =
        ["_sd", "kind", "links", "log_seen", "nonce", "record_id", "run", "tenant", "time", "trace", "v", "writer"];
    let names = |value: &Value| -> Vec<String> {
        let members = value.as_object().into_iter().flat_map(|members| members.keys());
        members.filter(|name| !HEADER.contains(&name.as_str())).cloned().collect()
    };
    let mut all = names(recorded);
    all.extend(names(replayed));
    all.sort();
    all.dedup();
    let shown = |value: &Value, name: &str| value.get(name).map_or_else(|| "nothing".to_owned(), json::canonical);
    let compared = all.into_iter().map(|member| {
        let (recorded, replayed) = (shown(recorded, &member), shown(replayed, &member));
        Difference { member, recorded, replayed }
    });
    compared.filter(|difference| difference.recorded != difference.replayed).collect()
}

fn text<'v>(value: &'v Value, name: &'static str) -> Result<&'v str, Unreplayable> {
    value.get(name).and_then(Value::as_str).ok_or(Unreplayable::Malformed(name))
}

fn list<'v>(value: &'v Value, name: &'static str) -> Result<&'v [Value], Unreplayable> {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).ok_or(Unreplayable::Malformed(name))
}

fn call(snapshot: &Snapshot, predicate: &Value, disclosed: &[(String, Value)]) -> Result<Call, Unreplayable> {
    let bad = Unreplayable::Malformed;
    let value = |name: &str| disclosed.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let agent = predicate.get("agent").ok_or(bad("agent"))?;
    let tenant = TenantId::parse(text(predicate, "tenant")?).map_err(|_| bad("tenant"))?;
    let mut caller = Caller::agent(tenant, AgentId::parse(text(agent, "id")?).map_err(|_| bad("agent"))?);
    if let Some(user) = value("user") {
        let user = user.as_str().and_then(|user| UserId::parse(user).ok());
        caller = caller.for_user(user.ok_or(bad("user"))?);
    }
    if let Some(workflow) = agent.get("workflow").and_then(Value::as_str) {
        caller = caller.within(WorkflowId::parse(workflow).map_err(|_| bad("workflow"))?);
    }
    let via = list(agent, "via")?.iter().map(|id| id.as_str().and_then(|id| AgentId::parse(id).ok()));
    let via = via.collect::<Option<Vec<_>>>().ok_or(bad("via"))?;
    let caller = caller.delegated_by(via).map_err(|_| bad("via"))?;
    let tool = predicate.get("tool").ok_or(bad("tool"))?;
    let name = ToolName::parse(text(tool, "name")?).map_err(|_| bad("tool"))?;
    let tool = snapshot.registry().tool(&name).cloned().ok_or(bad("tool"))?;
    let run = predicate.get("run").ok_or(bad("run"))?;
    let run = RunId::parse(text(run, "id")?).map_err(|_| bad("run"))?;
    let arguments = value("arguments").cloned().ok_or(Unreplayable::Withheld)?;
    let owner = snapshot.remit(caller.calling_agent()).and_then(|remit| remit.owner.clone());
    Call::resolve(caller, owner, tool, arguments, run).map_err(|_| bad("arguments"))
}

fn case_file(snapshot: &Snapshot, call: &Call, predicate: &Value, now: Timestamp) -> Result<CaseFile, Unreplayable> {
    let bad = Unreplayable::Malformed;
    let facts = predicate.get("facts").ok_or(bad("facts"))?;
    let run = facts.get("run").ok_or(bad("facts"))?;
    let number = |value: &Value, name| value.get(name).and_then(Value::as_u64).ok_or(bad(name));
    let flag = |value: &Value, name| value.get(name).and_then(Value::as_bool).ok_or(bad(name));
    let optional = |name: &str| run.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let recorded = list(facts, "budgets")?;
    let grants = facts.get("grants").map_or(Ok(&[][..]), |_| list(facts, "grants"))?;
    let grants = grants.iter().map(|fact| grant(call, fact)).collect::<Result<Vec<_>, _>>()?;
    let budgets = snapshot.budgets_with(call, &grants, now).into_iter().map(|(budget, span, _)| {
        let own = |state: &&Value| {
            state.get("key").and_then(Value::as_str) == Some(&budget.key.0)
                && state.get("span").and_then(Value::as_str) == Some(&span.id)
        };
        let state = recorded.iter().find(own).ok_or(bad("budgets"))?;
        let (settled, reserved) = (number(state, "settled")?, number(state, "reserved")?);
        Ok(BudgetState { settled, reserved, object_known: flag(state, "object_known")?, budget, span })
    });
    let rules = list(facts, "approved")?.iter().map(|rule| rule.as_str().and_then(|rule| RuleId::parse(rule).ok()));
    let halts = list(facts, "halts")?.iter().map(|halt| {
        let target = HaltTarget::parse(text(halt, "target")?).ok_or(bad("halts"))?;
        // By whom and since when does not matter to a decision.
        Ok(Halt { target, by: String::new(), reason: text(halt, "reason")?.to_owned(), since: now })
    });
    // Written only when a policy read them.
    let origins = facts.get("origins").and_then(Value::as_array).into_iter().flatten();
    let origins = origins
        .map(|one| Some((one.get("argument")?.as_str()?.to_owned(), Origin::parse(one.get("origin")?.as_str()?)?)));
    Ok(CaseFile {
        run: RunFacts {
            labels: Labels::from_words(list(run, "labels")?.iter().filter_map(Value::as_str)),
            calls: number(run, "calls")?,
            spend: number(run, "spend_micro_usd")?,
            environment: optional("environment"),
            release_phase: optional("release_phase"),
            closed: flag(run, "closed")?,
        },
        budgets: budgets.collect::<Result<_, _>>()?,
        approved: rules.collect::<Option<_>>().ok_or(bad("approved"))?,
        refused: facts.get("refused").and_then(Value::as_str).map(ToOwned::to_owned),
        // Written only when somebody did.
        narrowed: facts.get("narrowed").and_then(Value::as_str).map(ToOwned::to_owned),
        halts: halts.collect::<Result<_, _>>()?,
        origins: origins.collect::<Option<_>>().ok_or(bad("origins"))?,
        grants,
    })
}

/// A grant that was a fact of the case: of the calling agent, and for whomever it worked then.
fn grant(call: &Call, fact: &Value) -> Result<AccessGrant, Unreplayable> {
    let bad = || Unreplayable::Malformed("grants");
    let name = |kind: &str| fact.get(kind).and_then(Value::as_str).map(RuleId::parse);
    let moment = |text: &str| text.parse::<Timestamp>().map_err(|_| bad());
    let ground = match (name("rule"), name("break_glass")) {
        (Some(Ok(rule)), None) => Ground::Offer(rule),
        (None, Some(Ok(name))) => Ground::BreakGlass(name),
        _ => return Err(bad()),
    };
    Ok(AccessGrant {
        id: GrantId::parse(text(fact, "id")?).map_err(|_| bad())?,
        agent: call.caller.calling_agent().clone(),
        whom: Whom::Exactly(call.caller.user().cloned()),
        terms: Terms::read(fact.get("terms").ok_or_else(bad)?, None).map_err(|_| bad())?,
        expires: moment(text(fact, "expires")?)?,
        unused_until: fact.get("unused_until").and_then(Value::as_str).map(moment).transpose()?,
        ground,
    })
}
