//! A scenario's file, as it can be run.

use jiff::Timestamp;
use remit_core::halt::HaltTarget;
use remit_core::ids::{AgentId, OperatorId, RuleId, RunId, ToolName, UserId, WorkflowId};
use remit_core::limits::CHAIN_LINKS_MAX;
use remit_core::verdict::Code;
use serde_json::{Value, json};

use crate::at::At;
use crate::report::Report;
use crate::scenario::file::{AccessFile, ActorFile, EffectFile, ExpectFile, ScenarioFile, StepFile, VerdictWord};
use crate::scenario::{AccessStep, Actor, CallStep, Deed, Effect, Expect, Scenario, Step, Verdict};

const DEEDS: &str = "a step does one of `call`, `approve`, `deny`, `halt`, `resume`, `request`, `grant`, `revoke`, \
                     `break_glass`, `delegate`";

pub(super) fn check(file: At<ScenarioFile>, report: &mut Report<'_>) -> Scenario {
    let locus = report.locus(&file);
    let file = file.into_value();
    if file.steps.is_empty() {
        report.fault(&file.steps, "nothing happens in this scenario", "add a step");
    }
    let files = file.given.map(|given| given.files).unwrap_or_default();
    Scenario {
        name: file.name.into_value(),
        files: files.into_iter().map(|(name, text)| (name.into_value(), text)).collect(),
        steps: file.steps.into_value().into_iter().filter_map(|step| self::step(step, report)).collect(),
        locus,
    }
}

fn step(step: At<StepFile>, report: &mut Report<'_>) -> Option<Step> {
    let locus = report.locus(&step);
    let moment = |text: &str| text.parse::<Timestamp>().ok();
    let at = step.at.as_ref().map(|at| report.read(at, moment, "a time", "write `2026-11-21T10:00:00Z`"));
    let expect = expect(step.expect.as_ref(), report);
    let deed = deed(step, report);
    let at = match at {
        Some(at) => Some(at?),
        None => None,
    };
    Some(Step { at, deed: deed?, expect: expect?, locus })
}

fn deed(step: At<StepFile>, report: &mut Report<'_>) -> Option<Deed> {
    let place = step.place();
    let step = step.into_value();
    let deeds = [
        step.call.as_ref().map(At::place),
        step.approve.as_ref().map(At::place),
        step.deny.as_ref().map(At::place),
        step.halt.as_ref().map(At::place),
        step.resume.as_ref().map(At::place),
        step.request.as_ref().map(At::place),
        step.grant.as_ref().map(At::place),
        step.revoke.as_ref().map(At::place),
        step.break_glass.as_ref().map(At::place),
        step.delegate.as_ref().map(At::place),
    ];
    let mut deeds = deeds.into_iter().flatten();
    let first = deeds.next();
    if let Some(second) = deeds.next() {
        report.fault(&second, "a second deed in one step", DEEDS);
        return None;
    }
    if first.is_none() {
        report.fault(&place, "nothing is done in this step", DEEDS);
        return None;
    }
    misplaced(&step, report);
    if let Some(tool) = &step.call {
        return call(tool, &step, report).map(|call| Deed::Call(Box::new(call)));
    }
    if let Some(deny) = step.deny {
        let deny = deny.into_value();
        return Some(Deed::Deny { by: report.id(&deny.by, OperatorId::parse)?, reason: deny.reason });
    }
    let by = match &step.by {
        Some(by) => Some(report.id(by, OperatorId::parse)?),
        None => None,
    };
    if let Some(asked) = &step.request {
        return access(asked, &step, report).map(Deed::Request);
    }
    if step.halt.is_none() && step.resume.is_none() {
        return a_persons(&step, by, first.as_ref()?, report);
    }
    let help = "write `tenant`, `agent:a`, `tool:u/t`, `upstream:u`, `class:write` or `run:r`";
    let mut target = |at: &At<String>| report.read(at, HaltTarget::parse, "something that can be halted", help);
    match (&step.halt, &step.resume) {
        (Some(at), _) => Some(Deed::Halt { target: target(at)?, by }),
        (None, Some(at)) => Some(Deed::Resume { target: target(at)?, by }),
        (None, None) => None,
    }
}

/// Says which members belong to another deed.
fn misplaced(step: &StepFile, report: &mut Report<'_>) {
    if let Some(actor) = step.actor.as_ref().filter(|_| !acts(step)) {
        report.fault(actor, "`as` belongs to a `call`, a `request` or a `grant`", "remove it");
    }
    let call_only = [
        ("run", step.run.as_ref().map(At::place)),
        ("args", step.args.as_ref().map(At::place)),
        ("upstream", step.upstream.as_ref().map(At::place)),
    ];
    for (key, at) in call_only.into_iter().filter(|_| step.call.is_none()) {
        if let Some(at) = at {
            report.fault(&at, format!("`{key}` belongs to a `call`"), "remove it");
        }
    }
    let agents = step.call.is_some() || step.request.is_some();
    if let Some(by) = step.by.as_ref().filter(|_| agents || step.deny.is_some()) {
        report.fault(
            by,
            "`by` belongs to what a person does",
            "say which agent acts under `as:`, and who refuses under `deny: {by: …}`",
        );
    }
}

/// Whether an agent acts in this step, or is given something.
const fn acts(step: &StepFile) -> bool {
    step.call.is_some() || step.request.is_some() || step.grant.is_some()
}

/// What nobody does but a person whom the step names.
fn a_persons(step: &StepFile, by: Option<OperatorId>, place: &At<()>, report: &mut Report<'_>) -> Option<Deed> {
    if by.is_none() {
        report.fault(place, "nobody does this", "add `by:`, an operator of keys.yaml");
    }
    if let Some(rule) = &step.approve {
        return Some(Deed::Approve { rule: report.id(rule, RuleId::parse)?, by: by? });
    }
    if let Some(given) = &step.grant {
        return Some(Deed::Grant { access: access(given, step, report)?, by: by? });
    }
    if let Some(agent) = &step.revoke {
        return Some(Deed::Revoke { agent: report.id(agent, AgentId::parse)?, by: by? });
    }
    if let Some(name) = &step.break_glass {
        return Some(Deed::BreakGlass { name: report.id(name, RuleId::parse)?, by: by? });
    }
    let lent = step.delegate.as_ref()?;
    let rule = lent.rule.as_ref().map(|rule| report.id(rule, RuleId::parse));
    let rule = match rule {
        Some(rule) => Some(rule?),
        None => None,
    };
    Some(Deed::Delegate { to: report.id(&lent.to, OperatorId::parse)?, rule, by: by? })
}

fn access(file: &At<AccessFile>, step: &StepFile, report: &mut Report<'_>) -> Option<AccessStep> {
    let mut asked = json!({"tools": file.tools});
    if let Some(bounds) = &file.bounds {
        asked["where"] = Value::Object(bounds.clone());
    }
    if let Some(length) = &file.length {
        asked["for_secs"] = json!(report.length_secs(length)?);
    }
    if let Some(calls) = file.calls {
        asked["calls"] = json!(calls);
    }
    let Some(actor) = &step.actor else {
        report.fault(file, "this is for no agent", "add `as: {agent: …}`");
        return None;
    };
    Some(AccessStep { actor: actor_of(actor, report)?, asked })
}

fn call(tool: &At<String>, step: &StepFile, report: &mut Report<'_>) -> Option<CallStep> {
    let name = report.id(tool, ToolName::parse);
    let actor = match &step.actor {
        Some(actor) => actor_of(actor, report),
        None => {
            report.fault(tool, "nobody calls here", "add `as: {agent: …}`");
            None
        }
    };
    let run = step.run.as_ref().map(|run| report.id(run, RunId::parse));
    let effect = match step.upstream.as_deref() {
        None => Effect::Empty,
        Some(EffectFile::Result(result)) => Effect::Result(result.clone()),
        Some(EffectFile::Error(message)) => Effect::Error(message.clone()),
        Some(EffectFile::Lost(lost)) => {
            if !**lost {
                report.fault(lost, "`lost: false` says nothing", "write `lost: true`, or what the upstream answers");
            }
            Effect::Lost
        }
    };
    Some(CallStep {
        tool: name?,
        actor: actor?,
        run: match run {
            Some(run) => Some(run?),
            None => None,
        },
        arguments: Value::Object(step.args.as_ref().map(|args| (**args).clone()).unwrap_or_default()),
        effect,
    })
}

fn actor_of(file: &At<ActorFile>, report: &mut Report<'_>) -> Option<Actor> {
    let agent = report.id(&file.agent, AgentId::parse);
    let user = file.user.as_ref().map(|user| report.id(user, UserId::parse));
    let via: Vec<_> = file.via.iter().filter_map(|agent| report.id(agent, AgentId::parse)).collect();
    if via.len() + 3 > CHAIN_LINKS_MAX {
        report.fault(file, "the chain of agents is too long", format!("at most {} delegate", CHAIN_LINKS_MAX - 3));
    }
    let workflow = file.workflow.as_ref().map(|workflow| report.id(workflow, WorkflowId::parse));
    Some(Actor {
        agent: agent?,
        user: match user {
            Some(user) => Some(user?),
            None => None,
        },
        via,
        workflow: match workflow {
            Some(workflow) => Some(workflow?),
            None => None,
        },
    })
}

fn expect(file: Option<&ExpectFile>, report: &mut Report<'_>) -> Option<Expect> {
    let Some(file) = file else { return Some(Expect::default()) };
    let verdict = file.verdict.map(|word| match word {
        VerdictWord::Allow => Verdict::Allow,
        VerdictWord::Ask => Verdict::Ask,
        VerdictWord::Deny => Verdict::Deny,
    });
    let code = file.code.as_ref().map(|at| {
        let found = Code::ALL.into_iter().find(|code| code.as_str() == at.as_str());
        if found.is_none() {
            report.unknown(at, "code", at, Code::ALL.map(Code::as_str));
        }
        found
    });
    let ask = file.ask.as_ref().map(|rules| rules.iter().filter_map(|rule| report.id(rule, RuleId::parse)).collect());
    Some(Expect {
        verdict,
        code: match code {
            Some(code) => Some(code?),
            None => None,
        },
        ask,
        policies: file.policies.clone(),
        reason: file.reason.clone(),
        executed: file.executed,
    })
}
