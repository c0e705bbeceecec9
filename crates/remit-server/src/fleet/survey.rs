//! What an upstream serves, as it was last seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use remit_core::registry::Definition;
use serde_json::Value;

use crate::fleet::{Fleet, Member, Recruit};
use crate::upstream::Failure;

/// What one upstream serves.
#[derive(Debug, PartialEq)]
pub struct Survey {
    /// The count of changes before it was made.
    pub(super) changes: u64,
    /// Tools, by their own names.
    pub tools: BTreeMap<String, Definition>,
    resources: Vec<Value>,
    templates: Vec<Value>,
    prompts: Vec<Value>,
}

/// What is listed beside tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Resources.
    Resources,
    /// Resource templates.
    Templates,
    /// Prompts.
    Prompts,
}

impl Kind {
    /// The operation under which these are read, and therefore granted.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Resources | Self::Templates => "resources/read",
            Self::Prompts => "prompts/get",
        }
    }
}

impl Recruit {
    /// An entry as agents see it. Prompts of different upstreams may have the same name, so they are
    /// prefixed like tools; resources have URIs.
    pub(super) fn shown(&self, kind: Kind, entry: &Value) -> Value {
        let mut entry = entry.clone();
        if let (Kind::Prompts, false, Some(name)) = (kind, self.bare, entry["name"].as_str()) {
            entry["name"] = Value::String(format!("{}__{name}", self.spec.id));
        }
        entry
    }
}

impl Survey {
    /// The entries of a kind.
    #[must_use]
    pub fn entries(&self, kind: Kind) -> &[Value] {
        match kind {
            Kind::Resources => &self.resources,
            Kind::Templates => &self.templates,
            Kind::Prompts => &self.prompts,
        }
    }

    /// Whether this resource is listed, or else whether a template's fixed beginning fits it.
    #[must_use]
    pub fn serves(&self, uri: &str, exact: bool) -> bool {
        if exact {
            return self.resources.iter().any(|resource| resource["uri"] == uri);
        }
        let beginnings =
            self.templates.iter().filter_map(|template| template["uriTemplate"].as_str()?.split('{').next());
        beginnings.into_iter().any(|beginning| !beginning.is_empty() && uri.starts_with(beginning))
    }
}

impl Fleet {
    /// Asks one upstream what it serves. A failure leaves what was known.
    pub(super) async fn survey(&self, member: &Arc<Member>) -> Option<Arc<Survey>> {
        let _asking = member.asking.lock().await;
        match self.ask(member).await {
            Ok(survey) => {
                self.metrics.upstream(member.recruit.spec.id.as_str(), true);
                let survey = Arc::new(survey);
                member.survey.store(Some(survey.clone()));
                Some(survey)
            }
            Err(why) => {
                self.metrics.upstream(member.recruit.spec.id.as_str(), false);
                tracing::warn!(upstream = %member.recruit.spec.id, %why, "an upstream could not be surveyed");
                None
            }
        }
    }

    /// The survey of an upstream as it is now: made anew when there is none, or when the upstream was
    /// reconnected, restarted or has announced a change since. A process that was replaced between
    /// two calls is compared with its pins before the second one reaches it.
    pub(super) async fn surveyed(&self, member: &Arc<Member>) -> Option<Arc<Survey>> {
        let survey = member.survey.load_full();
        match survey.filter(|survey| survey.changes == *member.changes.borrow()) {
            Some(survey) => Some(survey),
            None => self.survey(member).await,
        }
    }

    async fn ask(&self, member: &Member) -> Result<Survey, String> {
        // Before the lists are asked for: a change while they are read makes the survey old at once.
        let changes = *member.changes.borrow();
        let secret = self.references.load().read(&member.recruit.spec.id).map_err(|error| error.to_string())?;
        let listing = member.connection.list(secret.as_ref()).await.map_err(|failure: Failure| failure.to_string())?;
        let named = |tool: Value| Some((tool.get("name")?.as_str()?.to_owned(), Definition::new(tool)));
        Ok(Survey {
            changes,
            tools: listing.tools.into_iter().filter_map(named).collect(),
            resources: listing.resources,
            templates: listing.templates,
            prompts: listing.prompts,
        })
    }
}
