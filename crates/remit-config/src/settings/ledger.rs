//! The `ledger` block of `remit.yaml`: the log over the records, where its files are, who cosigns it.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use remit_core::unsealed::{Then, Unsealed};

use crate::at::At;
use crate::report::Report;
use crate::settings::file::ledger::{BucketFile, LedgerFile, LogKeyFile, ThenWord, UnsealedFile, WitnessFile};
use crate::settings::{Ledger, LedgerFiles, LogKey, Witness, bucket, log_key, timestamps};

const FOLDER: &str = ".remit/ledger";
const GUARD: &str = ".remit/last_signed";
/// How long a record may wait to be sealed, in seconds.
const UNSEALED_SECS: RangeInclusive<u64> = 5..=24 * 60 * 60;

pub(crate) fn check(file: Option<LedgerFile>, tenant: &str, report: &mut Report<'_>) -> Ledger {
    let file = file.unwrap_or(LedgerFile {
        origin: None,
        folder: None,
        bucket: None,
        key: None,
        next_key: None,
        guard: None,
        witnesses: Vec::new(),
        quorum: None,
        timestamps: None,
        unsealed: None,
    });
    let origin = file.origin.and_then(|origin| {
        let help = "write a name without spaces and `+`, best under a domain of yours: `acme.example/remit/2026`";
        report.read(&origin, |text| is_name(text).then(|| text.to_owned()), "the name of a log", help)
    });
    let files = files(file.folder, file.bucket, report);
    // What stands in for a faulty key is never used: a fault was said.
    let key = log_key::check(file.key.as_ref(), report).unwrap_or(LogKey::Files);
    let next_key = file.next_key.as_ref().and_then(|at| next_key(at, &key, report));
    let guard = path(file.guard, GUARD, report);
    let mut witnesses: Vec<Witness> = Vec::new();
    for at in &file.witnesses {
        let Some(witness) = witness(at, report) else { continue };
        // Whoever stands here twice would count twice.
        if witnesses.iter().any(|known| known.key == witness.key) {
            report.fault(&at.key, "this witness stands here already", "list each witness once");
        }
        witnesses.push(witness);
    }
    let quorum = quorum(file.quorum.as_ref(), &file.witnesses, report);
    let unsealed = unsealed(file.unsealed, report);
    let timestamps = file.timestamps.as_ref().and_then(|at| timestamps::check(at, report));
    let origin = origin.unwrap_or_else(|| format!("remit/{tenant}"));
    Ledger { origin, files, key, next_key, guard, witnesses, quorum, unsealed, timestamps }
}

/// INVARIANT (one key, one log): a pair in a token does not change by itself, so the next log has another one.
fn next_key(at: &At<LogKeyFile>, key: &LogKey, report: &mut Report<'_>) -> Option<LogKey> {
    let next = log_key::check(Some(at), report)?;
    if let (LogKey::Token(next), LogKey::Token(key)) = (&next, key)
        && (&next.token, &next.label) == (&key.token, &key.label)
    {
        report.fault(
            at,
            "this is the key of the log that is signed now",
            "make a new pair in the token, under a label of its own",
        );
    }
    Some(next)
}

fn unsealed(file: Option<UnsealedFile>, report: &mut Report<'_>) -> Unsealed {
    let standard = Unsealed::default();
    let Some(file) = file else { return standard };
    let within_secs = file.within.as_ref().and_then(|at| report.length_secs(at)).unwrap_or(standard.within_secs);
    if let Some(at) = file.within.as_ref().filter(|_| !UNSEALED_SECS.contains(&within_secs)) {
        report.fault(at, "that is out of bounds", "write `5s` up to `24h`: a round of sealing takes about a second");
    }
    let then = match file.then {
        None => standard.then,
        Some(ThenWord::Refuse) => Then::Refuse,
        Some(ThenWord::Reads) => Then::Reads,
        Some(ThenWord::GoOn) => Then::GoOn,
    };
    Unsealed { within_secs, then }
}

/// One place: files in two places would be two ledgers of one name.
fn files(folder: Option<At<String>>, bucket: Option<At<BucketFile>>, report: &mut Report<'_>) -> LedgerFiles {
    let Some(bucket) = bucket else { return LedgerFiles::Folder(path(folder, FOLDER, report)) };
    if folder.is_some() {
        report.fault(&bucket, "the ledger has a `folder` already", "keep one of `folder` and `bucket`");
    }
    // What stands in for a faulty bucket is never run: a fault was said.
    bucket::check(&bucket, report).map_or_else(|| LedgerFiles::Folder(FOLDER.into()), LedgerFiles::Bucket)
}

/// INVARIANT (a missing security option is a fault): witnesses without a quorum would be decoration.
fn quorum(quorum: Option<&At<u32>>, witnesses: &[At<WitnessFile>], report: &mut Report<'_>) -> usize {
    let count = witnesses.len();
    match (quorum, witnesses.first()) {
        (None, Some(first)) => {
            report.fault(first, "`quorum` is missing", "say how many of the witnesses are enough: `quorum: 1`");
            0
        }
        (Some(at), _) if **at == 0 || **at as usize > count => {
            let message = format!("a quorum of {} out of {count} witnesses cannot be met or asks for nothing", **at);
            report.fault(at, message, "write 1 up to the number of witnesses, or list no witnesses and no quorum");
            0
        }
        (at, _) => at.map_or(0, |at| **at as usize),
    }
}

fn path(at: Option<At<String>>, default: &str, report: &mut Report<'_>) -> PathBuf {
    let Some(at) = at else { return PathBuf::from(default) };
    if at.is_empty() {
        report.fault(&at, "the path is empty", format!("write a path, or leave the line out: `{default}`"));
    }
    PathBuf::from(&**at)
}

fn witness(at: &At<WitnessFile>, report: &mut Report<'_>) -> Option<Witness> {
    let key = |text: &str| {
        let mut parts = text.splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let hex = id.len() == 8 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let base64 = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
        (is_name(name) && hex && base64).then(|| text.to_owned())
    };
    let url = |text: &str| {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let shaped = !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b"@?#".contains(&b));
        shaped.then(|| text.trim_end_matches('/').to_owned())
    };
    let key = report.read(
        &at.key,
        key,
        "a verifier key",
        "write name, id and key as the witness publishes them: `name+id+key`",
    );
    let url = report.read(&at.url, url, "where a witness is", "write scheme, host and path: `https://witness.example`");
    Some(Witness { key: key?, url: url? })
}

/// Whether this may name a key (C2SP signed-note).
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}
