//! An offer, read.

use crate::command::{Fingerprint, Label};

/// What a client offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Of the client's certificate.
    pub fingerprint: Fingerprint,
    /// The client's ICE user name fragment: a new one restarts ICE.
    pub ice_ufrag: String,
    /// One- and two-byte header extensions may be mixed.
    pub extmap_allow_mixed: bool,
    /// In order of the text.
    pub sections: Vec<Section>,
}

/// One media section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Audio, video or data.
    pub kind: SectionKind,
    /// Its name in the bundle.
    pub mid: Label,
    /// The client stopped it (port 0 without `bundle-only`), or it is outside the bundle.
    pub stopped: bool,
    /// What the client wants to do.
    pub direction: Direction,
    /// The transport protocol of the `m=` line.
    pub protocol: String,
    /// Formats of the `m=` line, in the client's order.
    pub formats: Vec<Format>,
    /// First token of the `m=` line's formats: echoed where the section is refused.
    pub first_format: String,
    /// Header extensions.
    pub extmaps: Vec<Extmap>,
    /// Stream and track that the client sends here.
    pub msid: Option<Msid>,
    /// Restriction ids.
    pub rids: Vec<Rid>,
    /// Names of `a=simulcast:send`, in its order.
    pub simulcast: Vec<Label>,
    /// Synchronisation sources of `a=ssrc`.
    pub ssrcs: Vec<Ssrc>,
    /// Of `a=ssrc-group`.
    pub ssrc_groups: Vec<SsrcGroup>,
    /// Reduced-size RTCP (RFC 5506).
    pub rtcp_rsize: bool,
    /// Of an application section.
    pub application: Option<Application>,
}

/// The first word of an `m=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// `audio`
    Audio,
    /// `video`
    Video,
    /// `application`
    Application,
    /// Anything else; refused.
    Other,
}

impl SectionKind {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Application => "application",
            Self::Other => "text",
        }
    }
}

/// Who sends, as the client sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// The client.
    SendOnly,
    /// We.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// The client sends.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }
}

/// One payload type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// 0 to 127.
    pub payload_type: u8,
    /// As written in `a=rtpmap`, empty where there was none.
    pub name: String,
    /// RTP clock, Hz.
    pub clock_rate: u32,
    /// The third part of `a=rtpmap`, with which Opus says `2`.
    pub channels: Option<u8>,
    /// `a=fmtp`, as written.
    pub fmtp: String,
    /// `a=rtcp-fb`, as written (`nack pli`).
    pub feedback: Vec<String>,
}

impl Format {
    /// The value of one parameter of `a=fmtp`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.fmtp.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// This feedback was offered.
    #[must_use]
    pub fn has_feedback(&self, wanted: &str) -> bool {
        self.feedback.iter().any(|feedback| feedback == wanted)
    }
}

/// One header extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extmap {
    /// 1 to 255.
    pub id: u8,
    /// Its name.
    pub uri: String,
}

/// `a=msid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Msid {
    /// First word.
    pub stream: String,
    /// Second word, empty where there was none.
    pub track: String,
}

/// `a=rid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rid {
    /// Its name.
    pub id: Label,
    /// `send`; otherwise `recv`.
    pub send: bool,
}

/// `a=ssrc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssrc {
    /// The number.
    pub ssrc: u32,
    /// Stream and track, in the older form of `a=msid`.
    pub msid: Option<Msid>,
}

/// `a=ssrc-group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsrcGroup {
    /// `FID` or `SIM`.
    pub semantics: String,
    /// The numbers.
    pub ssrcs: Vec<u32>,
}

/// An SCTP association over DTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// `a=sctp-port`.
    pub port: u16,
}
