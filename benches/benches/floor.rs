//! Bench group `floor`: what forwarding costs beside what nobody can do without.
//!
//! `fanout` is the engine in memory: open, ring, rewrite, copy, seal for 100 subscribers, with
//! records for retransmission, transport-wide numbers, ten reports a second of each subscriber on
//! them, and padding. `floor` is one copy and one seal with a key of its own for each of the same
//! packets, nothing else. The two say little apart on a machine that others use too: `cargo bench
//! --bench floor -- --ratio` runs them alternately and prints the median of their ratios; `--
//! --count 20` forwards so many pictures, for callgrind.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program for the terminal, with inputs of its own"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use conf_benches::now;
use conf_media::rtcp::write::{self, TransportInfo};
use conf_media::rtp::Header;
use conf_media::test_util::{Lab, Outgoing, camera, subscription, vp8};
use criterion::{Criterion, Throughput};

const SUBSCRIBERS: usize = 100;
/// Payloads of one picture, as a browser cuts it: small ones first.
const PICTURE: [usize; 4] = [1_171, 1_171, 1_172, 1_172];
/// Pictures that are sealed ahead.
const PICTURES: u16 = 64;

/// The engine with a publisher and its subscribers.
struct Fanout {
    lab: Lab,
    publisher: usize,
    sequence: u16,
    picture: u16,
    pictures: Vec<Picture>,
}

/// The datagrams of one picture, and the reports that come behind it.
struct Picture {
    packets: Vec<Vec<u8>>,
    reports: Vec<(usize, Vec<u8>)>,
}

impl Fanout {
    fn new() -> Self {
        let mut lab = Lab::new(now());
        let publisher = lab.connect();
        lab.publish(publisher, 1, camera("0", 5_000));
        for _ in 0..SUBSCRIBERS {
            let subscriber = lab.connect();
            lab.subscribe(subscriber, 1, subscription("0", 900));
        }
        Self { lab, publisher, sequence: 0, picture: 0, pictures: Vec::new() }
    }

    /// Seals pictures for the runs that follow: not part of what is measured.
    fn prepare(&mut self, pictures: u16) {
        self.pictures = (0..pictures).map(|_| self.picture()).collect();
    }

    fn picture(&mut self) -> Picture {
        let packets = self.packets();
        let reports =
            if self.picture.is_multiple_of(PER_REPORT) { self.reports() } else { Vec::new() };
        Picture { packets, reports }
    }

    /// All subscribers report that the last packets came.
    fn reports(&mut self) -> Vec<(usize, Vec<u8>)> {
        let count = PER_REPORT * 4;
        let base = (self.picture * 4).wrapping_sub(count).wrapping_add(1);
        let number = (self.picture / PER_REPORT).to_be_bytes()[1];
        let mut report = Vec::new();
        write::receiver_report(&mut report, 1, &[]);
        let info = TransportInfo { sender: 1, media: 900, base, reference: 0, number };
        write::transport_feedback(&mut report, &info, &vec![Some(1); usize::from(count)]);
        let subscribers = 1..=SUBSCRIBERS;
        subscribers
            .map(|subscriber| (subscriber, self.lab.seal_rtcp(subscriber, &report)))
            .collect()
    }

    fn packets(&mut self) -> Vec<Vec<u8>> {
        let picture = self.picture;
        self.picture = picture.wrapping_add(1);
        let last = PICTURE.len() - 1;
        let packet = |(index, &len): (usize, &usize)| {
            let sequence = self.sequence;
            self.sequence = sequence.wrapping_add(1);
            let payload = vp8(picture & 0x7fff, picture == 0, index == 0, len);
            let timestamp = u32::from(picture) * 3_000;
            let marker = index == last;
            let header = Header { marker, payload_type: 96, sequence, timestamp, ssrc: 5_000 };
            let number = sequence.to_be_bytes();
            let extensions: &[(u8, &[u8])] = &[(1, b"0"), (5, &number), (6, &[0, 1, 2])];
            self.lab.seal(self.publisher, &Outgoing { header, extensions, payload: &payload })
        };
        PICTURE.iter().enumerate().map(packet).collect()
    }

    fn run(&mut self) -> usize {
        let from = self.lab.remote(self.publisher).address;
        let pictures = std::mem::take(&mut self.pictures);
        let mut sent = 0;
        for picture in pictures {
            self.lab.now = self.lab.now.later(Duration::from_millis(33));
            sent += self.lab.run_batch(from, &picture.packets);
            for (subscriber, report) in picture.reports {
                let from = self.lab.remote(subscriber).address;
                sent += self.lab.run_batch(from, &[report]);
            }
        }
        sent
    }
}

/// One copy and one seal a packet.
struct Floor {
    keys: Vec<LessSafeKey>,
    picture: Vec<Vec<u8>>,
    arena: Vec<u8>,
    index: u64,
}

impl Floor {
    fn new() -> Self {
        let key = |n: u8| LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[n; 16]).expect("a key"));
        let picture: Vec<Vec<u8>> = PICTURE.iter().map(|len| vec![0xab; len + HEADER]).collect();
        let arena = vec![0; picture.iter().map(|packet| packet.len() + TAG).sum::<usize>() * 100];
        Self { keys: (0..100).map(key).collect(), picture, arena, index: 0 }
    }

    fn run(&mut self, pictures: u16) -> usize {
        let mut sent = 0;
        for _ in 0..pictures {
            let mut rest = self.arena.as_mut_slice();
            for packet in &self.picture {
                self.index += 1;
                for key in &self.keys {
                    let (place, behind) = rest.split_at_mut(packet.len() + TAG);
                    rest = behind;
                    let (body, tag) = place.split_at_mut(packet.len());
                    body.copy_from_slice(packet);
                    let (head, body) = body.split_at_mut(HEADER);
                    let mut nonce = [0; 12];
                    nonce[4..].copy_from_slice(&self.index.to_be_bytes());
                    let nonce = Nonce::assume_unique_for_key(nonce);
                    let made = key.seal_in_place_separate_tag(nonce, Aad::from(&*head), body);
                    tag.copy_from_slice(made.expect("sealed").as_ref());
                    sent += 1;
                }
            }
            black_box(&self.arena);
        }
        sent
    }
}

/// Alternates, so that what others do to the machine meets both alike.
fn ratio() {
    let (mut fanout, mut floor) = (Fanout::new(), Floor::new());
    let mut ratios = Vec::new();
    let mut nanos = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        fanout.prepare(PICTURES);
        let (start, sent) = (clock(), fanout.run());
        let ours = clock() - start;
        let (start, floors) = (clock(), floor.run(PICTURES));
        let bare = clock() - start;
        assert_eq!((sent, floors), (PICTURES as usize * 400, PICTURES as usize * 400));
        if round > 0 {
            ratios.push(ours.as_secs_f64() / bare.as_secs_f64());
            nanos[0].push(ours.as_nanos() as f64 / sent as f64);
            nanos[1].push(bare.as_nanos() as f64 / sent as f64);
        }
    }
    let median = |list: &mut Vec<f64>| {
        list.sort_by(f64::total_cmp);
        list[list.len() / 2]
    };
    let [ours, bare] = &mut nanos;
    let (ours, bare) = (median(ours), median(bare));
    println!("fanout {ours:.0} ns, floor {bare:.0} ns, ratio {:.2}", median(&mut ratios));
}

fn clock() -> Instant {
    now().mono
}

fn criterion() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("floor");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements((PICTURE.len() * SUBSCRIBERS) as u64));
    let (mut fanout, mut floor) = (Fanout::new(), Floor::new());
    group.bench_function("fanout", |bencher| {
        bencher.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                fanout.prepare(1);
                let start = clock();
                black_box(fanout.run());
                spent += clock() - start;
            }
            spent
        });
    });
    group.bench_function("floor", |bencher| bencher.iter(|| floor.run(1)));
    group.finish();
    criterion.final_summary();
}

fn main() {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    if asked("--ratio") {
        return ratio();
    }
    if asked("--count") {
        let pictures = std::env::args().find_map(|argument| argument.parse().ok());
        let mut fanout = Fanout::new();
        fanout.prepare(pictures.unwrap_or(20));
        println!("{} packets", fanout.run());
        return;
    }
    criterion();
}

const ROUNDS: usize = 41;
/// Pictures to a report: 30 a second.
const PER_REPORT: u16 = 3;
/// Of a packet as it leaves: 12 bytes and one block with mid and transport-wide number.
const HEADER: usize = 24;
const TAG: usize = 16;
