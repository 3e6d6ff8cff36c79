//! Bench group `rtp`: reading and writing of RTP and RTCP, one packet or compound an iteration.

use std::hint::black_box;
use std::time::{Duration, Instant};

use conf_media::codec::{Codec, vp8};
use conf_media::rtcp::{self, Packet, ReportBlock, TransportRecorder, write};
use conf_media::rtp::{self, Header};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// What browsers send with each video packet: mid, send time, transport-wide number.
const EXTENSIONS: [(u8, &[u8]); 3] = [(4, b"1"), (2, &[1, 2, 3]), (3, &[1, 2])];

/// A video packet of 1,200 bytes of VP8 with 15-bit picture id.
fn packet(extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let header =
        Header { marker: true, payload_type: 96, sequence: 7, timestamp: 90_000, ssrc: 0x1234 };
    let mut out = vec![0; 1_500];
    let length = header.write(extensions, &mut out).expect("1,500 bytes are enough");
    out.truncate(length);
    out.extend_from_slice(&[0x90, 0xe0, 0x92, 0x34, 5, 0x40, 0]);
    out.resize(1_200, 0xaa);
    out
}

/// Receiver report of four blocks, description, NACK of three pairs, feedback on a hundred packets.
fn compound() -> Vec<u8> {
    let mut out = Vec::new();
    write::receiver_report(&mut out, 1, &[ReportBlock::default(); 4]);
    write::sdes_cname(&mut out, 1, b"0123456789abcdef");
    write::nack(&mut out, 1, 2, &[10, 11, 12, 40, 60, 61]);
    let deltas: Vec<_> = (0..100).map(|at| (at % 10 != 3).then_some(at % 40)).collect();
    write::transport_feedback(&mut out, &write::TransportInfo::default(), &deltas);
    out
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rtp");
    group.throughput(Throughput::Elements(1));
    let (plain, extended) = (packet(&[]), packet(&EXTENSIONS));
    group.bench_function("parse/plain", |b| b.iter(|| rtp::parse(black_box(&plain))));
    group.bench_function("parse/extensions=3", |b| {
        b.iter(|| {
            let view = rtp::parse(black_box(&extended)).expect("valid");
            view.extensions(&extended)
                .map(|(id, value)| usize::from(id) + value.len())
                .sum::<usize>()
        });
    });
    group.bench_function("parse_header/extensions=3", |b| {
        b.iter(|| rtp::parse_header(black_box(&extended)));
    });
    let view = rtp::parse(&extended).expect("valid");
    group.bench_function("describe/vp8", |b| {
        b.iter(|| Codec::Vp8.describe(black_box(view.payload(&extended)), None));
    });
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rtp");
    group.throughput(Throughput::Elements(1));
    let mut out = [0; 1_500];
    let header =
        Header { marker: true, payload_type: 96, sequence: 7, timestamp: 90_000, ssrc: 0x1234 };
    for (name, extensions) in [("plain", &EXTENSIONS[..0]), ("extensions=3", &EXTENSIONS[..])] {
        group.bench_function(format!("write/{name}"), |b| {
            b.iter(|| black_box(&header).write(black_box(extensions), &mut out));
        });
    }
    let datagram = packet(&EXTENSIONS);
    let view = rtp::parse(&datagram).expect("valid");
    let mut payload = view.payload(&datagram).to_vec();
    let descriptor = vp8::Descriptor::read(&payload).expect("valid");
    let mut rewriter = vp8::Rewriter::new();
    group.bench_function("rewrite/vp8", |b| {
        b.iter(|| rewriter.rewrite(black_box(&descriptor), &mut payload));
    });
    group.finish();
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

fn feedback(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rtp");
    let compound = compound();
    group.throughput(Throughput::Bytes(compound.len() as u64));
    group.bench_function("rtcp/walk", |b| {
        b.iter(|| rtcp::walk(black_box(&compound)).flatten().map(sum).sum::<usize>());
    });

    // A hundred packets come in, one of ten is lost, then the report is due.
    group.throughput(Throughput::Elements(100));
    #[expect(clippy::disallowed_methods, reason = "an Instant can be made in no other way")]
    let start = Instant::now();
    let (mut recorder, mut now, mut number) = (TransportRecorder::new(), start, 0u16);
    let mut out = Vec::with_capacity(2_048);
    group.bench_function("rtcp/record/packets=100", |b| {
        b.iter(|| {
            for _ in 0..100 {
                now += Duration::from_millis(1);
                number = number.wrapping_add(1);
                if number % 10 != 3 {
                    recorder.record(number, now);
                }
            }
            now += Duration::from_millis(100);
            out.clear();
            while recorder.poll_feedback(now, 1, 2, &mut out) {}
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, reading, writing, feedback);
criterion_main!(benches);
