//! Group `nack`: keeping packets for those who ask again, and sending them again.

use std::hint::black_box;
use std::time::Duration;

use super::rewrite::{Filled, Stream};
use crate::Work::Items;
use crate::{Case, Operation};

/// The publisher's packets are read and kept.
struct Insert {
    filled: Filled,
    /// The last is the next.
    packets: Vec<(u64, Vec<u8>)>,
}

impl Operation for Insert {
    fn prepare(&mut self, runs: usize) {
        let mut next = || {
            let packet = self.filled.packet();
            self.filled.next += 1;
            (self.filled.next - 1, packet)
        };
        self.packets = (0..runs).map(|_| next()).collect();
        self.packets.reverse();
    }

    fn run(&mut self) {
        if let Some((number, packet)) = self.packets.pop() {
            assert!(self.filled.piece.insert(number, &packet));
        }
    }
}

/// A subscriber asks for packets that were sent to it, each once.
struct Ask {
    filled: Filled,
    lost: Vec<u16>,
    resend: bool,
}

impl Operation for Ask {
    fn prepare(&mut self, runs: usize) {
        self.lost = (0..runs)
            .map(|_| {
                let number = self.filled.keep();
                self.filled.forward(number)
            })
            .collect();
        self.filled.now += Duration::from_millis(33);
    }

    fn run(&mut self) {
        let Some(number) = self.lost.pop() else { return };
        let Filled { piece, now, out, .. } = &mut self.filled;
        if self.resend {
            black_box(piece.resend(*now, number, out)).expect("a packet that is there");
        } else {
            assert!(black_box(piece.find(*now, number)));
        }
    }
}

fn ask(resend: bool) -> Ask {
    Ask { filled: Filled::new(Stream::Vp8), lost: Vec::new(), resend }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::gated("insert", Items(1), || Insert {
            filled: Filled::new(Stream::Vp8),
            packets: Vec::new(),
        }),
        Case::gated("lookup", Items(1), || ask(false)),
        Case::gated("resend", Items(1), || ask(true)),
    ]
}
