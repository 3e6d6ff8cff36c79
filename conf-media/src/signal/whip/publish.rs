//! A WHIP client becomes a participant that publishes what its offer sends.

use livekit_protocol as proto;

use super::Publish;
use crate::command::{Kind, TrackId};
use crate::room::MAX_TRACKS;
use crate::sdp::Offer;
use crate::signal::Signal;
use crate::signal::livekit::leave::Farewell;
use crate::signal::livekit::resume::GRACE;
use crate::signal::livekit::token::Grants;
use crate::signal::participant::{Door, Profile};
use crate::signal::types::{Refusal, Source};
use crate::time::Now;

impl Signal {
    pub(in crate::signal) fn whip_publish(
        &mut self,
        now: Now,
        publish: Publish,
    ) -> Result<(), Refusal> {
        let Publish { peer, claims, sid_number, offer } = publish;
        if self.ended {
            return Err(Refusal::UnknownParticipant);
        }
        let announced = plan(&offer, &claims.grants)?;
        if let Some(old) = self.peer_of(&claims.identity) {
            self.farewell(old, Farewell::DUPLICATE_IDENTITY);
        }
        let profile =
            Profile::claimed(claims, sid_number, proto::participant_info::State::Joined, now);
        let mut participant = self.newcomer(now, peer, profile, Door::Whip);
        participant.gone_at = Some(now.mono + GRACE);
        self.participants.insert(peer, participant);
        for request in announced {
            let id = TrackId(self.random.number());
            self.announced_track(peer, id, &request)?;
        }
        self.answer(peer, 0, &offer)
    }
}

/// The tracks that an offer publishes, in the order of its sections, as other clients announce
/// theirs. The section's name stands for that of the track, which tools leave out or give twice.
pub(super) fn plan(offer: &Offer, grants: &Grants) -> Result<Vec<proto::AddTrackRequest>, Refusal> {
    if !grants.can_publish() {
        return Err(Refusal::NotAllowed);
    }
    let mut planned: Vec<proto::AddTrackRequest> = Vec::new();
    let sections = offer.sections.iter();
    for section in sections.filter(|section| !section.stopped && section.direction.sends()) {
        let Some(publication) = section.publication() else { continue };
        let free = sources(publication.kind).into_iter().find(|source| {
            let taken = planned.iter().any(|planned| planned.source == source.to_wire());
            grants.can_publish_source(*source) && (!taken || *source == Source::Unknown)
        });
        let kind = match publication.kind {
            Kind::Audio => proto::TrackType::Audio,
            Kind::Video => proto::TrackType::Video,
        };
        planned.push(proto::AddTrackRequest {
            cid: section.mid.as_str().to_owned(),
            r#type: kind.into(),
            source: free.ok_or(Refusal::NotAllowed)?.to_wire(),
            ..Default::default()
        });
    }
    match planned.len() {
        0 => Err(Refusal::NothingSent),
        1..=MAX_TRACKS => Ok(planned),
        _ => Err(Refusal::TooManyTracks { limit: MAX_TRACKS }),
    }
}

/// What the first section of a kind is, the second, and all others.
fn sources(kind: Kind) -> [Source; 3] {
    match kind {
        Kind::Audio => [Source::Microphone, Source::ScreenShareAudio, Source::Unknown],
        Kind::Video => [Source::Camera, Source::ScreenShare, Source::Unknown],
    }
}
