//! A folder of any texts.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remit_testkit::fuzz::config(bytes));
