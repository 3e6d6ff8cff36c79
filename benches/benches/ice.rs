//! Bench group `ice`.

fn main() {}
