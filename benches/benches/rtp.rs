//! Bench group `rtp`.

fn main() {}
