//! What tests are made of: fakes, and the suites that every adapter passes. Never part of a product.

pub mod conformance;
pub mod fuzz;
pub mod memory;
pub mod place;
pub mod upstream;
pub mod wire;
