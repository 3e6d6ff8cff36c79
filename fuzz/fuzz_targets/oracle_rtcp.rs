//! cargo-fuzz binary of the target `oracle_rtcp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| conf_fuzz::run("oracle_rtcp", input));
