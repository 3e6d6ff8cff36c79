//! Tests of sequence numbers.
