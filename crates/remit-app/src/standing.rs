//! How an agent has fared since its remit last changed: the evidence beside every proposal to trust it further.
//!
//! Everything is counted from the records, once: what was counted, and how far, is kept in the store. A task counts
//! on while the gateway runs, a little at a time, and whoever looks counts what is left. No call waits for it.

use std::collections::{BTreeMap, HashMap};

use remit_core::Snapshot;
use remit_core::ids::{AgentId, QuestionId, RecordId, RunId, ToolName};
use remit_core::json;
use remit_core::registry::Class;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::Value;

use crate::gate::Gate;
use crate::intent::{CommitError, Unavailable};
use crate::ports::{RecordFilter, Store};

/// Records that are counted before an answer; one that left some out says so.
const BEFORE_AN_ANSWER: u64 = 50_000;
/// Records counted in one step.
const PAGE: u64 = 1_000;

/// How an agent has fared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Since when: the last change of its remit's file; `None` when that never changed.
    pub since: Option<String>,
    /// Whether every record since then was counted. Otherwise the newest were not, yet.
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

/// What is counted, apart from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Counter {
    /// Of whom.
    pub agent: AgentId,
    /// Under which authority: where its record stands, 0 before the first.
    pub since: u64,
    /// What happened.
    pub what: Happened,
}

/// What happened to an agent; to a call by its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Happened {
    /// A call was admitted.
    Allowed(Class),
    /// One was refused.
    Denied(Class),
    /// One was held for people.
    Asked(Class),
    /// Somebody voted for a held one.
    Approved(Class),
    /// Somebody voted against it.
    Opposed(Class),
    /// The effect of an admitted one is unknown.
    Unknown(Class),
    /// It undid one.
    Undid(Class),
    /// Whoever looked at one afterwards objects.
    Objected(Class),
    /// It, or one of its runs, was stopped.
    Halted,
    /// It was given authority that was declared for emergencies.
    Incident,
}

/// How far the records are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// So many of them, the oldest.
    pub records: u64,
    /// Where the last record among them stands that says which authority is in force; 0 when there is none.
    pub since: u64,
}

impl Gate {
    /// How an agent has fared since its remit last changed.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn standing(&self, agent: &AgentId) -> Result<Tally, Unavailable> {
        let whole = self.count_standings(BEFORE_AN_ANSWER).await? == 0;
        let file = self.snapshot().remit(agent).map(|remit| remit.locus.file.clone());
        let changed = match file {
            Some(file) => self.last_changed(&file).await?,
            None => None,
        };
        let (place, since) = changed.map_or((0, None), |(place, time)| (place, Some(time)));
        let mut tally = Tally { since, whole, ..Tally::default() };
        for (counter, count) in self.ports.store.standing(agent, place).await? {
            *tally.of(counter.what) += count;
        }
        Ok(tally)
    }

    /// Counts on in the records, at most so many; how many are not counted then.
    ///
    /// # Errors
    /// When the store is unavailable. What was counted by then is kept.
    pub async fn count_standings(&self, most: u64) -> Result<u64, Unavailable> {
        let store = &*self.ports.store;
        let undoes = undoes(&self.snapshot());
        let mut left = most;
        loop {
            let from = store.counted().await?;
            if left == 0 {
                return Ok(store.count().await?.saturating_sub(from.records));
            }
            let limit = u32::try_from(left.min(PAGE)).unwrap_or(u32::MAX);
            let page = store.records(&RecordFilter { after: from.records, limit, ..RecordFilter::default() }).await?;
            if page.is_empty() {
                return Ok(0);
            }
            left = left.saturating_sub(page.len() as u64);
            let mut count = Count { store, undoes: &undoes, to: from, more: HashMap::new() };
            for record in &page {
                count.add(record).await?;
            }
            match store.count_on(from, count.to, count.more.into_iter().collect()).await {
                // Somebody else has counted these meanwhile.
                Ok(()) | Err(CommitError::Conflict(_)) => {}
                Err(CommitError::Unavailable(error)) => return Err(error),
            }
        }
    }
}

impl Tally {
    fn of(&mut self, what: Happened) -> &mut u64 {
        let Some(class) = what.class() else {
            return if what == Happened::Halted { &mut self.halts } else { &mut self.incidents };
        };
        let counts = self.classes.entry(class).or_default();
        match what {
            Happened::Allowed(_) => &mut counts.allowed,
            Happened::Denied(_) => &mut counts.denied,
            Happened::Asked(_) => &mut counts.asked,
            Happened::Approved(_) => &mut counts.approvals,
            Happened::Opposed(_) => &mut counts.denials,
            Happened::Unknown(_) => &mut counts.unknown,
            Happened::Undid(_) => &mut counts.undos,
            Happened::Objected(_) | Happened::Halted | Happened::Incident => &mut counts.objections,
        }
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

/// What is counted in one step.
struct Count<'a> {
    store: &'a dyn Store,
    undoes: &'a HashMap<String, Class>,
    to: Counted,
    more: HashMap<Counter, u64>,
}

/// What a record says.
struct Said(Value);

impl Said {
    fn by(record: &SignedRecord) -> Self {
        Self(json::parse(&record.envelope.payload).unwrap_or_default())
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.0.get("predicate")?.pointer(path).and_then(Value::as_str)
    }

    fn agent(&self) -> Option<AgentId> {
        AgentId::parse(self.text("/agent/id")?).ok()
    }

    fn class(&self) -> Option<Class> {
        Class::parse(self.text("/tool/class")?)
    }
}

impl Count<'_> {
    async fn add(&mut self, record: &SignedRecord) -> Result<(), Unavailable> {
        self.to.records += 1;
        match record.kind {
            Kind::Policy => self.to.since = self.to.records,
            Kind::Decision => self.decided(&Said::by(record)),
            Kind::Approval => {
                let said = Said::by(record);
                // What approvers ask back, or that others are called in, stands among the approvals, and is none.
                match said.text("/choice") {
                    Some("approve") => self.voted(&said, Happened::Approved).await?,
                    Some("deny") => self.voted(&said, Happened::Opposed).await?,
                    _ => {}
                }
            }
            Kind::Execution => {
                let said = Said::by(record);
                if said.text("/result/state") == Some("unknown") {
                    self.of_call(said.text("/intent"), Happened::Unknown).await?;
                }
            }
            Kind::Grant => {
                let said = Said::by(record);
                match (said.text("/event"), said.text("/finding")) {
                    (Some("break_glass"), _) => self.happened(said.agent(), Happened::Incident),
                    (_, Some("objected")) => self.of_call(said.text("/intent"), Happened::Objected).await?,
                    _ => {}
                }
            }
            Kind::Halt => {
                let said = Said::by(record);
                if said.text("/event") == Some("halt") {
                    self.halted(said.text("/target").unwrap_or_default()).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn decided(&mut self, said: &Said) {
        let Some(class) = said.class() else { return };
        let what = match said.text("/verdict") {
            Some("allow") => Happened::Allowed(class),
            Some("ask") => Happened::Asked(class),
            _ => Happened::Denied(class),
        };
        self.happened(said.agent(), what);
        let undone = said.text("/tool/name").and_then(|tool| self.undoes.get(tool)).copied();
        if let (Happened::Allowed(_), Some(undone)) = (what, undone) {
            self.happened(said.agent(), Happened::Undid(undone));
        }
    }

    /// A vote is for the call that asked first.
    async fn voted(&mut self, said: &Said, what: fn(Class) -> Happened) -> Result<(), Unavailable> {
        let Some(id) = said.text("/question").and_then(|id| QuestionId::parse(id).ok()) else { return Ok(()) };
        let Some(question) = self.store.question(&id).await? else { return Ok(()) };
        self.of_call(Some(question.intent.as_str()), what).await
    }

    /// What happened to the call that this decision record is about.
    async fn of_call(&mut self, record: Option<&str>, what: fn(Class) -> Happened) -> Result<(), Unavailable> {
        let Some(id) = record.and_then(|id| RecordId::parse(id).ok()) else { return Ok(()) };
        if let Some(said) = self.store.record(&id).await?.as_ref().map(Said::by)
            && let Some(class) = said.class()
        {
            self.happened(said.agent(), what(class));
        }
        Ok(())
    }

    async fn halted(&mut self, target: &str) -> Result<(), Unavailable> {
        let agent = match target.split_once(':') {
            Some(("agent", agent)) => AgentId::parse(agent).ok(),
            Some(("run", run)) => match RunId::parse(run) {
                Ok(run) => self.store.run(&run).await?.map(|run| run.agent),
                Err(_) => None,
            },
            _ => None,
        };
        self.happened(agent, Happened::Halted);
        Ok(())
    }

    fn happened(&mut self, agent: Option<AgentId>, what: Happened) {
        let Some(agent) = agent else { return };
        *self.more.entry(Counter { agent, since: self.to.since, what }).or_default() += 1;
    }
}

impl Happened {
    /// The word used in columns.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed(_) => "allowed",
            Self::Denied(_) => "denied",
            Self::Asked(_) => "asked",
            Self::Approved(_) => "approved",
            Self::Opposed(_) => "opposed",
            Self::Unknown(_) => "unknown",
            Self::Undid(_) => "undid",
            Self::Objected(_) => "objected",
            Self::Halted => "halted",
            Self::Incident => "incident",
        }
    }

    /// The class of the call to which it happened; none when it happened to the agent.
    #[must_use]
    pub const fn class(self) -> Option<Class> {
        match self {
            Self::Allowed(class)
            | Self::Denied(class)
            | Self::Asked(class)
            | Self::Approved(class)
            | Self::Opposed(class)
            | Self::Unknown(class)
            | Self::Undid(class)
            | Self::Objected(class) => Some(class),
            Self::Halted | Self::Incident => None,
        }
    }

    /// Reads the word and the class.
    #[must_use]
    pub fn parse(word: &str, class: Option<Class>) -> Option<Self> {
        Some(match (word, class) {
            ("allowed", Some(class)) => Self::Allowed(class),
            ("denied", Some(class)) => Self::Denied(class),
            ("asked", Some(class)) => Self::Asked(class),
            ("approved", Some(class)) => Self::Approved(class),
            ("opposed", Some(class)) => Self::Opposed(class),
            ("unknown", Some(class)) => Self::Unknown(class),
            ("undid", Some(class)) => Self::Undid(class),
            ("objected", Some(class)) => Self::Objected(class),
            ("halted", None) => Self::Halted,
            ("incident", None) => Self::Incident,
            _ => return None,
        })
    }
}
