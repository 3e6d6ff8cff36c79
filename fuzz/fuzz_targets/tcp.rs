//! cargo-fuzz binary of the target `tcp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| conf_fuzz::run("tcp", input));
