//! Personal data: what exists, why, for how long, and how to prove that it is gone.
//!
//! [`Pii`] marks a personal value wherever it travels; a [`Declaration`] says of each kind of
//! personal data which purpose it serves and when it goes; [`needle`] (feature `full`) searches
//! bytes for planted canaries that should be gone. Nothing here reads a clock, a disk or the
//! network.

#![forbid(unsafe_code)]

pub mod category;
#[cfg(feature = "full")]
pub mod needle;
mod pii;

pub use category::Declaration;
pub use pii::Pii;
