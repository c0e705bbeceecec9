//! `remit-verify` for a page: the same judge, with bytes in and a report out. It can reach nothing: a module
//! of this kind has no clock, no files and no network unless the page hands them in, and the page does not.
//!
//! The page asks for room with [`room`], writes the files there, and calls [`verify`].

use std::slice;

use remit_core::ids::Digest;
use remit_evidence::bundle::BUNDLE_BYTES_MAX;
use remit_evidence::judge::judge;
use remit_evidence::trust::{TRUST_BYTES_MAX, Trust};
use serde_json::{Value, json};

/// Room for so many bytes, which the page gives back to [`verify`]. Zero when it is more than any file may have.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u8 {
    if bytes > BUNDLE_BYTES_MAX + 1 {
        return std::ptr::null_mut();
    }
    Box::into_raw(vec![0_u8; bytes].into_boxed_slice()).cast()
}

/// Judges a bundle under a trust document, each in a room of its own that ends with this call; `pin` may be
/// empty, or the fingerprint that the trust document must have. The answer stands at the address returned:
/// its length in four bytes, little end first, and as much JSON.
///
/// # Safety
/// Each pointer must come from [`room`], asked for exactly that many bytes, and must not be used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn verify(
    bundle: *mut u8,
    bundle_len: usize,
    trust: *mut u8,
    trust_len: usize,
    pin: *mut u8,
    pin_len: usize,
) -> *mut u8 {
    // SAFETY: the page keeps the contract above: `page.js` is the only caller, once for each instance.
    let taken = |at: *mut u8, len: usize| unsafe { Box::from_raw(slice::from_raw_parts_mut(at, len)) };
    let (bundle, trust, pin) = (taken(bundle, bundle_len), taken(trust, trust_len), taken(pin, pin_len));
    let report = report(&bundle, &trust, &pin).unwrap_or_else(|error| json!({"error": error})).to_string();
    let mut answer = u32::try_from(report.len()).unwrap_or(0).to_le_bytes().to_vec();
    answer.extend_from_slice(report.as_bytes());
    Box::into_raw(answer.into_boxed_slice()).cast()
}

fn report(bundle: &[u8], trust: &[u8], pin: &[u8]) -> Result<Value, String> {
    if trust.len() > TRUST_BYTES_MAX {
        return Err("the trust document is too large".into());
    }
    let trust = Trust::parse(trust).map_err(|error| format!("the trust document: {error}"))?;
    let pin = String::from_utf8_lossy(pin).trim().to_lowercase();
    if !pin.is_empty() && Digest::from_hex(&pin) != Some(trust.fingerprint) {
        return Err(format!("the trust document's fingerprint is {}, not the one given", trust.fingerprint));
    }
    let report = judge(bundle, &trust, &[]);
    let mut value = report.to_json();
    value["trust"] = json!({
        "version": trust.version, "tenant": trust.tenant.to_string(), "fingerprint": trust.fingerprint.to_string(),
        "pinned": !pin.is_empty(),
    });
    Ok(value)
}
