//! Runs the target `regex`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spilltrail_fuzz_targets::run("regex", data));
