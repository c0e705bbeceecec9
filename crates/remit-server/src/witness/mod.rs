//! A witness: somebody who remembers the head of other people's logs, and cosigns only what extends it
//! (C2SP tlog-witness). It is a program of its own with a folder and keys of its own, and never part of
//! a gateway: a gateway that witnessed its own log would prove nothing.
//!
//! Here is the client too, by which a gateway asks the witnesses of its log.

pub mod client;
pub mod desk;
pub mod disk;
pub mod folder;
mod forks;
mod head;
pub mod http;
pub mod judge;
pub mod request;
pub mod trust;

#[cfg(test)]
mod tests;
