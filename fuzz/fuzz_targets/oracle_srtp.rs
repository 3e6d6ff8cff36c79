//! cargo-fuzz binary of the target `oracle_srtp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| conf_fuzz::run("oracle_srtp", input));
