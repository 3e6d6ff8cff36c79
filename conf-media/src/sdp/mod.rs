//! Session descriptions: offers are read, answers are written. We never offer.
//!
//! [`Offer::parse`] reads what a browser or an SDK offers, bounded in every direction;
//! [`answer::write`] writes the answer to it: one bundled ICE-lite transport, our codecs and header
//! extensions in every section, forwarded tracks as `sendonly`. What a section means for the engine
//! comes out as [`Publication`] and [`Subscription`].
//!
//! Sources: RFC 8866 (SDP), 8829 (JSEP), 8843 (BUNDLE), 8839 (ICE), 8122 and 8842 (DTLS), 8841
//! (SCTP), 8285 (header extensions), 8851 and 8853 (rid, simulcast), 4585 (feedback), 4588 (RTX).
//!
//! [`Publication`]: crate::command::Publication
//! [`Subscription`]: crate::command::Subscription

pub mod answer;
mod attribute;
mod codec;
mod model;
mod parse;
#[cfg(test)]
mod tests;

pub use model::{
    Application, Direction, Extmap, Format, Msid, Offer, Rid, Section, SectionKind, Ssrc, SsrcGroup,
};

/// The longest offer that is read: for 50 cameras and microphones Chromium needs some 300 KB.
pub const MAX_OFFER_BYTES: usize = 1024 * 1024;
/// The most media sections of an offer: 50 participants with camera, microphone and some screens
/// need 100, and a section that lost its track waits for another.
pub const MAX_SECTIONS: usize = 256;

/// Why an offer was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// More bytes than are read.
    #[error("the offer has {len} bytes, at most {MAX_OFFER_BYTES} are read")]
    TooLarge {
        /// How many it has.
        len: usize,
    },
    /// More media sections than are answered.
    #[error("the offer has more than {MAX_SECTIONS} media sections")]
    TooManySections,
    /// More lines of one kind than a section needs.
    #[error("a media section has more than {limit} lines of {what}")]
    TooMany {
        /// The attribute.
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
    /// Does not start with `v=0`.
    #[error("the offer does not start with v=0")]
    Version,
    /// A line that must have a certain form has not.
    #[error("line {line} of the offer is no valid {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// The attribute or type of line.
        what: &'static str,
    },
    /// Two sections with one `mid`, or one without.
    #[error("each media section needs a mid of its own, of 1 to 16 characters")]
    Mid,
    /// No SHA-256 fingerprint of a certificate.
    #[error("the offer has no sha-256 fingerprint")]
    NoFingerprint,
    /// No ICE user name fragment and password.
    #[error("the offer has no ice-ufrag and ice-pwd")]
    NoIce,
    /// The client wants to be the DTLS server; so do we.
    #[error("the offer's setup is passive, so is ours")]
    Passive,
    /// RTP and RTCP on two ports, or no BUNDLE.
    #[error("the offer does not multiplex RTP and RTCP on one bundled transport")]
    NotBundled,
}
