//! Answers offers: finds the published tracks in them and gives free sections to forwarded ones.

use std::collections::HashMap;

use livekit_protocol as proto;
use proto::signal_response::Message as Response;

use super::participant::{Binding, Door, Participant, Published, Slot, Used};
use super::subscribe::Wanted;
use super::types::{Fact, Refusal, Source, TrackState};
use super::{Signal, info};
use crate::command::{Label, PeerId, Publication, TrackId};
use crate::room::RoomError;
use crate::sdp::answer::{self, Local, Sending, Use};
use crate::sdp::{Offer, Section, SectionKind};

/// A published track that an offer carries.
pub(in crate::signal) struct Found {
    pub(in crate::signal) track: TrackId,
    pub(in crate::signal) publication: Publication,
    pub(in crate::signal) sdp_cid: String,
    pub(in crate::signal) new: bool,
}

impl Signal {
    pub(super) fn offer(
        &mut self,
        peer: PeerId,
        offer: &proto::SessionDescription,
    ) -> Result<(), Refusal> {
        let parsed = Offer::parse(&offer.sdp)?;
        self.answer(peer, offer.id, &parsed)
    }

    /// Answers an offer, and tells engine, others and meeting what it changed.
    pub(in crate::signal) fn answer(
        &mut self,
        peer: PeerId,
        id: u32,
        offer: &Offer,
    ) -> Result<(), Refusal> {
        self.participant(peer)?;
        self.room.expect(peer, offer.fingerprint).map_err(|error| match error {
            RoomError::FingerprintChanged => Refusal::FingerprintChanged,
            _ => Refusal::UnknownParticipant,
        })?;
        self.restart(peer, &offer.ice_ufrag)?;
        let (found, ended) = self.find_published(peer, offer)?;
        let changed = self.take_up(peer, &found, &ended)?;
        let slots = self.fill(peer, offer)?;
        let participant = self.participant(peer)?;
        participant.transport.slots = slots;
        self.send_answer(peer, id, offer)?;
        if changed {
            self.announce(peer, false);
            self.tell_published(peer, &found);
            self.reconcile_others(peer);
        }
        self.reconcile(peer);
        Ok(())
    }

    /// A new user name fragment of the client restarts ICE; ours changes with it.
    fn restart(&mut self, peer: PeerId, remote: &str) -> Result<(), Refusal> {
        let fresh = self.random.credentials();
        let transport = &mut self.participant(peer)?.transport;
        let before = transport.remote_ufrag.replace(remote.to_owned());
        if before.is_some_and(|before| before != remote) {
            transport.credentials = fresh.clone();
            let known = self.room.restart_ice(peer, fresh);
            known.map_err(|_| Refusal::UnknownParticipant)?;
        }
        Ok(())
    }

    /// Which of the client's tracks the offer carries, and which it no longer does.
    fn find_published(
        &mut self,
        peer: PeerId,
        offer: &Offer,
    ) -> Result<(Vec<Found>, Vec<TrackId>), Refusal> {
        let participant = self.participant(peer)?;
        let mut found: Vec<Found> = Vec::new();
        for section in sending(offer) {
            let Some(mut publication) = section.publication() else { continue };
            let taken: Vec<TrackId> = found.iter().map(|found| found.track).collect();
            let Some(track) = match_track(participant, section, &taken) else { continue };
            publication.screen = track.source == Source::ScreenShare;
            publication.sizes = info::sizes(&track.info, publication.encodings.len());
            found.push(Found {
                track: track.id,
                publication,
                sdp_cid: sdp_cid(section).unwrap_or(&track.cid).to_owned(),
                new: track.mid.is_none(),
            });
        }
        let live = participant.live_tracks().map(|track| track.id);
        let ended = live.filter(|id| !found.iter().any(|found| found.track == *id)).collect();
        Ok((found, ended))
    }

    /// Publishes what was found, ends what was not. True if others must hear of it.
    pub(in crate::signal) fn take_up(
        &mut self,
        peer: PeerId,
        found: &[Found],
        ended: &[TrackId],
    ) -> Result<bool, Refusal> {
        self.unpublish(peer, ended);
        let mut changed = !ended.is_empty();
        for Found { track: id, publication, sdp_cid, new } in found {
            let published = self.room.publish(*id, peer, publication.clone());
            published.map_err(|_| Refusal::TooManyTracks { limit: crate::room::MAX_TRACKS })?;
            let tracks = &mut self.participant(peer)?.tracks;
            let Some(track) = tracks.iter_mut().find(|track| track.id == *id) else { continue };
            track.mid = Some(publication.mid);
            if *new {
                info::negotiated(track, publication, sdp_cid);
                let muted = track.info.muted;
                let _known = self.room.mute(*id, muted); // just published
            }
            changed |= new;
        }
        Ok(changed)
    }

    pub(in crate::signal) fn tell_published(&mut self, peer: PeerId, found: &[Found]) {
        let Some(participant) = self.participants.get(&peer) else { return };
        let identity = &participant.profile.identity;
        let new = found.iter().filter(|found| found.new).filter_map(|found| {
            let track = participant.tracks.iter().find(|track| track.id == found.track)?;
            let state = if track.info.muted { TrackState::Muted } else { TrackState::On };
            Some(Fact::Track { identity: identity.clone(), source: track.source, state })
        });
        let facts: Vec<Fact> = new.collect();
        facts.into_iter().for_each(|fact| self.fact(fact));
        for other in self.participants.values_mut() {
            other.transport.in_vain = 0;
        }
    }

    /// What becomes of every media section now.
    fn fill(&mut self, peer: PeerId, offer: &Offer) -> Result<Vec<Slot>, Refusal> {
        let wanted = self.wanted(peer);
        let before = std::mem::take(&mut self.participant(peer)?.transport.slots);
        let mut slots: Vec<Slot> = Vec::with_capacity(offer.sections.len());
        for section in &offer.sections {
            let Some(kind) = section.media_kind() else { continue };
            let old = before.iter().find(|slot| slot.mid == section.mid).map(|slot| &slot.used);
            let used = use_of(section, old, &wanted);
            slots.push(Slot { mid: section.mid, kind, used });
        }
        let mut bound = 0_usize;
        for wanted in wanted {
            let sends =
                |slot: &Slot| matches!(&slot.used, Used::Sending(b) if b.track == wanted.track);
            if !slots.iter().any(sends) {
                bound += usize::from(self.bind(peer, offer, &mut slots, &wanted));
            }
        }
        let transport = &mut self.participant(peer)?.transport;
        let asked = std::mem::replace(&mut transport.asked, false);
        if bound > 0 {
            transport.in_vain = 0;
        } else if asked {
            transport.in_vain = transport.in_vain.saturating_add(1);
        }
        Ok(slots)
    }

    /// Gives a track the first section that was free before this offer, or is new in it.
    fn bind(&mut self, peer: PeerId, offer: &Offer, slots: &mut [Slot], wanted: &Wanted) -> bool {
        let Some(publisher) = self.participants.get(&wanted.publisher) else { return false };
        let cname = publisher.transport.cname.clone();
        let (ssrc, rtx) = (self.random.ssrc(), self.random.ssrc());
        let free = slots
            .iter_mut()
            .find(|slot| slot.kind == wanted.kind && matches!(slot.used, Used::Free));
        let Some(slot) = free else { return false };
        let section = offer.sections.iter().find(|section| section.mid == slot.mid);
        let subscription = section.and_then(|section| section.subscription(ssrc, rtx, &cname));
        let Some(subscription) = subscription else { return false };
        let published = self.room.publication(wanted.track);
        let decodable = published.is_some_and(|published| {
            let ours =
                published.codecs.iter().map(|payload| std::mem::discriminant(&payload.codec));
            let theirs = &subscription.codecs;
            let mut ours = ours;
            ours.any(|codec| {
                theirs.iter().any(|payload| std::mem::discriminant(&payload.codec) == codec)
            })
        });
        if !decodable {
            self.undecodable(peer, wanted.track);
            return false;
        }
        slot.used = Used::Sending(Binding { track: wanted.track, subscription });
        true
    }

    fn send_answer(&mut self, peer: PeerId, id: u32, offer: &Offer) -> Result<(), Refusal> {
        self.subscribe_bound(peer);
        let Some(participant) = self.participants.get(&peer) else { return Ok(()) };
        let uses = self.uses(participant, offer);
        let transport = &participant.transport;
        let local = Local {
            credentials: &transport.credentials,
            fingerprint: self.config.fingerprint,
            candidates: &self.config.candidates,
            session: transport.session,
            version: transport.version + 1,
        };
        let sdp = answer::write(offer, &local, &uses);
        let sending = transport.slots.iter().filter_map(|slot| match &slot.used {
            Used::Sending(binding) => {
                Some((slot.mid.as_str().to_owned(), info::track_sid(binding.track)))
            }
            _ => None,
        });
        let mid_to_track_id: HashMap<String, String> = sending.collect();
        self.participant(peer)?.transport.version += 1;
        match self.participant(peer)?.door {
            Door::Whip => self.whip_answer(peer, sdp),
            Door::Local => {} // it never offers
            Door::LiveKit => {
                let r#type = "answer".to_owned();
                let answer = proto::SessionDescription { r#type, sdp, id, mid_to_track_id };
                self.send(peer, Response::Answer(answer));
            }
        }
        Ok(())
    }

    /// The engine forwards what has a section.
    fn subscribe_bound(&mut self, peer: PeerId) {
        let Some(participant) = self.participants.get(&peer) else { return };
        for slot in &participant.transport.slots {
            let Used::Sending(binding) = &slot.used else { continue };
            let subscription = binding.subscription.clone();
            // A track that ended meanwhile is unknown, and `fill` kept only wanted ones.
            if self.room.subscribe(binding.track, peer, subscription).is_err() {
                continue;
            }
            let wishes = &participant.wishes;
            if let Some(preference) = wishes.shown.get(&binding.track) {
                self.room.prefer(binding.track, peer, *preference);
            }
            if wishes.hidden.contains(&binding.track) {
                self.room.pause(binding.track, peer, true);
            }
        }
    }

    fn uses(&self, participant: &Participant, offer: &Offer) -> Vec<Use> {
        let mut data = false;
        let sections = offer.sections.iter();
        let uses = sections.map(|section| match section.kind {
            SectionKind::Application => {
                let first = !std::mem::replace(&mut data, true);
                let sctp = section.application.is_some() && section.protocol.contains("SCTP");
                if first && sctp && !section.stopped { Use::Data } else { Use::Rejected }
            }
            SectionKind::Other => Use::Rejected,
            _ if section.stopped || section.payloads().is_empty() => Use::Rejected,
            _ => self.media_use(participant, section.mid),
        });
        uses.collect()
    }

    fn media_use(&self, participant: &Participant, mid: Label) -> Use {
        let slot = participant.transport.slots.iter().find(|slot| slot.mid == mid);
        match slot.map(|slot| &slot.used) {
            Some(Used::Sending(Binding { track, subscription })) => {
                let published = self.participants.values().find_map(|known| {
                    Some((known, known.tracks.iter().find(|published| published.id == *track)?))
                });
                let Some((publisher, published)) = published else { return Use::Inactive };
                Use::Send(Sending {
                    stream: info::stream(&publisher.profile.sid, published),
                    track: info::track_sid(*track),
                    ssrc: subscription.ssrc,
                    rtx_ssrc: subscription.rtx_ssrc,
                    cname: subscription.cname.clone(),
                })
            }
            Some(Used::Receiving) => {
                let live = participant.live_tracks().find(|track| track.mid == Some(mid));
                live.map_or(Use::Inactive, |track| Use::Receive { prefer: track.codec_name() })
            }
            _ => Use::Inactive,
        }
    }
}

/// A section keeps its track as long as that is wanted; then it is `inactive` for one answer
/// before another track may take it, or the client would not notice the change.
fn use_of(section: &Section, old: Option<&Used>, wanted: &[Wanted]) -> Used {
    if section.stopped || section.payloads().is_empty() {
        return Used::Idle;
    }
    if section.direction.sends() {
        return Used::Receiving;
    }
    if section.direction != crate::sdp::Direction::RecvOnly {
        return if matches!(old, Some(Used::Receiving)) { Used::Receiving } else { Used::Idle };
    }
    match old {
        Some(Used::Sending(binding)) => {
            let track = binding.track;
            let kept = wanted.iter().any(|wanted| wanted.track == track);
            let ids = &binding.subscription;
            let (rtx, cname) = (ids.rtx_ssrc.unwrap_or(0), &ids.cname);
            match section.subscription(ids.ssrc, rtx, cname) {
                Some(subscription) if kept => Used::Sending(Binding { track, subscription }),
                _ => Used::Freed,
            }
        }
        _ => Used::Free,
    }
}

/// The sections in which the client sends.
fn sending(offer: &Offer) -> impl Iterator<Item = &Section> {
    let sections = offer.sections.iter();
    sections.filter(|section| !section.stopped && section.direction.sends())
}

/// The track that a section carries: the one it carried before, the one it names, or else the
/// first announced one of its kind (a section that the client used before is not guessed at).
fn match_track<'a>(
    participant: &'a Participant,
    section: &Section,
    taken: &[TrackId],
) -> Option<&'a Published> {
    let kind = section.media_kind()?;
    let cid = sdp_cid(section);
    let free = || {
        let tracks = participant.tracks.iter();
        tracks.filter(|track| track.kind == kind && !taken.contains(&track.id))
    };
    let named = free().find(|track| track.mid.is_none() && cid == Some(bare(&track.cid)));
    let before = free().find(|track| track.mid == Some(section.mid));
    if let Some(before) = before {
        let same = cid.is_none() || cid == Some(bare(&before.cid)) || named.is_none();
        return if same { Some(before) } else { named };
    }
    let used = participant
        .transport
        .slots
        .iter()
        .any(|slot| slot.mid == section.mid && matches!(slot.used, Used::Receiving));
    named.or_else(|| free().find(|track| track.mid.is_none()).filter(|_| !used))
}

/// The track's name in the offer, without the braces that some browsers write.
fn sdp_cid(section: &Section) -> Option<&str> {
    let old = section.ssrcs.iter().find_map(|ssrc| ssrc.msid.as_ref());
    let msid = section.msid.as_ref().or(old)?;
    (!msid.track.is_empty()).then(|| bare(&msid.track))
}

fn bare(cid: &str) -> &str {
    cid.trim_start_matches('{').trim_end_matches('}')
}
