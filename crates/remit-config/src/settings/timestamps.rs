//! `ledger: timestamps:` of `remit.yaml`: who stamps the log's checkpoints. Reads no certificate.

use crate::at::At;
use crate::report::Report;
use crate::settings::Timestamps;
use crate::settings::file::ledger::TimestampsFile;
use crate::upstream::url;

const EVERY_SECS: u64 = 3600;
/// Public timestampers take a query a minute from everybody, and few take more.
const EVERY_SECS_MIN: u64 = 60;
const EVERY_SECS_MAX: u64 = 30 * 86_400;

pub(super) fn check(file: &At<TimestampsFile>, report: &mut Report<'_>) -> Option<Timestamps> {
    if file.url.contains('@') {
        report.fault(&file.url, "an address must not hold a user or password", "leave out what stands before the `@`");
        return None;
    }
    let url = url(&file.url, report);
    if file.certificate.is_empty() {
        report.fault(&file.certificate, "the path is empty", "write the path of a certificate: `tsa.pem`");
    }
    let every_secs = match &file.every {
        None => Some(EVERY_SECS),
        Some(at) => report.length_secs(at).filter(|secs| {
            let fits = (EVERY_SECS_MIN..=EVERY_SECS_MAX).contains(secs);
            if !fits {
                report.fault(at, format!("`{}` is out of bounds", **at), "write `1m` to `30d`");
            }
            fits
        }),
    };
    Some(Timestamps { url: url?, certificate: (&**file.certificate).into(), every_secs: every_secs? })
}
