//! In which size tracks are shown, and so which encodings their publishers have to make.
//!
//! Clients tell the size of each tile, again and again. The engine sends what fits; here it is summed
//! up for the publishers: an encoding that nobody has a use for is switched off, which is told
//! [`LOWER_AFTER`] that lasts, and one that somebody needs again is switched on at once.

use std::time::{Duration, Instant};

use livekit_protocol as proto;
use proto::signal_response::Message as Response;

use super::Signal;
use super::participant::Published;
use super::resume::MAX_SIDS;
use super::types::Refusal;
use crate::allocate::size;
use crate::command::{Grade, Kind, PeerId, Preference, Quality, TrackId};
use crate::time::Now;

impl Signal {
    /// The client shows tracks in some size, or hides them.
    pub(super) fn track_setting(
        &mut self,
        peer: PeerId,
        request: &proto::UpdateTrackSettings,
    ) -> Result<(), Refusal> {
        let preference = preference(request);
        for sid in request.track_sids.iter().take(MAX_SIDS) {
            self.hide(peer, sid, request.disabled);
            let Some(track) = self.live_track(sid).filter(|_| !request.disabled) else { continue };
            self.participant(peer)?.wishes.shown.insert(track, preference);
            self.room.prefer(track, peer, preference);
        }
        Ok(())
    }

    /// How good a participant's connection is, for everybody; its own client shows it too. Never
    /// that it is lost: clients then begin anew by themselves.
    pub(super) fn connection_quality(&mut self, peer: PeerId, quality: Quality) {
        let Some(participant) = self.participants.get(&peer) else { return };
        let hidden = participant.profile.grants.hidden;
        let grade = match quality.grade {
            Grade::Excellent => proto::ConnectionQuality::Excellent,
            Grade::Good => proto::ConnectionQuality::Good,
            Grade::Poor => proto::ConnectionQuality::Poor,
        };
        let info = proto::ConnectionQualityInfo {
            participant_sid: participant.profile.sid.clone(),
            quality: grade.into(),
            score: quality.score / 20.0, // clients know scores up to 5
        };
        let update = proto::ConnectionQualityUpdate { updates: vec![info] };
        let message = Response::ConnectionQuality(update);
        let everybody: Vec<PeerId> = self.participants.keys().copied().collect();
        for other in everybody {
            if other == peer || !hidden {
                self.send(other, message.clone());
            }
        }
    }

    /// Tells publishers which encodings are needed, where that changed.
    pub(in crate::signal) fn tell_needed(&mut self, now: Now) {
        let due = self.needed_at.is_some_and(|at| at <= now.mono);
        if !due && self.needed_as_of == Some(self.room.audience()) {
            return;
        }
        self.needed_as_of = Some(self.room.audience());
        self.needed_at = None;
        let video = self.room.tracks().filter(|(_, _, kind)| *kind == Kind::Video);
        let tracks: Vec<(TrackId, PeerId)> = video.map(|(track, peer, _)| (track, peer)).collect();
        for (track, publisher) in tracks {
            let Some((needed, count)) = self.needed(track) else { continue };
            let at = self.note_needed(now.mono, (track, publisher), needed, count);
            self.needed_at = self.needed_at.into_iter().chain(at).min();
        }
    }

    /// How many encodings of a track somebody has a use for, the lower ones first, and how many
    /// there are.
    fn needed(&self, track: TrackId) -> Option<(u8, u8)> {
        let publication = self.room.publication(track)?;
        let count = publication.encodings.len();
        let shown = self.room.subscribers(track).filter(|(_, hidden, _)| !hidden);
        let most = shown.map(|(_, _, preference)| {
            size::encoding_for(publication, &preference).saturating_add(1).min(count)
        });
        Some((u8::try_from(most.max().unwrap_or(0)).ok()?, u8::try_from(count).ok()?))
    }

    /// Tells the publisher now, or says when it may have to be told.
    fn note_needed(
        &mut self,
        now: Instant,
        (track, publisher): (TrackId, PeerId),
        needed: u8,
        count: u8,
    ) -> Option<Instant> {
        let participant = self.participants.get_mut(&publisher)?;
        let published = participant.tracks.iter_mut().find(|it| it.id == track)?;
        let known = &mut published.needed;
        let told = known.told.unwrap_or(count);
        if needed == told {
            known.lower_at = None;
            return None;
        }
        if needed < told {
            let at = *known.lower_at.get_or_insert(now + LOWER_AFTER);
            if now < at {
                return Some(at);
            }
        }
        known.told = Some(needed);
        known.lower_at = None;
        let update = update(published, needed, count);
        self.send(publisher, Response::SubscribedQualityUpdate(update));
        None
    }

    /// A client that was away for a while hears all of it again.
    pub(super) fn tell_needed_again(&mut self, peer: PeerId) {
        if let Some(participant) = self.participants.get_mut(&peer) {
            for published in &mut participant.tracks {
                published.needed.told = None;
            }
            self.needed_as_of = None;
        }
    }
}

/// How the client shows a track. Sizes count; a quality only where there is none.
fn preference(request: &proto::UpdateTrackSettings) -> Preference {
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    let size = (side(request.width), side(request.height));
    let sized = size.0 > 0 && size.1 > 0;
    let encoding = match proto::VideoQuality::try_from(request.quality) {
        Ok(proto::VideoQuality::Low) => Some(0),
        Ok(proto::VideoQuality::Medium) => Some(1),
        _ => None,
    };
    Preference {
        size: sized.then_some(size),
        encoding: encoding.filter(|_| !sized),
        frame_rate: u8::try_from(request.fps).ok().filter(|&rate| rate > 0),
        priority: u8::try_from(request.priority).unwrap_or(u8::MAX),
    }
}

/// Low, medium and high are the encodings from the lowest up; where there are fewer, the last one
/// stands for the rest.
#[expect(deprecated, reason = "older clients read the list without codecs")]
fn update(published: &Published, needed: u8, count: u8) -> proto::SubscribedQualityUpdate {
    use proto::VideoQuality::{High, Low, Medium};
    let qualities = (0u8..).zip([Low, Medium, High]).map(|(index, quality)| {
        let enabled = needed > index.min(count.saturating_sub(1));
        proto::SubscribedQuality { quality: quality.into(), enabled }
    });
    let qualities: Vec<_> = qualities.collect();
    let codec = published.codec_name().unwrap_or_default().to_ascii_lowercase();
    proto::SubscribedQualityUpdate {
        track_sid: published.info.sid.clone(),
        subscribed_qualities: qualities.clone(),
        subscribed_codecs: vec![proto::SubscribedCodec { codec, qualities }],
    }
}

/// A tile that is hidden for a moment costs no keyframe.
const LOWER_AFTER: Duration = Duration::from_secs(5);
