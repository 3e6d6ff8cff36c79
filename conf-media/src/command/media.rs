//! How tracks are described: by who publishes them, and to who receives them.

use std::fmt;

use bytes::Bytes;

use crate::codec::Codec;

/// How a subscriber shows a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    /// Width and height in pixels of the screen; `None`: as large as it comes.
    pub size: Option<(u16, u16)>,
    /// Index of the highest encoding that is wanted; `None`: any.
    pub encoding: Option<u8>,
    /// Pictures per second that are enough; `None`: all.
    pub frame_rate: Option<u8>,
    /// 1 is served first, then 2 and so on; 0 where nothing was said.
    pub priority: u8,
}

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// How the packets of a published track are recognised and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Audio or video.
    pub kind: Kind,
    /// The media section, also carried by the `mid` header extension.
    pub mid: Label,
    /// Its encodings, lowest first (`q`, `h`, `f`); one without `rid` where there is no simulcast.
    pub encodings: Vec<Encoding>,
    /// Payload types of this section, in the publisher's order of preference.
    pub codecs: Vec<Payload>,
    /// Header-extension ids of this section.
    pub extensions: Extensions,
    /// It shows a screen: its pictures are to stay sharp, their rate may fall.
    pub screen: bool,
    /// Width and height of the encodings in pixels, lowest first; empty where they are not said.
    pub sizes: Vec<(u16, u16)>,
}

/// One size of a published track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// RFC 8851 restriction id, where simulcast is used.
    pub rid: Option<Label>,
    /// From `a=ssrc`, where the offer had it; bound by the header extensions otherwise.
    pub ssrc: Option<u32>,
    /// Its repair stream, from `a=ssrc-group:FID`.
    pub rtx_ssrc: Option<u32>,
}

/// How the packets of a forwarded track look at one subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The subscriber's media section.
    pub mid: Label,
    /// The synchronisation source we send with.
    pub ssrc: u32,
    /// And for retransmissions, where RTX was negotiated.
    pub rtx_ssrc: Option<u32>,
    /// Payload types in the subscriber's numbering.
    pub codecs: Vec<Payload>,
    /// Header-extension ids in the subscriber's numbering.
    pub extensions: Extensions,
    /// Canonical name for the source description; random, names no person.
    pub cname: String,
}

/// One payload type of a media section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// 0 to 127.
    pub payload_type: u8,
    /// What it carries.
    pub codec: Codec,
    /// RTP clock, Hz.
    pub clock_rate: u32,
    /// Payload type of its retransmissions (RFC 4588), where negotiated.
    pub rtx: Option<u8>,
    /// Generic NACK was negotiated (RFC 4585).
    pub nack: bool,
    /// Picture loss indication was negotiated (RFC 4585, section 6.3.1).
    pub pli: bool,
}

/// Header-extension ids of a media section (RFC 8285); 1 to 255, `None` where not negotiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`
    pub rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`
    pub repaired_rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level`
    pub audio_level: Option<u8>,
    /// `…/draft-holmer-rmcat-transport-wide-cc-extensions-01`
    pub transport_cc: Option<u8>,
    /// `…/abs-send-time`
    pub abs_send_time: Option<u8>,
    /// `…/abs-capture-time`
    pub abs_capture_time: Option<u8>,
    /// `urn:3gpp:video-orientation`
    pub video_orientation: Option<u8>,
    /// `…/aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension`
    pub dependency_descriptor: Option<u8>,
}

/// One frame as packets; a [`crate::frame::Writer`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injected {
    /// Whole RTP packets, unencrypted, in order.
    pub packets: Vec<Bytes>,
    /// Now and then: an NTP time, and the timestamp of the same moment.
    pub clock: Option<(u64, u32)>,
}

/// SHA-256 of a DTLS certificate (RFC 8122).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    /// As in `a=fingerprint:sha-256`: upper-case hex pairs with colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// A `mid` or `rid`: 1 to 16 characters, kept without allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label {
    len: u8,
    bytes: [u8; Self::MAX],
}

impl Label {
    /// The longest label that is accepted; browsers use 1 to 3 characters.
    pub const MAX: usize = 16;

    /// Takes 1 to 16 visible ASCII characters; `None` for anything else.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        if text.is_empty() || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { len: u8::try_from(text.len()).ok()?, bytes })
    }

    /// The characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The characters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}
