//! cargo-fuzz binary of the target `join_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| conf_fuzz::run("join_request", input));
