//! RTCP: reports and feedback, walked in place and written without allocation.
//!
//! [`walk`] takes one decrypted compound packet apart; what it yields borrows from the bytes and is
//! read lazily by iterators. [`mod@write`] appends packets to a buffer, [`TransportRecorder`] makes the
//! transport-wide feedback for publishers. Sources: RFC 3550 section 6, RFC 4585, RFC 5104 (FIR),
//! RFC 5506 (reduced size), draft-alvestrand-rmcat-remb-03,
//! draft-holmer-rmcat-transport-wide-cc-extensions-01.

#![warn(clippy::arithmetic_side_effects)]

mod feedback;
mod recorder;
mod report;
mod transport;
mod walk;
pub mod write;

#[cfg(test)]
pub(crate) mod tests;

pub use feedback::{FirEntries, Lost, Remb};
pub use recorder::TransportRecorder;
pub use report::{Blocks, Chunks, ReportBlock, SdesChunk, Sources};
pub use transport::{MOST_STATUSES, Statuses, TransportFeedback, TransportStatus};
pub use walk::{Packet, Walk, walk};

/// Packet types (RFC 3550, section 12.1; RFC 4585, section 6.1; RFC 3611).
pub(crate) mod kind {
    pub(crate) const SENDER_REPORT: u8 = 200;
    pub(crate) const RECEIVER_REPORT: u8 = 201;
    pub(crate) const SOURCE_DESCRIPTION: u8 = 202;
    pub(crate) const BYE: u8 = 203;
    pub(crate) const TRANSPORT_FEEDBACK: u8 = 205;
    pub(crate) const PAYLOAD_FEEDBACK: u8 = 206;
}

/// Why a compound packet cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtcpError {
    /// Anything but RTP version 2.
    #[error("RTCP version {version}, expected 2")]
    Version {
        /// The two bits that were found.
        version: u8,
    },
    /// Less than a header, or a length that runs past the end of the compound.
    #[error("RTCP packet of {needed} bytes in a rest of {length}")]
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        length: usize,
    },
    /// The padding count is zero or larger than the body.
    #[error("RTCP padding of {padding} bytes in a body of {body}")]
    Padding {
        /// The last byte.
        padding: u8,
        /// Bytes after the header.
        body: usize,
    },
    /// The body is too short for its type.
    #[error("RTCP packet type {kind} with a body of {body} bytes, it needs {needed}")]
    Body {
        /// Packet type.
        kind: u8,
        /// Bytes of body needed.
        needed: usize,
        /// Bytes there.
        body: usize,
    },
}

const FROM_1900_TO_1970: u64 = 2_208_988_800;

/// The 64-bit NTP time of a wall clock reading: seconds since 1900 and a 32-bit fraction.
///
/// Readings before 1970 give the time of 1970. After 2036 the seconds wrap, as NTP's do.
///
/// # Source
/// RFC 3550, section 4.
#[must_use]
pub fn ntp(wall: jiff::Timestamp) -> u64 {
    let nanoseconds = u128::try_from(wall.as_nanosecond()).unwrap_or_default();
    let fixed = (nanoseconds << 32) / 1_000_000_000;
    let since_1970 = u64::try_from(fixed & u128::from(u64::MAX)).unwrap_or_default();
    since_1970.wrapping_add(FROM_1900_TO_1970 << 32)
}

/// The wall clock reading that a 64-bit NTP time means, between 1970 and 2106.
///
/// # Source
/// RFC 3550, section 4; RFC 5905, section 6: before 1970 is after 2036.
#[must_use]
pub fn from_ntp(ntp: u64) -> Option<jiff::Timestamp> {
    let seconds = ntp >> 32;
    let era = if seconds < FROM_1900_TO_1970 { 1 << 32 } else { 0 };
    let seconds = i64::try_from(seconds.wrapping_add(era).wrapping_sub(FROM_1900_TO_1970)).ok()?;
    let fraction = (ntp & u64::from(u32::MAX)).wrapping_mul(1_000_000_000);
    let nanoseconds = (fraction.wrapping_add(1 << 31) >> 32).min(999_999_999);
    jiff::Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()
}

/// The middle 32 bits of an NTP time, as report blocks carry it (RFC 3550, section 6.4.1).
#[must_use]
pub fn ntp_middle(ntp: u64) -> u32 {
    u32::try_from((ntp >> 16) & u64::from(u32::MAX)).unwrap_or_default()
}
