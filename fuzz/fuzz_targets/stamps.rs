//! An envelope of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remit_testkit::fuzz::stamps(bytes));
