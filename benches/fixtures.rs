//! Inputs shared by the benches.

use conf_media::command::Kind;
use conf_media::rtp::Header;
use conf_media::test_util::{Lab, Outgoing, camera, microphone, subscription, vp8};

/// An RTP packet of `len` bytes (at least 20) with a one-byte header extension, as a browser's.
#[must_use]
pub fn rtp_packet(ssrc: u32, sequence: u16, len: usize) -> Vec<u8> {
    let mut packet = vec![0x90, 0x60];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&90_000u32.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x31, 0x00, 0x07, 0x00]);
    packet.extend((0u8..=255).cycle().take(len.saturating_sub(packet.len())));
    packet
}

/// A reading of the clocks for machines whose time does not pass.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "benches own their clock")]
pub fn now() -> conf_media::time::Now {
    conf_media::time::Now { mono: std::time::Instant::now(), wall: Default::default() }
}

/// One publisher of sound or pictures with many subscribers; and the publisher's index.
#[must_use]
pub fn call(kind: Kind, subscribers: usize) -> (Lab, usize) {
    let mut lab = Lab::new(now());
    let publisher = lab.connect();
    let publication = match kind {
        Kind::Audio => microphone("0", SSRC),
        Kind::Video => camera("0", SSRC),
    };
    lab.publish(publisher, 1, publication);
    for _ in 0..subscribers {
        let subscriber = lab.connect();
        lab.subscribe(subscriber, 1, subscription("0", 900));
    }
    (lab, publisher)
}

/// What the publisher of a [`call`] sends: sound of 100 bytes, or pictures in packets of 1,100.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    kind: Kind,
    sent: u32,
}

impl Stream {
    /// From the first packet on, which is a keyframe.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, sent: 0 }
    }

    /// The next packets, sealed.
    pub fn batch(&mut self, lab: &mut Lab, publisher: usize, packets: usize) -> Vec<Vec<u8>> {
        (0..packets).map(|_| self.packet(lab, publisher)).collect()
    }

    fn packet(&mut self, lab: &mut Lab, publisher: usize) -> Vec<u8> {
        let [.., high, low] = self.sent.to_be_bytes();
        let sequence = u16::from_be_bytes([high, low]);
        let (payload_type, payload) = match self.kind {
            Kind::Audio => (111, vec![0x5a; 100]),
            Kind::Video => (96, vp8(sequence & 0x7fff, self.sent == 0, true, 1_100)),
        };
        let timestamp = self.sent.wrapping_mul(960);
        let header = Header { marker: true, payload_type, sequence, timestamp, ssrc: SSRC };
        self.sent = self.sent.wrapping_add(1);
        let extensions: &[(u8, &[u8])] = &[(5, &[high, low])];
        lab.seal(publisher, &Outgoing { header, extensions, payload: &payload })
    }
}

/// The publisher's source.
const SSRC: u32 = 5_000;
