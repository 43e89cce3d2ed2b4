//! Runs the target `format`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spilltrail_fuzz_targets::run("format", data));
