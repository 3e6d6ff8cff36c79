//! Group `rtcp`: compounds and transport-wide feedback.

use std::hint::black_box;
use std::time::{Duration, Instant};

use conf_media::rtcp::{self, Packet, ReportBlock, TransportRecorder, write};

use crate::Work::{Bytes, Items};
use crate::{Case, Operation, now};

/// Receiver report of four blocks, description, NACK of three pairs.
fn reports() -> Vec<u8> {
    let mut out = Vec::new();
    write::receiver_report(&mut out, 1, &[ReportBlock::default(); 4]);
    write::sdes_cname(&mut out, 1, b"0123456789abcdef");
    write::nack(&mut out, 1, 2, &[10, 11, 12, 40, 60, 61]);
    out
}

/// Feedback on so many packets, a tenth of them lost.
fn feedback(packets: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let deltas = (0..40).cycle().take(packets).map(|at| (at % 10 != 3).then_some(at));
    let deltas: Vec<_> = deltas.collect();
    write::transport_feedback(&mut out, &write::TransportInfo::default(), &deltas);
    out
}

/// Reads all that a packet has to say, as the engine does.
fn sum(packet: Packet<'_>) -> usize {
    match packet {
        Packet::ReceiverReport { blocks, .. } => blocks.map(|block| block.jitter as usize).sum(),
        Packet::SourceDescription(chunks) => chunks.count(),
        Packet::Nack { lost, .. } => lost.map(usize::from).sum(),
        Packet::TransportFeedback(feedback) => {
            feedback.statuses().filter(|status| status.arrival.is_some()).count()
        }
        _ => 0,
    }
}

fn walk(compound: &[u8]) {
    black_box(rtcp::walk(black_box(compound)).flatten().map(sum).sum::<usize>());
}

/// Packets come in, one of ten is lost, then the feedback is due.
struct Record {
    packets: u64,
    recorder: TransportRecorder,
    now: Instant,
    number: u16,
    out: Vec<u8>,
}

impl Operation for Record {
    fn run(&mut self) {
        for _ in 0..self.packets {
            self.now += Duration::from_millis(1);
            self.number = self.number.wrapping_add(1);
            if !self.number.is_multiple_of(10) {
                self.recorder.record(self.number, self.now);
            }
        }
        self.now += Duration::from_millis(100);
        self.out.clear();
        while self.recorder.poll_feedback(self.now, 1, 2, &mut self.out) {}
    }
}

pub(super) fn cases() -> Vec<Case> {
    let compound = reports();
    let mut cases = vec![Case::gated("compound_parse", Bytes(compound.len() as u64), move || {
        let compound = compound.clone();
        move || walk(&compound)
    })];
    for packets in [100, 1_000] {
        cases.push(Case::gated(
            format!("twcc/parse/packets={packets}"),
            Items(packets),
            move || {
                let compound = feedback(usize::try_from(packets).unwrap_or_default());
                move || walk(&compound)
            },
        ));
        cases.push(Case::gated(
            format!("twcc/build/packets={packets}"),
            Items(packets),
            move || {
                let (recorder, out) = (TransportRecorder::new(), Vec::with_capacity(8_192));
                Record { packets, recorder, now: now().mono, number: 0, out }
            },
        ));
    }
    cases
}
