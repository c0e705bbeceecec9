//! Sealing under faults: whatever fails, wherever the process dies, nothing is ever published that
//! contradicts anything else that was.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod disk;
mod faults;
mod history;
mod lag;
mod power;
mod stamps;
#[path = "../../../remit-evidence/tests/scene/timestamper.rs"]
mod timestamper;
mod turns;
mod witnesses;
mod world;
