//! Bench group `srtp`.

fn main() {}
