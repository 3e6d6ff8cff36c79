//! Personal data: what exists, why, for how long, and how to prove that it is gone.
//!
//! [`Pii`] marks a personal value wherever it travels; a [`Declaration`] says of each kind of
//! personal data what it is and why it is needed; the [`inventory`] lists every place where something
//! is kept. With the feature `full`: the [`policy`] says what each kind may be used for and when it
//! goes, the [`gate`] refuses to start where something is kept that is not declared, and [`needle`]
//! searches bytes for planted canaries that should be gone. Nothing here reads a clock, a disk or
//! the network.

#![forbid(unsafe_code)]

pub mod category;
#[cfg(feature = "full")]
pub mod gate;
pub mod inventory;
#[cfg(feature = "full")]
pub mod needle;
mod pii;
#[cfg(feature = "full")]
pub mod policy;

pub use category::Declaration;
pub use inventory::{Entry, Holds, Place};
pub use pii::Pii;
