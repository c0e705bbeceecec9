//! The program `remit`, as a library for its own tests.
//!
//! [`commands`] has one file per verb; [`boot`] turns a configuration folder into a running gateway;
//! [`rehearse`] plays scenarios.

pub mod boot;
pub mod client;
pub mod commands;
pub mod rehearse;
pub mod sample;
pub mod terminal;

mod edge;
mod folder;
mod ledger;
mod log_keys;
mod logs;
mod notify;
mod otlp;
mod place;
mod reload;
mod sign_in;
mod tls;
mod trust;
mod upstreams;
