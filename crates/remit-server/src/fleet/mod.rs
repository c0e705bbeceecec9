//! The fleet: every upstream's connection, and what was last seen there. A tool is called only
//! while what its upstream serves is what an operator approved; this is where the two are compared.

mod forward;
mod survey;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use remit_app::ports::Notifier as _;
use remit_core::Snapshot;
use remit_core::ids::{ToolName, UpstreamId};
use remit_core::registry::{Tool, diff};
use serde_json::{Value, json};

use crate::notices::Notices;
use crate::telemetry::Metrics;
use crate::upstream::{Connection, Spec};
use crate::vault::References;

pub use survey::{Kind, Survey};

/// How old a survey may grow before the upstream is asked again without being told of a change.
const SURVEY_AGE_MAX: Duration = Duration::from_secs(60);

/// Every upstream.
pub struct Fleet {
    members: ArcSwap<HashMap<UpstreamId, Arc<Member>>>,
    references: Arc<ArcSwap<References>>,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
}

/// An upstream to enlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recruit {
    /// How to reach it.
    pub spec: Spec,
    /// Whether its tools and prompts are shown under their own names, without a prefix.
    pub bare: bool,
}

/// One upstream.
struct Member {
    recruit: Recruit,
    connection: Connection,
    /// Counts what may have changed what is served: reconnections, restarts, the upstream's own word.
    changes: tokio::sync::watch::Receiver<u64>,
    survey: ArcSwapOption<Survey>,
    /// Held while the upstream is asked what it serves, so that many first calls ask once.
    asking: tokio::sync::Mutex<()>,
    watch: std::sync::OnceLock<tokio::task::AbortHandle>,
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.get() {
            watch.abort();
        }
    }
}

impl Fleet {
    /// A fleet of these upstreams. Nothing is connected yet.
    #[must_use]
    pub fn new(
        recruits: Vec<Recruit>,
        references: Arc<ArcSwap<References>>,
        metrics: Arc<Metrics>,
        notices: Arc<Notices>,
    ) -> Arc<Self> {
        let fleet = Arc::new(Self { members: ArcSwap::from_pointee(HashMap::new()), references, metrics, notices });
        fleet.reconfigure(recruits);
        fleet
    }

    /// Changes the upstreams. Connections whose definition stays the same stay open; calls under way
    /// on the others finish on the connection they began on.
    pub fn reconfigure(self: &Arc<Self>, recruits: Vec<Recruit>) {
        let old = self.members.load_full();
        let mut members = HashMap::with_capacity(recruits.len());
        for recruit in recruits {
            let id = recruit.spec.id.clone();
            let member = match old.get(&id).filter(|member| member.recruit == recruit) {
                Some(member) => member.clone(),
                None => self.enlist(recruit),
            };
            members.insert(id, member);
        }
        self.members.store(Arc::new(members));
    }

    fn enlist(self: &Arc<Self>, recruit: Recruit) -> Arc<Member> {
        let connection = Connection::new(recruit.spec.clone());
        let changes = connection.changed();
        let asking = tokio::sync::Mutex::new(());
        let watch = std::sync::OnceLock::new();
        let member = Arc::new(Member { recruit, connection, changes, survey: ArcSwapOption::empty(), asking, watch });
        let task = tokio::spawn(watch_over(Arc::downgrade(self), Arc::downgrade(&member)));
        let _ = member.watch.set(task.abort_handle());
        member
    }

    /// Asks every upstream what it serves, all at once; those that do not answer stay as they were.
    pub async fn survey_all(&self) {
        let members: Vec<_> = self.members.load().values().cloned().collect();
        let surveys = members.iter().map(|member| self.survey(member));
        futures_util::future::join_all(surveys).await;
    }

    /// Ends every connection, and with them the processes of the gateway's own upstreams.
    pub async fn shutdown(&self) {
        let members = self.members.swap(Arc::new(HashMap::new()));
        for member in members.values() {
            member.connection.shutdown().await;
        }
    }

    fn member(&self, tool: &Tool) -> Option<Arc<Member>> {
        let id = UpstreamId::parse(tool.name.upstream()).ok()?;
        self.members.load().get(&id).cloned()
    }

    /// Resources, templates or prompts of all upstreams whose reading tool `may` be used.
    pub fn catalogue(&self, kind: Kind, may: impl Fn(&ToolName) -> bool) -> Vec<Value> {
        let members = self.members.load();
        let mut ids: Vec<_> = members.keys().collect();
        ids.sort();
        let mut out = Vec::new();
        for id in ids {
            let Some(member) = members.get(id) else { continue };
            let Some(survey) = member.survey.load_full() else { continue };
            if ToolName::join(id, kind.operation()).is_ok_and(|tool| may(&tool)) {
                out.extend(survey.entries(kind).iter().map(|entry| member.recruit.shown(kind, entry)));
            }
        }
        out
    }

    /// The tool that reads this resource: of the first upstream that lists it, or has a template for it.
    pub fn owner_of_resource(&self, uri: &str) -> Option<ToolName> {
        let members = self.members.load();
        let mut ids: Vec<_> = members.keys().collect();
        ids.sort();
        let serves = |id: &&&UpstreamId, exact: bool| {
            members.get(**id).and_then(|m| m.survey.load_full()).is_some_and(|survey| survey.serves(uri, exact))
        };
        let found = ids.iter().find(|id| serves(id, true)).or_else(|| ids.iter().find(|id| serves(id, false)))?;
        ToolName::join(found, Kind::Resources.operation()).ok()
    }

    /// The tool that gets this prompt, and the prompt's own name.
    pub fn owner_of_prompt(&self, name: &str) -> Option<(ToolName, String)> {
        let members = self.members.load();
        for (id, member) in members.iter() {
            let Some(survey) = member.survey.load_full() else { continue };
            let found = survey
                .entries(Kind::Prompts)
                .iter()
                .find(|entry| member.recruit.shown(Kind::Prompts, entry)["name"] == name);
            if let Some(own) = found.and_then(|entry| entry["name"].as_str()) {
                return Some((ToolName::join(id, Kind::Prompts.operation()).ok()?, own.to_owned()));
            }
        }
        None
    }

    /// The upstreams that have not said yet what they serve.
    pub fn absent(&self) -> Vec<UpstreamId> {
        let members = self.members.load();
        let silent = members.iter().filter(|(_, member)| member.survey.load().is_none());
        let mut ids: Vec<_> = silent.map(|(id, _)| id.clone()).collect();
        ids.sort();
        ids
    }

    /// Every tool that is served or approved, and how the two compare.
    pub fn report(&self, snapshot: &Snapshot) -> Vec<Value> {
        let mut rows = Vec::new();
        for tool in snapshot.registry().tools() {
            let survey = self.member(tool).and_then(|member| member.survey.load_full());
            let served = survey.as_ref().and_then(|survey| survey.tools.get(tool.name.own()));
            let operation = tool.name.own().contains('/');
            let state = match (&survey, served) {
                _ if operation => "callable",
                (None, _) => "unseen",
                (Some(_), None) => "missing",
                (Some(_), Some(served)) if served.digest() == tool.definition.digest() => "callable",
                (Some(_), Some(_)) => "changed",
            };
            let changes = served.map(|served| diff(tool.definition.json(), served.json())).unwrap_or_default();
            rows.push(json!({
                "tool": tool.name.as_str(), "public": tool.public, "state": state,
                "class": tool.class.as_str(), "risk": tool.risk.as_str(), "reversible": tool.reversible,
                "owner": tool.owner.as_ref().map(ToString::to_string),
                "pin": tool.definition.digest().to_string(),
                "served": served.filter(|_| state == "changed").map(|served| served.json()),
                "diff": changes.iter().map(|change| json!({
                    "at": change.pointer, "approved": change.approved, "served": change.served,
                })).collect::<Vec<_>>(),
            }));
        }
        let members = self.members.load();
        let mut ids: Vec<_> = members.keys().collect();
        ids.sort();
        for id in ids {
            let Some(survey) = members.get(id).and_then(|member| member.survey.load_full()) else { continue };
            for (own, served) in &survey.tools {
                let known = ToolName::join(id, own).ok().and_then(|name| snapshot.registry().tool(&name).cloned());
                if known.is_none() {
                    rows.push(json!({
                        "tool": format!("{id}/{own}"), "state": "new", "served": served.json(),
                        "pin": served.digest().to_string(), "diff": [],
                    }));
                }
            }
        }
        rows
    }
}

/// Asks again when the upstream says it changed, when it was reconnected, and after a while.
async fn watch_over(fleet: std::sync::Weak<Fleet>, member: std::sync::Weak<Member>) {
    let Some(mut changed) = member.upgrade().map(|member| member.connection.changed()) else { return };
    loop {
        let told = tokio::time::timeout(SURVEY_AGE_MAX, changed.changed()).await;
        if matches!(told, Ok(Err(_))) {
            return;
        }
        let (Some(fleet), Some(member)) = (fleet.upgrade(), member.upgrade()) else { return };
        // Before the first survey nobody has needed this upstream; leave it alone until somebody does.
        if member.survey.load().is_some() {
            let before = member.survey.load_full();
            fleet.survey(&member).await;
            if before.as_deref() != member.survey.load_full().as_deref() {
                fleet.notices.authority_changed();
            }
        }
    }
}
