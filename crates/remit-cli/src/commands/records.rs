//! `remit evidence`: signed records, exported and verified.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use remit_core::ids::Digest;
use remit_evidence::dsse::Envelope;
use remit_evidence::record::disclosed;
use remit_evidence::verify::{Trust, Verified, examine};
use remit_evidence::writer::Sign as _;
use serde_json::Value;

use super::bundle::Bundle;
use super::erase::Erase;
use super::export::Export;
use crate::place::Place;
use crate::terminal::{Failure, Outcome, say};
use crate::{folder, trust};

/// Export signed records, verify exported ones, or delete what is disclosed of a person.
#[derive(Args)]
pub struct Evidence {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print every record as a line of JSON (envelope and disclosures), or send each to a collector of logs.
    Export(Export),
    /// Print records with the proofs of their places in the log, as a bundle that anybody can verify offline with
    /// `remit-verify`.
    Bundle(Bundle),
    /// Print the public key under which this gateway's records verify. Give it to your auditor once, by hand.
    Key,
    /// Delete what is disclosed of a person, and record that. What was signed stays.
    Erase(Erase),
    /// Verify exported records, offline. Exit code 0: all verify; 1: something is wrong.
    Verify {
        /// The exported lines.
        file: PathBuf,
        /// The gateway's public key, as `remit evidence key` prints it.
        #[arg(long)]
        key: String,
        /// The file holds a part of the records, such as one run: do not look for what is missing.
        #[arg(long)]
        partial: bool,
    },
}

impl Evidence {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        match self.verb {
            Verb::Export(export) => export.run(folder),
            Verb::Bundle(bundle) => bundle.run(folder),
            Verb::Key => {
                let settings = folder::load(folder)?.settings;
                let key = trust::root(&Place { folder, settings: &settings })?;
                say(Digest::from_bytes(key.public_key()))?;
                Ok(ExitCode::SUCCESS)
            }
            Verb::Erase(erase) => erase.run(folder),
            Verb::Verify { file, key, partial } => verify(&file, &key, partial),
        }
    }
}

/// What a file of exported records holds.
pub(super) struct Exported {
    /// The records that verify, each with its disclosed values.
    pub records: Vec<(Verified, Vec<(String, Value)>)>,
    /// The lines that do not, each with the reason.
    pub bad: Vec<(usize, String)>,
}

impl Exported {
    /// Reads exported lines and verifies each under the gateway's key.
    pub fn read(file: &Path, key: &str) -> Result<Self, Failure> {
        let root = Digest::from_hex(key).ok_or_else(|| Failure::said("`--key` must be 64 lower-case hex digits"))?;
        let at = |error| Failure::Io(file.display().to_string(), error);
        let lines = std::io::BufReader::new(std::fs::File::open(file).map_err(at)?).lines();
        let lines = lines.collect::<Result<Vec<_>, _>>().map_err(at)?;
        let read = |line: String| remit_core::json::parse(line.as_bytes()).map_err(|error| error.to_string());
        Self::verified(*root.as_bytes(), lines.into_iter().map(read))
    }

    /// Verifies records under the gateway's key.
    pub fn verified(key: [u8; 32], records: impl Iterator<Item = Result<Value, String>>) -> Result<Self, Failure> {
        let mut trust = Trust::in_roots([key])
            .map_err(|_| Failure::said("`--key` is no public key; `remit evidence key` prints the gateway's"))?;
        let mut exported = Self { records: Vec::new(), bad: Vec::new() };
        for (number, record) in records.enumerate() {
            match record.and_then(|record| checked(&mut trust, &record)) {
                Ok(record) => exported.records.push(record),
                Err(why) => exported.bad.push((number + 1, why)),
            }
        }
        Ok(exported)
    }
}

/// Envelope, signature and disclosed values of one exported line.
fn checked(trust: &mut Trust, record: &Value) -> Result<(Verified, Vec<(String, Value)>), String> {
    let envelope = Envelope::parse(record["envelope"].to_string().as_bytes()).map_err(|error| error.to_string())?;
    let verified = trust.verify(&envelope).map_err(|error| error.to_string())?;
    let disclosures = record["disclosures"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let disclosures: Vec<String> = disclosures.map(ToOwned::to_owned).collect();
    verified.check_disclosures(disclosures.iter().map(String::as_str)).map_err(|error| error.to_string())?;
    Ok((verified, disclosed(&disclosures)))
}

fn verify(file: &Path, key: &str, partial: bool) -> Outcome {
    let Exported { records, bad } = Exported::read(file, key)?;
    for (line, why) in &bad {
        say(format!("line {line}: {why}"))?;
    }
    let (bad, verified) = (bad.len(), records.into_iter().map(|(record, _)| record).collect::<Vec<_>>());
    let findings = examine(&verified);
    for (kind, count) in &findings.counts {
        say(format!("{count:>8} {}", kind.as_str()))?;
    }
    for (writer, seq) in findings.gaps.iter().filter(|_| !partial) {
        say(format!("missing: number {seq} of writer {}", &writer[..16.min(writer.len())]))?;
    }
    for (writer, seq) in &findings.doubles {
        say(format!("twice: number {seq} of writer {}", &writer[..16.min(writer.len())]))?;
    }
    for (id, relation) in findings.dangling.iter().filter(|_| !partial) {
        say(format!("{id} refers to a {relation} that is not here"))?;
    }
    for id in &findings.open {
        say(format!("{id} was admitted and has no receipt here"))?;
    }
    say(format!("{} verify, {bad} do not, {} missing", verified.len(), findings.gaps.len()))?;
    if partial {
        say("This is a part of the records: what is missing from it was not looked for.")?;
    }
    say("Not shown by this: that nothing was withheld after the last number, and that effects happened as reported.")?;
    let whole = partial || (findings.gaps.is_empty() && findings.dangling.is_empty());
    let sound = bad == 0 && whole && findings.doubles.is_empty() && !verified.is_empty();
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
