//! Players: slots that stay, and what fills them.
//!
//! A slot is a media section with an SSRC of its own. Pictures fill the slots of a player in the
//! order in which their publishers came, and keep them. Sounds do too while there are enough slots;
//! where there are more microphones, somebody who speaks takes the slot of somebody who does not.
//! What is muted gives its slot away when another needs it. The engine goes on with the numbering
//! of a slot when another track fills it, so for the receiver it stays one stream.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::Play;
use crate::command::{Event, Kind, PeerId, Subject, Subscription, TrackId};
use crate::room::Room;
use crate::sdp::answer::{self, Local, Sending, Use};
use crate::sdp::{Direction, Offer, Section};
use crate::signal::Signal;
use crate::signal::livekit::info;
use crate::signal::livekit::resume::GRACE;
use crate::signal::participant::{Participant, Published};
use crate::signal::types::{Identity, Refusal, Source};
use crate::time::Now;

/// The players of a meeting.
#[derive(Default)]
pub(in crate::signal) struct Players {
    table: BTreeMap<PeerId, Player>,
    /// Those whose media does not flow, by when they are given up.
    away: BTreeSet<(Instant, PeerId)>,
    /// The state of the room in which the slots were filled last.
    filled: u64,
    /// Who speaks has changed since.
    outdated: bool,
}

/// One WHEP client.
struct Player {
    identity: Identity,
    of: Option<Identity>,
    slots: Vec<Slot>,
    /// When it is given up: its media does not flow.
    gone_at: Option<Instant>,
}

/// One of its sections.
struct Slot {
    kind: Kind,
    subscription: Subscription,
    /// What fills it.
    track: Option<TrackId>,
}

/// A track that may fill a slot.
struct Candidate<'a> {
    track: TrackId,
    kind: Kind,
    publisher: &'a Identity,
    /// Of the codec in which it is published.
    mime: &'a str,
    /// A higher one takes a slot from a lower one.
    rank: u8,
}

impl Players {
    pub(in crate::signal) fn len(&self) -> usize {
        self.table.len()
    }

    pub(in crate::signal) fn timeout(&self) -> Option<Instant> {
        self.away.first().map(|(at, _)| *at)
    }

    fn insert(&mut self, peer: PeerId, player: Player) {
        self.away.extend(player.gone_at.map(|at| (at, peer)));
        self.table.insert(peer, player);
    }

    fn remove(&mut self, peer: PeerId) -> Option<Player> {
        self.wait_until(peer, None);
        self.table.remove(&peer)
    }

    /// Its media does not flow, or flows again.
    fn wait_until(&mut self, peer: PeerId, gone_at: Option<Instant>) {
        let Some(player) = self.table.get_mut(&peer) else { return };
        if let Some(before) = std::mem::replace(&mut player.gone_at, gone_at) {
            self.away.remove(&(before, peer));
        }
        self.away.extend(gone_at.map(|at| (at, peer)));
    }

    /// Who speaks has changed.
    pub(in crate::signal) fn outdated(&mut self) {
        self.outdated = true;
    }
}

impl Signal {
    pub(in crate::signal) fn whip_play(&mut self, now: Now, play: Play) -> Result<(), Refusal> {
        let Play { peer, identity, of, offer } = play;
        if self.ended || of.as_ref().is_some_and(|of| self.peer_of(of).is_none()) {
            return Err(Refusal::UnknownParticipant);
        }
        let limit = self.config.players;
        if self.players.len() >= limit {
            return Err(Refusal::TooManyPlayers { limit });
        }
        let (credentials, session) = (self.random.credentials(), self.random.number());
        let slots = self.slots(&offer);
        if slots.is_empty() {
            return Err(Refusal::NothingReceived);
        }
        let local = Local {
            credentials: &credentials,
            fingerprint: self.config.fingerprint,
            candidates: &self.config.candidates,
            session,
            version: 1,
        };
        let sdp = answer::write(&offer, &local, &uses(&offer, &slots));
        self.room.add_peer(peer, credentials);
        // The peer is new, so it has no other certificate.
        let _new = self.room.expect(peer, offer.fingerprint);
        let mut player = Player { identity, of, slots, gone_at: Some(now.mono + GRACE) };
        player.fill(peer, &stage(&self.participants), &mut self.room);
        self.players.insert(peer, player);
        self.whip_answer(peer, sdp);
        self.tell_players();
        Ok(())
    }

    fn slots(&mut self, offer: &Offer) -> Vec<Slot> {
        let cname = self.random.text(16);
        let mut slots = Vec::new();
        for section in offer.sections.iter().filter(|section| is_slot(section)) {
            let (ssrc, rtx) = (self.random.ssrc(), self.random.ssrc());
            let subscription = section.subscription(ssrc, rtx, &cname);
            if let (Some(kind), Some(subscription)) = (section.media_kind(), subscription) {
                slots.push(Slot { kind, subscription, track: None });
            }
        }
        slots
    }

    /// The engine reports about a player, or whom the loudest are.
    pub(in crate::signal) fn player_media(&mut self, now: Now, event: &Event) {
        let Subject::Peer(peer) = event.subject() else { return };
        match event {
            Event::Connected { .. } | Event::Reconnected { .. } => {
                self.players.wait_until(peer, None);
            }
            Event::Disconnected { .. } => {
                self.players.wait_until(peer, Some(now.mono + GRACE));
            }
            Event::Failed { .. } => {
                self.end_player(peer);
            }
            _ => {}
        }
    }

    /// A microphone entered or left the loudest of the room.
    pub(in crate::signal) fn heard(&mut self, track: TrackId, heard: bool) {
        let tracks = self.participants.values_mut().flat_map(|known| &mut known.tracks);
        if let Some(known) = tracks.into_iter().find(|known| known.id == track) {
            known.heard = heard;
            self.players.outdated();
        }
    }

    /// Fills the slots of all players anew, if something has changed.
    pub(in crate::signal) fn fill_players(&mut self) {
        let Self { room, players, participants, .. } = self;
        let revision = room.revision();
        let changed = std::mem::replace(&mut players.filled, revision) != revision;
        if std::mem::take(&mut players.outdated) || changed {
            let stage = stage(participants);
            for (peer, player) in &mut players.table {
                player.fill(*peer, &stage, room);
            }
        }
    }

    /// Whose media was away longer than the grace is given up.
    pub(in crate::signal) fn give_up_players(&mut self, now: Now) {
        while self.players.timeout().is_some_and(|at| at <= now.mono)
            && let Some((_, peer)) = self.players.away.pop_first()
        {
            self.end_player(peer);
        }
    }

    /// Whoever was removed does not listen on.
    pub(in crate::signal) fn end_players_of(&mut self, identity: &Identity) {
        self.end_those(|player| player.identity == *identity);
    }

    /// The meeting is over.
    pub(in crate::signal) fn end_players(&mut self) {
        self.end_those(|_| true);
    }

    fn end_those(&mut self, wanted: impl Fn(&Player) -> bool) {
        let table = self.players.table.iter();
        let peers: Vec<PeerId> =
            table.filter(|(_, player)| wanted(player)).map(|(peer, _)| *peer).collect();
        for peer in peers {
            self.end_player(peer);
        }
    }

    /// Whether there was one.
    pub(super) fn end_player(&mut self, peer: PeerId) -> bool {
        let known = self.players.remove(peer).is_some();
        if known {
            self.room.remove_peer(peer);
            self.tell_players();
        }
        known
    }
}

impl Player {
    fn fill(&mut self, peer: PeerId, stage: &[Candidate<'_>], room: &mut Room) {
        let Self { identity, of, slots, .. } = self;
        let wanted = |candidate: &&Candidate<'_>| {
            candidate.publisher != identity
                && of.as_ref().is_none_or(|of| candidate.publisher == of)
        };
        let stage: Vec<&Candidate<'_>> = stage.iter().filter(wanted).collect();
        for slot in slots.iter_mut() {
            if slot.track.is_some_and(|track| !stage.iter().any(|known| known.track == track)) {
                slot.put(None, peer, room);
            }
        }
        let placed = |slots: &[Slot], track| slots.iter().any(|slot| slot.track == Some(track));
        let mut waiting: Vec<&Candidate<'_>> =
            stage.iter().copied().filter(|known| !placed(slots, known.track)).collect();
        // Stable: who came first goes first.
        waiting.sort_by_key(|candidate| Reverse(candidate.rank));
        for candidate in waiting {
            let rank_of = |slot: &Slot| {
                let known = stage.iter().find(|known| slot.track == Some(known.track));
                known.map(|known| known.rank)
            };
            let fitting = slots.iter_mut().filter(|slot| slot.takes(candidate));
            let least = fitting.min_by_key(|slot| rank_of(slot));
            if let Some(slot) = least.filter(|slot| rank_of(slot) < Some(candidate.rank)) {
                slot.put(Some(candidate.track), peer, room);
            }
        }
    }
}

impl Slot {
    fn takes(&self, candidate: &Candidate<'_>) -> bool {
        let mut codecs = self.subscription.codecs.iter();
        self.kind == candidate.kind
            && codecs.any(|known| info::mime(known.codec).eq_ignore_ascii_case(candidate.mime))
    }

    fn put(&mut self, track: Option<TrackId>, peer: PeerId, room: &mut Room) {
        if let Some(before) = std::mem::replace(&mut self.track, track) {
            room.unsubscribe(before, peer);
        }
        if let Some(track) = track {
            // Both ends exist, and a player publishes nothing.
            let _known = room.subscribe(track, peer, self.subscription.clone());
        }
    }
}

/// All that may be played, those of the longest-present publishers first.
fn stage(participants: &BTreeMap<PeerId, Participant>) -> Vec<Candidate<'_>> {
    let mut publishers: Vec<_> =
        participants.values().filter(|known| !known.profile.grants.hidden).collect();
    publishers.sort_by_key(|publisher| publisher.profile.joined);
    let tracks = publishers.into_iter().flat_map(|publisher| {
        publisher.live_tracks().map(|track| Candidate {
            track: track.id,
            kind: track.kind,
            publisher: &publisher.profile.identity,
            mime: &track.info.mime_type,
            rank: rank(track, publisher.speaker.speaking),
        })
    });
    tracks.collect()
}

fn rank(track: &Published, speaking: bool) -> u8 {
    if track.info.muted {
        return 0;
    }
    let voice = track.source == Source::Microphone;
    1 + u8::from(track.heard) + 2 * u8::from(voice && speaking)
}

/// Whether a section of an offer can be played to.
pub(super) fn is_slot(section: &Section) -> bool {
    let receives = matches!(section.direction, Direction::RecvOnly | Direction::SendRecv);
    receives && !section.stopped && section.media_kind().is_some() && !section.payloads().is_empty()
}

/// Each slot is a track of the answer, filled or not. The first sound and the first picture are one
/// stream, kept together in time, and so are the second ones.
fn uses(offer: &Offer, slots: &[Slot]) -> Vec<Use> {
    let mut counts = [0_usize; 2];
    let mut used = |section: &Section| {
        let Some(kind) = section.media_kind().filter(|_| !section.stopped) else {
            return Use::Rejected;
        };
        if section.payloads().is_empty() {
            return Use::Rejected;
        }
        let slot = slots.iter().find(|slot| slot.subscription.mid == section.mid);
        let Some(Slot { subscription, .. }) = slot else { return Use::Inactive };
        let [audio, video] = &mut counts;
        let (count, word) = match kind {
            Kind::Audio => (audio, "audio"),
            Kind::Video => (video, "video"),
        };
        *count += 1;
        Use::Send(Sending {
            stream: format!("conf-{count}"),
            track: format!("{word}-{count}"),
            ssrc: subscription.ssrc,
            rtx_ssrc: subscription.rtx_ssrc,
            cname: subscription.cname.clone(),
        })
    };
    offer.sections.iter().map(&mut used).collect()
}
