//! The verbs that people steer a gateway with, as a person types them: what they say, and what they say when it is wrong.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod access;
mod answers;
mod care;
mod changes;
mod documented;
mod evidence;
mod hidden;
mod keys;
mod takeover;
mod world;
