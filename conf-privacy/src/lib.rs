//! Personal data: what, why, how long.
