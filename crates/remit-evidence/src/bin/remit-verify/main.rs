//! `remit-verify`: judges an evidence bundle under a trust document, offline. Owns files and words;
//! what is true is for the library to say. Signs nothing, asks nobody, and keeps only heads.
//!
//! Exit codes are stable: 0 VALID, 1 INVALID, 2 INDETERMINATE and every wrong use, 3 DIVERGED.

mod arguments;
mod memory;
mod words;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use memory::Memory;
use remit_core::ids::Digest;
use remit_evidence::bundle::BUNDLE_BYTES_MAX;
use remit_evidence::judge::{Report, Verdict, judge};
use remit_evidence::trust::{TRUST_BYTES_MAX, Trust};

/// Why nothing could be judged.
#[derive(Debug, thiserror::Error)]
enum Unjudged {
    #[error("{0}\n\n{usage}", usage = arguments::USAGE)]
    Usage(String),
    #[error("`{0}`: {1}")]
    File(String, io::Error),
    #[error("`{0}`: {1}")]
    Trust(String, String),
    #[error("the state: {0}")]
    State(String),
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if words.iter().any(|word| word == "--help") {
        return said(arguments::USAGE, ExitCode::SUCCESS);
    }
    match Arguments::read(&words).and_then(|arguments| run(&arguments)) {
        Ok((text, verdict)) => said(&text, ExitCode::from(verdict.code())),
        Err(error) => {
            // Whoever reads only the exit code must not take a wrong use for a verdict on the bundle.
            let _ = writeln!(io::stderr(), "remit-verify: {error}");
            ExitCode::from(Verdict::Indeterminate.code())
        }
    }
}

fn said(text: &str, code: ExitCode) -> ExitCode {
    // A reader that has gone away changes no verdict.
    let _ = writeln!(io::stdout(), "{text}");
    code
}

fn run(arguments: &Arguments) -> Result<(String, Verdict), Unjudged> {
    let trust = trusted(arguments)?;
    let mut memory = arguments.state.as_deref().map(|folder| Memory::open(folder, &trust)).transpose()?;
    let bundle = read(&arguments.bundle, BUNDLE_BYTES_MAX)?;
    let heads = memory.as_ref().map_or(&[][..], |memory| &memory.heads);
    let report = judge(&bundle, &trust, heads);
    // Only what was found valid is remembered, and before it is said: a verdict that was told must bind.
    if let (Some(memory), Verdict::Valid) = (&mut memory, report.verdict) {
        memory.keep(&report.heads, &trust)?;
    }
    Ok((told(&report, &trust, arguments.json), report.verdict))
}

fn told(report: &Report, trust: &Trust, json: bool) -> String {
    if !json {
        return words::of(report, trust);
    }
    let mut value = report.to_json();
    value["trust"] = serde_json::json!({"version": trust.version, "fingerprint": trust.fingerprint.to_string()});
    value.to_string()
}

/// The trust document that is held, or the last of those that follow it.
fn trusted(arguments: &Arguments) -> Result<Trust, Unjudged> {
    let bad = |path: &str, error: &dyn ToString| Unjudged::Trust(path.to_owned(), error.to_string());
    let held = read(&arguments.trust, TRUST_BYTES_MAX)?;
    let mut trust = Trust::parse(&held).map_err(|error| bad(&arguments.trust, &error))?;
    if let Some(pinned) = &arguments.fingerprint
        && Digest::from_hex(pinned) != Some(trust.fingerprint)
    {
        return Err(bad(&arguments.trust, &format!("its fingerprint is {}, not the one given", trust.fingerprint)));
    }
    for path in &arguments.next {
        let envelope = read(path, 2 * TRUST_BYTES_MAX)?;
        trust = trust.succeed(&envelope).map_err(|error| bad(path, &error))?;
    }
    Ok(trust)
}

/// A file, up to one byte beyond what is accepted: its parser then says that it is too large.
fn read(path: &str, most: usize) -> Result<Vec<u8>, Unjudged> {
    let mut bytes = Vec::new();
    let file = File::open(Path::new(path)).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes));
    file.map(|_| bytes).map_err(|error| Unjudged::File(path.to_owned(), error))
}
