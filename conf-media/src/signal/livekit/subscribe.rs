//! What a participant receives.
//!
//! A forwarded track needs one of the client's `recvonly` sections, and only the client can offer
//! those. So a new track waits until the next offer; `media_sections_requirement` asks for one,
//! with as many new sections as are missing.

use livekit_protocol as proto;
use proto::signal_response::Message as Response;

use super::Signal;
use super::info::track_sid;
use super::participant::Used;
use super::resume::MAX_SIDS;
use super::types::Refusal;
use crate::command::{Kind, PeerId, TrackId};

/// A track that a participant shall receive.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) track: TrackId,
    pub(super) kind: Kind,
    pub(super) publisher: PeerId,
}

impl Signal {
    /// The tracks that `peer` shall receive, those of the longest-present publishers first. Of a
    /// hidden one nothing: a client cannot place a track of somebody it does not know.
    pub(super) fn wanted(&self, peer: PeerId) -> Vec<Wanted> {
        let Some(participant) = self.participants.get(&peer) else { return Vec::new() };
        if !participant.profile.grants.can_subscribe() {
            return Vec::new();
        }
        let wishes = &participant.wishes;
        let mut publishers: Vec<_> = self.participants.values().collect();
        publishers.sort_by_key(|publisher| publisher.profile.joined);
        let others = publishers
            .into_iter()
            .filter(|publisher| publisher.peer != peer && !publisher.profile.grants.hidden);
        let tracks = others.flat_map(|publisher| {
            publisher.live_tracks().map(|track| Wanted {
                track: track.id,
                kind: track.kind,
                publisher: publisher.peer,
            })
        });
        tracks
            .filter(|wanted| *wishes.said.get(&wanted.track).unwrap_or(&wishes.auto))
            .filter(|wanted| !wishes.undecodable.contains(&wanted.track))
            .collect()
    }

    /// Stops what is no longer wanted, resumes what still has its section, asks for the rest.
    pub(super) fn reconcile(&mut self, peer: PeerId) {
        let wanted = self.wanted(peer);
        let current: Vec<TrackId> = self.room.subscriptions(peer).collect();
        for track in current {
            if !wanted.iter().any(|wanted| wanted.track == track) {
                self.room.unsubscribe(track, peer);
            }
        }
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        let mut missing = (0, 0);
        for wanted in wanted {
            match participant.transport.binding(wanted.track) {
                Some(binding) => {
                    // Both ends exist, and nobody wants its own track.
                    let subscription = binding.subscription.clone();
                    let _known = self.room.subscribe(wanted.track, peer, subscription);
                }
                None if wanted.kind == Kind::Audio => missing.0 += 1,
                None => missing.1 += 1,
            }
        }
        if missing != (0, 0) {
            self.require(peer, missing);
        }
    }

    /// Asks for an offer with room for as many tracks (audio, video).
    fn require(&mut self, peer: PeerId, missing: (u32, u32)) {
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        let transport = &mut participant.transport;
        let begun = transport.remote_ufrag.is_some();
        let away = participant.connection.is_none();
        if !begun || away || transport.asked || transport.in_vain >= MAX_IN_VAIN {
            return;
        }
        let free = |kind| {
            let slots = transport.slots.iter();
            let free = slots
                .filter(|slot| slot.kind == kind && matches!(slot.used, Used::Free | Used::Freed));
            u32::try_from(free.count()).unwrap_or(u32::MAX)
        };
        let requirement = proto::MediaSectionsRequirement {
            num_audios: missing.0.saturating_sub(free(Kind::Audio)),
            num_videos: missing.1.saturating_sub(free(Kind::Video)),
        };
        transport.asked = true;
        self.send(peer, Response::MediaSectionsRequirement(requirement));
    }

    /// Everybody else's subscriptions follow what `publisher` publishes now.
    pub(in crate::signal) fn reconcile_others(&mut self, publisher: PeerId) {
        let everybody: Vec<PeerId> = self.participants.keys().copied().collect();
        for peer in everybody {
            if peer != publisher {
                self.reconcile(peer);
            }
        }
    }

    /// The client wants tracks, or no longer.
    pub(super) fn subscription(
        &mut self,
        peer: PeerId,
        request: &proto::UpdateSubscription,
    ) -> Result<(), Refusal> {
        let listed = request.participant_tracks.iter().flat_map(|tracks| &tracks.track_sids);
        let sids = request.track_sids.iter().chain(listed).take(MAX_SIDS);
        let mut unknown = Vec::new();
        for sid in sids {
            let Some(track) = self.live_track(sid) else {
                unknown.push(sid.clone());
                continue;
            };
            let participant = self.participant(peer)?;
            participant.transport.in_vain = 0;
            if participant.wishes.auto == request.subscribe {
                participant.wishes.said.remove(&track);
            } else {
                participant.wishes.said.insert(track, request.subscribe);
            }
        }
        if request.subscribe {
            let err = proto::SubscriptionError::SeTrackNotfound.into();
            for track_sid in unknown {
                let response = proto::SubscriptionResponse { track_sid, err };
                self.send(peer, Response::SubscriptionResponse(response));
            }
        }
        self.reconcile(peer);
        Ok(())
    }

    pub(super) fn hide(&mut self, peer: PeerId, sid: &str, hidden: bool) {
        let Some(track) = self.live_track(sid) else { return };
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        if hidden {
            participant.wishes.hidden.insert(track);
        } else {
            participant.wishes.hidden.remove(&track);
        }
        self.room.pause(track, peer, hidden);
    }

    /// The client's browser shares no codec with the track.
    pub(super) fn undecodable(&mut self, peer: PeerId, track: TrackId) {
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        if participant.wishes.undecodable.insert(track) {
            let response = proto::SubscriptionResponse {
                track_sid: track_sid(track),
                err: proto::SubscriptionError::SeCodecUnsupported.into(),
            };
            self.send(peer, Response::SubscriptionResponse(response));
        }
    }

    pub(super) fn live_track(&self, sid: &str) -> Option<TrackId> {
        let mut participants = self.participants.values();
        let track = participants.find_map(|participant| participant.track(sid))?;
        track.mid.map(|_| track.id)
    }
}

/// So often an offer may come back without the sections that were asked for.
const MAX_IN_VAIN: u8 = 3;
