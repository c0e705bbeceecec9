//! `remit test`: the folder's scenarios, played on the whole gate with a made-up upstream.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use remit_app::ports::Store;
use remit_config::{Folder, Scenario, scenarios};
use remit_server::keys::Ed25519;
use remit_store_sqlite::{Options, SqliteStore};

use crate::folder;
use crate::rehearse::{Rehearsal, play};
use crate::terminal::{Failure, Outcome, block_on, say};

/// Play the folder's scenarios (tests/*.yaml) against its authority.
#[derive(Args)]
pub struct Test {
    /// Only scenarios whose name contains this.
    filter: Option<String>,
}

impl Test {
    /// Runs the verb. Exit code 1: something did not go as expected.
    pub fn run(self, folder: &Path) -> Outcome {
        let read = folder::read(folder)?;
        let found = scenarios(&read).map_err(|faults| Failure::said(folder::shown(Some(&read), &faults)))?;
        let wanted =
            |scenario: &&Scenario| self.filter.as_ref().is_none_or(|filter| scenario.name.contains(filter.as_str()));
        let (mut passed, mut failed) = (0, 0);
        for scenario in found.iter().filter(wanted) {
            let wrong = block_on(rehearsed(&read, scenario))??;
            say(format!("{} {}", if wrong.is_empty() { "ok  " } else { "FAIL" }, scenario.name))?;
            for difference in &wrong {
                say(format!("     {difference}"))?;
            }
            if wrong.is_empty() { passed += 1 } else { failed += 1 }
        }
        say(format!("\n{passed} passed, {failed} failed"))?;
        if passed + failed == 0 {
            return Err(Failure::said("no scenario was played: there is none of that name in tests/"));
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn rehearsed(folder: &Folder, scenario: &Scenario) -> Result<Vec<String>, Failure> {
    let folder = folder.with(scenario.files.clone());
    let folder = folder.map_err(|faults| Failure::said(folder::shown(None, &faults)))?;
    let config = folder::check(&folder)?;
    let place = Scratch::new()?;
    let store = SqliteStore::open(&place.0.join("rehearsal.db"), Options::default());
    let store: Arc<dyn Store> = Arc::new(store.map_err(|error| Failure::said(error.to_string()))?);
    let signer = Ed25519::generate().map_err(|error| Failure::said(error.to_string()))?;
    let mut stage =
        Rehearsal::new(config.snapshot, config.keys, store.clone(), Box::new(signer), jiff::Timestamp::now());
    let wrong = play(&mut stage, scenario).await;
    store.close().await;
    Ok(wrong)
}

/// A folder that is gone afterwards.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt as _;
        let name = super::agents::fresh_key("remit-test")?;
        let place = std::env::temp_dir().join(name);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&place);
        made.map_err(|error| Failure::Io(place.display().to_string(), error))?;
        Ok(Self(place))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
