//! A program of this process takes part: it publishes frames and is seen like anybody else.

use livekit_protocol as proto;

use super::Signal;
use super::livekit::info;
use super::livekit::leave::Farewell;
use super::livekit::negotiate::Found;
use super::livekit::token::Claims;
use super::participant::{Door, Profile};
use super::types::{Refusal, Source};
use crate::command::{Kind, PeerId};
use crate::frame;
use crate::time::Now;

/// A program that publishes; [`super::types::Input::HangUp`] ends it.
#[derive(Debug)]
pub struct Local {
    /// Random, as that of a media connection.
    pub peer: PeerId,
    /// Who it is to others, and what it may do.
    pub claims: Claims,
    /// The number behind `PA_`, random.
    pub sid_number: u64,
    /// What it publishes, each with a [`frame::Writer`].
    pub tracks: Vec<LocalTrack>,
}

/// A track of a program.
#[derive(Clone, Debug)]
pub struct LocalTrack {
    /// Where its frames come from.
    pub frames: frame::Source,
    /// What it shows or carries.
    pub source: Source,
    /// Pixels; 0 for sound.
    pub size: (u32, u32),
}

impl Signal {
    pub(super) fn local(&mut self, now: Now, local: Local) -> Result<(), Refusal> {
        let Local { peer, claims, sid_number, tracks } = local;
        if self.ended {
            return Err(Refusal::UnknownParticipant);
        }
        let may = |track: &LocalTrack| claims.grants.can_publish_source(track.source);
        if !tracks.iter().all(may) {
            return Err(Refusal::NotAllowed);
        }
        if let Some(old) = self.peer_of(&claims.identity) {
            self.farewell(old, Farewell::DUPLICATE_IDENTITY);
        }
        let profile =
            Profile::claimed(claims, sid_number, proto::participant_info::State::Active, now);
        let participant = self.newcomer(now, peer, profile, Door::Local);
        self.participants.insert(peer, participant);
        let mut found = Vec::with_capacity(tracks.len());
        for track in &tracks {
            let info = self.announced_track(peer, track.frames.track, &request(track))?;
            let mut publication = track.frames.publication();
            publication.screen = track.source == Source::ScreenShare;
            publication.sizes = info::sizes(&info, publication.encodings.len());
            let sdp_cid = cid(track);
            found.push(Found { track: track.frames.track, publication, sdp_cid, new: true });
        }
        self.take_up(peer, &found, &[])?;
        self.announce(peer, false);
        self.tell_published(peer, &found);
        self.reconcile_others(peer);
        Ok(())
    }
}

fn request(track: &LocalTrack) -> proto::AddTrackRequest {
    let kind = match track.frames.publication().kind {
        Kind::Audio => proto::TrackType::Audio,
        Kind::Video => proto::TrackType::Video,
    };
    let (width, height) = track.size;
    proto::AddTrackRequest {
        cid: cid(track),
        r#type: kind.into(),
        source: track.source.to_wire(),
        width,
        height,
        ..Default::default()
    }
}

fn cid(track: &LocalTrack) -> String {
    track.frames.track.0.to_string()
}
