//! Signed records and their verification, offline.
//!
//! A record is a DSSE envelope over the exact bytes of an in-toto statement. The bytes are produced
//! in canonical form, but a verifier never canonicalises again: it checks the bytes it was given.
//! This crate is pure: it knows no clock, no chance and no file; whoever calls it brings them.
//!
//! [`record`] and [`writer`] make records, [`words`] keeps out of them what must be erasable; [`verify`] checks them, and shares no code path with signing.
//! [`log`] commits to them in a tree, so that a record that was removed or changed later is missed.
//! [`judge`] judges a [`bundle`] of records and proofs under the [`trust`] document of whoever asks;
//! `docs/evidence-format.md` says how, for those who would rather not rely on this code.

pub mod bundle;
pub mod dsse;
mod instant;
pub mod judge;
pub mod log;
mod members;
pub mod record;
pub mod stamp;
pub mod trust;
pub mod verify;
pub mod webauthn;
pub mod words;
pub mod writer;

pub use members::Malformed;
