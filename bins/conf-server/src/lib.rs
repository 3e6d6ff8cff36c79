//! The reference server as a library.
