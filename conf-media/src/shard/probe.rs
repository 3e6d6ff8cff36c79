//! Probes: padding that shows whether a subscriber's network takes more than it is sent.
//!
//! It goes over the stream of retransmissions of a picture that is sent, without payload, so that
//! receivers take no notice of it but report its arrival (RFC 4588 allows what RFC 3550 does).

use crate::peer::Peer;
use crate::slab::Key;
use crate::time::Now;

use super::Shard;

impl Shard {
    /// Sends what is due of the probe of a peer.
    pub(super) fn probe(&mut self, now: Now, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some((id, bytes)) = peer.downlink.probe_due(now.mono) else { return };
        if let Some(at) = peer.downlink.due() {
            self.out.timers.wake_by(peer.timer, at);
        }
        let edges = &self.edges;
        let sends = |key: &&Key<crate::forward::Edge>| {
            edges.get(**key).is_some_and(|edge| edge.source.is_some() && edge.can_pad())
        };
        let Some(&edge) = peer.received.iter().find(sends) else { return };
        if let Some(transport) = peer.transport_mut() {
            transport.probe(Some(id));
        }
        let mut left = bytes;
        while left > 0 {
            let (_, mut downstream) = self.downstream(now);
            let Some(sent) = downstream.pad(edge) else { break };
            self.out.counters.probed_bytes += sent as u64;
            left = left.saturating_sub(sent);
        }
        if let Some(transport) = self.peers.get_mut(key).and_then(Peer::transport_mut) {
            transport.probe(None);
        }
    }
}
