//! `remit check`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::folder;
use crate::terminal::{Outcome, counted, say};

/// Check the configuration folder: files, names, types, policies.
#[derive(Args)]
pub struct Check {
    /// Treat warnings as faults.
    #[arg(long)]
    strict: bool,
    /// Print the compiled policies as Cedar.
    #[arg(long)]
    cedar: bool,
}

impl Check {
    /// Runs the verb. Exit code 1 means that warnings were treated as faults.
    pub fn run(self, folder: &Path) -> Outcome {
        let config = folder::load(folder)?;
        for warning in &config.warnings {
            say(format!("warning: {}", warning))?;
        }
        if self.cedar {
            for permit in config.snapshot.permits() {
                say(permit)?;
            }
        }
        let (remits, tools) = (config.snapshot.remits().count(), config.snapshot.registry().tools().len());
        say(format!(
            "{}, {}, {}, {}; snapshot {}",
            counted(remits, "remit", "remits"),
            counted(tools, "callable tool", "callable tools"),
            counted(config.upstreams.len(), "upstream", "upstreams"),
            counted(config.warnings.len(), "warning", "warnings"),
            config.snapshot.digest()
        ))?;
        Ok(if self.strict && !config.warnings.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
