//! Group `rewrite`: a packet of the ring as it leaves for one subscriber, unsealed: numbers,
//! payload type, extensions, the codec's own numbers, and the one copy.

use conf_media::codec::Codec;
use conf_media::rtp::Header;
use conf_media::test_util::{Piece, vp8};

use crate::Work::Items;
use crate::{Case, Operation, now};

/// Bytes of a payload.
const LEN: usize = 1_100;

/// Packets of one codec, each a picture of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    Vp8,
    Vp9,
    H264,
    Av1,
}

impl Stream {
    fn codec(self) -> Codec {
        match self {
            Self::Vp8 => Codec::Vp8,
            Self::Vp9 => Codec::Vp9 { profile: 0 },
            Self::H264 => Codec::H264 { profile: 0x42e0, mode: 1 },
            Self::Av1 => Codec::Av1 { profile: 0 },
        }
    }

    /// A payload of [`LEN`] bytes; the first picture is a keyframe.
    fn payload(self, picture: u16) -> Vec<u8> {
        let keyframe = picture == 0;
        let start: &[u8] = match self {
            Self::Vp8 => return vp8(picture & 0x7fff, keyframe, true, LEN),
            // Picture id of 15 bits, layer indices (flexible mode), beginning and end of a frame.
            Self::Vp9 if keyframe => &[0xb8 | 0x04, 0x80, 0x01, 0x00, 0x00],
            Self::Vp9 => &[0xf8 | 0x04, 0x80, 0x01, 0x00, 0x02],
            Self::H264 if keyframe => &[0x7c, 0x85, 0x88],
            Self::H264 => &[0x7c, 0x81, 0x9a],
            Self::Av1 if keyframe => &[0x18, 0x0a, 0x0b],
            Self::Av1 => &[0x10, 0x32, 0x11],
        };
        let mut payload = start.to_vec();
        payload.resize(LEN, 0xab);
        payload
    }

    /// A packet with the extensions that browsers send.
    fn packet(self, number: u64) -> Vec<u8> {
        let [.., high, low] = number.to_be_bytes();
        let sequence = u16::from_be_bytes([high, low]);
        let timestamp = u32::from(sequence).wrapping_mul(3_000);
        let header = Header { marker: true, payload_type: 96, sequence, timestamp, ssrc: 1 };
        let descriptor = [0xc0, high, low];
        let all: [(u8, &[u8]); 4] =
            [(1, b"0"), (5, &[high, low]), (6, &[1, 2, 3]), (9, &descriptor)];
        let extensions = match self {
            Self::Av1 => &all[..],
            Self::Vp8 | Self::Vp9 | Self::H264 => &all[..3],
        };
        let mut packet = vec![0; 200];
        let at = header.write(extensions, &mut packet).expect("200 bytes are enough");
        packet.truncate(at);
        packet.extend(self.payload(sequence));
        packet
    }
}

/// A ring that is full, and an edge that has begun.
pub(super) struct Filled {
    pub(super) piece: Piece,
    pub(super) next: u64,
    pub(super) now: std::time::Instant,
    pub(super) out: Vec<u8>,
    stream: Stream,
}

impl Filled {
    pub(super) fn new(stream: Stream) -> Self {
        let (piece, now) = (Piece::new(stream.codec()), now().mono);
        let mut this = Self { piece, next: 1 << 32, now, out: vec![0; 2_048], stream };
        let first = this.next;
        this.keep();
        this.piece.begin(now, first);
        this
    }

    /// The publisher's next packet goes into the ring.
    pub(super) fn keep(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        let packet = self.stream.packet(number);
        assert!(self.piece.insert(number, &packet), "the ring takes the newest");
        number
    }

    /// And to the subscriber.
    pub(super) fn forward(&mut self, number: u64) -> u16 {
        let sent = self.piece.rewrite(self.now, number, &mut self.out);
        sent.expect("a packet of the stream").0
    }

    /// The next packet, not in the ring yet.
    pub(super) fn packet(&self) -> Vec<u8> {
        self.stream.packet(self.next)
    }
}

/// Packets that are in the ring leave.
struct Rewrite {
    filled: Filled,
    from: u64,
}

impl Operation for Rewrite {
    fn prepare(&mut self, runs: usize) {
        self.from = self.filled.next;
        for _ in 0..runs {
            self.filled.keep();
        }
    }

    fn run(&mut self) {
        self.filled.forward(self.from);
        self.from += 1;
    }
}

pub(super) fn cases() -> Vec<Case> {
    let streams = [
        ("vp8", Stream::Vp8),
        ("vp9", Stream::Vp9),
        ("h264", Stream::H264),
        ("av1_dd", Stream::Av1),
    ];
    let case = |(name, stream)| {
        Case::gated(name, Items(1), move || Rewrite { filled: Filled::new(stream), from: 0 })
    };
    streams.map(case).into()
}
