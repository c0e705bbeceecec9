//! `ledger: key:` of `remit.yaml`: where the log's Ed25519 key is. Reads no key and no PIN.

use std::path::{Path, PathBuf};

use crate::at::At;
use crate::report::Report;
use crate::settings::file::ledger::{LogKeyFile, TokenFile};
use crate::settings::{LogKey, Token};
use crate::upstream::source;

/// Longest label of a token (PKCS#11 3.0, `CK_TOKEN_INFO`), and of a key here, in bytes.
const TOKEN_BYTES_MAX: usize = 32;
const LABEL_BYTES_MAX: usize = 255;

pub(super) fn check(file: Option<&At<LogKeyFile>>, report: &mut Report<'_>) -> Option<LogKey> {
    match file.map(|file| &**file) {
        None | Some(LogKeyFile::Files) => Some(LogKey::Files),
        Some(LogKeyFile::Pkcs11(file)) => token(file, report).map(LogKey::Token),
    }
}

fn token(file: &TokenFile, report: &mut Report<'_>) -> Option<Token> {
    // A name without a path would be looked for wherever the system looks for libraries.
    let full = |text: &str| Path::new(text).is_absolute().then(|| PathBuf::from(text));
    let help = "write its full path: `/usr/lib/softhsm/libsofthsm2.so`";
    let module = report.read(&file.module, full, "a driver", help);
    let label = |most: usize| {
        move |text: &str| {
            let shaped = !text.trim().is_empty() && text.len() <= most && !text.chars().any(char::is_control);
            shaped.then(|| text.to_owned())
        }
    };
    let help = "write it as `pkcs11-tool --list-slots` shows it";
    let token = report.read(&file.token, label(TOKEN_BYTES_MAX), "the label of a token", help);
    let help = "write it as `pkcs11-tool --list-objects` shows it";
    let name = report.read(&file.label, label(LABEL_BYTES_MAX), "the label of a key", help);
    let pin = source(&file.pin, report);
    Some(Token { module: module?, token: token?, label: name?, pin: pin? })
}
