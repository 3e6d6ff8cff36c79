//! Frames: payloads of participants are put together for programs of the process, and what these
//! publish is cut into payloads.
//!
//! An input begins with a byte that says which codec; the rest is payloads, each behind a byte that
//! says how long it is, and as a whole a frame.

use conf_media::codec::Codec;
use conf_media::frame::{Unpacker, pack};

use crate::Shape;

const CODECS: [Codec; 5] = [
    Codec::Opus,
    Codec::Vp8,
    Codec::Vp9 { profile: 0 },
    Codec::H264 { profile: 0x42E0, mode: 1 },
    Codec::Av1 { profile: 0 },
];

pub(crate) fn run(input: &[u8]) -> Shape {
    let Some((&first, rest)) = input.split_first() else { return Shape::NOTHING };
    let Some(&codec) = CODECS.get(usize::from(first) % CODECS.len()) else { return Shape::NOTHING };
    let mut unpacker = Unpacker::new(codec);
    let (mut payloads, mut taken) = (rest, 0);
    while let Some((&len, behind)) = payloads.split_first() {
        let (payload, behind) = behind.split_at(behind.len().min(len.into()));
        payloads = behind;
        if unpacker.push(payload).is_err() {
            break;
        }
        taken += 1;
    }
    let frame = unpacker.finish();
    if let Ok(frame) = &frame {
        // Unit by unit at most five bytes more: start code, or size.
        assert!(frame.len() <= input.len() * 6, "no longer than what came");
        check(codec, frame);
    }
    check(codec, rest);
    Shape::of(frame.is_ok()).and(taken.min(4)).and(first % 5)
}

/// What is packed and put together stays the same from then on.
fn check(codec: Codec, frame: &[u8]) {
    let unpacked = |frame: &[u8]| {
        let mut unpacker = Unpacker::new(codec);
        let payloads = pack(codec, frame, true, 1);
        let whole = payloads.iter().all(|payload| unpacker.push(payload).is_ok());
        unpacker.finish().ok().filter(|_| whole)
    };
    if let Some(once) = unpacked(frame) {
        assert_eq!(unpacked(&once).as_deref(), Some(&once[..]));
    }
}

/// A short frame of each codec, cut by our own hand.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let frames: [&[u8]; 5] = [
        b"sound",
        &[0, 1, 2, 3],
        &[9, 9, 9],
        &[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x65, 0x88, 7],
        &[0x0A, 1, 5, 0x32, 2, 7, 7],
    ];
    let cut = |(number, frame): (u8, &[u8])| {
        let mut input = vec![number];
        for payload in
            CODECS.get(usize::from(number)).map(|&it| pack(it, frame, true, 1)).iter().flatten()
        {
            input.push(u8::try_from(payload.len()).unwrap_or(u8::MAX));
            input.extend_from_slice(payload);
        }
        input
    };
    let mut seeds: Vec<Vec<u8>> = (0u8..).zip(frames).map(cut).collect();
    seeds.push(
        [&[3][..], &[4, 0x7C, 0x85, 1, 2], &[4, 0x7C, 0x45, 3, 4], &[6, 24, 0, 1, 7, 0, 1]]
            .concat(),
    );
    seeds.push(
        [&[2][..], &[12, 0b1011_1010, 0x81, 2, 0x40, 0b0001_1000, 0, 9, 0, 9, 1, 4, 5]].concat(),
    );
    seeds
}
