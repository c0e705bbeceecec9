//! Sizes and depths past which input is refused. They bound work, so a decision never needs a
//! time-out: the same input is always treated the same, on a busy machine too.

/// Largest request or answer body, in bytes.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Deepest nesting of arrays and objects in JSON.
pub const JSON_DEPTH_MAX: usize = 64;
/// Longest text kept of what a client declares as a run's intent, in bytes.
pub const INTENT_BYTES_MAX: usize = 16 * 1024;
/// Most links a caller's chain may have: user, agents, workflow.
pub const CHAIN_LINKS_MAX: usize = 8;
/// Longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// Longest reason or remedy that reaches a record, in bytes.
pub const REASON_BYTES_MAX: usize = 1024;
