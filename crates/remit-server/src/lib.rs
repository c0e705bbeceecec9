//! The edge of Remit: MCP and HTTP in, upstreams out. Everything that decides lives elsewhere; here
//! bytes become requests, and answers become bytes.

pub mod accept;
pub mod admin;
pub mod console;
pub mod edge;
mod errand;
pub mod fleet;
pub mod gateway;
pub mod identify;
pub mod keys;
pub mod ledger;
pub mod notices;
pub mod notify;
pub mod oidc;
pub mod pkcs11;
pub mod previewing;
pub mod refusal;
mod repolled;
pub mod retiring;
pub mod serve;
pub mod signer;
pub mod telemetry;
pub mod tending;
pub mod upstream;
pub mod vault;
pub mod visit;
pub mod witness;
