//! One piece of the packet path alone, for benches: the ring of an encoding and one edge over it,
//! without keys, sockets or other peers.

use std::time::Instant;

use super::{FROM, TO, label, payload};
use crate::codec::{Codec, dependency};
use crate::command::{Encoding, Kind, Publication, Subscription};
use crate::forward::rewrite::{Splice, Stopped};
use crate::forward::{Choice, Edge, Packet};
use crate::rtp;
use crate::slab::Key;
use crate::track::ring::{Entry, Kept, Ring};

/// A ring with one edge.
#[derive(Debug)]
pub struct Piece {
    codec: Codec,
    dependency: dependency::Reader,
    ring: Ring,
    edge: Edge,
}

impl Piece {
    /// Of a video codec, sent as payload type 96 and received as 120.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        let encoding = Encoding { rid: None, ssrc: Some(1), rtx_ssrc: Some(2) };
        let publication = Publication {
            kind: Kind::Video,
            mid: label("0"),
            encodings: vec![encoding],
            codecs: vec![payload(96, codec, Some(97))],
            extensions: FROM,
            screen: false,
            sizes: Vec::new(),
        };
        let subscription = Subscription {
            codecs: vec![payload(120, codec, Some(121))],
            extensions: TO,
            ..super::subscription("0", 900)
        };
        let before = (Stopped::default(), 0);
        let edge = Edge::new((Key::NOWHERE, &publication), Key::NOWHERE, subscription, before);
        let dependency = dependency::Reader::default();
        Self { codec, dependency, ring: Ring::new(512), edge }
    }

    /// The edge begins with a packet that is in the ring.
    ///
    /// # Panics
    /// If it is not.
    pub fn begin(&mut self, now: Instant, sequence: u64) {
        let first = self.ring.get(sequence).expect("a packet in the ring");
        let timestamp = first.entry.view.timestamp;
        let splice = Splice { sequence, timestamp, continued: None, clock_rate: 90_000 };
        self.edge.begin(now, 0, splice, &Packet::new(first, FROM));
    }

    /// Reads an opened packet and keeps it; `false` if the ring did not take it.
    pub fn insert(&mut self, sequence: u64, packet: &[u8]) -> bool {
        let Ok(view) = rtp::parse(packet) else { return false };
        let descriptor = FROM.dependency_descriptor.and_then(|id| view.extension(packet, id));
        let frame = descriptor.and_then(|value| self.dependency.read(sequence, value));
        let picture = self.codec.describe(view.payload(packet)).with(frame);
        let kept = self.ring.insert(sequence, packet, Entry { view, picture, uneven: false });
        matches!(kept, Kept::Newest | Kept::Older)
    }

    /// Copies a packet of the ring as it leaves, unsealed, and remembers that it was sent; its
    /// sequence number and length. `None` if it is not part of the stream.
    pub fn rewrite(&mut self, now: Instant, sequence: u64, out: &mut [u8]) -> Option<(u16, usize)> {
        let stored = self.ring.get(sequence)?;
        let packet = Packet::new(stored, FROM);
        let format = self.edge.format(stored.entry.view.payload_type)?;
        let Choice::Send { last } = self.edge.choose(&packet) else { return None };
        let rewritten = self.edge.rewrite(format, &packet, last)?;
        let len = self.edge.write(&rewritten, &packet, out)?;
        self.edge.sent(now, &packet, &rewritten);
        Some((rewritten.header.sequence, len))
    }

    /// Finds what was sent under a number; whether it is still there.
    pub fn find(&mut self, now: Instant, out: u16) -> bool {
        let again = self.edge.ask(now, out);
        again.is_some_and(|again| self.ring.get_recent(again.source).is_some())
    }

    /// Copies what was sent under a number once more, over the stream of retransmissions.
    pub fn resend(&mut self, now: Instant, number: u16, out: &mut [u8]) -> Option<usize> {
        let again = self.edge.ask(now, number)?;
        let packet = Packet::new(self.ring.get_recent(again.source)?, FROM);
        let rewritten = self.edge.rewrite_again(number, &again, &packet)?;
        self.edge.write(&rewritten, &packet, out)
    }
}
