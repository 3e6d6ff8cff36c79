//! What clients are told about participants, tracks, the room and this server.

use livekit_protocol as proto;

use super::participant::{Participant, Published};
use super::token::Grants;
use super::types::Source;
use crate::codec::Codec;
use crate::command::{Kind, Publication, TrackId};

/// The sid of a track; native clients abort on another prefix.
pub(super) fn track_sid(track: TrackId) -> String {
    format!("TR_{:016x}", track.0)
}

/// The stream of a forwarded track: browsers keep together in time what is in one stream, so a
/// microphone is in that of the camera, the sound of a screen in that of the screen.
///
/// Clients want the participant's sid in front and exactly two parts; which track it is they learn
/// by the section, from `mid_to_track_id`.
pub(super) fn stream(participant_sid: &str, track: &Published) -> String {
    match track.source {
        Source::Camera | Source::Microphone => format!("{participant_sid}|camera"),
        Source::ScreenShare | Source::ScreenShareAudio => format!("{participant_sid}|screen"),
        Source::Unknown => format!("{participant_sid}|{}", track_sid(track.id)),
    }
}

/// A participant with all its live tracks: one that is missing counts as unpublished.
pub(super) fn participant(participant: &Participant) -> proto::ParticipantInfo {
    let profile = &participant.profile;
    proto::ParticipantInfo {
        sid: profile.sid.clone(),
        identity: profile.identity.reveal().to_owned(),
        state: profile.state.into(),
        tracks: participant.live_tracks().map(|track| track.info.clone()).collect(),
        metadata: profile.metadata.clone(),
        joined_at: profile.joined.as_second(),
        joined_at_ms: profile.joined.as_millisecond(),
        name: profile.name.clone(),
        version: profile.version,
        permission: Some(permission(&profile.grants)),
        is_publisher: participant.live_tracks().next().is_some(),
        kind: proto::participant_info::Kind::Standard.into(),
        attributes: profile.attributes.clone(),
        client_protocol: profile.client.client_protocol,
        capabilities: profile.client.capabilities.clone(),
        ..Default::default()
    }
}

/// Without it a client refuses to publish by itself.
#[expect(deprecated, reason = "clients read `recorder` from here")]
fn permission(grants: &Grants) -> proto::ParticipantPermission {
    proto::ParticipantPermission {
        can_subscribe: grants.can_subscribe(),
        can_publish: grants.can_publish(),
        can_publish_data: grants.can_publish_data(),
        can_publish_sources: grants.can_publish_sources.iter().map(|s| s.to_wire()).collect(),
        hidden: grants.hidden,
        recorder: grants.recorder,
        can_update_metadata: grants.can_update_own_metadata(),
        ..Default::default()
    }
}

/// A track as its publisher announced it.
#[expect(deprecated, reason = "clients still read `simulcast`, `layers`, `disable_dtx`, `stereo`")]
pub(super) fn announced(id: TrackId, request: &proto::AddTrackRequest) -> proto::TrackInfo {
    let audio = request.r#type == i32::from(proto::TrackType::Audio);
    let codec = request.simulcast_codecs.first();
    let layers = match codec {
        Some(codec) if !codec.layers.is_empty() => &codec.layers,
        _ => &request.layers,
    };
    let mime = match codec.map(|codec| codec.codec.as_str()).filter(|name| !name.is_empty()) {
        Some(name) => mime_of_name(audio, name),
        None if audio => "audio/opus".to_owned(),
        None => String::new(),
    };
    proto::TrackInfo {
        sid: track_sid(id),
        r#type: request.r#type,
        name: request.name.clone(),
        muted: request.muted,
        width: request.width,
        height: request.height,
        simulcast: layers.len() > 1,
        disable_dtx: request.disable_dtx,
        source: request.source,
        layers: layers.clone(),
        mime_type: mime.clone(),
        codecs: vec![proto::SimulcastCodecInfo {
            mime_type: mime,
            cid: request.cid.clone(),
            layers: layers.clone(),
            ..Default::default()
        }],
        stereo: request.stereo,
        disable_red: request.disable_red,
        encryption: request.encryption,
        stream: request.stream.clone(),
        audio_features: request.audio_features.clone(),
        backup_codec_policy: request.backup_codec_policy,
        packet_trailer_features: request.packet_trailer_features.clone(),
        version: Some(proto::TimedVersion { unix_micro: 0, ticks: 1 }),
        ..Default::default()
    }
}

/// Width and height of `count` encodings, lowest first, as the publisher announced them; empty where
/// it did not.
#[expect(deprecated, reason = "clients that announce no codecs say their layers here")]
pub(in crate::signal) fn sizes(info: &proto::TrackInfo, count: usize) -> Vec<(u16, u16)> {
    let size = |width: u32, height: u32| {
        let known = (u16::try_from(width).ok()?, u16::try_from(height).ok()?);
        (known.0 > 0 && known.1 > 0).then_some(known)
    };
    if count == 1 {
        return size(info.width, info.height).into_iter().collect();
    }
    let mut layers = info.layers.clone();
    layers.sort_by_key(|layer| layer.quality);
    let sizes: Option<Vec<_>> = layers.iter().map(|it| size(it.width, it.height)).collect();
    sizes.filter(|sizes| sizes.len() == count).unwrap_or_default()
}

/// Completes a track's description from the offer that carries it.
#[expect(deprecated, reason = "clients still read `simulcast`")]
pub(super) fn negotiated(track: &mut Published, publication: &Publication, sdp_cid: &str) {
    let info = &mut track.info;
    let mid = publication.mid.as_str();
    info.mid = mid.to_owned();
    // What was announced, where the section has it; the answer puts it first.
    let offered = || publication.codecs.iter().map(|payload| mime(payload.codec));
    if !offered().any(|mime| mime.eq_ignore_ascii_case(&info.mime_type)) {
        info.mime_type = offered().next().unwrap_or_default().to_owned();
    }
    info.simulcast = publication.kind == Kind::Video && publication.encodings.len() > 1;
    if let Some(version) = &mut info.version {
        version.ticks = version.ticks.saturating_add(1);
    }
    let mime_type = info.mime_type.clone();
    if let Some(codec) = info.codecs.first_mut() {
        codec.mime_type = mime_type;
        codec.mid = mid.to_owned();
        if sdp_cid != track.cid {
            codec.sdp_cid = sdp_cid.to_owned();
        }
    }
}

/// This server, as clients compare it: a version that they know, a protocol below the one that
/// expects negotiated data channels.
pub(super) fn server() -> proto::ServerInfo {
    proto::ServerInfo {
        edition: proto::server_info::Edition::Standard.into(),
        version: SERVER_VERSION.to_owned(),
        protocol: SERVER_PROTOCOL,
        ..Default::default()
    }
}

/// What may be published; the first of a kind is what clients fall back to.
pub(super) fn codecs() -> Vec<proto::Codec> {
    let codecs = ["audio/opus", "video/VP8", "video/H264", "video/VP9", "video/AV1"];
    let codec = |mime: &str| proto::Codec { mime: mime.to_owned(), fmtp_line: String::new() };
    codecs.into_iter().map(codec).collect()
}

/// Audio or video; `None` for a data track.
pub(super) fn kind(number: i32) -> Option<Kind> {
    match proto::TrackType::try_from(number) {
        Ok(proto::TrackType::Audio) => Some(Kind::Audio),
        Ok(proto::TrackType::Video) => Some(Kind::Video),
        _ => None,
    }
}

/// The source that a request names, if it fits the kind.
pub(super) fn source(request: &proto::AddTrackRequest, kind: Kind) -> Source {
    let source = Source::from_wire(request.source);
    let audio = matches!(source, Source::Microphone | Source::ScreenShareAudio);
    if source == Source::Unknown || audio == (kind == Kind::Audio) {
        source
    } else {
        Source::Unknown
    }
}

pub(in crate::signal) fn mime(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "audio/opus",
        Codec::Vp8 => "video/VP8",
        Codec::Vp9 { .. } => "video/VP9",
        Codec::H264 { .. } => "video/H264",
        Codec::Av1 { .. } => "video/AV1",
    }
}

fn mime_of_name(audio: bool, name: &str) -> String {
    if audio { format!("audio/{name}") } else { format!("video/{}", name.to_ascii_uppercase()) }
}

/// The release that is matched.
pub(super) const SERVER_VERSION: &str = "1.13.5";
/// 18 and above mean negotiated data channels.
pub(super) const SERVER_PROTOCOL: i32 = 17;
/// Seconds; zero would stop or kill clients.
pub(super) const PING_INTERVAL: i32 = 5;
/// Seconds without a pong after which a client reconnects.
pub(super) const PING_TIMEOUT: i32 = 15;
