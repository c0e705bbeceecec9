//! The log: a tree over the leaves of all records, its tiles, its checkpoint and what proves a place in it.
//!
//! Everything is pure. Private keys stay with whoever implements `note::NoteSigner`, files with
//! whoever implements the readers. The formats are those of C2SP, so that others can read them.

pub mod audit;
pub mod bundle;
pub mod checkpoint;
pub mod cose;
pub mod cosignature;
pub mod growth;
pub mod leaf;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod proof;
pub mod tile;
pub mod vkey;
