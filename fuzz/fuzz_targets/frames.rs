//! What our JSON reader accepts, against serde_json.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remit_testkit::fuzz::frames(bytes));
