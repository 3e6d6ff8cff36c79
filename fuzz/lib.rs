//! One function a parser; the cargo-fuzz binaries and the replay on stable both call them.
