//! The use cases of Remit and the ports they need. Async functions, no runtime.
//!
//! Read [`gate`] and then `authorize.rs`: the way of a call, from a caller and a request to a permit.
//! `perform.rs` goes the rest of the way.

pub mod access;
pub mod action;
pub mod attention;
pub mod ballot;
pub mod canary;
pub mod change;
pub mod deed;
pub mod delegation;
pub mod delivery;
pub mod erase;
pub mod escalate;
pub mod gate;
pub mod history;
pub mod hold;
pub mod intent;
pub mod ledger;
pub mod message;
pub mod narrow;
pub mod outcome;
pub mod people;
pub mod permit;
pub mod ports;
pub mod preview;
pub mod proposal;
pub mod prove;
pub mod question;
pub mod reach;
pub mod replay;
pub mod retain;
pub mod review;
pub mod run;
pub mod seal;
pub mod secret;
pub mod sight;
pub mod stamp;
pub mod standing;
pub mod tell;
pub mod widening;
pub mod witness;

mod administer;
mod approve;
mod asking;
mod authorize;
mod converse;
mod emergency;
mod entitled;
mod grant;
mod matter;
mod origin;
mod perform;
mod records;
mod runs;
pub mod sweep;

pub use administer::NotReported;
pub use approve::{NotTaken, REASON_CHARS_MAX};
pub use asking::NotGiven;
pub use emergency::NotDone;
pub use gate::{Gate, Habits, Reply, Request, Ruling};
pub use runs::Opening;
