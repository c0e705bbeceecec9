//! The JSON Schemas of the files, for editors. They are made from the same types that read the
//! files, so they cannot say anything else.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::keys::file::KeysFile;
use crate::remit::file::RemitFile;
use crate::scenario::file::ScenarioFile;
use crate::settings::file::SettingsFile;
use crate::upstream::file::UpstreamFile;

/// A kind of file in a configuration folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `remit.yaml`.
    Settings,
    /// `keys.yaml`.
    Keys,
    /// `upstreams/*.yaml`.
    Upstream,
    /// `remits/*.yaml`.
    Remit,
    /// `tests/*.yaml`.
    Scenario,
}

impl FileKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Settings, Self::Keys, Self::Upstream, Self::Remit, Self::Scenario];

    /// The word by which a person asks for its schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "remit",
            Self::Keys => "keys",
            Self::Upstream => "upstream",
            Self::Remit => "remit-file",
            Self::Scenario => "tests",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The kind of the file of this name, when it is a YAML file.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name.split_once('/') {
            None if name == "remit.yaml" => Some(Self::Settings),
            None if name == "keys.yaml" => Some(Self::Keys),
            Some(("upstreams", _)) => Some(Self::Upstream),
            Some(("remits", _)) => Some(Self::Remit),
            Some(("tests", _)) => Some(Self::Scenario),
            _ => None,
        }
    }
}

/// The JSON Schema (2020-12) of a kind of file.
#[must_use]
pub fn schema(kind: FileKind) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = match kind {
        FileKind::Settings => generator.into_root_schema_for::<SettingsFile>(),
        FileKind::Keys => generator.into_root_schema_for::<KeysFile>(),
        FileKind::Upstream => generator.into_root_schema_for::<UpstreamFile>(),
        FileKind::Remit => generator.into_root_schema_for::<RemitFile>(),
        FileKind::Scenario => generator.into_root_schema_for::<ScenarioFile>(),
    };
    schema.to_value()
}
