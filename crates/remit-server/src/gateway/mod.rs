//! The gateway: what agents and services speak to.

pub(crate) mod access;
pub mod builtin;
pub mod http;
pub mod mcp;
