//! What is known of one peer, by value: its transport, what it sends, what it is sent.
//!
//! Names and units are those of W3C webrtc-stats wherever it has a word, seen from the server: what
//! a peer publishes is *inbound*, what it is sent is *outbound*, and what it says of that is
//! *remote-inbound*. Nothing names a person or an address. Serialised, keys are W3C's.
//!
//! Source: w3.org/TR/webrtc-stats (sections in brackets).

use serde::Serialize;

use crate::command::Kind;
use crate::srtp::Profile;

/// A snapshot of one peer ([`crate::command::Command::AskStats`]).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PeerStats {
    /// When it was taken.
    pub timestamp: jiff::Timestamp,
    /// DTLS, SRTP, totals.
    pub transport: TransportReport,
    /// The selected path; `None` before the first.
    pub candidate_pair: Option<CandidatePair>,
    /// Encodings that it publishes.
    pub inbound_rtp: Vec<InboundRtp>,
    /// Tracks that it is sent.
    pub outbound_rtp: Vec<OutboundRtp>,
}

/// RTCTransportStats (6.20).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TransportReport {
    /// SRTP and SRTCP packets that it sent and that opened.
    pub packets_received: u64,
    /// Their bytes, without those of SRTP.
    pub bytes_received: u64,
    /// Media packets that it was sent, retransmissions among them.
    pub packets_sent: u64,
    /// Bytes of their payload.
    pub bytes_sent: u64,
    /// The handshake is done.
    pub dtls_state: DtlsState,
    /// IANA's name of the protection profile.
    pub srtp_cipher: Option<&'static str>,
}

/// RTCDtlsTransportState, as far as a shard sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsState {
    /// No keys yet.
    #[default]
    New,
    /// Media can flow.
    Connected,
}

/// RTCIceCandidatePairStats (6.23), of the selected pair.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CandidatePair {
    /// `udp` or `tcp`.
    pub protocol: &'static str,
    /// IP version of the path, 4 or 6.
    pub ip_version: u8,
    /// Bits per second that the peer's network takes, where something is known of it.
    pub available_outgoing_bitrate: Option<u64>,
    /// Seconds, of the last report that came.
    pub current_round_trip_time: Option<f64>,
}

/// RTCInboundRtpStreamStats (6.7), of one encoding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InboundRtp {
    /// The track's number.
    pub track_identifier: u64,
    /// Audio or video.
    #[serde(serialize_with = "kind")]
    pub kind: Kind,
    /// Restriction id of a simulcast.
    pub rid: Option<String>,
    /// Its source; `None` before the first packet of one that was not announced.
    pub ssrc: Option<u32>,
    /// Packets that came, retransmissions not counted.
    pub packets_received: u32,
    /// Packets that did not come at first; negative where duplicates came.
    pub packets_lost: i32,
    /// Seconds.
    pub jitter: f64,
    /// Payload bytes of what was kept, retransmissions among them.
    pub bytes_received: u64,
    /// Pictures of which the last packet came.
    pub frames_received: u32,
    /// Of them keyframes, as far as their first packet came.
    pub key_frames_received: u32,
    /// Packets that it was asked for again.
    pub nack_count: u32,
    /// Keyframes that it was asked for.
    pub pli_count: u32,
    /// The publisher has muted it.
    pub muted: bool,
}

/// RTCSentRtpStreamStats (6.10) of one track at one subscriber, and what that says of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OutboundRtp {
    /// The track's number.
    pub track_identifier: u64,
    /// Audio or video.
    #[serde(serialize_with = "kind")]
    pub kind: Kind,
    /// The source that we send with.
    pub ssrc: u32,
    /// Something is sent at present.
    pub active: bool,
    /// Which encoding of the track, lowest first.
    pub encoding_index: Option<usize>,
    /// Packets, retransmissions not counted.
    pub packets_sent: u32,
    /// Payload bytes of these.
    pub bytes_sent: u64,
    /// Packets that were sent again.
    pub retransmitted_packets_sent: u32,
    /// Payload bytes of these.
    pub retransmitted_bytes_sent: u64,
    /// Packets that the subscriber asked for again.
    pub nack_count: u32,
    /// Picture losses that it reported.
    pub pli_count: u32,
    /// Full intra requests.
    pub fir_count: u32,
    /// What its last report says; `None` before the first.
    pub remote: Option<RemoteInbound>,
}

/// RTCRemoteInboundRtpStreamStats (6.9).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RemoteInbound {
    /// Seconds, where the report names one of ours.
    pub round_trip_time: Option<f64>,
    /// 0 to 1, since the report before.
    pub fraction_lost: f64,
    /// Since the beginning.
    pub packets_lost: i32,
    /// Seconds.
    pub jitter: f64,
}

/// What an encoding counts besides what reports need.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    pub(crate) bytes: u64,
    pub(crate) frames: u32,
    pub(crate) keyframes: u32,
    pub(crate) nacks: u32,
    pub(crate) plis: u32,
}

/// What an edge counts besides what reports need.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) nacks: u32,
    pub(crate) plis: u32,
    pub(crate) firs: u32,
    pub(crate) again: u32,
    pub(crate) again_bytes: u64,
}

pub(crate) fn cipher(profile: Profile) -> &'static str {
    match profile {
        Profile::AeadAes128Gcm => "AEAD_AES_128_GCM",
        Profile::AeadAes256Gcm => "AEAD_AES_256_GCM",
        Profile::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn kind<S: serde::Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match kind {
        Kind::Audio => "audio",
        Kind::Video => "video",
    })
}
