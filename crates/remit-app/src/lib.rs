//! The use cases of Remit and the ports they need.

pub mod secret;
