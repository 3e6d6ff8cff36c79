//! Our RTCP against the crates `rtcp` and `interceptor`: what one writes the other reads as the
//! same, and both ask for the same packets and report the same arrivals.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use conf_media::rtcp::write::{self, SenderInfo, TransportInfo};
use conf_media::rtcp::{Packet, ReportBlock, TransportRecorder, walk};
use conf_media::seq::{Missing, MissingPackets};
use interceptor::InterceptorBuilder;
use interceptor::mock::mock_stream::MockStream;
use interceptor::nack::generator::Generator;
use interceptor::stream_info::{RTCPFeedback, StreamInfo};
use rtcp::extended_report::ExtendedReport;
use rtcp::goodbye::Goodbye;
use rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;
use rtcp::sender_report::SenderReport;
use rtcp::source_description::{
    SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem,
};
use rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, SymbolTypeTcc, TransportLayerCc,
};
use rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};

#[path = "../src/rtp/random.rs"]
#[expect(dead_code, reason = "shared with the unit tests, which use the rest")]
mod random;
use random::Random;

type Theirs = Box<dyn rtcp::packet::Packet + Send + Sync>;

const ROUNDS: u32 = 3_000;

fn word(random: &mut Random) -> u32 {
    u32::from(random.short()) << 16 | u32::from(random.short())
}

fn long(random: &mut Random) -> u64 {
    u64::from(word(random)) << 32 | u64::from(word(random))
}

fn block(random: &mut Random) -> ReportBlock {
    ReportBlock {
        ssrc: word(random),
        fraction_lost: random.byte(),
        cumulative_lost: i32::try_from(random.below(0x80_0000)).unwrap(),
        highest: word(random),
        jitter: word(random),
        last_sr: word(random),
        delay: word(random),
    }
}

fn blocks(random: &mut Random) -> Vec<ReportBlock> {
    (0..random.below(32)).map(|_| block(random)).collect()
}

fn their_block(block: &ReportBlock) -> ReceptionReport {
    ReceptionReport {
        ssrc: block.ssrc,
        fraction_lost: block.fraction_lost,
        total_lost: block.cumulative_lost.cast_unsigned(),
        last_sequence_number: block.highest,
        jitter: block.jitter,
        last_sender_report: block.last_sr,
        delay: block.delay,
    }
}

fn their_blocks(blocks: &[ReportBlock]) -> Vec<ReceptionReport> {
    blocks.iter().map(their_block).collect()
}

/// Ascending, without duplicates. Not over the wrap: the other implementation starts a new pair
/// there, we do not.
fn lost(random: &mut Random) -> Vec<u16> {
    let mut at = random.short() / 2;
    (0..=random.below(60))
        .map(|_| {
            let step = if random.chance(80) { 1 + random.below(20) } else { 1 + random.below(500) };
            at = at.wrapping_add(u16::try_from(step).unwrap());
            at
        })
        .collect()
}

fn name(random: &mut Random) -> Vec<u8> {
    (0..1 + random.below(30)).map(|_| b'a' + random.byte() % 26).collect()
}

fn their_description(ssrc: u32, name: &[u8]) -> SourceDescription {
    let item = SourceDescriptionItem {
        sdes_type: SdesType::SdesCname,
        text: Bytes::copy_from_slice(name),
    };
    SourceDescription { chunks: vec![SourceDescriptionChunk { source: ssrc, items: vec![item] }] }
}

/// Appends one packet to `out` and the same packet, as the other crate has it, to `theirs`.
fn both(random: &mut Random, out: &mut Vec<u8>, theirs: &mut Vec<Theirs>) {
    let (ssrc, media) = (word(random), word(random));
    match random.below(6) {
        0 => {
            let info = SenderInfo {
                ssrc,
                ntp: long(random),
                rtp: word(random),
                packets: word(random),
                octets: word(random),
            };
            let blocks = blocks(random);
            write::sender_report(out, &info, &blocks);
            theirs.push(Box::new(SenderReport {
                ssrc,
                ntp_time: info.ntp,
                rtp_time: info.rtp,
                packet_count: info.packets,
                octet_count: info.octets,
                reports: their_blocks(&blocks),
                profile_extensions: Bytes::new(),
            }));
        }
        1 => {
            let blocks = blocks(random);
            write::receiver_report(out, ssrc, &blocks);
            let reports = their_blocks(&blocks);
            theirs.push(Box::new(ReceiverReport { ssrc, reports, ..Default::default() }));
        }
        2 => {
            let name = name(random);
            write::sdes_cname(out, ssrc, &name);
            theirs.push(Box::new(their_description(ssrc, &name)));
        }
        3 => {
            let sources: Vec<u32> = (0..random.below(32)).map(|_| word(random)).collect();
            write::bye(out, &sources);
            theirs.push(Box::new(Goodbye { sources, reason: Bytes::new() }));
        }
        4 => {
            let lost = lost(random);
            write::nack(out, ssrc, media, &lost);
            theirs.push(Box::new(TransportLayerNack {
                sender_ssrc: ssrc,
                media_ssrc: media,
                nacks: nack_pairs_from_sequence_numbers(&lost),
            }));
        }
        _ => {
            write::pli(out, ssrc, media);
            theirs.push(Box::new(PictureLossIndication { sender_ssrc: ssrc, media_ssrc: media }));
        }
    }
}

#[test]
fn the_other_implementation_reads_what_we_write_and_writes_reports_and_requests_alike() {
    let mut random = Random(1);
    let mut same = 0;
    for round in 0..ROUNDS {
        let (mut out, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..=random.below(4) {
            both(&mut random, &mut out, &mut theirs);
        }
        // The other writes an empty reason into a BYE, which we leave out, and counts the padding
        // behind the items of a description, where RFC 3550, section 6.5, wants zeros.
        let differs = |packet: &Theirs| {
            packet.as_any().is::<Goodbye>() || packet.as_any().is::<SourceDescription>()
        };
        if !theirs.iter().any(differs) {
            assert_eq!(out, rtcp::packet::marshal(&theirs).unwrap(), "round {round}");
            same += 1;
        }
        let read = rtcp::packet::unmarshal(&mut &out[..]).unwrap();
        assert!(read == theirs, "round {round}");
        assert_eq!(walk(&out).map(Result::unwrap).count(), theirs.len());
    }
    assert!(same > ROUNDS / 4, "only {same} compounds were compared");
}

/// A packet of ours as the other crate would have it, from what our reader says.
fn as_theirs(packet: &Packet<'_>) -> Theirs {
    let reports = |blocks: conf_media::rtcp::Blocks<'_>| blocks.map(|b| their_block(&b)).collect();
    match *packet {
        Packet::SenderReport { ssrc, ntp, rtp, packets, octets, blocks } => {
            Box::new(SenderReport {
                ssrc,
                ntp_time: ntp,
                rtp_time: rtp,
                packet_count: packets,
                octet_count: octets,
                reports: reports(blocks),
                profile_extensions: Bytes::new(),
            })
        }
        Packet::ReceiverReport { ssrc, blocks } => {
            Box::new(ReceiverReport { ssrc, reports: reports(blocks), ..Default::default() })
        }
        Packet::SourceDescription(mut chunks) => {
            let chunk = chunks.next().unwrap();
            assert!(chunks.next().is_none());
            Box::new(their_description(chunk.ssrc, chunk.cname.unwrap()))
        }
        Packet::Bye(sources) => {
            Box::new(Goodbye { sources: sources.collect(), reason: Bytes::new() })
        }
        Packet::Nack { sender, media, lost } => Box::new(TransportLayerNack {
            sender_ssrc: sender,
            media_ssrc: media,
            nacks: nack_pairs_from_sequence_numbers(&lost.collect::<Vec<_>>()),
        }),
        Packet::Pli { sender, media } => {
            Box::new(PictureLossIndication { sender_ssrc: sender, media_ssrc: media })
        }
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn we_read_what_the_other_implementation_writes() {
    let mut random = Random(2);
    for round in 0..ROUNDS {
        let mut theirs = Vec::new();
        for _ in 0..=random.below(4) {
            both(&mut random, &mut Vec::new(), &mut theirs);
        }
        let bytes = rtcp::packet::marshal(&theirs).unwrap();
        let read: Vec<Theirs> = walk(&bytes).map(|packet| as_theirs(&packet.unwrap())).collect();
        assert!(read == theirs, "round {round}: {read:?} instead of {theirs:?}");
    }
}

#[test]
fn we_read_intra_requests_estimates_and_skip_extended_reports() {
    let mut random = Random(3);
    for _ in 0..ROUNDS {
        let (sender_ssrc, media_ssrc) = (word(&mut random), word(&mut random));
        let fir: Vec<FirEntry> = (0..1 + random.below(20))
            .map(|_| FirEntry { ssrc: word(&mut random), sequence_number: random.byte() })
            .collect();
        let ssrcs: Vec<u32> = (0..random.below(20)).map(|_| word(&mut random)).collect();
        let bitrate = random.below(1 << 18) << random.below(16);
        #[expect(clippy::cast_precision_loss, reason = "18 bits and an exponent fit")]
        let estimate = ReceiverEstimatedMaximumBitrate {
            sender_ssrc,
            bitrate: bitrate as f32,
            ssrcs: ssrcs.clone(),
        };
        let theirs: [Theirs; 3] = [
            Box::new(FullIntraRequest { sender_ssrc, media_ssrc, fir: fir.clone() }),
            Box::new(ExtendedReport { sender_ssrc, reports: Vec::new() }),
            Box::new(estimate),
        ];
        let bytes = rtcp::packet::marshal(&theirs).unwrap();
        let mut packets = walk(&bytes).map(Result::unwrap);
        let Some(Packet::Fir { sender, entries }) = packets.next() else { panic!("no request") };
        assert_eq!(sender, sender_ssrc);
        let expected: Vec<_> =
            fir.iter().map(|entry| (entry.ssrc, entry.sequence_number)).collect();
        assert_eq!(entries.collect::<Vec<_>>(), expected);
        assert!(matches!(packets.next(), Some(Packet::Other { kind: 207, .. })));
        let Some(Packet::Remb(remb)) = packets.next() else { panic!("no estimate") };
        assert_eq!((remb.sender, remb.bitrate), (sender_ssrc, bitrate as u64));
        assert_eq!(remb.sources.collect::<Vec<_>>(), ssrcs);
    }
}

/// Sequence number and, where it arrived, the time in 250 µs.
type Statuses = Vec<(u16, Option<i64>)>;

/// As the other crate reads a feedback packet.
fn their_statuses(feedback: &TransportLayerCc) -> Statuses {
    let mut symbols = Vec::new();
    for chunk in &feedback.packet_chunks {
        match chunk {
            PacketStatusChunk::RunLengthChunk(run) => {
                symbols
                    .resize(symbols.len() + usize::from(run.run_length), run.packet_status_symbol);
            }
            PacketStatusChunk::StatusVectorChunk(vector) => symbols.extend(&vector.symbol_list),
        }
    }
    symbols.truncate(usize::from(feedback.packet_status_count));
    let mut arrival = i64::from(feedback.reference_time) * 256;
    let mut deltas = feedback.recv_deltas.iter();
    (0u16..)
        .zip(symbols)
        .map(|(at, symbol)| {
            let arrived = symbol != SymbolTypeTcc::PacketNotReceived;
            let time = arrived.then(|| {
                // The other crate counts deltas in microseconds.
                arrival += deltas.next().unwrap().delta / 250;
                arrival
            });
            (feedback.base_sequence_number.wrapping_add(at), time)
        })
        .collect()
}

fn feedbacks(packets: &[Theirs]) -> Vec<&TransportLayerCc> {
    packets.iter().map(|packet| packet.as_any().downcast_ref().unwrap()).collect()
}

fn our_statuses(bytes: &[u8]) -> Statuses {
    walk(bytes)
        .flat_map(|packet| match packet.unwrap() {
            Packet::TransportFeedback(feedback) => feedback.statuses(),
            other => panic!("{other:?}"),
        })
        .map(|status| (status.sequence, status.arrival))
        .collect()
}

#[test]
fn the_other_implementation_reads_our_transport_feedback() {
    let mut random = Random(4);
    for round in 0..ROUNDS {
        let (gone, large) = (random.below(100), random.below(100));
        let mut deltas: Vec<Option<i16>> = (0..random.below(300))
            .map(|_| {
                let size = if random.chance(large) { random.short() } else { random.byte().into() };
                (!random.chance(gone)).then_some(size.cast_signed())
            })
            .collect();
        deltas.push(Some(3));
        let info = TransportInfo {
            sender: word(&mut random),
            media: word(&mut random),
            base: random.short(),
            reference: word(&mut random) & 0xff_ffff,
            number: random.byte(),
        };
        let mut bytes = Vec::new();
        write::transport_feedback(&mut bytes, &info, &deltas);
        let read = rtcp::packet::unmarshal(&mut &bytes[..]).unwrap();
        let feedback = feedbacks(&read)[0];
        assert_eq!((feedback.sender_ssrc, feedback.media_ssrc), (info.sender, info.media));
        assert_eq!(feedback.fb_pkt_count, info.number);
        let mut sum = i64::from(info.reference) * 256;
        let expected: Statuses = (0u16..)
            .zip(&deltas)
            .map(|(at, delta)| {
                sum += i64::from(delta.unwrap_or(0));
                (info.base.wrapping_add(at), delta.map(|_| sum))
            })
            .collect();
        assert_eq!(their_statuses(feedback), expected, "round {round}");
    }
}

/// With times that count from the first arrival.
fn from_first(mut statuses: Statuses) -> Statuses {
    let first = statuses.iter().find_map(|(_, arrival)| *arrival).unwrap_or(0);
    for (_, arrival) in &mut statuses {
        *arrival = arrival.map(|time| time - first);
    }
    statuses
}

#[test]
fn both_recorders_report_the_same_arrivals() {
    #[expect(clippy::disallowed_methods, reason = "an Instant can be made in no other way")]
    let start = Instant::now();
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut ours = TransportRecorder::new();
        let mut theirs = interceptor::twcc::Recorder::new(1);
        let first = random.short();
        let gone = random.below(60);
        let mut ticks = 0u64;
        for at in 0..300u16 {
            let pause = if random.chance(5) { 2_000 } else { 30 };
            ticks += u64::try_from(random.below(pause)).unwrap();
            // The first and last number are there, as the end of a report is where it was cut.
            if at != 0 && at != 299 && random.chance(gone) {
                continue;
            }
            let micros = ticks * 250;
            ours.record(first.wrapping_add(at), start + Duration::from_micros(micros));
            theirs.record(2, first.wrapping_add(at), i64::try_from(micros).unwrap());
        }
        let mut bytes = Vec::new();
        while ours.poll_feedback(start + Duration::from_secs(600), 1, 2, &mut bytes) {}
        let read = rtcp::packet::unmarshal(&mut &bytes[..]).unwrap();
        let read: Statuses = feedbacks(&read).into_iter().flat_map(their_statuses).collect();
        let built = theirs.build_feedback_packet();
        let expected: Statuses = feedbacks(&built).into_iter().flat_map(their_statuses).collect();
        assert_eq!(from_first(read.clone()), from_first(expected.clone()), "seed {seed}");
        // And each reads the other's bytes.
        assert_eq!(our_statuses(&bytes), read, "seed {seed}");
        let built = rtcp::packet::marshal(&built).unwrap();
        assert_eq!(our_statuses(&built), expected, "seed {seed}");
    }
}

const INTERVAL: Duration = Duration::from_millis(100);

async fn generator() -> Arc<MockStream> {
    let generator = Generator::builder()
        .with_log2_size_minus_6(3)
        .with_interval(INTERVAL)
        .build("nack")
        .unwrap();
    let feedback = RTCPFeedback { typ: "nack".to_owned(), ..Default::default() };
    let info = StreamInfo { ssrc: 1, rtcp_feedback: vec![feedback], ..Default::default() };
    MockStream::new(&info, generator).await
}

async fn give(stream: &MockStream, sequence_number: u16) {
    let header = rtp::header::Header { sequence_number, ..Default::default() };
    stream.receive_rtp(rtp::packet::Packet { header, ..Default::default() }).await;
    stream.read_rtp().await.unwrap().unwrap();
}

/// Packets of one interval: new ones with losses and swaps, then some of those asked for.
fn arrivals(random: &mut Random, next: &mut u16, asked: &[u16]) -> Vec<u16> {
    let mut packets = Vec::new();
    for _ in 0..=random.below(40) {
        if !random.chance(15) {
            packets.push(*next);
        }
        *next = next.wrapping_add(1);
    }
    if packets.len() > 2 && random.chance(50) {
        let at = 1 + random.below(packets.len() - 2);
        packets.swap(at, at + 1);
    }
    packets.extend(asked.iter().filter(|_| random.chance(40)));
    packets
}

/// What the other implementation asks for until `deadline`, on the paused clock.
async fn their_request(stream: &MockStream, deadline: tokio::time::Instant) -> Vec<u16> {
    let written = tokio::time::timeout_at(deadline, stream.written_rtcp()).await;
    tokio::time::sleep_until(deadline).await;
    let Ok(Some(packets)) = written else { return Vec::new() };
    let nack: &TransportLayerNack = packets[0].as_any().downcast_ref().unwrap();
    nack.nacks.iter().flat_map(|pair| pair.packet_list()).collect()
}

#[tokio::test(start_paused = true)]
async fn both_ask_for_the_same_packets() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let stream = generator().await;
        let start = tokio::time::Instant::now();
        let bounds = (INTERVAL, INTERVAL); // the other one does not learn
        let how = Missing { interval: INTERVAL, bounds, tries: 255, reach: 511, most: 512 };
        let mut ours = MissingPackets::new(how);
        let mut next = random.short();
        let mut asked = Vec::new();
        give(&stream, next).await;
        ours.record(next, start.into_std());
        next = next.wrapping_add(1);
        // Halfway between two ticks of the other side.
        tokio::time::sleep_until(start + INTERVAL / 2).await;
        for round in 1..100u32 {
            let now = (start + INTERVAL * round).into_std();
            for sequence in arrivals(&mut random, &mut next, &asked) {
                give(&stream, sequence).await;
                ours.record(sequence, now);
            }
            asked.clear();
            ours.poll(now, &mut asked);
            let expected = their_request(&stream, start + INTERVAL * round + INTERVAL / 2).await;
            assert_eq!(asked, expected, "seed {seed} round {round}");
        }
        stream.close().await.unwrap();
    }
}
