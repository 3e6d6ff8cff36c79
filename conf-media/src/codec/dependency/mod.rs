//! The dependency descriptor: which frame a packet belongs to, and what that frame needs.
//!
//! It stands in a header extension, so that it can be read where the payload is encrypted for the
//! receivers only. A keyframe carries the [`Structure`] of the stream, with a template for each
//! kind of frame; the packets that follow name their template and say where they differ from it. A
//! *decode target* is one choice of layers. A *chain* is what a target must not miss anything of.
//!
//! Source: RTP Payload Format For AV1, version 1.0, appendix A.

mod bits;
mod structure;
#[cfg(test)]
mod tests;

use bits::Bits;
use structure::{CHAINS, chain_distances, indications};
pub use structure::{MAX_TARGETS, Structure};

/// A spatial and a temporal layer; 0 is the base of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Layer {
    /// Size.
    pub spatial: u8,
    /// Smoothness.
    pub temporal: u8,
}

impl Layer {
    /// Everything that a stream has.
    pub const ALL: Self = Self { spatial: u8::MAX, temporal: u8::MAX };

    /// It is in neither respect above `other`.
    #[must_use]
    pub fn is_within(self, other: Self) -> bool {
        self.spatial <= other.spatial && self.temporal <= other.temporal
    }
}

/// What a frame is to a decode target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indication {
    /// Not part of it.
    Absent,
    /// Part of it, and nothing else of it needs this frame.
    Discardable,
    /// Whoever can decode this frame can go on with all later frames of the target.
    Switch,
    /// Part of it, and others may need it.
    Required,
}

impl Indication {
    fn of(all: u64, target: usize) -> Self {
        match all.checked_shr(u32::try_from(target << 1).unwrap_or(u32::MAX)).unwrap_or(0) & 3 {
            0 => Self::Absent,
            1 => Self::Discardable,
            2 => Self::Switch,
            _ => Self::Required,
        }
    }
}

/// What a descriptor says of the frame of its packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "flags as they come")]
pub struct Frame {
    /// First packet of the frame.
    pub start: bool,
    /// Last packet of the frame.
    pub end: bool,
    /// A keyframe's first packet: it carries a structure.
    pub key: bool,
    /// Wraps; later frames have higher numbers.
    pub number: u16,
    /// The frame's own layer.
    pub layer: Layer,
    indications: u64,
    /// Bit n: it needs the frame n + 1 numbers before.
    pub needs: u64,
    /// It needs a frame that is further back than 64 numbers.
    pub needs_older: bool,
    chains: [u8; CHAINS],
}

impl Frame {
    /// What the frame is to a decode target.
    #[must_use]
    pub fn indication(&self, target: usize) -> Indication {
        Indication::of(self.indications, target)
    }

    /// How many numbers back the frame before it in a chain is; `None` where it begins the chain.
    #[must_use]
    pub fn chain(&self, chain: usize) -> Option<u16> {
        self.chains.get(chain).copied().filter(|&back| back > 0).map(u16::from)
    }
}

/// Reads the descriptors of one stream.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    structure: Option<Box<Structure>>,
    /// The packet that carried it.
    from: u64,
}

impl Reader {
    /// The present structure; `None` before the first keyframe.
    #[must_use]
    pub fn structure(&self) -> Option<&Structure> {
        self.structure.as_deref()
    }

    /// The value of the extension of the packet `sequence` (unwrapped). `None` if it is malformed,
    /// or if the structure that it refers to has not come or was replaced.
    ///
    /// A structure that comes replaces the one of an earlier packet; a malformed one does not.
    pub fn read(&mut self, sequence: u64, value: &[u8]) -> Option<Frame> {
        if self.structure.is_some() && sequence < self.from {
            return None;
        }
        let mut bits = Bits::new(value);
        let (start, end) = (bits.flag()?, bits.flag()?);
        let (template, number) = (bits.small(6)?, u16::try_from(bits.number(16)?).ok()?);
        let mut extended = Extended::default();
        if value.len() > 3 {
            extended = Extended::read(&mut bits)?;
            if extended.structure {
                let structure = Structure::read(&mut bits)?;
                self.from = sequence;
                match &mut self.structure {
                    Some(place) => **place = structure,
                    place => *place = Some(Box::new(structure)),
                }
            }
        }
        let structure = self.structure.as_deref()?;
        let targets = structure.target_count();
        if extended.active_targets {
            // Which targets the sender makes at all; what it does not make does not come.
            bits.number(u32::try_from(targets).ok()?)?;
        }
        let template = *structure.template(template)?;
        let key = extended.structure && start;
        let mut frame = Frame {
            start,
            end,
            key,
            number,
            layer: template.layer,
            indications: template.indications,
            needs: template.needs,
            needs_older: false,
            chains: template.chains,
        };
        extended.customise(&mut frame, &mut bits, structure)?;
        Some(frame)
    }
}

/// The flags behind the mandatory fields.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "flags as they come")]
struct Extended {
    structure: bool,
    active_targets: bool,
    indications: bool,
    needs: bool,
    chains: bool,
}

impl Extended {
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self {
            structure: bits.flag()?,
            active_targets: bits.flag()?,
            indications: bits.flag()?,
            needs: bits.flag()?,
            chains: bits.flag()?,
        })
    }

    /// Where the frame differs from its template.
    fn customise(
        self,
        frame: &mut Frame,
        bits: &mut Bits<'_>,
        structure: &Structure,
    ) -> Option<()> {
        if self.indications {
            frame.indications = indications(bits, structure.target_count())?;
        }
        if self.needs {
            frame.needs = 0;
            loop {
                let width = bits.number(2)?;
                if width == 0 {
                    break;
                }
                let back = bits.number(width << 2)?;
                match 1u64.checked_shl(back) {
                    Some(bit) => frame.needs |= bit,
                    None => frame.needs_older = true,
                }
            }
        }
        if self.chains {
            frame.chains = chain_distances(bits, structure.chain_count(), 8)?;
        }
        Some(())
    }
}
