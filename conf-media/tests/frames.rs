//! Frames out of a meeting and into it: what a program reads of a track is what was sent, and
//! nobody else notices it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use conf_media::codec::Codec;
use conf_media::command::{Command, Event, PeerId, RoomId, TrackId};
use conf_media::frame::{Frame, Output, Reader, Source, Writer, pack, tap};
use conf_media::rtcp::write::{self, SenderInfo};
use conf_media::rtcp::{from_ntp, ntp};
use conf_media::rtp::Header;
use conf_media::stats::DropReason;
use conf_media::test_util::{Lab, Outgoing, camera, simulcast, subscription};

const CODECS: [Codec; 5] = [
    Codec::Opus,
    Codec::Vp8,
    Codec::Vp9 { profile: 0 },
    Codec::H264 { profile: 0x42E0, mode: 1 },
    Codec::Av1 { profile: 0 },
];

/// A frame in the form of its codec.
fn picture(codec: Codec, number: u32, len: usize) -> (Vec<u8>, bool) {
    let keyframe = codec == Codec::Opus || number.is_multiple_of(30);
    let data: Vec<u8> = (0..len).map(|at| (at % 250) as u8 + 1).collect();
    let frame = match codec {
        Codec::Opus => data,
        Codec::Vp8 => [&[u8::from(!keyframe)][..], &data].concat(),
        Codec::H264 { .. } => {
            let slice: &[u8] =
                if keyframe { &[0, 0, 0, 1, 0x65, 0x88] } else { &[0, 0, 0, 1, 0x41, 0x9A] };
            let sets: &[u8] =
                if keyframe { &[0, 0, 0, 1, 0x67, 0x42, 0, 0, 0, 1, 0x68, 0xCE] } else { &[] };
            [sets, slice, &data].concat()
        }
        Codec::Av1 { .. } => {
            let sequence: &[u8] = if keyframe { &[0x0A, 2, 9, 9] } else { &[] };
            let (low, high) = ((len % 128) as u8 | 0x80, (len / 128) as u8);
            [sequence, &[0x32, low, high], &data].concat()
        }
        _ => data,
    };
    (frame, keyframe)
}

fn frames(reader: &mut Reader, lab: &mut Lab, track: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(output) = reader.poll(lab.now.mono) {
        match output {
            Output::Frame(frame) => frames.push(frame),
            Output::AskKeyframe { encoding } => {
                let _gone = lab.command(Command::AskKeyframe { track: TrackId(track), encoding });
            }
            Output::Ended => break,
        }
    }
    frames
}

/// A track of this process, and a reader of it.
fn local(lab: &mut Lab, codec: Codec) -> (Writer, Reader) {
    let source = Source { track: TrackId(9), codec, ssrc: 77 };
    let peer = PeerId(77);
    lab.command(Command::AddLocalPeer { peer, room: RoomId(1) }).unwrap();
    let publication = source.publication();
    let (end, reader) = tap(&publication);
    lab.command(Command::Publish { track: source.track, peer, publication }).unwrap();
    lab.command(Command::Tap { track: source.track, tap: end }).unwrap();
    (Writer::new(source), reader)
}

#[test]
fn what_a_program_publishes_another_reads_equal_with_its_time() {
    for codec in CODECS {
        let mut lab = Lab::new(common::clock());
        let (mut writer, mut reader) = local(&mut lab, codec);
        for number in 0..60u32 {
            let (frame, keyframe) = picture(codec, number, 200 + number as usize * 90);
            let frame = if codec == Codec::Opus { frame[..200].to_vec() } else { frame };
            let rate = if codec == Codec::Opus { 48_000 } else { 90_000 };
            let timestamp = 4_294_960_000u32.wrapping_add(number * rate / 50);
            let command = writer.write(lab.now, &frame, timestamp, keyframe);
            lab.command(command).unwrap();
            let read = frames(&mut reader, &mut lab, 9);
            let [one] = &read[..] else { panic!("{codec:?} {number}: {read:?}") };
            assert_eq!(
                (&one.payload[..], one.timestamp),
                (&frame[..], timestamp),
                "{codec:?} {number}"
            );
            assert_eq!((one.keyframe, one.missing, one.encoding), (keyframe, 0, 0));
            let late = one.wall.unwrap().duration_until(lab.now.wall).abs();
            assert!(late < jiff::SignedDuration::from_millis(1), "{late:?}");
            lab.pass(Duration::from_millis(20), false);
        }
    }
}

#[test]
fn a_track_of_the_process_is_seen_by_others_who_get_a_keyframe_when_they_ask() {
    let mut lab = Lab::new(common::clock());
    let (mut writer, _reader) = local(&mut lab, Codec::Vp8);
    let bob = lab.connect();
    lab.subscribe(bob, 9, subscription("3", 900));
    lab.pass(Duration::from_millis(50), true);
    let wanted = |lab: &mut Lab| {
        let events = std::mem::take(&mut lab.events);
        events.contains(&Event::KeyframeWanted { track: TrackId(9) })
    };
    let (frame, _) = picture(Codec::Vp8, 0, 5_000);
    let command = writer.write(lab.now, &frame, 0, true);
    lab.command(command).unwrap();
    let received = lab.received(bob);
    assert_eq!(received.len(), 5);
    assert!(received.last().unwrap().view.marker && received[0].view.payload_type == 120);
    let mut pli = Vec::new();
    write::receiver_report(&mut pli, 1, &[]);
    write::pli(&mut pli, 1, 900);
    lab.pass(Duration::from_secs(1), true);
    wanted(&mut lab);
    lab.send_rtcp(bob, &pli).unwrap();
    lab.pass(Duration::from_millis(50), true);
    assert!(wanted(&mut lab));
}

/// A camera that sends over a network, and a reader of it.
struct Camera {
    lab: Lab,
    ada: usize,
    reader: Reader,
    sequence: u16,
    sent: Vec<(u32, Vec<u8>)>,
}

impl Camera {
    fn new() -> Self {
        let mut lab = Lab::new(common::clock());
        let ada = lab.connect();
        lab.publish(ada, 1, camera("1", 6000));
        let (end, reader) = tap(&camera("1", 6000));
        lab.command(Command::Tap { track: TrackId(1), tap: end }).unwrap();
        Self { lab, ada, reader, sequence: 65_500, sent: Vec::new() }
    }

    /// The sealed packets of the next picture.
    fn seal(&mut self, number: u32, len: usize) -> Vec<Vec<u8>> {
        let (frame, keyframe) = picture(Codec::Vp8, number, len);
        let payloads = pack(Codec::Vp8, &frame, keyframe, number as u16);
        let last = payloads.len() - 1;
        self.sent.push((number * 3_000, frame));
        let mut sealed = Vec::new();
        for (at, payload) in payloads.iter().enumerate() {
            let header = Header {
                marker: at == last,
                payload_type: 96,
                sequence: self.sequence,
                timestamp: number * 3_000,
                ssrc: 6000,
            };
            self.sequence = self.sequence.wrapping_add(1);
            let extensions: &[(u8, &[u8])] = &[(1, b"1")];
            sealed.push(self.lab.seal(self.ada, &Outgoing { header, extensions, payload }));
        }
        sealed
    }

    fn deliver(&mut self, datagrams: &[Vec<u8>]) {
        let from = self.lab.remote(self.ada).address;
        for datagram in datagrams {
            self.lab.datagram(from, datagram).unwrap();
        }
    }

    fn read(&mut self) -> Vec<Frame> {
        frames(&mut self.reader, &mut self.lab, 1)
    }
}

#[test]
fn a_published_stream_is_read_whole_though_its_packets_overtake_each_other() {
    let mut camera = Camera::new();
    let mut read = Vec::new();
    for number in 0..90 {
        let mut datagrams = camera.seal(number, 3_000);
        let len = datagrams.len();
        datagrams.swap(0, len - 1);
        camera.deliver(&datagrams);
        camera.lab.pass(Duration::from_millis(30), true);
        read.extend(camera.read());
    }
    let read: Vec<_> = read.iter().map(|it| (it.timestamp, it.payload.to_vec())).collect();
    assert_eq!(read, camera.sent);
}

#[test]
fn behind_a_loss_nothing_comes_until_a_keyframe_that_was_asked_for() {
    let mut camera = Camera::new();
    let mut read = Vec::new();
    for number in 0..60 {
        let mut datagrams = camera.seal(number, 3_000);
        if number == 10 {
            datagrams.remove(1);
        }
        camera.deliver(&datagrams);
        camera.lab.pass(Duration::from_millis(50), true);
        read.extend(camera.read());
    }
    let numbers: Vec<_> = read.iter().map(|it| it.timestamp / 3_000).collect();
    let expected: Vec<_> = (0..10).chain(30..60).collect();
    assert_eq!(numbers, expected);
    assert_eq!(read[10].missing, 20);
    let compounds = camera.lab.compounds(camera.ada);
    let asked = compounds.iter().filter(|it| it.windows(2).any(|pair| pair == [0x81, 206])).count();
    assert!(
        asked > 0,
        "a picture loss indication {compounds:02x?} {:?}",
        camera.lab.shard.counters()
    );
}

#[test]
fn a_retransmission_closes_the_gap_in_time() {
    let mut camera = Camera::new();
    let mut read = Vec::new();
    let mut kept = None;
    for number in 0..30 {
        let mut datagrams = camera.seal(number, 3_000);
        if number == 10 {
            kept = Some(datagrams.remove(1));
        }
        if number == 14 {
            datagrams.extend(kept.take());
        }
        camera.deliver(&datagrams);
        camera.lab.pass(Duration::from_millis(30), true);
        read.extend(camera.read());
    }
    assert_eq!(read.len(), 30);
    assert!(read.iter().all(|frame| frame.missing == 0));
}

#[test]
fn the_wall_clock_is_that_of_the_publishers_reports() {
    let mut camera = Camera::new();
    let wall = "2026-12-01T03:04:05.678Z".parse().unwrap();
    let datagrams = camera.seal(0, 100);
    camera.deliver(&datagrams);
    assert_eq!(camera.read()[0].wall, None, "before the first report");
    let info = SenderInfo { ssrc: 6000, ntp: ntp(wall), rtp: 3_000, packets: 1, octets: 100 };
    let mut report = Vec::new();
    write::sender_report(&mut report, &info, &[]);
    camera.lab.send_rtcp(camera.ada, &report).unwrap();
    let datagrams = camera.seal(31, 100);
    camera.deliver(&datagrams);
    let read = camera.read();
    let expected = wall.checked_add(Duration::from_secs(1)).unwrap();
    let apart = read[0].wall.unwrap().duration_until(expected).abs();
    assert!(apart < jiff::SignedDuration::from_micros(1), "{apart:?}");
    assert_eq!(from_ntp(ntp(wall)).unwrap().as_millisecond(), wall.as_millisecond());
}

#[test]
fn a_reader_that_stands_still_costs_pictures_only_itself() {
    let mut camera = Camera::new();
    let bob = camera.lab.connect();
    camera.lab.subscribe(bob, 1, subscription("3", 900));
    let mut sent = 0;
    for number in 0..150 {
        let datagrams = camera.seal(number, 20_000);
        sent += datagrams.len();
        camera.deliver(&datagrams);
        camera.lab.pass(Duration::from_millis(30), true);
    }
    let received = camera.lab.received(bob).len();
    assert_eq!(received, sent, "the subscriber has all");
    let counters = *camera.lab.shard.counters();
    assert!(counters.dropped(DropReason::TapFull) > 1_000, "{counters:?}");
    assert_eq!(counters.tapped + counters.dropped(DropReason::TapFull), sent as u64);
    let before = camera.read();
    assert!((15..70).contains(&before.len()), "what the ring held: {}", before.len());
    let mut read = Vec::new();
    for number in 150..240 {
        let datagrams = camera.seal(number, 3_000);
        camera.deliver(&datagrams);
        camera.lab.pass(Duration::from_millis(30), true);
        read.extend(camera.read());
    }
    assert_eq!(read.len(), 90, "it goes on with the next keyframe");
    assert!(read[0].keyframe && read[0].missing > 0);
}

#[test]
fn of_a_simulcast_the_best_encoding_is_read_and_another_where_it_stops() {
    let mut lab = Lab::new(common::clock());
    let ada = lab.connect();
    lab.publish(ada, 1, simulcast("2"));
    let (end, mut reader) = tap(&simulcast("2"));
    lab.command(Command::Tap { track: TrackId(1), tap: end }).unwrap();
    let mut read = Vec::new();
    for number in 0..200u32 {
        for (rid, ssrc) in [(b"q", 1), (b"f", 3)] {
            if rid == b"f" && number >= 100 {
                continue;
            }
            let (frame, keyframe) = picture(Codec::Vp8, number, 100);
            let payload = &pack(Codec::Vp8, &frame, keyframe, number as u16)[0];
            let sequence = number as u16;
            let header = Header {
                marker: true,
                payload_type: 96,
                sequence,
                timestamp: number * 3_000,
                ssrc,
            };
            let extensions: &[(u8, &[u8])] = &[(1, b"2"), (2, rid)];
            lab.send(ada, &Outgoing { header, extensions, payload }).unwrap();
        }
        lab.pass(Duration::from_millis(30), true);
        read.extend(frames(&mut reader, &mut lab, 1));
    }
    let mut runs: Vec<(u8, usize)> = Vec::new();
    for frame in &read {
        match runs.last_mut() {
            Some((encoding, count)) if *encoding == frame.encoding => *count += 1,
            _ => {
                assert!(frame.keyframe, "a change begins with a keyframe");
                runs.push((frame.encoding, 1));
            }
        }
    }
    assert!(matches!(runs[..], [(2, 100), (0, 50..)] | [(0, 1), (2, 99..), (0, 50..)]), "{runs:?}");
}

#[test]
fn a_reader_is_told_when_its_track_ends_and_one_that_goes_frees_its_place() {
    let mut camera = Camera::new();
    let mut others = Vec::new();
    for _ in 0..3 {
        let (end, reader) = tap(&conf_media::test_util::camera("1", 6000));
        camera.lab.command(Command::Tap { track: TrackId(1), tap: end }).unwrap();
        others.push(reader);
    }
    let one_more = || tap(&conf_media::test_util::camera("1", 6000));
    let (end, _reader) = one_more();
    assert!(camera.lab.command(Command::Tap { track: TrackId(1), tap: end }).is_err());
    others.pop();
    let (end, _reader) = one_more();
    camera.lab.command(Command::Tap { track: TrackId(1), tap: end }).unwrap();
    camera.lab.command(Command::Unpublish { track: TrackId(1) }).unwrap();
    assert_eq!(camera.reader.poll(camera.lab.now.mono), Some(Output::Ended));
    assert_eq!(camera.reader.poll(camera.lab.now.mono), None);
}

#[test]
fn only_a_local_peer_can_be_published_for() {
    let mut camera = Camera::new();
    let source = Source { track: TrackId(1), codec: Codec::Vp8, ssrc: 6000 };
    let command = Writer::new(source).write(camera.lab.now, &[1], 0, true);
    assert!(camera.lab.command(command).is_err());
    assert!(camera.read().is_empty());
}
