//! What each subscriber is sent of each picture: what it shows, and what its network takes.

use std::time::Instant;

use crate::allocate::{Allocator, Demand, Rung, Target, size};
use crate::codec::dependency::Layer;
use crate::command::{Event, Kind, PeerId, Preference, TrackId};
use crate::forward::Edge;
use crate::peer::{AGAIN, Peer};
use crate::slab::Key;
use crate::time::Now;
use crate::track::{Encoding, Track};

use super::{Refusal, Shard};

/// A picture of one subscriber: which edge, and what may be sent to it.
#[derive(Debug)]
pub(super) struct Shown {
    edge: Key<Edge>,
    demand: Demand,
    /// The most that its subscriber has a use for.
    most: Target,
}

impl Shard {
    /// A subscriber says how it shows a track.
    pub(super) fn prefer(
        &mut self,
        now: Now,
        (id, peer): (TrackId, PeerId),
        preference: Preference,
    ) -> Result<(), Refusal> {
        let key = self.edge_key(id, peer)?;
        let edge = self.edges.get_mut(key).ok_or(Refusal::UnknownTrack)?;
        if std::mem::replace(&mut edge.preference, preference) != preference {
            let subscriber = edge.subscriber;
            self.allocate(now, subscriber);
        }
        Ok(())
    }

    /// Somebody sets the most that a peer is sent.
    pub(super) fn limit(
        &mut self,
        now: Now,
        peer: PeerId,
        bits_per_second: Option<u64>,
    ) -> Result<(), Refusal> {
        let key = self.peer_key(peer)?;
        let peer = self.peers.get_mut(key).ok_or(Refusal::UnknownPeer)?;
        peer.downlink.limit = bits_per_second;
        self.allocate(now, key);
        Ok(())
    }

    /// What a subscriber receives changed: it is shared out anew when its timer is looked at.
    pub(super) fn allocate_soon(&mut self, now: Now, key: Key<Peer>) {
        let limited = |peer: &&mut Peer| peer.downlink.available().is_some();
        if let Some(peer) = self.peers.get_mut(key).filter(limited) {
            peer.downlink.allocate_at = Some(now.mono);
            self.out.timers.wake_by(peer.timer, now.mono);
        }
    }

    pub(super) fn allocate_if_due(&mut self, now: Now, key: Key<Peer>) {
        let due = self.peers.get(key).and_then(|peer| peer.downlink.allocate_at);
        if due.is_some_and(|at| now.mono >= at) {
            self.allocate(now, key);
        }
    }

    /// Shares out what a subscriber's network takes among the pictures that it shows.
    pub(super) fn allocate(&mut self, now: Now, key: Key<Peer>) {
        let mut shown = std::mem::take(&mut self.shown);
        shown.clear();
        let sound = self.list_shown(now.mono, key, &mut shown);
        let Some(peer) = self.peers.get_mut(key) else { return };
        let available = peer.downlink.available();
        let again = available.is_some() && !shown.is_empty();
        let best = |shown: &Shown| shown.demand.rungs().last().map_or(0, |rung| rung.rate);
        peer.downlink.wanted = sound + shown.iter().map(best).sum::<u64>();
        peer.downlink.allocate_at = again.then(|| now.mono + AGAIN);
        if let Some(at) = peer.downlink.allocate_at {
            self.out.timers.wake_by(peer.timer, at);
        }
        let budget = available.map(|available| available.saturating_sub(sound));
        shown.sort_by(|a, b| b.demand.weight.total_cmp(&a.demand.weight));
        let mut demands = std::mem::take(&mut self.demands);
        demands.clear();
        demands.extend(shown.iter().map(|shown| shown.demand));
        peer.downlink.allocator.allocate(now.mono, budget, &mut demands);
        for (shown, demand) in shown.iter().zip(&demands) {
            self.apply(now, shown, demand, budget.is_some());
        }
        (self.shown, self.demands) = (shown, demands);
    }

    /// Lists the pictures of a subscriber; returns what its sound takes, in bits per second.
    fn list_shown(&self, now: Instant, key: Key<Peer>, shown: &mut Vec<Shown>) -> u64 {
        let mut sound = 0;
        let Some(peer) = self.peers.get(key) else { return 0 };
        for &key in &peer.received {
            let Some(edge) = self.edges.get(key) else { continue };
            let Some(track) = self.tracks.get(edge.track) else { continue };
            if track.publication.kind == Kind::Audio {
                let rates = track.encodings.iter().map(|it| whole(it.meter.rate(Layer::ALL)));
                sound += rates.sum::<u64>();
            } else if !edge.still.paused && !edge.is_mute() {
                let most = most(track, &edge.preference);
                let demand = demand(now, track, edge, most);
                shown.push(Shown { edge: key, demand, most });
            }
        }
        sound
    }

    /// Sends an edge what was chosen for it.
    fn apply(&mut self, now: Now, shown: &Shown, demand: &Demand, limited: bool) {
        let Some(edge) = self.edges.get_mut(shown.edge) else { return };
        // What was not measured yet is sent, and measured.
        let starved = limited && !demand.rungs().is_empty() && demand.chosen.is_none();
        let target = demand.choice().map_or(shown.most, |rung| rung.target);
        let target = if limited { target } else { shown.most };
        let was_starved = std::mem::replace(&mut edge.still.starved, starved);
        if edge.target == target && starved == was_starved {
            return;
        }
        if starved && !was_starved {
            edge.rest();
        }
        let (key, subscriber) = (edge.track, edge.subscriber);
        let (tracks, mut downstream) = self.downstream(now);
        let Some(track) = tracks.get_mut(key) else { return };
        downstream.aim(track, shown.edge, target);
        if starved != was_starved
            && let Some(peer) = self.peers.get(subscriber)
            && let Some(track) = self.tracks.get(key)
        {
            self.out.event(Event::Starved { track: track.id, peer: peer.id, starved });
        }
    }
}

/// The most of a track that a subscriber has a use for.
fn most(track: &Track, preference: &Preference) -> Target {
    let encoding = size::encoding_for(&track.publication, preference);
    let mut layer = Layer::ALL;
    if let (Some(wanted), [only]) = (preference.size, track.encodings.as_slice()) {
        layer.spatial = spatial_for(track, only, size::short(wanted));
    }
    if let Some(frame_rate) = preference.frame_rate {
        let sent = track.encodings.get(encoding).or(track.encodings.last());
        if let Some(meter) = sent.map(|it| &it.meter).filter(|meter| meter.is_ready()) {
            let enough = |&temporal: &u8| {
                meter.pictures(temporal) * size::TOLERANCE >= f32::from(frame_rate)
            };
            layer.temporal = (0..meter.top().temporal).find(enough).unwrap_or(u8::MAX);
        }
    }
    Target { encoding, layer }
}

/// The lowest spatial layer of an only encoding that is large enough.
fn spatial_for(track: &Track, encoding: &Encoding, wanted: u16) -> u8 {
    let top = encoding.meter.top().spatial;
    let enough = |&spatial: &u8| size::is_enough(spatial_side(track, encoding, 0, spatial), wanted);
    (0..top).find(enough).unwrap_or(u8::MAX)
}

/// One picture with the ways to send it.
fn demand(now: Instant, track: &Track, edge: &Edge, most: Target) -> Demand {
    let mut demand = Demand::new(weight(track, &edge.preference));
    for (index, encoding) in track.encodings.iter().enumerate() {
        let lives = track.layers.is_live(index, now) && encoding.meter.is_ready();
        let lowest = demand.rungs().is_empty();
        if !lives || (index > most.encoding && !lowest) {
            continue;
        }
        offer(track, (index, encoding), most, &mut demand);
    }
    let rungs = demand.rungs();
    let same = |rung: &Rung| rung.target == edge.target;
    let within = |rung: &Rung| rung.target.encoding <= edge.target.encoding;
    if edge.source.is_some() && !edge.still.starved {
        demand.current = rungs.iter().position(same).or_else(|| rungs.iter().rposition(within));
    }
    demand
}

/// The layers of one encoding as rungs.
fn offer(track: &Track, (index, encoding): (usize, &Encoding), most: Target, to: &mut Demand) {
    let (meter, screen) = (&encoding.meter, track.publication.screen);
    let top = meter.top();
    for spatial in 0..=top.spatial.min(most.layer.spatial) {
        let side = f32::from(spatial_side(track, encoding, index, spatial));
        for temporal in 0..=top.temporal.min(most.layer.temporal) {
            let layer = Layer { spatial, temporal };
            let pictures = meter.pictures(temporal);
            let jerky = !screen && pictures < LEAST_PICTURES && layer != top;
            if jerky && (index, spatial) != (0, 0) {
                continue; // a smaller picture that moves is better
            }
            let worth =
                if screen { sharp(index, side, pictures, track) } else { side * smooth(pictures) };
            // The whole encoding needs no look at its packets.
            let layer = if layer == top { Layer::ALL } else { layer };
            let target = Target { encoding: index, layer };
            to.offer(Rung { rate: whole(meter.rate(layer)), worth, target });
        }
    }
}

/// What the frame rate of a camera does to its worth.
fn smooth(pictures: f32) -> f32 {
    (pictures / 30.0).clamp(0.05, 1.0).sqrt()
}

/// A screen is to be read: fewer pixels cost more than fewer pictures.
fn sharp(index: usize, side: f32, pictures: f32, track: &Track) -> f32 {
    let whole = index + 1 == track.encodings.len();
    let smooth = 0.7 + 0.3 * (pictures / 15.0).min(1.0);
    side * smooth * if whole { 1.0 } else { 0.3 }
}

/// How much a picture counts: a screen and what is asked for first much, a large tile more.
fn weight(track: &Track, preference: &Preference) -> f32 {
    let size = preference.size.map_or(NORMAL, |shown| f32::from(size::short(shown)));
    let size = (size / NORMAL).clamp(0.5, 4.0);
    let kind = if track.publication.screen { 8.0 } else { 1.0 };
    let asked = match preference.priority {
        0 => 1.0,
        first => 1.0 + 15.0 / f32::from(first),
    };
    size * kind * asked
}

/// The shorter side of a spatial layer, in pixels.
fn spatial_side(track: &Track, encoding: &Encoding, index: usize, spatial: u8) -> u16 {
    let told = encoding.dependency.structure().and_then(|it| it.resolution(spatial));
    let below = encoding.meter.top().spatial.saturating_sub(spatial);
    told.map_or_else(|| size::short_side(&track.publication, index) >> below.min(8), size::short)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn whole(bits: f32) -> u64 {
    bits as u64
}

/// Of a camera; below, a smaller picture is sent instead.
const LEAST_PICTURES: f32 = 12.0;
/// The shorter side of an ordinary tile.
const NORMAL: f32 = 360.0;
