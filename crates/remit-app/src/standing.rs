//! How an agent has fared since its remit last changed: the evidence beside every proposal to trust it further.

use std::collections::{BTreeMap, HashMap, HashSet};

use remit_core::Snapshot;
use remit_core::ids::{AgentId, Digest, RunId, ToolName};
use remit_core::json;
use remit_core::registry::Class;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::Value;

use crate::gate::Gate;
use crate::history::FileChange;
use crate::intent::Unavailable;
use crate::ports::RecordFilter;

/// Records that are looked at, the newest; an answer that saw no more says so.
const RECORDS_MAX: u64 = 50_000;
/// Records read in one step.
const PAGE: u32 = 1_000;
/// Authorities looked back at for the last change of the remit.
const HISTORY: usize = 200;

/// How an agent has fared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Since when: the last change of its remit's file; `None` when that lies before everything looked at.
    pub since: Option<String>,
    /// Whether every record since then was looked at.
    pub whole: bool,
    /// By the class of the tool.
    pub classes: BTreeMap<Class, Counts>,
    /// How often people stopped it: the agent itself, or one of its runs.
    pub halts: u64,
    /// How often it was given authority that was declared for emergencies. Each names an incident.
    pub incidents: u64,
}

/// Calls by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Admitted.
    pub allowed: u64,
    /// Refused.
    pub denied: u64,
    /// Held for people.
    pub asked: u64,
    /// Votes for held ones.
    pub approvals: u64,
    /// Votes against.
    pub denials: u64,
    /// Admitted ones whose effect is unknown.
    pub unknown: u64,
    /// Calls of the agent that undo one of this class: of a tool that the `undo` of a tool of this class names.
    pub undos: u64,
    /// Admitted ones to which whoever looked at them afterwards objects.
    pub objections: u64,
}

impl Gate {
    /// Counts what the records say of an agent since its remit last changed.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn standing(&self, agent: &AgentId) -> Result<Tally, Unavailable> {
        let file = self.snapshot().remit(agent).map(|remit| remit.locus.file.clone());
        let touches = |files: &[FileChange]| files.iter().any(|change| Some(&change.name) == file.as_ref());
        let since = self.history(HISTORY).await?.into_iter().find(|entry| touches(&entry.files));
        let since = since.map(|entry| entry.time);
        let total = self.ports.store.count().await?;
        let mut filter =
            RecordFilter { after: total.saturating_sub(RECORDS_MAX), limit: PAGE, ..RecordFilter::default() };
        let undoes = undoes(&self.snapshot());
        let mut count = Count { agent, undoes, calls: HashMap::new(), runs: HashSet::new(), tally: Tally::default() };
        let mut whole = filter.after == 0;
        loop {
            let page = self.ports.store.records(&filter).await?;
            if page.is_empty() {
                break;
            }
            for record in &page {
                filter.after += 1;
                // Times are of one form, in UTC, so they compare as texts.
                if since.as_ref().is_some_and(|since| record.time < *since) {
                    whole = true;
                } else {
                    count.add(record);
                }
            }
        }
        Ok(Tally { since, whole, ..count.tally })
    }
}

/// The tools by which others are undone, with the class of those.
fn undoes(snapshot: &Snapshot) -> HashMap<String, Class> {
    let mut out = HashMap::new();
    for tool in snapshot.registry().tools() {
        let words =
            tool.undo.iter().flat_map(|text| text.split(|c: char| c.is_whitespace() || "`'\",.;:()".contains(c)));
        let named = words.filter_map(|word| snapshot.registry().tool(&ToolName::parse(word).ok()?));
        out.extend(named.map(|other| (other.name.to_string(), tool.class)));
    }
    out
}

struct Count<'a> {
    agent: &'a AgentId,
    undoes: HashMap<String, Class>,
    /// The agent's decisions by their digests, with the class.
    calls: HashMap<Digest, Class>,
    runs: HashSet<RunId>,
    tally: Tally,
}

impl Count<'_> {
    fn add(&mut self, record: &SignedRecord) {
        let statement = json::parse(&record.envelope.payload).unwrap_or_default();
        let says = statement.get("predicate").unwrap_or(&Value::Null);
        let text = |path: &str| says.pointer(path).and_then(Value::as_str);
        match record.kind {
            Kind::Decision if text("/agent/id") == Some(self.agent.as_str()) => {
                self.runs.extend(record.run.clone());
                let Some(class) = text("/tool/class").and_then(Class::parse) else { return };
                self.calls.insert(record.digest, class);
                let allowed = text("/verdict") == Some("allow");
                if let Some(undone) = text("/tool/name").and_then(|tool| self.undoes.get(tool)).filter(|_| allowed) {
                    self.tally.classes.entry(*undone).or_default().undos += 1;
                }
                let counts = self.tally.classes.entry(class).or_default();
                match text("/verdict") {
                    Some("allow") => counts.allowed += 1,
                    Some("ask") => counts.asked += 1,
                    _ => counts.denied += 1,
                }
            }
            Kind::Grant if text("/event") == Some("break_glass") => {
                self.tally.incidents += u64::from(text("/agent/id") == Some(self.agent.as_str()));
            }
            Kind::Approval | Kind::Execution | Kind::Grant => {
                let links = says.get("links").and_then(Value::as_array).into_iter().flatten();
                let linked = |link: &Value| link.get("digest").and_then(Value::as_str).and_then(Digest::from_hex);
                let class = links.filter_map(linked).find_map(|digest| self.calls.get(&digest).copied());
                let Some(counts) = class.map(|class| self.tally.classes.entry(class).or_default()) else { return };
                match (record.kind, text("/choice"), text("/result/state")) {
                    (Kind::Approval, Some("deny"), _) => counts.denials += 1,
                    (Kind::Approval, Some(_), _) => counts.approvals += 1,
                    (Kind::Execution, _, Some("unknown")) => counts.unknown += 1,
                    (Kind::Grant, ..) if text("/finding") == Some("objected") => counts.objections += 1,
                    _ => {}
                }
            }
            Kind::Halt if text("/event") == Some("halt") => {
                let target = text("/target").unwrap_or_default();
                let run = target.strip_prefix("run:").and_then(|run| RunId::parse(run).ok());
                let own = target == format!("agent:{}", self.agent) || run.is_some_and(|run| self.runs.contains(&run));
                self.tally.halts += u64::from(own);
            }
            _ => {}
        }
    }
}
