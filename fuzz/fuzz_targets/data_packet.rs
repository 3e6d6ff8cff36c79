//! cargo-fuzz binary of the target `data_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| conf_fuzz::run("data_packet", input));
