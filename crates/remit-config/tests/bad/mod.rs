//! What can be wrong with a folder, and exactly what is said about it.

pub mod authority;
pub mod ledger;
pub mod notify;
pub mod people;
pub mod settings;
pub mod sign_in;

/// File, what is changed in it to what, and all that is said about it.
pub type InFile = (&'static str, &'static str, &'static str, &'static str);

/// What is changed to what, and all that is said about it.
pub type Change = (&'static str, &'static str, &'static str);

/// What is changed in a folder that is good.
pub const FOLDERS: [&[InFile]; 4] = [settings::ALL, authority::ALL, notify::ALL, sign_in::ALL];
