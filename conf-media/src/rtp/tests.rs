//! Tests of the RTP reader and writer.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it then fails")]
