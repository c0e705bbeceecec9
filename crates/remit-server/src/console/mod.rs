//! The console: what people look at and vote with, as pages under `/console`. It goes through the same
//! use cases as the operators' API and can do nothing that API cannot.
//!
//! Pages are rendered here, whole, and work without scripts; `console.js` only keeps them fresh. Nothing
//! that a caller wrote gets onto a page but through a template's escaping or [`plain`].

mod access;
mod account;
mod agents;
mod approvers;
mod assets;
mod authority;
mod budgets;
mod calls;
mod changes;
pub(crate) mod decided;
mod delegations;
mod diff;
mod door;
mod dress;
mod gauge;
mod halts;
mod history;
mod ledger;
mod letting;
mod lines;
mod live;
pub(crate) mod moment;
pub(crate) mod page;
mod people;
pub(crate) mod plain;
mod proposals;
mod questions;
mod records;
mod reviews;
mod runs;
mod standing;
pub(crate) mod tag;
mod tools;
mod words;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};

pub(crate) use door::addresses::{Addresses, Peer};
pub use door::login::BACK;
pub(crate) use door::not_changed;
pub(crate) use door::terminal::{self, Terminals};
pub(crate) use dress::escaped;

use crate::edge::Edge;
use crate::gateway::http::guard;
use crate::visit;

/// The largest form, in bytes.
const FORM_BYTES_MAX: usize = 256 * 1024;

/// The paths.
pub fn routes(edge: Arc<Edge>) -> Router {
    Router::new()
        .route("/console", get(questions::waiting::waiting))
        .route("/console/questions/{id}", get(questions::one::question))
        .route("/console/questions/{id}/votes", post(questions::ballot::vote))
        .route("/console/questions/{id}/remarks", post(questions::ballot::ask_back))
        .route("/console/questions/{id}/escalations", post(questions::ballot::escalate))
        .route("/console/questions/{id}/narrow", post(questions::ballot::narrow))
        .route("/console/calls", get(calls::calls))
        .route("/console/runs", get(runs::runs))
        .route("/console/runs/{id}", get(runs::run))
        .route("/console/records/{id}", get(records::record))
        .route("/console/agents", get(agents::agents))
        .route("/console/agents/{id}", get(agents::agent))
        .route("/console/tools", get(tools::tools))
        .route("/console/tools/{*name}", get(tools::tool))
        .route("/console/agents/{id}/standing", get(standing::standing))
        .route("/console/agents/{id}/stage", post(standing::raise))
        .route("/console/authority", get(authority::authority))
        .route("/console/changes", get(changes::changes))
        .route("/console/changes/{id}", get(changes::change))
        .route("/console/changes/{id}/votes", post(changes::vote))
        .route("/console/history", get(history::history))
        .route("/console/history/{digest}", get(history::snapshot))
        .route("/console/history/{digest}/restore", post(history::restore))
        .route("/console/proposals", get(proposals::proposals))
        .route("/console/proposals/{id}", post(proposals::forward))
        .route("/console/questions/{id}/proposals", post(proposals::propose))
        .route("/console/reviews", get(reviews::reviews))
        .route("/console/reviews/{record}", post(reviews::close))
        .route("/console/approvers", get(approvers::approvers))
        .route("/console/delegations", get(delegations::delegations).post(delegations::delegate))
        .route("/console/delegations/{id}/revoke", post(delegations::revoke))
        .route("/console/access", get(access::access))
        .route("/console/access/requests/{id}/narrow", post(access::narrow))
        .route("/console/access/grants/{id}/revoke", post(access::revoke))
        .route("/console/access/grants/{id}/review", post(access::review))
        .route("/console/budgets", get(budgets::budgets))
        .route("/console/halts", get(halts::halts).post(halts::order))
        .route("/console/halts/new", get(halts::confirm))
        .route("/console/halts/lift", post(halts::lift))
        .route("/console/ledger", get(ledger::ledger))
        .route("/console/ledger/trust", get(ledger::trust))
        .route("/console/live", get(live::live))
        .route("/console/assets/{name}", get(assets::asset))
        .merge(door::routes())
        .merge(door::terminal::pages())
        .merge(account::routes())
        .merge(letting::routes())
        .route("/console/people", get(people::people))
        .route("/console/{*rest}", get(page::nowhere))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(edge.clone(), visit::admit))
        .layer(middleware::from_fn_with_state(edge.clone(), guard))
        .layer(middleware::from_fn(dress::dress))
        .with_state(edge)
}
