//! Marks on data. A tool says which labels its output carries; a run collects them; policies read them.

use std::collections::BTreeSet;

/// How sensitive data is, in rising order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sensitivity {
    /// Meant for everybody.
    Public,
    /// For the organisation: what an unlabelled tool is taken to return.
    #[default]
    Internal,
    /// For those who need it.
    Confidential,
    /// Named people only.
    Restricted,
}

impl Sensitivity {
    /// All levels, lowest first.
    pub const ALL: [Self; 4] = [Self::Public, Self::Internal, Self::Confidential, Self::Restricted];

    /// The word used in files and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Restricted => "restricted",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

/// The labels on one tool's output, or collected by one run: a sensitivity, whether any of it was
/// untrusted, and further marks such as `pii` or `secret`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// The highest sensitivity.
    pub sensitivity: Sensitivity,
    /// Whether content that outsiders can write is among it.
    pub untrusted: bool,
    /// Further marks, each a short lower-case word.
    pub marks: BTreeSet<String>,
}

impl Labels {
    /// What a run carries before it has seen anything.
    #[must_use]
    pub fn none() -> Self {
        Self { sensitivity: Sensitivity::Public, untrusted: false, marks: BTreeSet::new() }
    }

    /// Adds what another piece of data carries. Labels are only ever added.
    pub fn collect(&mut self, other: &Self) {
        self.sensitivity = self.sensitivity.max(other.sensitivity);
        self.untrusted |= other.untrusted;
        self.marks.extend(other.marks.iter().cloned());
    }

    /// The labels as words: every sensitivity up to the highest is *not* listed, only the highest.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let trust = if self.untrusted { "untrusted" } else { "trusted" };
        [self.sensitivity.as_str(), trust].into_iter().chain(self.marks.iter().map(String::as_str))
    }

    /// Reads labels back from their words; unknown words become marks.
    #[must_use]
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut labels = Self::none();
        for word in words {
            match (Sensitivity::parse(word), word) {
                (Some(level), _) => labels.sensitivity = labels.sensitivity.max(level),
                (None, "untrusted") => labels.untrusted = true,
                (None, "trusted") => {}
                (None, mark) => {
                    labels.marks.insert(mark.to_owned());
                }
            }
        }
        labels
    }
}
