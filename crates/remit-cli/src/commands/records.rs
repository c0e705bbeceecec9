//! `remit evidence`: export signed records, and verify exported ones.

use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use remit_core::ids::Digest;
use remit_evidence::dsse::Envelope;
use remit_evidence::verify::{Trust, examine};
use remit_evidence::writer::Sign as _;
use remit_server::keys::Ed25519;

use crate::boot;
use crate::client::Access;
use crate::commands::{Failure, Outcome, say};

/// Export signed records, or verify exported ones.
#[derive(Args)]
pub struct Evidence {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print every record as a line of JSON: envelope and disclosures.
    Export {
        /// Only those of this run.
        #[arg(long)]
        run: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Print the public key under which this gateway's records verify. Give it to your auditor once, by hand.
    Key,
    /// Verify exported records, offline. Exit code 0: all verify; 1: something is wrong.
    Verify {
        /// The exported lines.
        file: PathBuf,
        /// The gateway's public key, as `remit evidence key` prints it.
        #[arg(long)]
        key: String,
    },
}

impl Evidence {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        match self.verb {
            Verb::Export { run, access } => export(folder, run.as_deref(), &access),
            Verb::Key => {
                let key = Ed25519::in_file(&boot::state_of(folder).join("gateway.key"));
                let key = key.map_err(|error| Failure::said(error.to_string()))?;
                say(Digest::from_bytes(key.public_key()))?;
                Ok(ExitCode::SUCCESS)
            }
            Verb::Verify { file, key } => verify(&file, &key),
        }
    }
}

/// How many records are asked for at once.
const PAGE: usize = 500;

fn export(folder: &Path, run: Option<&str>, access: &Access) -> Outcome {
    let gateway = access.open(folder)?;
    let run = run.map(|run| format!("&run={run}")).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    let mut after = 0;
    loop {
        let page = gateway.get(&format!("/admin/v1/records?after={after}&limit={PAGE}{run}"))?;
        let records = page["records"].as_array().cloned().unwrap_or_default();
        for record in &records {
            writeln!(out, "{record}").map_err(|error| Failure::Io("standard output".into(), error))?;
        }
        after += records.len();
        if records.len() < PAGE {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn verify(file: &Path, key: &str) -> Outcome {
    let root = Digest::from_hex(key).ok_or_else(|| Failure::said("`--key` must be 64 lower-case hex digits"))?;
    let mut trust = Trust::in_roots([*root.as_bytes()]).map_err(|error| Failure::said(error.to_string()))?;
    let at = |error| Failure::Io(file.display().to_string(), error);
    let lines = std::io::BufReader::new(std::fs::File::open(file).map_err(at)?).lines();
    let (mut verified, mut bad) = (Vec::new(), 0);
    for (number, line) in lines.enumerate() {
        let line = line.map_err(at)?;
        let checked = remit_core::json::parse(line.as_bytes())
            .map_err(|error| error.to_string())
            .and_then(|record| {
                Envelope::parse(record["envelope"].to_string().as_bytes()).map_err(|error| error.to_string())
            })
            .and_then(|envelope| trust.verify(&envelope).map_err(|error| error.to_string()));
        match checked {
            Ok(record) => verified.push(record),
            Err(why) => {
                bad += 1;
                say(format!("line {}: {why}", number + 1))?;
            }
        }
    }
    let findings = examine(&verified);
    for (kind, count) in &findings.counts {
        say(format!("{count:>8} {}", kind.as_str()))?;
    }
    for (writer, seq) in &findings.gaps {
        say(format!("missing: number {seq} of writer {}", &writer[..16.min(writer.len())]))?;
    }
    for (writer, seq) in &findings.doubles {
        say(format!("twice: number {seq} of writer {}", &writer[..16.min(writer.len())]))?;
    }
    for (id, relation) in &findings.dangling {
        say(format!("{id} refers to a {relation} that is not here"))?;
    }
    for id in &findings.open {
        say(format!("{id} was admitted and has no receipt here"))?;
    }
    say(format!("{} verify, {bad} do not, {} missing", verified.len(), findings.gaps.len()))?;
    say("Not shown by this: that nothing was withheld after the last number, and that effects happened as reported.")?;
    let sound = bad == 0 && findings.gaps.is_empty() && findings.doubles.is_empty() && findings.dangling.is_empty();
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
