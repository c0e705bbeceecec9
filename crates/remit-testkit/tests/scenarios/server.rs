//! Depth 3: the whole gateway as it is run: a folder on a disk, SQLite, HTTP with keys, an upstream
//! behind a socket, people at the admin API.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use remit_cli::boot::Running;
use remit_cli::rehearse::{Seen, Stage};
use remit_config::{AccessStep, Actor, CallStep, Deed, Effect, Scenario, Verdict};
use remit_core::halt::HaltTarget;
use remit_core::ids::{AgentId, Digest, OperatorId, RuleId};
use remit_core::verdict::Code;
use remit_testkit::place::Place;
use remit_testkit::upstream::{Manner, Upstream};
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

/// Why a scenario cannot be played at this depth, when it cannot.
pub fn beyond(scenario: &Scenario) -> Option<&'static str> {
    let calls = scenario.steps.iter().filter_map(|step| match &step.deed {
        Deed::Call(call) => Some(call),
        _ => None,
    });
    if scenario.steps.iter().any(|step| step.at.is_some()) {
        return Some("the server's clock cannot be moved");
    }
    let mut calls = calls.into_iter();
    if calls.clone().any(|call| call.actor.user.is_none() && runs(call)) {
        return Some("over HTTP a run is opened for a user");
    }
    let delegated = calls.any(|call| !call.actor.via.is_empty());
    delegated.then_some("plain HTTP proves no delegation")
}

/// Whether the call needs a run that somebody opened. A workflow is declared with one, too.
fn runs(call: &CallStep) -> bool {
    call.run.is_some() || call.actor.workflow.is_some()
}

/// The stage.
pub struct Server {
    running: Running,
    wire: Wire,
    upstream: Upstream,
    keys: BTreeSet<String>,
    runs: BTreeMap<(String, String), String>,
    asked: Option<String>,
    _place: Place,
}

/// The key of an agent that works for this user and for nobody else.
fn agent_key(actor: &Actor) -> String {
    format!("scenario-agent-{}-{:?}", actor.agent, actor.user)
}

/// The key of the host application around an agent: only such a key opens runs.
fn host_key(actor: &Actor) -> String {
    format!("scenario-host-{}", actor.agent)
}

fn operator_key(id: &str) -> String {
    format!("scenario-operator-{id}")
}

impl Server {
    /// Sets the scenario up in a folder of its own, and starts.
    pub async fn start(base: &remit_config::Folder, scenario: &Scenario) -> Result<Self, String> {
        let folder = base.with(scenario.files.clone()).map_err(|faults| format!("{faults:?}"))?;
        let pins = folder.text("pins/business.json").ok_or("no pins")?;
        let upstream = Upstream::serve(pins, Duration::ZERO).await?;
        let mut keys = String::from("agents:\n");
        let mut known = BTreeSet::new();
        for step in &scenario.steps {
            let actor = match &step.deed {
                Deed::Call(call) => &call.actor,
                Deed::Request(access) => &access.actor,
                _ => continue,
            };
            let user = actor.user.as_ref().map(|user| format!("user: {user}, ")).unwrap_or_default();
            let both = [(agent_key(actor), user), (host_key(actor), "may_declare: any, ".to_owned())];
            for (key, more) in both {
                if known.insert(key.clone()) {
                    let (id, agent, sha256) = (known.len(), &actor.agent, hex(&key));
                    let line = format!(
                        "  - {{ id: key-{id}, agent: {agent}, {more}expires: 2099-01-01, sha256: {sha256} }}\n"
                    );
                    keys.push_str(&line);
                }
            }
        }
        keys.push_str(folder.text("keys.yaml").ok_or("no keys")?);
        let folder = folder.with([("keys.yaml", keys)]).map_err(|faults| format!("{faults:?}"))?;
        let place = Place::holding(&folder);
        place.reaches(&upstream);
        let address = "127.0.0.1:0".parse().map_err(|_| "no address")?;
        let running = Running::start(place.path(), Some(address)).await.map_err(|error| error.to_string())?;
        let wire = Wire::to(&running.url);
        Ok(Self { running, wire, upstream, keys: known, runs: BTreeMap::new(), asked: None, _place: place })
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }

    async fn call(&mut self, step: &CallStep) -> Result<Seen, String> {
        let mut key = agent_key(&step.actor);
        assert!(self.keys.contains(&key), "every actor was given a key");
        let mut body = json!({"tool": step.tool.as_str(), "arguments": step.arguments});
        if runs(step) {
            key = host_key(&step.actor);
            let run = step.run.as_ref().map_or("unnamed", |run| run.as_str());
            let at = (format!("{:?}", step.actor), run.to_owned());
            if !self.runs.contains_key(&at) {
                let user = step.actor.user.as_ref().map(|user| user.as_str());
                let workflow = step.actor.workflow.as_ref().map(|workflow| workflow.as_str());
                let opening = json!({"user": user, "workflow": workflow});
                let opened = self.wire.done(&key, "/v1/runs", Some(&opening)).await?;
                let id = opened["run"].as_str().ok_or_else(|| format!("no run: {opened}"))?;
                self.runs.insert(at.clone(), id.to_owned());
            }
            body["run"] = json!(self.runs.get(&at));
        }
        self.upstream.behave(match &step.effect {
            Effect::Empty => Manner::Result(json!({"content": []})),
            Effect::Result(result) => Manner::Result(result.clone()),
            Effect::Error(text) => {
                Manner::Result(json!({"content": [{"type": "text", "text": text}], "isError": true}))
            }
            Effect::Lost => Manner::Silent,
        });
        // Calls of this tool: that of a preview is another one's.
        let tool = step.tool.own();
        let before = self.upstream.asked(tool).len();
        let (_, answer) = self.wire.send(&key, "/v1/calls", Some(&body)).await?;
        let executed = self.upstream.asked(tool).len() > before;
        self.seen(&answer, executed).await
    }

    async fn seen(&mut self, answer: &Value, executed: bool) -> Result<Seen, String> {
        let refusal = if answer["error"].is_object() { &answer["error"] } else { answer };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let record = refusal["record"].as_str().ok_or_else(|| format!("an answer without a record: {answer}"))?;
        let shown = self.wire.done(&operator_key("rehearsal"), &format!("/admin/v1/records/{record}"), None).await?;
        let statement = &shown["statement"];
        if let Some(question) = answer["question"].as_str() {
            self.asked = Some(question.to_owned());
        }
        let verdict = match statement["verdict"].as_str() {
            Some("allow") => Verdict::Allow,
            Some("ask") => Verdict::Ask,
            Some("deny") => Verdict::Deny,
            other => return Err(format!("a record with the verdict {other:?}")),
        };
        let words = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
        Ok(Seen {
            verdict: Some(verdict),
            code: Code::ALL.into_iter().find(|code| refusal["code"] == code.as_str()),
            ask: words(&statement["asks"]).iter().filter_map(|rule| RuleId::parse(rule).ok()).collect(),
            policies: words(&statement["policy"]["determining"]),
            reason: text(&refusal["reason"]),
            executed,
        })
    }

    async fn vote(&self, by: &OperatorId, mut body: Value) -> Result<Seen, String> {
        let question = self.asked.clone().ok_or("no call is held")?;
        let path = format!("/admin/v1/questions/{question}");
        let mut seen = self.wire.done(&operator_key("rehearsal"), &path, None).await?;
        // Whoever voted before the preview is there would have to look again.
        for _ in 0..500 {
            if seen["sight"]["preview"]["state"] != "awaited" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            seen = self.wire.done(&operator_key("rehearsal"), &path, None).await?;
        }
        body["shown"] = seen["shown"].clone();
        self.wire.done(&operator_key(by.as_str()), &format!("{path}/votes"), Some(&body)).await.map(|_| Seen::default())
    }

    async fn order(&self, path: &str, target: &HaltTarget, by: Option<&OperatorId>) -> Result<Seen, String> {
        let target = match target {
            HaltTarget::Run(name) => {
                let found = self.runs.iter().find(|((_, run), _)| run == name.as_str());
                format!("run:{}", found.ok_or("there is no such run yet")?.1)
            }
            other => other.to_string(),
        };
        let key = operator_key(by.map_or("rehearsal", |by| by.as_str()));
        let body = json!({"target": target, "reason": "as the scenario says"});
        self.wire.done(&key, path, Some(&body)).await.map(|_| Seen::default())
    }
}

impl Server {
    /// What an agent asks for, or is given: a question then, or a refusal.
    async fn access(&mut self, key: &str, path: &str, step: &AccessStep, more: Value) -> Result<Seen, String> {
        let mut body = step.asked.clone();
        body["reason"] = json!("as the scenario says");
        for (name, value) in more.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            body[name] = value.clone();
        }
        let (status, answer) = self.wire.send(key, path, Some(&body)).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if status >= 300 {
            let (code, reason) = (text(&answer["error"]["code"]), text(&answer["error"]["reason"]));
            let code = Code::ALL.into_iter().find(|known| known.as_str() == code);
            // Whose vote does not count is no verdict on what was asked.
            return if code == Some(Code::PolicyNoPermit) {
                Err(reason)
            } else {
                Ok(Seen { verdict: Some(Verdict::Deny), code, reason, ..Seen::default() })
            };
        }
        self.asked = answer["question"].as_str().map(str::to_owned);
        if answer["state"] == "granted" {
            return Ok(Seen { verdict: Some(Verdict::Allow), ..Seen::default() });
        }
        let path = format!("/admin/v1/access-requests/{}", self.asked.as_deref().unwrap_or_default());
        let request = self.wire.done(&operator_key("rehearsal"), &path, None).await?;
        let rule = RuleId::parse(&text(&request["approval"])).map_err(|error| error.to_string())?;
        Ok(Seen { verdict: Some(Verdict::Ask), ask: vec![rule], ..Seen::default() })
    }

    async fn revoke(&self, agent: &AgentId, by: &OperatorId) -> Result<Seen, String> {
        let key = operator_key(by.as_str());
        let listed = self.wire.done(&key, "/admin/v1/grants", None).await?;
        let given = listed["grants"].as_array().into_iter().flatten().filter(|given| given["agent"] == agent.as_str());
        // Ids begin with the time.
        let newest = given.filter_map(|given| given["grant"].as_str()).max();
        let path = format!("/admin/v1/grants/{}/revoke", newest.ok_or_else(|| format!("{agent} was given nothing"))?);
        self.wire.done(&key, &path, Some(&json!({"reason": "enough"}))).await.map(|_| Seen::default())
    }

    async fn done(&self, by: &OperatorId, path: &str, body: Value) -> Result<Seen, String> {
        self.wire.done(&operator_key(by.as_str()), path, Some(&body)).await.map(|_| Seen::default())
    }
}

#[async_trait]
impl Stage for Server {
    fn set_clock(&mut self, _: Timestamp) {
        unreachable!("`beyond` keeps such scenarios away");
    }

    async fn play(&mut self, deed: &Deed) -> Result<Seen, String> {
        match deed {
            Deed::Call(step) => self.call(step).await,
            Deed::Approve { rule, by } => self.vote(by, json!({"choice": "approve", "rule": rule.as_str()})).await,
            Deed::Deny { by, reason } => self.vote(by, json!({"choice": "deny", "reason": reason})).await,
            Deed::Halt { target, by } => self.order("/admin/v1/halts", target, by.as_ref()).await,
            Deed::Resume { target, by } => self.order("/admin/v1/halts/lift", target, by.as_ref()).await,
            Deed::Request(step) => self.access(&agent_key(&step.actor), "/v1/access-requests", step, Value::Null).await,
            Deed::Grant { access, by } => {
                let user = access.actor.user.as_ref().map(|user| user.as_str());
                let whom = json!({"agent": access.actor.agent.as_str(), "user": user});
                self.access(&operator_key(by.as_str()), "/admin/v1/grants", access, whom).await
            }
            Deed::Revoke { agent, by } => self.revoke(agent, by).await,
            Deed::BreakGlass { name, by } => {
                let order = json!({"name": name.as_str(), "incident": "a rehearsal", "reason": "as the scenario says"});
                self.done(by, "/admin/v1/break-glass", order).await
            }
            Deed::Delegate { to, rule, by } => {
                let until = Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24));
                let until = until.map_err(|error| error.to_string())?.to_string();
                let mut order = json!({"to": to.as_str(), "until": until});
                if let Some(rule) = rule {
                    order["rule"] = json!(rule.as_str());
                }
                self.done(by, "/admin/v1/delegations", order).await
            }
        }
    }
}

fn hex(key: &str) -> String {
    let text = Digest::of(key.as_bytes()).to_string();
    text.rsplit(':').next().unwrap_or_default().to_owned()
}
