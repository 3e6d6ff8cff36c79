//! Packets to frames and frames to packets, for programs in the same process: a recorder, a
//! transcription, a telephone.
//!
//! ```text
//!  shard ── tap: bounded ring ──► Reader: order ─► one picture's packets ─► unpack ──► Frame
//!  Frame ──► Writer: pack ──► Command::Inject ──► shard ── as any publisher's packets ──► all
//! ```
//!
//! A [`Reader`] gets a copy of every packet of a track, opened, in the thread that calls it; the
//! media thread only copies into a ring of fixed size, waits for nobody and drops whole pictures
//! when the ring fills up. A [`Writer`] needs no network: its packets enter the shard where those of
//! a browser leave the decryption.
//!
//! Whole frames only, in order. Of video, nothing is handed out behind a loss until the next
//! keyframe, which is asked for: what a decoder is given it can decode. What is missing is counted
//! in the frame that follows.
//!
//! The form of the payload is what files and decoders take: VP8 and VP9 frames, H.264 as a byte
//! stream with start codes (Annex B), AV1 as a temporal unit with sizes in its units, Opus packets.
//! End-to-end encrypted frames come out as garbage, and are for whoever has the key.

mod assemble;
mod order;
mod pack;
mod reader;
mod unpack;
mod writer;

use bytes::Bytes;
use jiff::Timestamp;

use crate::codec::Codec;

pub use pack::pack;
pub use reader::{Output, Reader, Tap, tap};
pub use unpack::{Torn, Unpacker};
pub use writer::{Source, Writer};

/// One encoded picture, or one packet of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// How it is encoded.
    pub codec: Codec,
    /// Which encoding of a simulcast it is of, lowest first; another one begins with a keyframe.
    pub encoding: u8,
    /// In the form that decoders take.
    pub payload: Bytes,
    /// Of its packets, in ticks of the codec's clock (90,000 or 48,000 a second); wraps.
    pub timestamp: u32,
    /// The same moment on the publisher's wall clock; `None` before its first sender report.
    pub wall: Option<Timestamp>,
    /// A decoder can begin here. Always true for sound.
    pub keyframe: bool,
    /// Frames missing directly before it, as far as they can be told: timestamps of which packets
    /// came, and at least one for each gap.
    pub missing: u32,
}

#[cfg(test)]
mod tests;
