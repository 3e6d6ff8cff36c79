//! Tests of RTCP.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it then fails")]

use std::time::{Duration, Instant};

use super::write::{SenderInfo, TransportInfo};
use super::*;

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 9,
    fraction_lost: 10,
    cumulative_lost: -3,
    highest: 0x1_0005,
    jitter: 11,
    last_sr: 12,
    delay: 13,
};

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "an Instant can be made in no other way")]
    Instant::now()
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(out.len() % 4, 0);
    out
}

fn only(bytes: &[u8]) -> Packet<'_> {
    let mut packets = walk(bytes);
    let packet = packets.next().unwrap().unwrap();
    assert!(packets.next().is_none());
    packet
}

/// One compound for each kind of packet, for mutation.
pub(crate) fn valid_compounds() -> Vec<Vec<u8>> {
    let info = SenderInfo { ssrc: 1, ntp: 2, rtp: 3, packets: 4, octets: 5 };
    let transport = TransportInfo { base: 65_530, reference: 1, ..TransportInfo::default() };
    let deltas = [Some(1), None, Some(-5), Some(255), None, None, Some(256)].repeat(9);
    let mut fir = vec![0x84, 206, 0, 4];
    fir.extend_from_slice(&[0; 16]);
    let mut remb = vec![0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0];
    remb.extend_from_slice(b"REMB\x01\x0b\xff\xff\0\0\0\x07");
    vec![
        written(|out| {
            write::sender_report(out, &info, &[BLOCK; 2]);
            write::sdes_cname(out, 1, b"cname");
            write::bye(out, &[1, 2]);
        }),
        written(|out| {
            write::receiver_report(out, 1, &[BLOCK]);
            write::nack(out, 1, 2, &[1, 2, 40, 65_535]);
            write::pli(out, 1, 2);
        }),
        written(|out| write::transport_feedback(out, &transport, &deltas)),
        fir,
        remb,
    ]
}

/// Runs all iterators of a packet to their ends.
pub(crate) fn read_everything(packet: Packet<'_>) {
    match packet {
        Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } => {
            assert!(blocks.count() <= 31);
        }
        Packet::SourceDescription(chunks) => assert!(chunks.count() <= 31),
        Packet::Bye(sources) => assert!(sources.count() <= 31),
        Packet::Nack { lost, .. } => drop(lost.count()),
        Packet::Fir { entries, .. } => drop(entries.count()),
        Packet::Remb(remb) => drop(remb.sources.count()),
        Packet::TransportFeedback(feedback) => {
            assert!(feedback.statuses().count() <= usize::from(feedback.count));
        }
        Packet::Pli { .. } | Packet::Other { .. } => {}
    }
}

#[test]
fn a_compound_is_read_as_it_was_written() {
    let info = SenderInfo { ssrc: 1, ntp: 0x0102_0304_0506_0708, rtp: 3, packets: 4, octets: 5 };
    let compound = written(|out| {
        write::sender_report(out, &info, &[BLOCK]);
        write::sdes_cname(out, 1, b"abc");
        write::bye(out, &[1, 2]);
    });
    let packets: Vec<_> = walk(&compound).map(Result::unwrap).collect();
    assert_eq!(packets.len(), 3);
    let Packet::SenderReport { ssrc, ntp, rtp, packets: sent, octets, blocks } = packets[0] else {
        panic!("no sender report");
    };
    assert_eq!(SenderInfo { ssrc, ntp, rtp, packets: sent, octets }, info);
    assert_eq!(blocks.collect::<Vec<_>>(), [BLOCK]);
    let Packet::SourceDescription(mut chunks) = packets[1] else { panic!("no description") };
    assert_eq!(chunks.next().map(|chunk| (chunk.ssrc, chunk.cname)), Some((1, Some(&b"abc"[..]))));
    let Packet::Bye(sources) = packets[2] else { panic!("no bye") };
    assert_eq!(sources.collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn names_of_every_length_are_read_as_they_were_written() {
    for length in 0..=255 {
        let name = vec![b'x'; length];
        let bytes = written(|out| write::sdes_cname(out, 1, &name));
        let Packet::SourceDescription(mut chunks) = only(&bytes) else { panic!("no description") };
        assert_eq!(chunks.next().and_then(|chunk| chunk.cname), Some(&name[..]));
        assert!(chunks.next().is_none());
    }
}

#[test]
fn losses_survive_the_way_through_a_nack() {
    let lost = [65_530u16, 65_531, 10, 11, 27, 28, 100];
    let bytes = written(|out| write::nack(out, 1, 2, &lost));
    let Packet::Nack { sender, media, lost: read } = only(&bytes) else { panic!("no nack") };
    assert_eq!((sender, media), (1, 2));
    assert_eq!(read.collect::<Vec<_>>(), lost);
    // 65530 + 16 more reach to 10; 11 to 27; 28; 100.
    assert_eq!(bytes.len(), 12 + 4 * 4);
    assert!(written(|out| write::nack(out, 1, 2, &[])).is_empty());
}

#[test]
fn more_blocks_than_the_count_can_say_are_left_out() {
    let bytes = written(|out| write::receiver_report(out, 1, &[BLOCK; 40]));
    let Packet::ReceiverReport { blocks, .. } = only(&bytes) else { panic!("no report") };
    assert_eq!(blocks.count(), 31);
}

#[test]
fn a_bitrate_estimate_beyond_64_bits_sticks_to_the_end() {
    let mut bytes = vec![0x8f, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0];
    bytes.extend_from_slice(b"REMB\0");
    bytes.extend_from_slice(&[0x0b, 0xff, 0xff]);
    let Packet::Remb(remb) = only(&bytes) else { panic!("no estimate") };
    assert_eq!(remb.bitrate, 0x3_ffff << 2);
    bytes[17] = 0xff;
    let Packet::Remb(remb) = only(&bytes) else { panic!("no estimate") };
    assert_eq!(remb.bitrate, u64::MAX);
}

#[test]
fn a_body_too_short_for_its_type_is_reported_and_stepped_over() {
    let mut bytes = vec![0x81, 205, 0, 1, 0, 0, 0, 1];
    write::pli(&mut bytes, 1, 2);
    let packets: Vec<_> = walk(&bytes).collect();
    let short = RtcpError::Body { kind: 205, needed: 8, body: 4 };
    assert_eq!(packets[0].as_ref().unwrap_err(), &short);
    assert!(matches!(packets[1], Ok(Packet::Pli { sender: 1, media: 2 })));
}

#[test]
fn a_broken_frame_ends_the_walk() {
    let errors = [
        (&[0x80, 201, 0][..], RtcpError::Truncated { needed: 4, length: 3 }),
        (&[0x40, 201, 0, 0], RtcpError::Version { version: 1 }),
        (&[0x80, 201, 0, 1, 0, 0, 0], RtcpError::Truncated { needed: 8, length: 7 }),
        (&[0xa0, 203, 0, 0], RtcpError::Padding { padding: 0, body: 0 }),
        (&[0xa0, 203, 0, 1, 0, 0, 0, 8], RtcpError::Padding { padding: 8, body: 4 }),
        (&[0xa0, 203, 0, 1, 0, 0, 0, 0], RtcpError::Padding { padding: 0, body: 4 }),
    ];
    for (bytes, expected) in errors {
        let mut packets = walk(bytes);
        assert_eq!(packets.next().unwrap().unwrap_err(), expected);
        assert!(packets.next().is_none());
    }
}

#[test]
fn padding_is_no_part_of_the_body() {
    let bytes = [0xa1, 203, 0, 2, 0, 0, 0, 9, 0, 0, 0, 4];
    let Packet::Bye(sources) = only(&bytes) else { panic!("no bye") };
    assert_eq!(sources.collect::<Vec<_>>(), [9]);
}

#[test]
fn extended_reports_are_skipped() {
    let bytes = [0x80, 207, 0, 1, 0, 0, 0, 1];
    assert!(matches!(only(&bytes), Packet::Other { kind: 207, format: 0, body: [0, 0, 0, 1] }));
}

#[test]
fn ntp_time_counts_from_1900() {
    let wall = jiff::Timestamp::new(0, 500_000_000).unwrap();
    assert_eq!(ntp(wall), 2_208_988_800 << 32 | 0x8000_0000);
    assert_eq!(ntp_middle(ntp(wall)), (2_208_988_800u32 & 0xffff) << 16 | 0x8000);
    // 2036-02-07T06:28:16Z: the seconds wrap.
    assert_eq!(ntp(jiff::Timestamp::new(2_085_978_496, 0).unwrap()), 0);
    assert_eq!(ntp(jiff::Timestamp::new(-5, 0).unwrap()), 2_208_988_800 << 32);
}

#[test]
fn the_round_trip_is_what_remains_without_the_time_held() {
    let block = ReportBlock { last_sr: 0xffff_ff00, delay: 0x100, ..BLOCK };
    assert_eq!(block.round_trip(0x50), Some(0x50));
    assert_eq!(block.round_trip(0xffff_fff0), None);
    assert_eq!(ReportBlock { last_sr: 0, ..block }.round_trip(0x50), None);
}

/// Sequence and arrival of all packets reported, in 250 µs.
fn statuses(bytes: &[u8]) -> Vec<(u16, Option<i64>)> {
    walk(bytes)
        .map(|packet| match packet.unwrap() {
            Packet::TransportFeedback(feedback) => feedback,
            other => panic!("{other:?}"),
        })
        .flat_map(|feedback| feedback.statuses())
        .map(|status| (status.sequence, status.arrival))
        .collect()
}

fn feedback(recorder: &mut TransportRecorder, now: Instant) -> Vec<u8> {
    let mut out = Vec::new();
    while recorder.poll_feedback(now, 1, 2, &mut out) {}
    out
}

#[test]
fn feedback_is_due_a_tenth_of_a_second_after_the_first_packet() {
    let t0 = start();
    let mut recorder = TransportRecorder::new();
    assert_eq!(recorder.timeout(), None);
    recorder.record(65_535, t0);
    recorder.record(1, t0 + millis(20));
    assert_eq!(recorder.timeout(), Some(t0 + millis(100)));
    assert!(feedback(&mut recorder, t0 + millis(99)).is_empty());
    let bytes = feedback(&mut recorder, t0 + millis(100));
    assert_eq!(statuses(&bytes), [(65_535, Some(256)), (0, None), (1, Some(256 + 80))]);
    assert_eq!(recorder.timeout(), None);
}

#[test]
fn duplicates_change_nothing() {
    let t0 = start();
    let mut recorder = TransportRecorder::new();
    recorder.record(5, t0);
    recorder.record(5, t0 + millis(50));
    assert_eq!(statuses(&feedback(&mut recorder, t0 + millis(100))), [(5, Some(256))]);
    recorder.record(5, t0 + millis(120));
    assert_eq!(recorder.timeout(), None);
}

#[test]
fn a_late_packet_is_reported_after_all() {
    let t0 = start();
    let mut recorder = TransportRecorder::new();
    recorder.record(5, t0);
    recorder.record(7, t0 + millis(1));
    feedback(&mut recorder, t0 + millis(100));
    recorder.record(6, t0 + millis(110));
    let bytes = feedback(&mut recorder, t0 + millis(210));
    // Number 7 came before it: a delta below zero.
    assert_eq!(statuses(&bytes), [(6, Some(256 + 440)), (7, Some(256 + 4))]);
}

#[test]
fn a_pause_too_long_for_one_delta_starts_another_packet() {
    let t0 = start();
    let mut recorder = TransportRecorder::new();
    recorder.record(1, t0);
    recorder.record(2, t0 + millis(8_100));
    recorder.record(3, t0 + millis(20_000));
    let bytes = feedback(&mut recorder, t0 + millis(20_100));
    assert_eq!(walk(&bytes).count(), 2);
    let expected = [(1, Some(256)), (2, Some(256 + 8_100 * 4)), (3, Some(256 + 20_000 * 4))];
    assert_eq!(statuses(&bytes), expected);
}

#[test]
fn many_packets_are_reported_before_the_tenth_of_a_second_in_packets_below_the_mtu() {
    let t0 = start();
    let mut recorder = TransportRecorder::new();
    for number in 0..2_000u16 {
        recorder.record(number, t0 + millis(u64::from(number) * 70));
    }
    let bytes = feedback(&mut recorder, t0 + millis(2_000 * 70));
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]])) * 4 + 4;
        assert!(length <= 1_200, "{length} bytes");
        rest = &rest[length..];
    }
    assert_eq!(statuses(&bytes).len(), 2_000);
}

#[test]
fn whatever_a_publisher_numbers_the_memory_stays_bounded() {
    let t0 = start();
    let mut random = crate::rtp::random::Random(3);
    let mut recorder = TransportRecorder::new();
    let mut out = Vec::new();
    for round in 0..20_000u64 {
        recorder.record(random.short(), t0 + Duration::from_micros(round * 100));
        if round % 50 == 0 {
            out.clear();
            while recorder.poll_feedback(t0 + millis(round), 1, 2, &mut out) {}
            assert!(out.len() < 16_384);
            statuses(&out);
        }
    }
    assert!(recorder.kept() <= 2_048);
}

#[test]
fn a_jump_beyond_the_window_starts_again() {
    let t0 = start();
    let mut recorder = TransportRecorder::new();
    recorder.record(1, t0);
    recorder.record(10_000, t0);
    assert_eq!(statuses(&feedback(&mut recorder, t0 + millis(100))), [(10_000, Some(256))]);
}

#[test]
fn feedback_survives_its_own_coding_for_any_pattern() {
    let mut random = crate::rtp::random::Random(11);
    for _ in 0..200 {
        let (lost, large) = (random.below(100), random.below(100));
        let mut deltas: Vec<Option<i16>> = (0..=random.below(200))
            .map(|_| {
                let size = if random.chance(large) { random.short() } else { random.byte().into() };
                (!random.chance(lost)).then_some(size.cast_signed())
            })
            .collect();
        deltas.resize(deltas.len() + random.below(1_500), None);
        deltas.push(Some(1));
        let base = random.short();
        let info = TransportInfo { base, reference: 5, ..TransportInfo::default() };
        let bytes = written(|out| write::transport_feedback(out, &info, &deltas));
        let mut sum = 5 * 256;
        let expected: Vec<_> = (0u16..)
            .zip(&deltas)
            .map(|(at, delta)| {
                sum += i64::from(delta.unwrap_or(0));
                (base.wrapping_add(at), delta.map(|_| sum))
            })
            .collect();
        assert_eq!(statuses(&bytes), expected);
    }
}

#[test]
fn a_run_of_lost_packets_is_read_up_to_the_limit() {
    let info = TransportInfo::default();
    let mut deltas = vec![None; 60_000];
    deltas.insert(10, Some(7));
    let bytes = written(|out| write::transport_feedback(out, &info, &deltas));
    assert!(bytes.len() < 48);
    let read = statuses(&bytes);
    assert_eq!(read.len(), usize::from(MOST_STATUSES));
    assert_eq!(read[10], (10, Some(7)));
}

#[test]
fn a_jump_within_the_window_drops_the_oldest() {
    let t0 = start();
    let mut recorder = TransportRecorder::new();
    recorder.record(0, t0);
    recorder.record(2_000, t0);
    recorder.record(4_000, t0);
    assert_eq!(recorder.kept(), 2_048);
    recorder.record(0, t0);
    let read = statuses(&feedback(&mut recorder, t0 + millis(100)));
    assert_eq!(read.iter().filter(|(_, arrival)| arrival.is_some()).count(), 2);
    assert_eq!(read.last(), Some(&(4_000, Some(256))));
}
