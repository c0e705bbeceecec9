//! Sealing under faults: whatever fails, wherever the process dies, nothing is ever published that
//! contradicts anything else that was.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod faults;
mod history;
mod turns;
mod witnesses;
mod world;
