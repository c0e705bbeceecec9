//! A condition and a guardrail of any text.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| remit_testkit::fuzz::policy(bytes));
