//! What is the same on every page, and how a page or a refusal becomes an answer.

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};

use super::dress::NotSignedIn;
use super::moment::Moment;
use super::plain::{Plain, bare, coded, line};
use super::{assets, dress};
use crate::admin::{operator, unavailable};
use crate::edge::Edge;
use crate::identify::Operator;
use crate::refusal;

/// Where one is in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// What waits for people.
    Waiting,
    /// What agents do at this moment.
    Calls,
    /// Tasks of agents.
    Runs,
    /// Who acts, and how far they are trusted.
    Agents,
    /// What can be called.
    Tools,
    /// Guardrails and the history of snapshots.
    Authority,
    /// Requests and grants.
    Access,
    /// Counters with a limit.
    Budgets,
    /// What is stopped, and how to stop.
    Halts,
    /// The evidence.
    Ledger,
    /// Who steers.
    People,
    /// Calls that went through before anybody looked.
    Reviews,
    /// Changes of the authority that wait for people.
    Changes,
    /// What was in force before.
    History,
    /// Proposed changes of remits.
    Proposals,
    /// How people are doing who answer questions.
    Approvers,
    /// Who votes in whose place.
    Delegations,
}

impl Place {
    /// What the navigation lists, in its order. Other pages stand beside one of these.
    pub(crate) const ALL: [Self; 11] = [
        Self::Waiting,
        Self::Calls,
        Self::Runs,
        Self::Agents,
        Self::Tools,
        Self::Authority,
        Self::Access,
        Self::Budgets,
        Self::Halts,
        Self::Ledger,
        Self::People,
    ];

    /// The word in the navigation.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Calls => "Calls",
            Self::Runs => "Runs",
            Self::Agents => "Agents",
            Self::Tools => "Tools",
            Self::Authority => "Authority",
            Self::Access => "Access",
            Self::Budgets => "Budgets",
            Self::Halts => "Halts",
            Self::Ledger => "Ledger",
            Self::People => "People",
            Self::Reviews => "Reviews",
            Self::Changes => "Changes",
            Self::History => "History",
            Self::Proposals => "Proposals",
            Self::Approvers => "Approvers",
            Self::Delegations => "Delegations",
        }
    }

    /// The word among the pages beside it.
    pub(crate) const fn beside_name(self) -> &'static str {
        match self {
            Self::Waiting => "Questions",
            Self::Authority => "In force",
            Self::People => "Everybody",
            other => other.name(),
        }
    }

    /// The pages that stand beside each other under one entry of the navigation, that entry first.
    pub(crate) const fn beside(self) -> &'static [Self] {
        match self {
            Self::Waiting | Self::Reviews => &[Self::Waiting, Self::Reviews],
            Self::Authority | Self::Changes | Self::History | Self::Proposals => {
                &[Self::Authority, Self::Changes, Self::History, Self::Proposals]
            }
            Self::People | Self::Approvers | Self::Delegations => &[Self::People, Self::Approvers, Self::Delegations],
            _ => &[],
        }
    }

    /// The entry of the navigation under which it stands.
    pub(crate) fn entry(self) -> Self {
        self.beside().first().copied().unwrap_or(self)
    }

    /// Its path.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Waiting => "/console",
            Self::Calls => "/console/calls",
            Self::Runs => "/console/runs",
            Self::Agents => "/console/agents",
            Self::Tools => "/console/tools",
            Self::Authority => "/console/authority",
            Self::Access => "/console/access",
            Self::Budgets => "/console/budgets",
            Self::Halts => "/console/halts",
            Self::Ledger => "/console/ledger",
            Self::People => "/console/people",
            Self::Reviews => "/console/reviews",
            Self::Changes => "/console/changes",
            Self::History => "/console/history",
            Self::Proposals => "/console/proposals",
            Self::Approvers => "/console/approvers",
            Self::Delegations => "/console/delegations",
        }
    }
}

/// What every page shows around its own matter. Templates call it `page`.
pub(crate) struct Page {
    /// The heading, which is also the window's title.
    pub title: Plain,
    /// Which entry of the navigation is marked; none on the way in.
    pub here: Option<Place>,
    /// Who looks; none when nobody is known.
    pub person: Option<Person>,
    /// What each form gives back as `csrf`: empty for whoever came with a key, which no browser sends by itself.
    pub csrf: String,
    /// The halts in force.
    pub halts: Vec<HaltShown>,
    /// How many things wait for this person, for the window's title.
    pub unread: usize,
    /// Whether the page is of one thing that people came for, so that nothing stands beside it.
    pub alone: bool,
}

/// Who looks.
pub(crate) struct Person {
    /// Their id.
    pub id: String,
    /// How they proved it.
    pub factor: &'static str,
    /// What they may do.
    pub roles: String,
}

/// A halt, in the banner.
pub(crate) struct HaltShown {
    /// What stands still.
    pub target: Plain,
    /// Why.
    pub reason: Plain,
    /// Who ordered it.
    pub by: Plain,
    /// Since when.
    pub since: Moment,
}

impl Page {
    /// A page for somebody who may do `deed`, with what the store says is halted.
    ///
    /// # Errors
    /// When nobody is known, when they may not, or when the store cannot say what is halted.
    pub(crate) async fn visit(
        edge: &Edge,
        headers: &HeaderMap,
        deed: Deed,
        here: Place,
        title: &str,
    ) -> Result<(Operator, Self), Refusal> {
        let person = operator(edge, headers, deed).await?;
        let now = edge.gate.ports().clock.now();
        let halts = edge.gate.ports().store.halts().await.map_err(unavailable)?;
        let halts = halts.iter().map(|halt| HaltShown {
            target: line(&halt.target.to_string()),
            reason: line(&halt.reason),
            by: line(&halt.by),
            since: Moment::new(halt.since, now),
        });
        let roles: Vec<_> = person.roles.iter().map(|role| role.as_str()).collect();
        let shown = Person {
            id: person.approver.id.to_string(),
            factor: person.approver.factor.as_str(),
            roles: roles.join(", "),
        };
        let page = Self {
            title: bare(title),
            here: Some(here),
            person: Some(shown),
            csrf: person.csrf.clone(),
            halts: halts.collect(),
            unread: 0,
            alone: false,
        };
        Ok((person, page))
    }

    /// A page for anybody: it says nothing about the gateway.
    pub(crate) fn bare(title: &str) -> Self {
        let (person, csrf, halts) = (None, String::new(), Vec::new());
        Self { title: bare(title), here: None, person, csrf, halts, unread: 0, alone: true }
    }

    /// What the navigation lists.
    pub(crate) fn places(&self) -> [Place; 11] {
        Place::ALL
    }

    /// How an entry of the navigation is marked, if it is: `page`, or `true` where one is on a page beside it.
    pub(crate) fn mark(&self, place: &Place) -> Option<&'static str> {
        let here = self.here.filter(|here| here.entry() == *place)?;
        Some(if here == *place { "page" } else { "true" })
    }

    /// Whether this is where one is.
    pub(crate) fn is_here(&self, place: &Place) -> bool {
        self.here == Some(*place)
    }

    /// The pages beside this one.
    pub(crate) fn beside(&self) -> &'static [Place] {
        if self.alone { &[] } else { self.here.map_or(&[], Place::beside) }
    }

    /// Where an asset is.
    pub(crate) fn asset(&self, name: &str) -> String {
        assets::url(name)
    }
}

/// A refusal, as a page.
#[derive(Template)]
#[template(path = "refused.html")]
struct Refused {
    page: Page,
    code: &'static str,
    reason: Plain,
    remedy: Plain,
}

/// A page, or why there is none.
pub(crate) fn answer<T: Template>(made: Result<T, Refusal>) -> Response {
    match made {
        Ok(page) => rendered(StatusCode::OK, &page),
        Err(refusal) => refused(&refusal),
    }
}

/// Another page to go to, or why not. For what a form did.
pub(crate) fn onward(done: Result<String, Refusal>) -> Response {
    match done {
        Ok(path) => axum::response::Redirect::to(&path).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

/// A page with another status.
pub(crate) fn rendered<T: Template>(status: StatusCode, page: &T) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be made. The log knows why.\n").into_response()
        }
    }
}

/// A refusal as a page; for somebody who has not signed in, the way to do so.
pub(crate) fn refused(refusal: &Refusal) -> Response {
    let title = match refusal.code {
        Code::Unauthenticated => "Not signed in",
        Code::PolicyNoPermit => "Not allowed",
        Code::QuestionUnknown | Code::RunUnknown | Code::RecordUnknown | Code::ToolUnknown => "Not found",
        Code::Conflict => "Changed meanwhile",
        Code::StoreUnavailable => "Unavailable",
        _ => "That did not work",
    };
    let (reason, remedy) = (coded(&refusal.reason), coded(&refusal.remedy));
    let page = Refused { page: Page::bare(title), code: refusal.code.as_str(), reason, remedy };
    let mut response = rendered(refusal::status(refusal.code), &page);
    if refusal.code == Code::Unauthenticated {
        response.extensions_mut().insert(NotSignedIn);
    }
    response
}

/// What a form said.
///
/// # Errors
/// When it is no form, too large, or lacks a field.
pub(crate) fn form<T>(taken: Result<Form<T>, FormRejection>) -> Result<T, Refusal> {
    taken.map(|Form(fields)| fields).map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(Code::RequestTooLarge, "the form is too large"),
        _ => Refusal::new(Code::Malformed, "the form is not complete"),
    })
}

/// A link's target with these filters, the empty ones left out: `/console/calls?agent=bot`.
pub(crate) fn link(path: &str, filters: &[(&str, &str)]) -> String {
    let said = filters.iter().filter(|(_, value)| !value.is_empty());
    let said: Vec<_> = said.map(|(name, value)| format!("{name}={}", dress::escaped(value))).collect();
    if said.is_empty() { path.to_owned() } else { format!("{path}?{}", said.join("&")) }
}

/// Whatever else is asked for under `/console`.
pub(super) async fn nowhere() -> Response {
    #[derive(Template)]
    #[template(path = "nowhere.html")]
    struct Nowhere {
        page: Page,
    }
    rendered(StatusCode::NOT_FOUND, &Nowhere { page: Page::bare("Not found") })
}
