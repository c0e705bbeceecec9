//! `ledger: bucket:` of `remit.yaml`: the object store that holds the files of the log. Reads no credential.

use crate::at::At;
use crate::report::Report;
use crate::settings::Bucket;
use crate::settings::file::ledger::BucketFile;
use crate::upstream::{source, url};

/// Longest prefix, in bytes: an object's name has 1024, and the longest path of a tile far fewer than the rest.
const PREFIX_BYTES_MAX: usize = 512;

pub(super) fn check(file: &At<BucketFile>, report: &mut Report<'_>) -> Option<Bucket> {
    let help = "write the bucket, and a prefix if you like: `s3://acme-ledger/2026`";
    let place = if holds_key(&file.url, report) { None } else { report.read(&file.url, place, "a bucket", help) };
    let endpoint = endpoint(&file.endpoint, report);
    let region = |text: &str| {
        let shaped = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (shaped && !text.is_empty()).then(|| text.to_owned())
    };
    let help = "write it as your object store has it: `eu-central-1`";
    let region = report.read(&file.region, region, "the name of a region", help);
    let (access_key, secret_key) = (source(&file.access_key, report), source(&file.secret_key, report));
    let (name, prefix) = place?;
    Some(Bucket {
        name,
        prefix,
        endpoint: endpoint?,
        region: region?,
        access_key: access_key?,
        secret_key: secret_key?,
    })
}

fn endpoint(at: &At<String>, report: &mut Report<'_>) -> Option<String> {
    if holds_key(at, report) {
        return None;
    }
    let found = url(at, report)?;
    if found.contains('?') {
        return report.read(at, |_| None, "where an object store is", "write scheme, host and port, without a query");
    }
    Some(found.trim_end_matches('/').to_owned())
}

/// Said without the address: what stands before the `@` may be a secret.
fn holds_key(at: &At<String>, report: &mut Report<'_>) -> bool {
    let holds = at.contains('@');
    if holds {
        report.fault(at, "an address must not hold a user or password", "use `access_key:` and `secret_key:`");
    }
    holds
}

/// Bucket and prefix. Only what every object store takes as it is written, and no part that a path would swallow.
fn place(text: &str) -> Option<(String, String)> {
    let (name, prefix) = text.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, "")))?;
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let named = (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        && !name.contains("..")
        && ends(name.as_bytes().first())
        && ends(name.as_bytes().last());
    let part = |part: &str| {
        let shaped = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        shaped && !matches!(part, "" | "." | "..")
    };
    let prefixed = prefix.len() <= PREFIX_BYTES_MAX && (prefix.is_empty() || prefix.split('/').all(part));
    (named && prefixed).then(|| (name.to_owned(), prefix.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_in_one_way() {
        for (text, name, prefix) in [
            ("s3://acme-ledger", "acme-ledger", ""),
            ("s3://acme-ledger/", "acme-ledger", ""),
            ("s3://acme.ledger/2026/eu", "acme.ledger", "2026/eu"),
            ("s3://acme/a_b/", "acme", "a_b"),
        ] {
            assert_eq!(place(text), Some((name.to_owned(), prefix.to_owned())), "{text}");
        }
        let long = format!("s3://acme/{}", "a".repeat(513));
        for text in [
            "acme",
            "S3://acme",
            "s3://",
            "s3://ab",
            "s3://Acme",
            "s3://-acme",
            "s3://ac..me",
            "s3://acme//a",
            "s3://acme/../a",
            "s3://acme/a//",
            "s3://acme/a b",
            "s3://acme/a?b",
            "s3://key:secret@acme/a",
            &long,
        ] {
            assert_eq!(place(text), None, "{text}");
        }
    }
}
