//! From a datagram to a packet in the ring.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::command::Event;
use crate::egress::Destination;
use crate::forward::speaker::Speaker;
use crate::ice::{self, IceError};
use crate::peer::{self, Binding, Peer, Role};
use crate::rtp::{self, Class, View};
use crate::slab::Key;
use crate::srtp::{Opener, SrtpError};
use crate::stats::DropReason;
use crate::stun;
use crate::time::Now;
use crate::track::ring::{Entry, Kept};
use crate::track::{SILENCE, Track};

use super::Shard;
use super::relay::Packet;

impl Shard {
    /// Takes one datagram and counts what becomes of it. What it adds to the burst is not sent yet.
    pub(super) fn take(
        &mut self,
        now: Now,
        from: SocketAddr,
        bytes: &mut [u8],
        arrival: Instant,
    ) -> Result<(), DropReason> {
        self.in_work = None;
        self.out.counters.datagrams_in += 1;
        self.out.counters.bytes_in += bytes.len() as u64;
        let taken = self.datagram(now, from, bytes, arrival);
        if let Err(reason) = taken {
            self.out.counters.drop_one(reason);
        }
        taken
    }

    /// Tells the protocols of the port apart.
    pub(super) fn datagram(
        &mut self,
        now: Now,
        from: SocketAddr,
        bytes: &mut [u8],
        arrival: Instant,
    ) -> Result<(), DropReason> {
        let class = rtp::classify(bytes);
        if class != Class::Rtp {
            self.send_burst(now);
        }
        let done = match class {
            Class::Stun => self.check(now, from, bytes, arrival),
            Class::Dtls => {
                let peer = self.addresses.get(&from).and_then(|&peer| self.peers.get(peer));
                let peer = peer.ok_or(DropReason::UnvalidatedAddress);
                peer.and_then(|peer| self.out.hand_over(peer, bytes))
            }
            Class::Rtp => self.rtp(now, from, bytes, arrival),
            Class::Rtcp => self.rtcp(now, from, bytes, arrival),
            Class::Unknown => Err(DropReason::Unclassified),
        };
        match done {
            Err(DropReason::UnvalidatedAddress) => self.elsewhere(from, bytes, arrival),
            done => done,
        }
    }

    /// Opens a packet or compound in place with the keys of the peer whose checks came from there.
    pub(super) fn open<'a>(
        &mut self,
        from: SocketAddr,
        bytes: &'a mut [u8],
        open: fn(&mut Opener, &mut [u8]) -> Result<usize, SrtpError>,
    ) -> Result<(Key<Peer>, &'a mut [u8]), DropReason> {
        let key = *self.addresses.get(&from).ok_or(DropReason::UnvalidatedAddress)?;
        self.work_for(key);
        let peer = self.peers.get_mut(key).ok_or(DropReason::UnvalidatedAddress)?;
        let opener = peer.opener().ok_or(DropReason::NoKeys)?;
        let len = open(opener, bytes).map_err(|error| match error {
            SrtpError::TooManySources { .. } => DropReason::TooManySources,
            _ => DropReason::Unopened,
        })?;
        peer.upstream.packets += 1;
        peer.upstream.bytes += len as u64;
        Ok((key, bytes.get_mut(..len).ok_or(DropReason::Unopened)?))
    }

    /// A connectivity check.
    fn check(
        &mut self,
        now: Now,
        from: SocketAddr,
        bytes: &[u8],
        arrival: Instant,
    ) -> Result<(), DropReason> {
        let message = stun::parse(bytes).map_err(|_| DropReason::Stun)?;
        let ufrag = message.local_ufrag().ok_or(DropReason::Stun)?;
        let Some(&key) = self.ufrags.get(ufrag) else {
            return self.check_elsewhere((from, arrival), &message, ufrag, bytes);
        };
        if self.is_held(from, key, now.mono) || self.others.is_held(from, now.mono) {
            return Err(DropReason::AddressTaken);
        }
        self.work_for(key);
        let peer = self.peers.get_mut(key).ok_or(DropReason::UnknownUser)?;
        let answer = Destination { slot: Destination::NO_SLOT, address: from };
        let handled = self.out.plain(answer, |out| peer.agent.handle(now, from, &message, out));
        if let Some(due) = peer.agent.timeout() {
            self.out.timers.wake_by(peer.timer, due);
        }
        self.drain_agent(now, key);
        let handled = handled.map_err(|refused| match refused {
            IceError::UnknownUser => DropReason::UnknownUser,
            IceError::WrongPassword | IceError::Incomplete => DropReason::Unauthenticated,
            _ => DropReason::Stun,
        })?;
        if handled.new_path {
            self.addresses.insert(from, key);
            self.out.counters.paths = self.addresses.len() as u64;
            self.others.yield_address(from);
        }
        if handled.selected.is_some() {
            self.begin_edges(now, key);
            self.path_changed(now, key);
        }
        Ok(())
    }

    /// A peer is sent to, and sends from, elsewhere. What was under way to the old address is lost: its
    /// pictures need keyframes, and what it was asked for it may not have heard.
    fn path_changed(&mut self, now: Now, key: Key<Peer>) {
        let Some(peer) = self.peers.get(key) else { return };
        for key in &peer.received {
            let Some(edge) = self.edges.get(*key) else { continue };
            let Some(track) = self.tracks.get_mut(edge.track).filter(|it| it.is_video()) else {
                continue;
            };
            if let Some(encoding) = edge.source.and_then(|source| track.encodings.get_mut(source)) {
                encoding.gate.request(now.mono);
                self.out.timers.wake_by(track.timer, now.mono);
            }
        }
        for key in &peer.published {
            let Some(track) = self.tracks.get_mut(*key) else { continue };
            track.encodings.iter_mut().for_each(|encoding| encoding.gate.again(now.mono));
            self.out.timers.wake_by(track.timer, now.mono);
        }
    }

    /// The address is in use by another peer: one participant must not take over the traffic of
    /// another with checks from a forged address.
    fn is_held(&self, from: SocketAddr, by_other_than: Key<Peer>, now: Instant) -> bool {
        self.addresses.get(&from).is_some_and(|&owner| {
            let owns = |peer: &Peer| peer.agent.holds(from, now);
            owner != by_other_than && self.peers.get(owner).is_some_and(owns)
        })
    }

    /// What the agent of a peer has to report.
    pub(super) fn drain_agent(&mut self, now: Now, key: Key<Peer>) {
        while let Some(peer) = self.peers.get_mut(key)
            && let Some(event) = peer.agent.poll()
        {
            let peer = peer.id;
            match event {
                ice::Event::Disconnected => self.out.event(Event::Disconnected { peer }),
                ice::Event::Reconnected => {
                    self.out.event(Event::Reconnected { peer });
                    self.begin_edges(now, key);
                }
                ice::Event::Forgotten { address } => {
                    if self.addresses.get(&address) == Some(&key) {
                        self.addresses.remove(&address);
                        self.out.counters.paths = self.addresses.len() as u64;
                    }
                }
            }
        }
    }

    fn rtp(
        &mut self,
        now: Now,
        from: SocketAddr,
        bytes: &mut [u8],
        arrival: Instant,
    ) -> Result<(), DropReason> {
        let (key, packet) = self.open(from, bytes, Opener::open_rtp)?;
        let peer = self.peers.get_mut(key).ok_or(DropReason::UnvalidatedAddress)?;
        let view = rtp::parse(packet).map_err(|_| DropReason::MalformedRtp)?;
        let number = transport_number(peer, &view, packet);
        if let Some(due) = peer.upstream.arrived(now.mono, number.map(|number| (number, arrival))) {
            self.out.timers.wake_by(peer.timer, due);
        }
        let binding = match peer.sources.find(view.ssrc) {
            Some(binding) => binding,
            None => self.recognise(now, key, &view, packet).ok_or(DropReason::UnknownSource)?,
        };
        match binding.role {
            Role::Media => self.accept(now, binding, &view, packet),
            Role::Repair => self.repair(now, binding, &view, packet),
        }
    }

    /// Binds a source that was not announced, by what its packet says.
    fn recognise(
        &mut self,
        now: Now,
        key: Key<Peer>,
        view: &View,
        packet: &[u8],
    ) -> Option<Binding> {
        let published = &self.peers.get(key)?.published;
        let (track, (encoding, role)) = published
            .iter()
            .find_map(|&track| {
                let publication = &self.tracks.get(track)?.publication;
                Some((track, peer::by_extensions(publication, view, packet)?))
            })
            .or_else(|| self.only_track(key, view))?;
        let binding = Binding { ssrc: view.ssrc, track, encoding, role };
        self.bind(now, key, binding).then_some(binding)
    }

    /// The one track that has the payload type, if no other has, and if the packet does not say
    /// that it belongs to a media section.
    fn only_track(&self, key: Key<Peer>, view: &View) -> Option<(Key<Track>, (usize, Role))> {
        let published = &self.peers.get(key)?.published;
        let mut fitting = published.iter().filter_map(|&track| {
            let publication = &self.tracks.get(track)?.publication;
            Some((track, peer::only_encoding(publication, view.payload_type)?))
        });
        let found = fitting.next()?;
        fitting.next().is_none().then_some(found)
    }

    /// Binds a source; a media source that takes another's place begins anew, which costs all
    /// subscribers something and is not done often.
    pub(super) fn bind(&mut self, now: Now, key: Key<Peer>, binding: Binding) -> bool {
        let Some(peer) = self.peers.get_mut(key) else { return false };
        let Some(track) = self.tracks.get_mut(binding.track) else { return false };
        let Some(encoding) = track.encodings.get_mut(binding.encoding) else { return false };
        if binding.role == Role::Repair || encoding.ssrc == Some(binding.ssrc) {
            return peer.sources.bind(binding);
        }
        if encoding.rebound_at.is_some_and(|at| now.mono < at + REBIND) {
            return false;
        }
        if !peer.sources.bind(binding) {
            return false;
        }
        if encoding.ssrc.replace(binding.ssrc).is_some() {
            encoding.rebound_at = Some(now.mono);
            self.restart_encoding(now, binding.track, binding.encoding);
        }
        true
    }

    /// The packets of an encoding's source are not those of before.
    pub(super) fn restart_encoding(&mut self, now: Now, track: Key<Track>, number: usize) {
        self.send_burst(now);
        let Some(track) = self.tracks.get_mut(track) else { return };
        if let Some(encoding) = track.encodings.get_mut(number) {
            encoding.restart();
        }
        for &edge in &track.edges {
            if let Some(edge) = self.edges.get_mut(edge) {
                edge.forget(number);
            }
        }
    }

    /// Restores what was lost from a retransmission.
    fn repair(
        &mut self,
        now: Now,
        binding: Binding,
        view: &View,
        packet: &mut [u8],
    ) -> Result<(), DropReason> {
        if view.payload_range().is_empty() {
            return Ok(()); // padding that probes the uplink
        }
        let track = self.tracks.get(binding.track).ok_or(DropReason::UnknownSource)?;
        let encoding = track.encodings.get(binding.encoding).ok_or(DropReason::UnknownSource)?;
        let ssrc = encoding.ssrc.ok_or(DropReason::UnknownSource)?;
        let payload_type =
            track.repaired_type(view.payload_type).ok_or(DropReason::UnknownPayloadType)?;
        let len = rtp::restore(packet, view, payload_type, ssrc)
            .map_err(|_| DropReason::MalformedRepair)?;
        let packet = packet.get(..len).ok_or(DropReason::MalformedRepair)?;
        let view = rtp::parse(packet).map_err(|_| DropReason::MalformedRepair)?;
        let media = Binding { ssrc, ..binding };
        self.accept(now, media, &view, packet)?;
        self.out.counters.repaired += 1;
        Ok(())
    }

    /// Puts a media packet into its ring, to be sent on with those that came with it.
    pub(super) fn accept(
        &mut self,
        now: Now,
        binding: Binding,
        view: &View,
        packet: &[u8],
    ) -> Result<(), DropReason> {
        self.make_way(now, binding.track, binding.encoding);
        let track = self.tracks.get_mut(binding.track).ok_or(DropReason::UnknownSource)?;
        let (sequence, kept) = keep(track, binding, now, view, packet)?;
        match kept {
            Kept::Duplicate => return Err(DropReason::Duplicate),
            Kept::Late => return Err(self.too_late(now, binding, view.sequence)),
            Kept::Oversized => return Err(DropReason::Oversized),
            Kept::Newest | Kept::Older => {}
        }
        self.out.counters.packets_in += 1;
        if !std::mem::replace(&mut track.live, true) {
            self.out.event(Event::TrackLive { track: track.id });
        }
        hear(track, now, view, packet);
        report_level(track, &mut self.out);
        if let Some(due) = due_after(track, binding.encoding, now) {
            self.out.timers.wake_by(track.timer, due);
        }
        track.layers.handle(now.mono, binding.encoding);
        let (is_relayed, is_tapped) = (!track.relays.is_empty(), !track.taps.is_empty());
        if is_tapped {
            self.tapped(binding.track, binding.encoding, sequence);
        }
        // Other shards rank for themselves, so they get what is not heard too.
        if is_relayed {
            let packet = Packet { encoding: binding.encoding, sequence, first_relay: 0 };
            self.relay(now, binding.track, packet);
        }
        if !self.is_heard(now, binding.track, view, packet) {
            self.out.counters.packets_unheard += 1;
            return Ok(());
        }
        self.gather(binding.track, binding.encoding, sequence);
        Ok(())
    }

    /// A packet came too late; many in a row that follow each other mean that the source began anew.
    /// Some publishers send again over the source itself, which is no beginning.
    fn too_late(&mut self, now: Now, binding: Binding, sequence: u16) -> DropReason {
        let encoding = self
            .tracks
            .get_mut(binding.track)
            .and_then(|track| track.encodings.get_mut(binding.encoding));
        // A late retransmission says nothing about the numbers of the source.
        if let Some(encoding) = encoding.filter(|_| binding.role == Role::Media) {
            let ahead = sequence.wrapping_sub(std::mem::replace(&mut encoding.late, sequence));
            let follows = (1..=FOLLOWS).contains(&ahead);
            encoding.late_in_row = if follows { encoding.late_in_row + 1 } else { 0 };
            if encoding.late_in_row >= RESTART_AFTER {
                self.restart_encoding(now, binding.track, binding.encoding);
            }
        }
        DropReason::Late
    }
}

/// Reports the level of an audio track if it changed.
pub(super) fn report_level(track: &mut Track, out: &mut super::outbox::Outbox) {
    let Some(speaker) = &mut track.speaker else { return };
    let from_here = track.origin.is_peer();
    while let Some(loudness) = speaker.poll() {
        let (level, speaking) = (loudness.level, loudness.speaking);
        if !from_here {
            continue; // its publisher's shard reports it
        }
        out.event(Event::Level { track: track.id, level, speaking });
    }
}

/// Reads a packet and puts it into the ring of its encoding.
fn keep(
    track: &mut Track,
    binding: Binding,
    now: Now,
    view: &View,
    packet: &[u8],
) -> Result<(u64, Kept), DropReason> {
    let codec = track.codec(view.payload_type).ok_or(DropReason::UnknownPayloadType)?.codec;
    let descriptor = track.publication.extensions.dependency_descriptor;
    let is_video = track.is_video();
    let encoding = track.encodings.get_mut(binding.encoding).ok_or(DropReason::UnknownSource)?;
    if binding.role == Role::Media {
        encoding.stats.record(view.sequence, view.timestamp, now.mono);
    }
    let sequence = encoding.numbers.extend(view.sequence);
    if track.muted {
        encoding.missing.reset();
        return Err(DropReason::Muted);
    }
    let descriptor = descriptor.and_then(|id| view.extension(packet, id));
    let frame = descriptor.and_then(|value| encoding.dependency.read(sequence, value));
    let picture = codec.describe(view.payload(packet)).with(frame);
    let uneven = is_video && encoding.evener.handle(view, packet.len() - usize::from(view.padding));
    let kept = encoding.ring.insert(sequence, packet, Entry { view: *view, picture, uneven });
    if matches!(kept, Kept::Newest | Kept::Older) {
        encoding.late_in_row = 0;
        encoding.counts.bytes += view.payload_range().len() as u64;
        encoding.counts.frames += u32::from(view.marker && is_video);
        encoding.kept_at = Some(now.mono);
        encoding.missing.record(view.sequence, now.mono);
        encoding.meter.record(now.mono, &picture, packet.len());
        if picture.keyframe && picture.start {
            encoding.gate.arrived(now.mono);
            encoding.counts.keyframes += 1;
            encoding.keyframe_at = Some(now.mono);
        }
    }
    Ok((sequence, kept))
}

/// When a track is looked at after a packet of it came. A gap is not asked for at once: it may be
/// closed by a packet that was overtaken on its way.
pub(super) fn due_after(track: &Track, encoding: usize, now: Now) -> Option<Instant> {
    let encoding = track.encodings.get(encoding)?;
    let speaker = track.speaker.as_ref().and_then(Speaker::timeout);
    let gap = encoding.is_incomplete().then(|| now.mono + OVERTAKEN);
    let silence = encoding.kept_at.map(|at| at + SILENCE);
    [speaker, gap, silence].into_iter().flatten().min()
}

/// Takes the level that an audio packet carries.
pub(super) fn hear(track: &mut Track, now: Now, view: &View, packet: &[u8]) {
    let Some(id) = track.publication.extensions.audio_level else { return };
    if let (Some(speaker), Some(level)) = (&mut track.speaker, view.extension(packet, id)) {
        speaker.handle(now.mono, level);
    }
}

/// The number of a packet in the transport's own count, whatever it carries.
fn transport_number(peer: &Peer, view: &View, packet: &[u8]) -> Option<u16> {
    let value = view.extension(packet, peer.upstream.transport_cc?)?;
    Some(u16::from_be_bytes(value.try_into().ok()?))
}

/// At most one change of an encoding's source in this time.
const REBIND: Duration = Duration::from_millis(500);
/// Packets overtake each other by this much.
const OVERTAKEN: Duration = Duration::from_millis(5);
/// So far a packet may be ahead of the one before, where some are lost.
const FOLLOWS: u16 = 8;
/// Packets in a row behind the ring after which the numbering is taken to be new.
const RESTART_AFTER: u32 = 50;
