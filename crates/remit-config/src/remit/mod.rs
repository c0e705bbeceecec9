//! `remits/*.yaml`: one permission budget per holder. The checked form is the core's own.

mod check;
pub(crate) mod file;
mod place;

pub(crate) use check::check;
pub(crate) use place::{Condition, relocate};
