//! Tracks as publishers describe them and as subscribers get them.

use crate::codec::Codec;
use crate::command::{Encoding, Extensions, Kind, Label, Payload, Publication, Subscription};

/// Header-extension ids of publishers here.
pub const FROM: Extensions = Extensions {
    mid: Some(1),
    rid: Some(2),
    repaired_rid: Some(3),
    audio_level: Some(4),
    transport_cc: Some(5),
    abs_send_time: Some(6),
    abs_capture_time: Some(7),
    video_orientation: Some(8),
    dependency_descriptor: Some(9),
};

/// Header-extension ids of subscribers here: all others than the publishers'.
pub const TO: Extensions = Extensions {
    mid: Some(11),
    rid: None,
    repaired_rid: None,
    audio_level: Some(12),
    transport_cc: Some(13),
    abs_send_time: None,
    abs_capture_time: Some(14),
    video_orientation: Some(10),
    dependency_descriptor: Some(9),
};

/// A microphone with Opus as 111.
#[must_use]
pub fn microphone(mid: &str, ssrc: u32) -> Publication {
    Publication {
        kind: Kind::Audio,
        mid: label(mid),
        encodings: vec![Encoding { rid: None, ssrc: Some(ssrc), rtx_ssrc: None }],
        codecs: vec![payload(111, Codec::Opus, None)],
        extensions: FROM,
        screen: false,
        sizes: Vec::new(),
    }
}

/// A camera with VP8 as 96 and its retransmissions as 97, in one encoding.
#[must_use]
pub fn camera(mid: &str, ssrc: u32) -> Publication {
    Publication {
        kind: Kind::Video,
        mid: label(mid),
        encodings: vec![Encoding { rid: None, ssrc: Some(ssrc), rtx_ssrc: Some(ssrc + 1) }],
        codecs: vec![payload(96, Codec::Vp8, Some(97))],
        extensions: FROM,
        screen: false,
        sizes: Vec::new(),
    }
}

/// A camera with the encodings `q`, `h` and `f`, whose sources the packets tell.
#[must_use]
pub fn simulcast(mid: &str) -> Publication {
    let encoding = |rid| Encoding { rid: Some(label(rid)), ssrc: None, rtx_ssrc: None };
    Publication { encodings: ["q", "h", "f"].map(encoding).to_vec(), ..camera(mid, 0) }
}

/// How a track looks at a subscriber: Opus as 109, VP8 as 120 with retransmissions as 121.
#[must_use]
pub fn subscription(mid: &str, ssrc: u32) -> Subscription {
    Subscription {
        mid: label(mid),
        ssrc,
        rtx_ssrc: Some(ssrc + 1),
        codecs: vec![payload(109, Codec::Opus, None), payload(120, Codec::Vp8, Some(121))],
        extensions: TO,
        cname: "conference".to_owned(),
    }
}

/// A VP8 payload: 15-bit picture id, base-layer index, temporal layer 0.
#[must_use]
pub fn vp8(picture: u16, keyframe: bool, start: bool, len: usize) -> Vec<u8> {
    let [high, low] = (picture | 0x8000).to_be_bytes();
    let first = if start { 0x90 } else { 0x80 };
    let mut payload = vec![first, 0xe0, high, low, low, 0x00, u8::from(!keyframe)];
    payload.resize(len.max(8), 0xab);
    payload
}

/// A `mid` or `rid`.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn label(text: &str) -> Label {
    Label::new(text.as_bytes()).expect("1 to 16 visible characters")
}

/// A payload type with all feedback.
#[must_use]
pub fn payload(payload_type: u8, codec: Codec, rtx: Option<u8>) -> Payload {
    let clock_rate = if codec == Codec::Opus { 48_000 } else { 90_000 };
    Payload { payload_type, codec, clock_rate, rtx, nack: true, pli: true }
}
