//! A publisher and its subscribers on one shard in memory.

use std::net::SocketAddr;

use conf_media::command::{Kind, Publication};
use conf_media::egress::TxBatch;
use conf_media::ingress::RxBatch;
use conf_media::rtp::Header;
use conf_media::shard::ShardConfig;
use conf_media::test_util::{Lab, Outgoing, camera, microphone, subscription, vp8};

use crate::{Operation, now};

/// What the publisher sends at a time.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Sound or pictures.
    pub kind: Kind,
    /// Bytes of the payloads of one packet of sound, or of the packets of one picture.
    pub payloads: &'static [usize],
}

impl Shape {
    /// 20 ms of Opus.
    pub const SOUND: Self = Self { kind: Kind::Audio, payloads: &[100] };
    /// A picture of 720p as Chromium cuts it: the last packets are one byte longer.
    pub const PICTURE: Self = Self { kind: Kind::Video, payloads: &[1_171, 1_171, 1_172, 1_172] };
    /// The same in equal packets.
    pub const EVEN: Self = Self { kind: Kind::Video, payloads: &[1_172; 4] };

    /// How the track is described.
    #[must_use]
    pub fn publication(self) -> Publication {
        match self.kind {
            Kind::Audio => microphone("0", SSRC),
            Kind::Video => camera("0", SSRC),
        }
    }

    /// Packets that leave for so many subscribers.
    #[must_use]
    pub fn sent(self, subscribers: usize) -> u64 {
        (self.payloads.len() * subscribers) as u64
    }
}

/// The packets of a publisher, in order.
#[derive(Debug)]
pub struct Source {
    shape: Shape,
    units: u16,
    packets: u16,
}

impl Source {
    /// From the first packet on, which begins a keyframe; the others are alike.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self { shape, units: 0, packets: 0 }
    }

    /// The next packet of sound, or the packets of the next picture.
    pub fn unit(&mut self, mut seal: impl FnMut(&Outgoing<'_>) -> Vec<u8>) -> Vec<Vec<u8>> {
        let last = self.shape.payloads.len() - 1;
        let payloads = self.shape.payloads.iter().enumerate();
        let unit = payloads.map(|(at, &len)| {
            let sequence = self.packets;
            self.packets = sequence.wrapping_add(1);
            let (payload_type, payload) = match self.shape.kind {
                Kind::Audio => (111, vec![0x5a; len]),
                Kind::Video => (96, vp8(self.units & 0x7fff, sequence == 0, at == 0, len)),
            };
            let (marker, timestamp) = (at == last, u32::from(self.units).wrapping_mul(960));
            let header = Header { marker, payload_type, sequence, timestamp, ssrc: SSRC };
            let number = sequence.to_be_bytes();
            let extensions: &[(u8, &[u8])] = &[(1, b"0"), (5, &number), (6, &[0, 1, 2])];
            seal(&Outgoing { header, extensions, payload: &payload })
        });
        let unit = unit.collect();
        self.units = self.units.wrapping_add(1);
        unit
    }
}

/// A shard, a publisher, its subscribers.
#[derive(Debug)]
pub struct Call {
    /// The shard and the far ends.
    pub lab: Lab,
    /// The publisher's index; the subscribers' follow.
    pub publisher: usize,
    source: Source,
    /// What [`Operation::prepare`] made; the last is the next.
    ready: Vec<Vec<Vec<u8>>>,
    received: RxBatch,
    sent: TxBatch,
}

impl Call {
    /// With everybody connected; nothing was sent yet.
    #[must_use]
    pub fn new(shape: Shape, subscribers: usize, config: ShardConfig) -> Self {
        let mut lab = Lab::with(now(), config);
        let publisher = lab.connect();
        lab.publish(publisher, 1, shape.publication());
        for _ in 0..subscribers {
            let subscriber = lab.connect();
            lab.subscribe(subscriber, 1, subscription("0", 900));
        }
        let (received, sent) = (RxBatch::new(), TxBatch::new());
        Self { lab, publisher, source: Source::new(shape), ready: Vec::new(), received, sent }
    }

    /// The next packet of sound, or the packets of the next picture, sealed.
    pub fn unit(&mut self) -> Vec<Vec<u8>> {
        let (lab, publisher) = (&mut self.lab, self.publisher);
        self.source.unit(|packet| lab.seal(publisher, packet))
    }

    /// Datagrams go in, a batch at a time, and everything that is due comes out.
    pub fn carry<'a>(
        &mut self,
        datagrams: impl IntoIterator<Item = (SocketAddr, &'a [u8])>,
    ) -> &TxBatch {
        let (shard, now) = (&mut self.lab.shard, self.lab.now);
        for (from, datagram) in datagrams {
            if !self.received.push(from, datagram, now.mono) {
                shard.handle_batch(now, &mut self.received);
                assert!(self.received.push(from, datagram, now.mono), "an empty batch takes it");
            }
        }
        shard.handle_batch(now, &mut self.received);
        if shard.timeout().is_some_and(|at| at <= now.mono) {
            shard.handle_timeout(now);
        }
        while shard.poll().is_some() {}
        shard.flush(now, &mut self.sent);
        &self.sent
    }
}

/// One run forwards one packet of sound or one picture; no time passes.
impl Operation for Call {
    fn prepare(&mut self, runs: usize) {
        self.ready = (0..runs).map(|_| self.unit()).collect();
        self.ready.reverse();
    }

    fn run(&mut self) {
        let Some(unit) = self.ready.pop() else { return };
        let from = self.lab.remote(self.publisher).address;
        self.carry(unit.iter().map(|datagram| (from, datagram.as_slice())));
    }
}

/// The publisher's source.
const SSRC: u32 = 5_000;
