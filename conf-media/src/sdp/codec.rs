//! Which of the offered payload types and header extensions we take, and what they mean.

use super::model::{Extmap, Format, Section, SectionKind};
use crate::codec::Codec;
use crate::command::{Encoding, Extensions, Kind, Label, Payload, Publication, Subscription};

impl Section {
    /// Audio or video; `None` for data and the rest.
    #[must_use]
    pub fn media_kind(&self) -> Option<Kind> {
        match self.kind {
            SectionKind::Audio => Some(Kind::Audio),
            SectionKind::Video => Some(Kind::Video),
            SectionKind::Application | SectionKind::Other => None,
        }
    }

    /// The payload types we take, in the client's order of preference.
    #[must_use]
    pub fn payloads(&self) -> Vec<Payload> {
        let formats = self.formats.iter();
        formats.filter_map(|format| self.payload(format)).take(MAX_PAYLOADS).collect()
    }

    /// The header extensions we take.
    #[must_use]
    pub fn extensions(&self) -> Extensions {
        let mut extensions = Extensions::default();
        for extmap in &self.extmaps {
            if let Some(slot) = slot(&mut extensions, &extmap.uri) {
                slot.get_or_insert(extmap.id);
            }
        }
        extensions
    }

    /// Their `a=extmap` lines, in the client's order.
    pub fn accepted_extmaps(&self) -> impl Iterator<Item = &Extmap> {
        let taken = self.extensions();
        self.extmaps.iter().filter(move |extmap| {
            let mut taken = taken;
            slot(&mut taken, &extmap.uri).is_some_and(|slot| *slot == Some(extmap.id))
        })
    }

    /// What the client publishes here. `None` where no codec is in common.
    #[must_use]
    pub fn publication(&self) -> Option<Publication> {
        let codecs = self.payloads();
        if codecs.is_empty() {
            return None;
        }
        Some(Publication {
            kind: self.media_kind()?,
            mid: self.mid,
            encodings: self.encodings(),
            codecs,
            extensions: self.extensions(),
            screen: false,
            sizes: Vec::new(),
        })
    }

    /// How a forwarded track looks here. `rtx_ssrc` counts only where RTX was offered.
    #[must_use]
    pub fn subscription(&self, ssrc: u32, rtx_ssrc: u32, cname: &str) -> Option<Subscription> {
        let codecs = self.payloads();
        if codecs.is_empty() {
            return None;
        }
        let repaired = codecs.iter().any(|payload| payload.rtx.is_some());
        Some(Subscription {
            mid: self.mid,
            ssrc,
            rtx_ssrc: repaired.then_some(rtx_ssrc),
            codecs,
            extensions: self.extensions(),
            cname: cname.to_owned(),
        })
    }

    /// The encodings that the client sends, lowest first.
    fn encodings(&self) -> Vec<Encoding> {
        if !self.simulcast.is_empty() {
            let mut rids: Vec<Label> = self.simulcast.clone();
            if rids.iter().all(|rid| rank(*rid).is_some()) {
                rids.sort_by_key(|rid| rank(*rid));
            }
            let encoding = |rid| Encoding { rid: Some(rid), ..Encoding::default() };
            return rids.into_iter().map(encoding).collect();
        }
        let group =
            |semantics: &str| self.ssrc_groups.iter().find(|group| group.semantics == semantics);
        let primaries: Vec<u32> = match group("SIM") {
            Some(group) => group.ssrcs.clone(),
            None => self.ssrcs.iter().map(|known| known.ssrc).take(1).collect(),
        };
        if primaries.is_empty() {
            return vec![Encoding::default()];
        }
        primaries.into_iter().map(|ssrc| self.encoding(ssrc)).collect()
    }

    fn encoding(&self, ssrc: u32) -> Encoding {
        let repair = self.ssrc_groups.iter().find_map(|group| match group.ssrcs.as_slice() {
            [primary, repair] if group.semantics == "FID" && *primary == ssrc => Some(*repair),
            _ => None,
        });
        Encoding { rid: None, ssrc: Some(ssrc), rtx_ssrc: repair }
    }

    fn payload(&self, format: &Format) -> Option<Payload> {
        let codec = codec(self.kind, format)?;
        let nack = format.has_feedback("nack");
        let rtx = self.formats.iter().find(|other| repairs(other, format.payload_type));
        Some(Payload {
            payload_type: format.payload_type,
            codec,
            clock_rate: format.clock_rate,
            rtx: rtx.filter(|_| nack).map(|rtx| rtx.payload_type),
            nack,
            pli: self.kind == SectionKind::Video && format.has_feedback("nack pli"),
        })
    }
}

/// The feedback of `offered` that we give or take.
pub(super) fn accepted_feedback(kind: SectionKind, offered: &Format) -> impl Iterator<Item = &str> {
    let ours: &[&str] = match kind {
        SectionKind::Audio => &["transport-cc", "nack"],
        _ => &["transport-cc", "ccm fir", "nack", "nack pli"],
    };
    offered.feedback.iter().map(String::as_str).filter(|feedback| ours.contains(feedback))
}

/// RFC 4588: `format` carries retransmissions of `payload_type`.
fn repairs(format: &Format, payload_type: u8) -> bool {
    format.name.eq_ignore_ascii_case("rtx")
        && format.parameter("apt").and_then(|apt| apt.trim().parse().ok()) == Some(payload_type)
}

fn codec(kind: SectionKind, format: &Format) -> Option<Codec> {
    let is = |name: &str| format.name.eq_ignore_ascii_case(name);
    match kind {
        SectionKind::Audio if is("opus") && format.clock_rate == 48_000 => Some(Codec::Opus),
        SectionKind::Video if format.clock_rate != 90_000 => None,
        SectionKind::Video if is("VP8") => Some(Codec::Vp8),
        SectionKind::Video if is("VP9") => {
            Some(Codec::Vp9 { profile: number(format, "profile-id") })
        }
        SectionKind::Video if is("AV1") => Some(Codec::Av1 { profile: number(format, "profile") }),
        SectionKind::Video if is("H264") => {
            let level = format.parameter("profile-level-id").unwrap_or("42000a");
            let profile = level.get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok())?;
            Some(Codec::H264 { profile, mode: number(format, "packetization-mode") })
        }
        _ => None,
    }
}

fn number(format: &Format, parameter: &str) -> u8 {
    format.parameter(parameter).and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// The order of the names that SDKs give to simulcast layers: quarter, half, full.
fn rank(rid: Label) -> Option<usize> {
    ["q", "h", "f"].iter().position(|name| *name == rid.as_str())
}

fn slot<'a>(extensions: &'a mut Extensions, uri: &str) -> Option<&'a mut Option<u8>> {
    match uri {
        "urn:ietf:params:rtp-hdrext:sdes:mid" => Some(&mut extensions.mid),
        "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id" => Some(&mut extensions.rid),
        "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id" => {
            Some(&mut extensions.repaired_rid)
        }
        "urn:ietf:params:rtp-hdrext:ssrc-audio-level" => Some(&mut extensions.audio_level),
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01" => {
            Some(&mut extensions.transport_cc)
        }
        "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time" => {
            Some(&mut extensions.abs_send_time)
        }
        "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time" => {
            Some(&mut extensions.abs_capture_time)
        }
        "urn:3gpp:video-orientation" => Some(&mut extensions.video_orientation),
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension" => {
            Some(&mut extensions.dependency_descriptor)
        }
        _ => None,
    }
}

/// Chromium offers about 20 of ours.
const MAX_PAYLOADS: usize = 64;
