//! JSON as Remit reads and writes it. Everything that crosses the gate is read once, strictly
//! ([`parse`]), decided on as that value, and forwarded as that value's own text, so no two
//! parsers can be made to disagree about what a call says.

mod canonical;
mod decimal;
mod object;
mod parse;

pub use canonical::{canonical, quoted};
pub use object::Object;
pub use parse::{JsonError, parse};
