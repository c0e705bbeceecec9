//! The console: what people look at and vote with, as pages under `/console`. It goes through the same
//! use cases as the operators' API and can do nothing that API cannot.
//!
//! Pages are rendered here, whole, and work without scripts; `console.js` only keeps them fresh. Nothing
//! that a caller wrote gets onto a page but through a template's escaping or [`plain`].

mod account;
mod assets;
mod door;
mod dress;
mod letting;
mod live;
pub(crate) mod moment;
pub(crate) mod page;
pub(crate) mod plain;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use axum::{Router, middleware};

pub(crate) use door::not_changed;

use crate::edge::Edge;
use crate::gateway::http::guard;
use crate::visit;

/// The largest form, in bytes.
const FORM_BYTES_MAX: usize = 256 * 1024;

/// The paths.
pub fn routes(edge: Arc<Edge>) -> Router {
    Router::new()
        .route("/console/live", get(live::live))
        .route("/console/assets/{name}", get(assets::asset))
        .merge(door::routes())
        .merge(account::routes())
        .merge(letting::routes())
        .route("/console/{*rest}", get(page::nowhere))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(edge.clone(), visit::admit))
        .layer(middleware::from_fn_with_state(edge.clone(), guard))
        .layer(middleware::from_fn(dress::dress))
        .with_state(edge)
}
