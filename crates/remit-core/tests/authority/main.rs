//! Decisions: what they say, case by case, and the laws they keep.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be furnished has failed")]

mod access;
mod decide;
mod house;
mod laws;
mod tiers;
