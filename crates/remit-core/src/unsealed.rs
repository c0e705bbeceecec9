//! What becomes of calls while records wait for the log longer than they may.

/// How long a record may wait to be sealed, and which calls go ahead when one has waited longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsealed {
    /// How long, in seconds.
    pub within_secs: u64,
    /// What goes ahead then.
    pub then: Then,
}

/// Which calls go ahead although the log has fallen behind; the strictest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Then {
    /// None.
    #[default]
    Refuse,
    /// Reads of data up to `internal`.
    Reads,
    /// All.
    GoOn,
}

impl Then {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Reads => "reads",
            Self::GoOn => "go_on",
        }
    }
}

impl Default for Unsealed {
    fn default() -> Self {
        Self { within_secs: 60, then: Then::default() }
    }
}
