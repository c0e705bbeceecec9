//! The gateway: what agents and services speak to.

pub mod builtin;
pub mod http;
pub mod mcp;
