//! Session descriptions of the clients: written as offers or answers, and the server's read.
//!
//! Every transport is one bundle, RTCP multiplexed, one host candidate, the client active in DTLS.
//! Cameras are VP8, microphones Opus. Sources: RFC 8866, 8829, 8843, 8839, 8842, 8285, 4585, 4588.

use std::fmt::Write as _;

use conf_media::command::Kind;

use crate::door::{Local, Publish, Source, Subscribe, Terms};

mod read;

pub use read::{Remote, Section};

/// Payload type of VP8 in what we offer.
pub const VP8: u8 = 96;
/// Payload type of its retransmissions.
pub const VP8_RTX: u8 = 97;
/// Payload type of Opus.
pub const OPUS: u8 = 111;

/// The media section's name.
pub const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// RFC 6464.
pub const LEVEL_URI: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// Transport-wide numbers.
pub const TWCC_URI: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// Why a server's description cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// A line that is needed is missing.
    #[error("no {what}")]
    Missing {
        /// The attribute.
        what: &'static str,
    },
    /// A line is not what it should be.
    #[error("line {line} is no valid {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// The attribute.
        what: &'static str,
    },
    /// The server wants to be the DTLS client.
    #[error("the server is active in DTLS, and so are we")]
    Active,
    /// A section that we asked for.
    #[error("the server refused media section {mid}")]
    Rejected {
        /// Its name.
        mid: String,
    },
}

/// The offer of a publisher: one section a source, `sendonly`.
#[must_use]
pub fn offer_of_publisher(wish: &Publish) -> String {
    let sections: Vec<_> = wish.sources.iter().map(|source| Wanted::send(*source)).collect();
    describe(&wish.local, &sections, wish.terms)
}

/// The offer of a subscriber: `recvonly` sections, microphones first.
#[must_use]
pub fn offer_of_subscriber(wish: &Subscribe) -> String {
    let audio = std::iter::repeat_n(Wanted::receive(Kind::Audio), wish.audio);
    let video = std::iter::repeat_n(Wanted::receive(Kind::Video), wish.video);
    let sections: Vec<_> = audio.chain(video).collect();
    describe(&wish.local, &sections, wish.terms)
}

/// The answer of a subscriber to a server's offer: every section is received with the server's own
/// payload types and extension ids, as far as `terms` allow.
#[must_use]
pub fn answer_of_subscriber(local: &Local, offer: &Remote, terms: Terms) -> String {
    let mids: Vec<&str> = offer.sections.iter().map(|section| section.mid.as_str()).collect();
    let mut text = head(&mids);
    for section in &offer.sections {
        let (wanted, numbers) = (Wanted::receive(section.kind), Numbers::of(section));
        transport(&mut text, local, (&section.mid, &wanted, &numbers), terms);
    }
    text
}

/// How a section is numbered.
struct Numbers {
    media: u8,
    rtx: Option<u8>,
    mid: Option<u8>,
    level: Option<u8>,
    twcc: Option<u8>,
}

impl Numbers {
    fn ours(kind: Kind) -> Self {
        let (media, rtx) = match kind {
            Kind::Audio => (OPUS, None),
            Kind::Video => (VP8, Some(VP8_RTX)),
        };
        Self { media, rtx, mid: Some(4), level: Some(1), twcc: Some(3) }
    }

    fn of(section: &Section) -> Self {
        Self {
            media: section.media.unwrap_or_default(),
            rtx: section.rtx,
            mid: section.extension(MID_URI),
            level: section.extension(LEVEL_URI),
            twcc: section.extension(TWCC_URI),
        }
    }
}

/// A section that we want.
#[derive(Clone, Copy)]
struct Wanted {
    kind: Kind,
    sends: Option<u32>,
}

impl Wanted {
    fn send(source: Source) -> Self {
        Self { kind: source.kind, sends: Some(source.ssrc) }
    }

    fn receive(kind: Kind) -> Self {
        Self { kind, sends: None }
    }
}

fn describe(local: &Local, sections: &[Wanted], terms: Terms) -> String {
    let mids: Vec<String> = (0..sections.len()).map(|number| number.to_string()).collect();
    let mut text = head(&mids.iter().map(String::as_str).collect::<Vec<_>>());
    for (mid, wanted) in mids.iter().zip(sections) {
        transport(&mut text, local, (mid, wanted, &Numbers::ours(wanted.kind)), terms);
    }
    text
}

/// Up to the first section.
fn head(mids: &[&str]) -> String {
    let bundle = mids.join(" ");
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
         a=group:BUNDLE {bundle}\r\na=msid-semantic: WMS *\r\n"
    )
}

/// One section, its transport first: the same in all.
fn transport(text: &mut String, local: &Local, section: (&str, &Wanted, &Numbers), terms: Terms) {
    let (mid, wanted, numbers) = section;
    let rtx = numbers.rtx.filter(|_| terms.nack);
    let kind = match wanted.kind {
        Kind::Audio => "audio",
        Kind::Video => "video",
    };
    let _ = write!(text, "m={kind} 9 UDP/TLS/RTP/SAVPF {}", numbers.media);
    if let Some(rtx) = rtx {
        let _ = write!(text, " {rtx}");
    }
    let Local { ufrag, password, fingerprint, address } = local;
    let _ = write!(text, "\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n");
    let (ip, port) = (address.ip(), address.port());
    let _ = write!(text, "a=candidate:1 1 udp {HOST_PRIORITY} {ip} {port} typ host\r\n");
    let _ = write!(text, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n");
    let _ = write!(text, "a=fingerprint:sha-256 {fingerprint}\r\na=setup:active\r\n");
    let direction = if wanted.sends.is_some() { "sendonly" } else { "recvonly" };
    let _ = write!(text, "a=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n");
    extensions(text, wanted.kind, numbers, terms);
    codecs(text, wanted.kind, (numbers.media, rtx), terms);
    if let Some(ssrc) = wanted.sends {
        let _ = write!(text, "a=msid:load track{mid}\r\na=ssrc:{ssrc} cname:load\r\n");
    }
}

fn extensions(text: &mut String, kind: Kind, numbers: &Numbers, terms: Terms) {
    let level = numbers.level.filter(|_| kind == Kind::Audio && terms.levels);
    let twcc = numbers.twcc.filter(|_| terms.twcc);
    for (id, uri) in [(level, LEVEL_URI), (twcc, TWCC_URI), (numbers.mid, MID_URI)] {
        if let Some(id) = id {
            let _ = write!(text, "a=extmap:{id} {uri}\r\n");
        }
    }
}

fn codecs(text: &mut String, kind: Kind, (media, rtx): (u8, Option<u8>), terms: Terms) {
    match kind {
        Kind::Audio => {
            let _ = write!(text, "a=rtpmap:{media} opus/48000/2\r\n");
            let _ = write!(text, "a=fmtp:{media} minptime=10;useinbandfec=1\r\n");
        }
        Kind::Video => {
            let _ = write!(text, "a=rtpmap:{media} VP8/90000\r\na=rtcp-fb:{media} nack pli\r\n");
            let _ = write!(text, "a=rtcp-fb:{media} ccm fir\r\n");
            if terms.nack {
                let _ = write!(text, "a=rtcp-fb:{media} nack\r\n");
            }
        }
    }
    if terms.twcc {
        let _ = write!(text, "a=rtcp-fb:{media} transport-cc\r\n");
    }
    if let Some(rtx) = rtx {
        let _ = write!(text, "a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={media}\r\n");
    }
}

/// Of a host candidate of the first interface (RFC 8445, section 5.1.2).
const HOST_PRIORITY: u32 = 2_130_706_431;

#[cfg(test)]
mod tests;
