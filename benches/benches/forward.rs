//! Bench group `forward`.

fn main() {}
