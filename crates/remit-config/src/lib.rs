//! The configuration folder: a folder of texts in, checked authority or located faults out.
//!
//! Each file is read twice. First as text into a typed *file* (`*/file.rs`), which says what may be
//! written and is the source of the published JSON Schemas. Then as a whole into what the gateway
//! runs on (`*/check.rs`), where names meet each other. Nothing that failed either step is ever
//! used: [`load`] gives everything, or every fault it found.
//!
//! This crate reads a folder and nothing else: no environment, no clock, no network.

mod access;
mod at;
mod each;
mod facet;
mod folder;
pub mod keys;
mod load;
pub mod pins;
mod quantity;
mod remit;
mod report;
mod scenario;
mod schema;
mod sections;
pub mod settings;
pub mod upstream;
mod yaml;

pub use folder::{FILE_BYTES_MAX, FILES_MAX, Folder};
pub use load::{Config, load};
pub use scenario::{AccessStep, Actor, CallStep, Deed, Effect, Expect, Scenario, Step, Verdict, scenarios};
pub use schema::{FileKind, schema};
