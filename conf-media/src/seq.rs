//! Sequence numbers: unwrapping, counting losses, asking for what is missing.
//!
//! 16-bit numbers wrap every few seconds of video. Inside the engine they are 64 bits wide.

#![warn(clippy::arithmetic_side_effects)]

mod missing;
mod receiver;

pub use missing::{Missing, MissingPackets};
pub use receiver::ReceiverStats;

/// Makes 64-bit numbers of 16-bit ones that wrap.
///
/// The first number keeps its value plus 65,536, so that packets from before it have a place too.
/// Every later one is taken to be the nearest to the highest so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unwrapper {
    highest: Option<u64>,
}

impl Unwrapper {
    /// The 64-bit number of `sequence`; remembers it if it is the highest.
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let number = self.peek(sequence);
        if self.highest.is_none_or(|highest| number > highest) {
            self.highest = Some(number);
        }
        number
    }

    /// The 64-bit number of `sequence`; changes nothing.
    #[must_use]
    pub fn peek(&self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else {
            return u64::from(sequence).saturating_add(0x1_0000);
        };
        let step = sequence.wrapping_sub(Self::wrapped(highest));
        if step < 0x8000 {
            highest.saturating_add(u64::from(step))
        } else {
            highest.saturating_sub(u64::from(step.wrapping_neg()))
        }
    }

    /// The highest number so far.
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// The 16 bits that go on the wire.
    #[must_use]
    pub fn wrapped(number: u64) -> u16 {
        u16::try_from(number & 0xffff).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "seq/tests.rs"]
mod tests;
