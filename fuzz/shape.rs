//! The shape of what a parser made of an input: which variants and fields, not which values.

use std::fmt::{self, Debug, Write};

/// What an input led to. Two inputs of one shape went the same way, as far as the outcome tells;
/// one of a new shape is worth mutating further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape(u64);

impl Shape {
    /// Of an input that led nowhere.
    pub const NOTHING: Self = Self(0xcbf2_9ce4_8422_2325);

    /// Of an outcome.
    pub fn of(outcome: impl Debug) -> Self {
        Self::NOTHING.and(outcome)
    }

    /// With one more outcome after it.
    #[must_use]
    pub fn and(self, outcome: impl Debug) -> Self {
        let mut shape = Words { hash: self.0, kept: 0 };
        // Formatting into a number cannot fail.
        let _ = write!(shape, "{outcome:?};");
        Self(shape.hash)
    }

    /// As a part of a file's name.
    #[must_use]
    pub fn name(self) -> String {
        format!("{:08x}", self.0 >> 32)
    }
}

/// Letters kept of one outcome, so that long texts do not make every input a new shape.
const LETTERS: usize = 400;

/// FNV-1a over the words of what is written: digits are values.
struct Words {
    hash: u64,
    kept: usize,
}

impl Write for Words {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes().filter(|byte| !byte.is_ascii_digit()) {
            if self.kept < LETTERS {
                self.kept += 1;
                self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_no_part_of_a_shape_and_variants_are() {
        assert_eq!(Shape::of(Some(12)), Shape::of(Some(7)));
        assert_ne!(Shape::of(Some(12)), Shape::of(None::<u8>));
        assert_ne!(Shape::of(true).and(false), Shape::of(false).and(true));
    }
}
