//! A receiver without a socket: what it asks for and what it counts.

use conf_media::rtp::Header;
use conf_media::srtp::{MasterKey, Profile, Sealer};

use super::*;
use crate::clock;
use crate::sdp::{Section, VP8, VP8_RTX};

struct Way {
    sealer: Sealer,
    opener: Opener,
    receiver: Receiver,
    counts: Counts,
    now: Instant,
}

impl Way {
    fn new() -> Self {
        let key = MasterKey { key: vec![1; 16], salt: vec![2; 12] };
        let profile = Profile::AeadAes128Gcm;
        let section = Section {
            kind: Kind::Video,
            mid: "0".into(),
            media: Some(VP8),
            rtx: Some(VP8_RTX),
            extensions: vec![(3, TWCC_URI.into())],
            ssrcs: Vec::new(),
        };
        let remote = Remote {
            ufrag: String::new(),
            password: String::new(),
            fingerprint: conf_media::command::Fingerprint([0; 32]),
            candidates: Vec::new(),
            sections: vec![section],
        };
        let manners = Manners { nack: true, opens: Opens::All, measured: true };
        let now = clock::now();
        Self {
            sealer: Sealer::new(profile, &key).unwrap(),
            opener: Opener::new(profile, &key).unwrap(),
            receiver: Receiver::new(&remote, manners, (9, now)),
            counts: Counts::new(),
            now,
        }
    }

    /// A packet with this number and payload arrives.
    fn arrives(&mut self, (payload_type, ssrc, sequence): (u8, u32, u16), payload: &[u8]) {
        let header = Header { marker: false, payload_type, sequence, timestamp: 0, ssrc };
        let mut packet = [0; 256];
        let transport = sequence.to_be_bytes();
        let length = header.write(&[(3, &transport)], &mut packet).unwrap();
        packet[length..length + payload.len()].copy_from_slice(payload);
        let sealed = self.sealer.seal_rtp(&mut packet, length + payload.len()).unwrap();
        let at = (self.now, 5_000_000);
        self.receiver.rtp(at, &mut packet[..sealed], &mut self.opener, &mut self.counts);
    }

    /// What the receiver wants to say.
    fn says(&mut self) -> Vec<String> {
        self.receiver.settle(self.now);
        self.receiver.handle_timeout(self.now);
        let said = std::mem::take(&mut self.receiver.outgoing);
        let said = rtcp::walk(&said).map(|packet| match packet.unwrap() {
            Packet::Nack { lost, .. } => format!("nack {:?}", lost.collect::<Vec<_>>()),
            Packet::Pli { media, .. } => format!("pli {media}"),
            Packet::ReceiverReport { .. } => "report".into(),
            Packet::TransportFeedback(_) => "transport".into(),
            other => format!("{other:?}"),
        });
        said.collect()
    }
}

/// The first packet of an ordinary picture and of a keyframe (RFC 7741).
const PICTURE: &[u8] = &[0x10, 0x11, 0, 0, 0];
const KEYFRAME: &[u8] = &[0x10, 0x10, 0, 0, 0x9d, 1, 0x2a];

#[test]
fn a_gap_is_asked_for_and_closed_by_a_retransmission() {
    let mut way = Way::new();
    way.arrives((VP8, 7, 1), KEYFRAME);
    way.arrives((VP8, 7, 4), PICTURE);
    assert_eq!(way.says(), ["nack [2, 3]"]);
    assert_eq!((way.counts.totals.delivered, way.counts.totals.gaps), (2, 2));
    way.arrives((VP8_RTX, 8, 1), &[0, 2, 0x10, 0x11]);
    way.arrives((VP8, 7, 3), PICTURE);
    way.arrives((VP8_RTX, 8, 2), &[0, 2, 0x10, 0x11]);
    let totals = way.counts.totals;
    assert_eq!((totals.delivered, totals.gaps, totals.retransmitted), (4, 0, 2), "{totals:?}");
}

#[test]
fn a_keyframe_is_asked_for_until_one_comes() {
    let mut way = Way::new();
    way.arrives((VP8, 7, 1), PICTURE);
    assert_eq!(way.receiver.news, [Step::FirstPacket]);
    assert_eq!(way.says(), ["pli 7"]);
    way.arrives((VP8, 7, 2), PICTURE);
    assert!(way.says().is_empty(), "not so soon again");
    way.now += ASK_AGAIN;
    way.arrives((VP8, 7, 3), PICTURE);
    assert!(way.says().contains(&"pli 7".to_owned()));
    way.arrives((VP8, 7, 4), KEYFRAME);
    assert_eq!(way.receiver.news, [Step::FirstPacket, Step::FirstKeyframe]);
}

#[test]
fn reports_and_transport_feedback_come_in_time() {
    let mut way = Way::new();
    way.arrives((VP8, 7, 1), KEYFRAME);
    assert!(way.says().is_empty());
    way.now = way.receiver.timeout();
    assert_eq!(way.says(), ["transport"]);
    way.now = way.receiver.timeout();
    assert_eq!(way.says(), ["report"]);
}

#[test]
fn a_forged_packet_is_counted_and_measures_nothing() {
    let mut way = Way::new();
    way.arrives((VP8, 7, 1), KEYFRAME);
    let other = MasterKey { key: vec![3; 16], salt: vec![2; 12] };
    way.sealer = Sealer::new(Profile::AeadAes128Gcm, &other).unwrap();
    let mut payload = [0; 64];
    payload[..5].copy_from_slice(PICTURE);
    Stamp { source: 1, counter: 1, sent_nanos: 1_000_000 }.write(&mut payload);
    way.arrives((VP8, 7, 2), &payload);
    assert_eq!((way.counts.totals.forged, way.counts.latency_us.len()), (1, 0));
    let good = MasterKey { key: vec![1; 16], salt: vec![2; 12] };
    way.sealer = Sealer::new(Profile::AeadAes128Gcm, &good).unwrap();
    way.arrives((VP8, 7, 3), &payload);
    assert_eq!(way.counts.latency_us.max(), 4_001); // 4 ms, as finely as the distribution keeps it
}
