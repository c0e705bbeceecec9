//! `remit schema`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use remit_config::{FileKind, schema};

use crate::terminal::{Outcome, say};

/// Print the JSON Schema of a configuration file, for editors.
#[derive(Args)]
pub struct Schema {
    /// Which file.
    #[arg(value_enum)]
    file: File,
}

#[derive(Clone, Copy, ValueEnum)]
enum File {
    /// `remit.yaml`
    Remit,
    /// `keys.yaml`
    Keys,
    /// `upstreams/*.yaml`
    Upstream,
    /// `remits/*.yaml`
    Holder,
    /// `tests/*.yaml`
    Test,
}

impl Schema {
    /// Runs the verb.
    pub fn run(self) -> Outcome {
        let kind = match self.file {
            File::Remit => FileKind::Settings,
            File::Keys => FileKind::Keys,
            File::Upstream => FileKind::Upstream,
            File::Holder => FileKind::Remit,
            File::Test => FileKind::Scenario,
        };
        say(serde_json::to_string_pretty(&schema(kind)).unwrap_or_default())?;
        Ok(ExitCode::SUCCESS)
    }
}
