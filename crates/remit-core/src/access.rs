//! Access for a while: what an agent may ask for, what people gave it, and what was declared for
//! emergencies.
//!
//! A grant is a fact, like a halt, and no policy: it counts only as long as the files still offer what
//! it gives, only for the agent's own link of the chain, and never against a guardrail.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::approval::Voter;
use crate::authority::remit::{Limit, Locus, Pattern};
use crate::budget::{Budget, Span, Unit, Window};
use crate::call::Call;
use crate::decide::RunFacts;
use crate::identity::Caller;
use crate::ids::{AgentId, GrantId, RuleId, ToolName, UserId};
use crate::registry::{Dimension, Resource};

/// Longest list of tools or of values in some terms.
const ITEMS_MAX: usize = 64;

/// What is asked for, offered or given: which tools, where, how long, how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which tools.
    pub tools: Vec<Pattern>,
    /// Bounds on the resource: for each dimension, the values allowed.
    pub bounds: Vec<(Dimension, Vec<String>)>,
    /// For how long, in seconds.
    pub secs: u64,
    /// How many calls; `None` means as many as other limits leave.
    pub calls: Option<u64>,
}

/// A line of a remit's `may_request`: what its agent may ask people for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name within the remit: `may_request.0`.
    pub id: String,
    /// The most that may be asked for.
    pub terms: Terms,
    /// After how many seconds a grant that nobody has used ends.
    pub unused_secs: u64,
    /// The approval rule by which people give it.
    pub approval: RuleId,
    /// Where it stands.
    pub locus: Locus,
}

/// Authority that was declared beforehand for emergencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakGlass {
    /// Its name.
    pub name: RuleId,
    /// The agents it is for.
    pub agents: Vec<AgentId>,
    /// What it gives.
    pub terms: Terms,
    /// Who may use it.
    pub people: Vec<Voter>,
    /// Who may review it afterwards.
    pub reviewers: Vec<Voter>,
    /// The approval rules in whose place it stands.
    pub instead_of: Vec<RuleId>,
    /// Where it stands.
    pub locus: Locus,
}

/// For whom the agent must work, so that a grant counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// For exactly this user, or for nobody when there is none.
    Exactly(Option<UserId>),
    /// For whomever it works.
    Anybody,
}

/// What a grant rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ground {
    /// On what the agent's remit lets it ask for, under this approval rule.
    Offer(RuleId),
    /// On this declaration for emergencies.
    BreakGlass(RuleId),
}

/// A time-bound extra permission of one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessGrant {
    /// Its id.
    pub id: GrantId,
    /// The agent.
    pub agent: AgentId,
    /// For whom it must work.
    pub whom: Whom,
    /// What it gives.
    pub terms: Terms,
    /// From this moment on it gives nothing.
    pub expires: Timestamp,
    /// From this moment on it gives nothing if no call has rested on it.
    pub unused_until: Option<Timestamp>,
    /// What it rests on.
    pub ground: Ground,
}

/// Terms that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTerms(pub String);

impl Terms {
    /// Whether they are about this tool at all.
    #[must_use]
    pub fn name(&self, tool: &ToolName) -> bool {
        self.tools.iter().any(|pattern| pattern.covers(tool))
    }

    /// Whether they cover this call: its tool, and where it happens. What is unknown is not within a bound.
    #[must_use]
    pub fn cover(&self, call: &Call, run: &RunFacts) -> bool {
        let within = |(dimension, values): &(Dimension, Vec<String>)| {
            facet(&call.resource, run, *dimension).is_some_and(|value| values.iter().any(|known| known == value))
        };
        self.name(&call.tool.name) && self.bounds.iter().all(within)
    }

    /// Whether they give nothing that the wider ones do not.
    ///
    /// # Errors
    /// Says what goes beyond.
    pub fn check_within(&self, wider: &Self) -> Result<(), String> {
        for pattern in &self.tools {
            if !wider.tools.iter().any(|known| known.includes(pattern)) {
                return Err(format!("`{pattern}` is not among {}", list(&wider.tools)));
            }
        }
        for (dimension, allowed) in &wider.bounds {
            let word = dimension.as_str();
            let own = self.bounds.iter().find(|(known, _)| known == dimension);
            let Some((_, values)) = own else { return Err(format!("`where` must bound {word}: {allowed:?}")) };
            if let Some(beyond) = values.iter().find(|value| !allowed.contains(value)) {
                return Err(format!("the {word} `{beyond}` is not among {allowed:?}"));
            }
        }
        if self.secs > wider.secs {
            return Err(format!("{} is longer than {}", length(self.secs), length(wider.secs)));
        }
        match (self.calls, wider.calls) {
            (_, None) => Ok(()),
            (Some(own), Some(most)) if own <= most => Ok(()),
            (own, Some(most)) => {
                let own = own.map_or_else(|| "any number of calls".to_owned(), |own| format!("{own} calls"));
                Err(format!("{own} is more than {most} calls"))
            }
        }
    }

    /// As records, stores and people read it: `{"tools", "where", "for_secs", "calls"}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let bounds = self.bounds.iter().map(|(dimension, values)| (dimension.as_str().to_owned(), json!(values)));
        let mut json = json!({
            "tools": self.tools.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "where": bounds.collect::<Map<_, _>>(),
            "for_secs": self.secs,
        });
        if let Some(calls) = self.calls {
            json["calls"] = json!(calls);
        }
        json
    }

    /// Reads [`Terms::to_json`]. What is not said is as in `rest`; without it all but `calls` must be said.
    ///
    /// # Errors
    /// Says what cannot be read.
    pub fn read(json: &Value, rest: Option<&Self>) -> Result<Self, InvalidTerms> {
        let bad = |text: &str| InvalidTerms(text.to_owned());
        let members = json.as_object().ok_or_else(|| bad("the terms must be an object"))?;
        let tools = match (members.get("tools"), rest) {
            (Some(tools), _) => texts(tools)
                .and_then(|tools| tools.iter().map(|text| Pattern::parse(text)).collect::<Option<Vec<_>>>())
                .filter(|tools| !tools.is_empty())
                .ok_or_else(|| bad("`tools` must be a list of names such as `payments/refund` or `tickets/*`"))?,
            (None, Some(rest)) => rest.tools.clone(),
            (None, None) => return Err(bad("`tools` is missing")),
        };
        let mut bounds = rest.map(|rest| rest.bounds.clone()).unwrap_or_default();
        for (word, values) in members
            .get("where")
            .map(|found| found.as_object().ok_or_else(|| bad("`where` must be an object")))
            .transpose()?
            .into_iter()
            .flatten()
        {
            let dimension = Dimension::parse(word).ok_or_else(|| {
                InvalidTerms(format!(
                    "`{word}` is no dimension: write environment, product, service, repository or branch"
                ))
            })?;
            let values = texts(values).filter(|values| !values.is_empty());
            let values = values.ok_or_else(|| InvalidTerms(format!("`{word}` must be a list of texts")))?;
            bounds.retain(|(known, _)| *known != dimension);
            bounds.push((dimension, values));
        }
        bounds.sort_by_key(|(dimension, _)| *dimension);
        let number = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_u64().filter(|number| (1..=i64::MAX.unsigned_abs()).contains(number));
                number.map(Some).ok_or_else(|| InvalidTerms(format!("`{name}` must be a whole number above zero")))
            }
        };
        let secs = number("for_secs")?.or(rest.map(|rest| rest.secs)).ok_or_else(|| bad("`for_secs` is missing"))?;
        Ok(Self { tools, bounds, secs, calls: number("calls")?.or(rest.and_then(|rest| rest.calls)) })
    }
}

impl std::fmt::Display for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&list(&self.tools))?;
        for (dimension, values) in &self.bounds {
            write!(f, ", {} in {values:?}", dimension.as_str())?;
        }
        write!(f, ", for up to {}", length(self.secs))?;
        match self.calls {
            None => Ok(()),
            Some(1) => f.write_str(", at most 1 call"),
            Some(calls) => write!(f, ", at most {calls} calls"),
        }
    }
}

impl Pattern {
    /// Whether every tool that the other could ever mean is meant by this one.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (_, Self::Tool(name)) => self.covers(name),
            (Self::Prefix(own), Self::Prefix(other)) => other.starts_with(own.as_str()),
            (Self::Tool(_) | Self::Prefix(_), _) => false,
        }
    }
}

impl AccessGrant {
    /// Whether it could matter when this caller calls this tool now.
    #[must_use]
    pub fn concerns(&self, caller: &Caller, tool: &ToolName, now: Timestamp) -> bool {
        let whom = match &self.whom {
            Whom::Anybody => true,
            Whom::Exactly(user) => caller.user() == user.as_ref(),
        };
        self.agent == *caller.calling_agent() && whom && self.terms.name(tool) && now < self.expires
    }

    /// Whether it has ended, given how many calls rested on it.
    #[must_use]
    pub fn over(&self, used: u64, now: Timestamp) -> bool {
        self.expires <= now || used == 0 && self.unused_until.is_some_and(|until| until <= now)
    }

    /// Whose budget its calls draw on: `grant:g_1`.
    #[must_use]
    pub fn holder(&self) -> String {
        format!("grant:{}", self.id)
    }

    /// The limit on its calls. Without one they are counted all the same: what is used is set against what is given.
    #[must_use]
    pub fn limit(&self) -> Limit {
        let amount = self.terms.calls.unwrap_or(i64::MAX.unsigned_abs());
        Limit { unit: Unit::Calls, amount, window: Window::Total, warn_at: None }
    }
}

impl AccessGrant {
    /// The counter of its calls.
    #[must_use]
    pub fn budget(&self) -> (Budget, Span) {
        (crate::authority::budget(&self.holder(), &self.limit()), Span { id: "total".to_owned(), ends: None })
    }
}

impl Ground {
    /// The name of the rule or of the declaration.
    #[must_use]
    pub const fn name(&self) -> &RuleId {
        match self {
            Self::Offer(name) | Self::BreakGlass(name) => name,
        }
    }
}

/// Where something happens along one dimension: what its resource says, and for the environment what the
/// run declares where that is silent.
pub(crate) fn facet<'f>(resource: &'f Resource, run: &'f RunFacts, dimension: Dimension) -> Option<&'f String> {
    let declared = if dimension == Dimension::Environment { run.environment.as_ref() } else { None };
    resource.dimensions.get(&dimension).or(declared)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array().filter(|items| items.len() <= ITEMS_MAX)?;
    items.iter().map(|item| item.as_str().filter(|text| text.len() <= 256).map(str::to_owned)).collect()
}

fn list(tools: &[Pattern]) -> String {
    let names: Vec<_> = tools.iter().map(|pattern| format!("`{pattern}`")).collect();
    names.join(", ")
}

/// A length of time in the words of files: `8h`.
#[must_use]
pub fn length(secs: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let fits = units.into_iter().find(|(each, _)| secs >= *each && secs.is_multiple_of(*each));
    fits.map_or_else(|| format!("{secs}s"), |(each, unit)| format!("{}{unit}", secs / each))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(json: Value) -> Terms {
        Terms::read(&json, None).expect("terms")
    }

    #[test]
    fn narrower_terms_are_within_and_wider_ones_are_not() {
        let offer = terms(
            json!({"tools": ["payments/*"], "where": {"environment": ["production", "staging"]}, "for_secs": 3600, "calls": 5}),
        );
        let within = |json| Terms::read(&json, Some(&offer)).expect("terms").check_within(&offer);
        assert_eq!(within(json!({})), Ok(()));
        assert_eq!(within(json!({"tools": ["payments/refund", "payments/re*"], "calls": 1, "for_secs": 60})), Ok(()));
        assert_eq!(within(json!({"where": {"environment": ["staging"], "product": ["billing"]}})), Ok(()));
        for beyond in [
            json!({"tools": ["*"]}),
            json!({"tools": ["pay/refund"]}),
            json!({"tools": ["payments/refund", "mail/send"]}),
            json!({"where": {"environment": ["production", "lab"]}}),
            json!({"for_secs": 3601}),
            json!({"calls": 6}),
        ] {
            assert!(within(beyond.clone()).is_err(), "{beyond}");
        }
        let unbounded = terms(json!({"tools": ["payments/refund"], "for_secs": 60, "calls": 1}));
        assert!(unbounded.check_within(&offer).is_err(), "no bound is wider than any");
        let uncounted = Terms { calls: None, ..offer.clone() };
        assert!(uncounted.check_within(&offer).is_err(), "no limit is wider than any");
    }

    #[test]
    fn terms_come_back_as_they_were_and_nonsense_does_not() {
        let full = terms(json!({"tools": ["a/b", "c/*"], "where": {"branch": ["main"]}, "for_secs": 90, "calls": 3}));
        assert_eq!(terms(full.to_json()), full);
        for bad in [
            json!(null),
            json!({"tools": [], "for_secs": 1}),
            json!({"tools": ["a/b"]}),
            json!({"tools": ["a/b"], "for_secs": 0}),
            json!({"tools": ["a/b"], "for_secs": -1}),
            json!({"tools": ["a/b"], "for_secs": 1, "calls": 0}),
            json!({"tools": ["a/b"], "for_secs": 1, "where": {"planet": ["x"]}}),
            json!({"tools": ["a/b"], "for_secs": 1, "where": {"branch": []}}),
            json!({"tools": ["a/b"], "for_secs": 18_446_744_073_709_551_615u64}),
        ] {
            assert!(Terms::read(&bad, None).is_err(), "{bad}");
        }
        assert_eq!(full.to_string(), "`a/b`, `c/*`, branch in [\"main\"], for up to 90s, at most 3 calls");
    }
}
