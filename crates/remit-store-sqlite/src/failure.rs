//! Why a deed did not happen, and whom that concerns.

use remit_app::intent::{CommitError, Unavailable};
use remit_core::ids::InvalidId;
use rusqlite::ErrorCode;

/// What can go wrong inside one deed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The facts have changed: this deed is undone, and its caller decides again.
    Conflict(&'static str),
    /// This deed cannot be done; it is undone, and the others of its group are not concerned.
    Rejected(String),
    /// The file itself failed. For the writer that is the end: see `writer.rs`.
    Broken(String),
}

impl Failure {
    pub(crate) fn rejected(text: impl Into<String>) -> Self {
        Self::Rejected(text.into())
    }

    fn text(self) -> String {
        match self {
            Self::Conflict(why) => format!("unexpected conflict: {why}"),
            Self::Rejected(text) | Self::Broken(text) => text,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    /// A broken constraint and a row that cannot be read concern one deed. Whatever else SQLite
    /// reports (I/O, disk full, corruption, a lock that should be ours) concerns the file.
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            None | Some(ErrorCode::ConstraintViolation) => Self::Rejected(error.to_string()),
            Some(_) => Self::Broken(error.to_string()),
        }
    }
}

impl From<InvalidId> for Failure {
    fn from(error: InvalidId) -> Self {
        Self::Rejected(format!("a stored identifier is malformed: {error}"))
    }
}

impl From<Failure> for CommitError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict(why) => Self::Conflict(why),
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<Failure> for Unavailable {
    fn from(failure: Failure) -> Self {
        Self(failure.text())
    }
}
