//! `remits/*.yaml`: one permission budget per holder. The checked form is the core's own.

mod check;
pub(crate) mod file;
mod place;

pub(crate) use check::{bounds, check};
pub(crate) use file::BoundsFile;
pub(crate) use place::{Condition, relocate};
