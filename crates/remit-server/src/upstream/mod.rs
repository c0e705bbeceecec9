//! The upstream edge: MCP as a client speaks it, in both of its eras, over streamable HTTP and
//! standard input and output. It owns connections, processes, sessions, ids and limits; it never
//! decides whether a call may happen, and it never sends one twice.
//!
//! What it holds to, whatever an upstream does:
//!
//! * A call is sent at most once. Which era an upstream speaks is found out with `server/discover`
//!   and `initialize`, never with a call.
//! * [`Failure::NotStarted`] is said only when nothing of the call can have left this process, or
//!   when an upstream says that the session it was sent into is gone (see [`Failure`]).
//! * Ids and progress tokens are our own, so no two callers can be mistaken for one another.
//! * An answer is bounded, read strictly, and belongs to exactly one request.

mod answer;
mod changes;
mod connection;
mod failure;
mod footing;
mod frame;
pub(crate) mod http;
mod listing;
mod message;
pub(crate) mod mirror;
mod request;
mod spec;
pub(crate) mod sse;
mod stdio;

#[cfg(test)]
mod tests;

pub use connection::Connection;
pub use failure::Failure;
pub use listing::{LeftOut, Listing};
pub use request::{Operation, Request};
pub use spec::{Slot, Spec, Transport};

/// Largest line, body or event that is read from an upstream, in bytes.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
