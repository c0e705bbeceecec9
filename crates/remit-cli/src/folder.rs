//! A configuration folder on disk: read, checked, and its faults shown.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use remit_config::settings::Transport;
use remit_config::{Config, Folder};
use remit_core::authority::Fault;

use crate::terminal::{Failure, visible};

/// Reads and checks a folder; the failure shows every fault with its place.
pub fn load(folder: &Path) -> Result<Config, Failure> {
    check(&read(folder)?)
}

/// The texts of a folder.
pub fn read(folder: &Path) -> Result<Folder, Failure> {
    Folder::read(folder).map_err(|faults| Failure::said(shown(None, &faults)))
}

/// What the texts of a folder mean.
pub fn check(read: &Folder) -> Result<Config, Failure> {
    remit_config::load(read).map_err(|faults| Failure::said(shown(Some(read), &faults)))
}

/// Where the folder's gateway listens. One that listens everywhere is reached on this machine.
pub fn url_of(folder: &Path) -> Result<String, Failure> {
    let settings = load(folder)?.settings;
    let scheme = if settings.transport == Transport::Plaintext { "http" } else { "https" };
    let mut listen = settings.listen;
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Ok(format!("{scheme}://{listen}"))
}

/// Faults as a person reads them: place, message, the line itself with a mark, and what to do.
pub fn shown(folder: Option<&Folder>, faults: &[Fault]) -> String {
    let mut out = String::new();
    for fault in faults {
        out.push_str(&format!("{}: {}\n", fault.locus, remit_core::plain::lines(&fault.message)));
        let text = folder.and_then(|folder| folder.text(&fault.locus.file));
        let line = text.and_then(|text| text.lines().nth(fault.locus.line.checked_sub(1)?));
        if let Some(line) = line {
            let line: String = line.chars().take(160).collect();
            let gap = " ".repeat(fault.locus.column.saturating_sub(1).min(160));
            out.push_str(&format!("  | {}\n  | {gap}^\n", visible(&line)));
        }
        if let Some(help) = &fault.help {
            out.push_str(&format!("  = {help}\n"));
        }
    }
    let count = faults.len();
    out.push_str(&format!("{count} {} in the configuration", if count == 1 { "fault" } else { "faults" }));
    out
}

/// The folder's own place for secrets and state.
pub fn state_of(folder: &Path) -> PathBuf {
    folder.join(".remit")
}
