//! Group `rtp`: reading and writing of one packet of 1,200 bytes.

use std::hint::black_box;

use conf_media::codec::Codec;
use conf_media::rtp::{self, Header};

use crate::Case;
use crate::Work::Items;

/// What browsers send with each video packet: mid, send time, transport-wide number.
const EXTENSIONS: [(u8, &[u8]); 3] = [(4, b"1"), (2, &[1, 2, 3]), (3, &[1, 2])];
/// And a dependency descriptor, whose header is of the two-byte kind.
const DESCRIBED: [(u8, &[u8]); 2] = [(4, b"1"), (9, &[0x80, 0x01, 0x02])];
const HEADER: Header =
    Header { marker: true, payload_type: 96, sequence: 7, timestamp: 90_000, ssrc: 0x1234 };

/// A video packet of 1,200 bytes of VP8 with a 15-bit picture id.
fn packet(extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = vec![0; 1_500];
    let length = HEADER.write(extensions, &mut out).expect("1,500 bytes are enough");
    out.truncate(length);
    out.extend_from_slice(&[0x90, 0xe0, 0x92, 0x34, 5, 0x40, 0]);
    out.resize(1_200, 0xaa);
    out
}

/// Reads a packet and all its extensions.
fn parse(name: &str, extensions: &'static [(u8, &'static [u8])]) -> Case {
    Case::gated(name, Items(1), move || {
        let packet = packet(extensions);
        move || {
            let packet = black_box(&packet);
            let view = rtp::parse(packet).expect("valid");
            let sum = |(id, value): (u8, &[u8])| usize::from(id) + value.len();
            black_box(view.extensions(packet).map(sum).sum::<usize>());
        }
    })
}

fn write(name: &str, extensions: &'static [(u8, &'static [u8])]) -> Case {
    Case::gated(name, Items(1), move || {
        let mut out = [0; 1_500];
        move || {
            black_box(black_box(&HEADER).write(black_box(extensions), &mut out)).ok();
        }
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        parse("parse/plain", &[]),
        parse("parse/ext3", &EXTENSIONS),
        parse("parse/dd", &DESCRIBED),
        Case::gated("classify", Items(1), || {
            let packet = packet(&EXTENSIONS);
            move || {
                black_box(rtp::classify(black_box(&packet)));
            }
        }),
        Case::gated("describe/vp8", Items(1), || {
            let packet = packet(&EXTENSIONS);
            let view = rtp::parse(&packet).expect("valid");
            move || {
                black_box(Codec::Vp8.describe(black_box(view.payload(&packet))));
            }
        }),
        write("write/plain", &[]),
        write("write/ext3", &EXTENSIONS),
    ]
}
