//! A meeting on several shards: peers are placed, tracks are relayed, changed addresses go on.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::{clock, opus};
use conf_media::codec::Codec;
use conf_media::command::{Command, Event, PeerId, RoomId, TrackId};
use conf_media::director::ShardIndex;
use conf_media::frame::{self, Output, Writer};
use conf_media::ingress::RxBatch;
use conf_media::rtcp::write::{self, SenderInfo};
use conf_media::rtcp::{self, Packet};
use conf_media::rtp::Header;
use conf_media::shard::Refusal;
use conf_media::stats::DropReason;
use conf_media::test_util::{Fleet, Outgoing, camera, microphone, subscription, vp8};

/// A publisher of VP8 pictures of three packets.
struct Source {
    sequence: u16,
    picture: u16,
    bytes: usize,
}

impl Source {
    fn new() -> Self {
        Self { sequence: 65_530, picture: 10, bytes: 300 }
    }

    fn picture(&mut self, fleet: &mut Fleet, peer: usize, keyframe: bool) {
        for part in 0..3 {
            let payload = vp8(self.picture, keyframe && part == 0, part == 0, self.bytes);
            let timestamp = u32::from(self.picture) * 3000;
            let (sequence, ssrc) = (self.sequence, 6000);
            let header = Header { marker: part == 2, payload_type: 96, sequence, timestamp, ssrc };
            fleet.send(peer, &Outgoing { header, extensions: &[], payload: &payload }).unwrap();
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.picture += 1;
    }
}

/// A publisher of track 1 on shard 0, and a subscriber on each shard.
fn meeting(shards: usize) -> (Fleet, usize, Vec<usize>) {
    let mut fleet = Fleet::new(shards, clock());
    let (ada, others) = people(&mut fleet, shards);
    (fleet, ada, others)
}

fn people(fleet: &mut Fleet, shards: usize) -> (usize, Vec<usize>) {
    let ada = fleet.connect(0);
    fleet.publish(ada, 1, camera("1", 6000));
    let others: Vec<usize> = (0..shards).map(|shard| fleet.connect(shard)).collect();
    for &peer in &others {
        fleet.subscribe(peer, 1, subscription("3", 900));
    }
    (ada, others)
}

fn plis(compounds: &[Vec<u8>]) -> usize {
    let packets = compounds.iter().flat_map(|compound| rtcp::walk(compound));
    packets.filter(|packet| matches!(packet, Ok(Packet::Pli { .. }))).count()
}

fn numbers(fleet: &mut Fleet, peer: usize) -> Vec<u16> {
    fleet.received(peer).iter().map(|packet| packet.view.sequence).collect()
}

fn assert_without_gaps(numbers: &[u16]) {
    let next = |pair: &[u16]| pair[1] == pair[0].wrapping_add(1);
    assert!(numbers.windows(2).all(next), "{numbers:?}");
}

#[test]
fn a_publisher_is_seen_on_all_shards_and_each_packet_crosses_once() {
    let (mut fleet, ada, others) = meeting(3);
    let more = fleet.connect(2);
    fleet.subscribe(more, 1, subscription("3", 900));
    let mut source = Source::new();
    source.picture(&mut fleet, ada, true);
    source.picture(&mut fleet, ada, false);
    for peer in others.into_iter().chain([more]) {
        let numbers = numbers(&mut fleet, peer);
        assert_eq!(numbers.len(), 6);
        assert_without_gaps(&numbers);
    }
    assert_eq!(fleet.counters(0).relayed_out, 12);
    assert_eq!((fleet.counters(1).relayed_in, fleet.counters(2).relayed_in), (6, 6));
    assert_eq!((fleet.counters(0).tracks, fleet.counters(2).tracks), (1, 0));
    assert_eq!(fleet.counters(2).mirrors, 1);
}

#[test]
fn with_one_shard_nothing_is_relayed_and_nobody_waits() {
    let (mut fleet, ada, others) = meeting(1);
    Source::new().picture(&mut fleet, ada, true);
    assert_eq!(fleet.received(others[0]).len(), 3);
    let counters = fleet.counters(0);
    assert_eq!((counters.relayed_out, counters.mirrors, counters.handed_over), (0, 0, 0));
}

#[test]
fn a_meeting_larger_than_a_shard_spreads_over_all_of_them() {
    let mut fleet = Fleet::new(4, clock());
    let people: Vec<usize> = (0..12).map(|n| fleet.connect(n % 4)).collect();
    for (track, &peer) in (0..).zip(&people) {
        fleet.publish(peer, track, microphone("0", 5000));
    }
    for &peer in &people {
        for (track, _) in (0u32..).zip(&people).filter(|(_, publisher)| **publisher != peer) {
            fleet.subscribe(peer, track.into(), subscription("3", 900 + 2 * track));
        }
    }
    let counters: Vec<_> = (0..4).map(|shard| *fleet.counters(shard)).collect();
    for counters in counters {
        assert_eq!((counters.peers, counters.tracks, counters.mirrors), (3, 3, 9));
        assert_eq!(counters.edges, 33);
    }
    for n in 0..5 {
        for &peer in &people[..5] {
            fleet.send(peer, &opus(5000, n, &[(4, &[20])])).unwrap();
        }
    }
    for &peer in &people[5..] {
        assert_eq!(fleet.received(peer).len(), 25);
    }
}

#[test]
fn a_lost_packet_comes_again_from_the_subscribers_own_shard() {
    let (mut fleet, ada, others) = meeting(2);
    Source::new().picture(&mut fleet, ada, true);
    let lost = numbers(&mut fleet, others[1])[1];
    let mut nack = Vec::new();
    write::receiver_report(&mut nack, 1, &[]);
    write::nack(&mut nack, 1, 900, &[lost]);
    fleet.send_rtcp(others[1], &nack).unwrap();
    assert_eq!(fleet.received(others[1]).len(), 1);
    assert_eq!((fleet.counters(0).resent, fleet.counters(1).resent), (0, 1));
}

#[test]
fn a_newcomer_begins_with_the_keyframe_of_the_ring_also_if_it_is_the_first_on_its_shard() {
    let mut fleet = Fleet::new(3, clock());
    let ada = fleet.connect(0);
    fleet.publish(ada, 1, camera("1", 6000));
    let mut source = Source::new();
    source.picture(&mut fleet, ada, true);
    source.picture(&mut fleet, ada, false);
    let first = fleet.connect(1);
    fleet.subscribe(first, 1, subscription("3", 900));
    assert_eq!(fleet.received(first).len(), 6, "from the ring of the publisher's shard");
    source.picture(&mut fleet, ada, false);
    let second = fleet.connect(1);
    fleet.subscribe(second, 1, subscription("3", 900));
    assert_eq!(fleet.received(second).len(), 9, "from the mirror's ring");
    fleet.pass(Duration::from_millis(100));
    assert_eq!(fleet.counters(0).plis_sent, 0);
    assert_eq!(fleet.counters(1).started_from_ring, 1);
}

#[test]
fn requests_for_keyframes_of_all_shards_reach_the_publisher_as_one() {
    let (mut fleet, ada, others) = meeting(3);
    Source::new().picture(&mut fleet, ada, true);
    fleet.pass(Duration::from_secs(1));
    fleet.compounds(ada);
    let mut pli = Vec::new();
    write::receiver_report(&mut pli, 1, &[]);
    write::pli(&mut pli, 1, 900);
    for &peer in &others {
        fleet.send_rtcp(peer, &pli).unwrap();
    }
    fleet.pass(Duration::from_millis(100));
    assert_eq!(plis(&fleet.compounds(ada)), 1);
    assert_eq!(fleet.counters(2).plis_received, 1);
}

#[test]
fn the_clock_of_a_publisher_is_told_on_all_shards() {
    let (mut fleet, ada, others) = meeting(2);
    let mut report = Vec::new();
    write::sender_report(&mut report, &common::sender_info(6000, 1 << 60, 0), &[]);
    fleet.send_rtcp(ada, &report).unwrap();
    Source::new().picture(&mut fleet, ada, true);
    fleet.pass(Duration::from_secs(2));
    for peer in others {
        assert!(!fleet.compounds(peer).is_empty());
    }
}

#[test]
fn a_muted_track_is_mute_everywhere_and_comes_back_with_a_keyframe() {
    let (mut fleet, ada, others) = meeting(2);
    let mut source = Source::new();
    source.picture(&mut fleet, ada, true);
    fleet.received(others[1]);
    fleet.command(Command::Mute { track: TrackId(1), muted: true }).unwrap();
    let header = Header { marker: true, payload_type: 96, sequence: 9, timestamp: 9, ssrc: 6000 };
    let payload = vp8(77, true, true, 100);
    let packet = Outgoing { header, extensions: &[], payload: &payload };
    assert_eq!(fleet.send(ada, &packet), Err(Refusal::Dropped(DropReason::Muted)));
    fleet.command(Command::Mute { track: TrackId(1), muted: false }).unwrap();
    fleet.pass(Duration::from_millis(600));
    assert!(fleet.counters(0).plis_sent > 0, "a subscriber elsewhere waits for it");
    source.sequence = 10;
    source.picture(&mut fleet, ada, true);
    assert_eq!(fleet.received(others[1]).len(), 3);
}

#[test]
fn whoever_leaves_takes_mirrors_along() {
    let (mut fleet, ada, others) = meeting(3);
    let peer = fleet.id(others[2]);
    fleet.command(Command::RemovePeer { peer }).unwrap();
    assert_eq!((fleet.counters(2).mirrors, fleet.counters(2).edges), (0, 0));
    Source::new().picture(&mut fleet, ada, true);
    assert_eq!(fleet.counters(0).relayed_out, 3, "only to the shard that still wants it");
    let track = TrackId(1);
    fleet.command(Command::Unsubscribe { track, peer: fleet.id(others[1]) }).unwrap();
    assert_eq!(fleet.counters(1).mirrors, 0);
    fleet.subscribe(others[1], 1, subscription("3", 900));
    fleet.command(Command::RemovePeer { peer: fleet.id(ada) }).unwrap();
    assert_eq!((fleet.counters(1).mirrors, fleet.counters(1).edges), (0, 0));
}

#[test]
fn only_the_publishers_shard_reports_what_happens_to_a_track() {
    let mut fleet = Fleet::new(2, clock());
    let (ada, bob) = (fleet.connect(0), fleet.connect(1));
    fleet.publish(ada, 1, microphone("0", 5000));
    fleet.subscribe(bob, 1, subscription("3", 900));
    for n in 0..50 {
        fleet.send(ada, &opus(5000, n, &[(4, &[10])])).unwrap();
        fleet.pass(Duration::from_millis(20));
    }
    let live = fleet.events.iter().filter(|it| matches!(it, Event::TrackLive { .. })).count();
    assert_eq!(live, 1);
    let levels: Vec<_> =
        fleet.events.iter().filter(|it| matches!(it, Event::Level { .. })).collect();
    assert!(!levels.is_empty() && levels.windows(2).all(|pair| pair[0] != pair[1]), "{levels:?}");
}

#[test]
fn a_source_that_begins_anew_begins_anew_on_all_shards() {
    let (mut fleet, ada, others) = meeting(2);
    let mut source = Source::new();
    source.picture(&mut fleet, ada, true);
    fleet.pass(Duration::from_secs(1));
    let mut again = camera("1", 6000);
    again.encodings[0].ssrc = Some(6100);
    fleet.publish(ada, 1, again);
    let header = Header { marker: true, payload_type: 96, sequence: 3, timestamp: 5, ssrc: 6100 };
    let payload = vp8(3, true, true, 100);
    fleet.send(ada, &Outgoing { header, extensions: &[], payload: &payload }).unwrap();
    for peer in others {
        let numbers = numbers(&mut fleet, peer);
        assert_eq!(numbers.len(), 4);
        assert_without_gaps(&numbers);
    }
}

#[test]
fn the_first_check_is_answered_once_the_peer_is_placed_and_others_are_handed_over() {
    let mut fleet = Fleet::new(3, clock());
    let ada = fleet.announce(2);
    fleet.check(ada).unwrap();
    assert_eq!(fleet.answers(ada), 1, "without another check");
    assert_eq!(fleet.director.shard_of(fleet.id(ada)), Ok(Some(ShardIndex(2))));
    fleet.move_to(ada, 0);
    fleet.check(ada).unwrap();
    assert_eq!(fleet.answers(ada), 1);
    assert_eq!(fleet.counters(0).handed_over, 1);
    assert_eq!(fleet.counters(2).peers, 1);
    assert_eq!(fleet.counters(0).peers, 0);
}

#[test]
fn of_two_shards_that_claim_at_once_one_gets_the_peer_and_both_checks_are_answered() {
    let mut fleet = Fleet::new(2, clock());
    let ada = fleet.announce(0);
    let check = fleet.remote(ada).check();
    let (first, mut second) = (fleet.remote(ada).address, fleet.remote(ada).address);
    second.set_port(9);
    for (shard, from) in [(0, first), (1, second)] {
        let (now, mut bytes) = (fleet.now, check.clone());
        let input =
            conf_media::shard::Input::Datagram { from, bytes: &mut bytes, arrival: now.mono };
        fleet.shards[shard].handle(now, input).unwrap();
    }
    fleet.settle();
    assert_eq!(fleet.answers(ada), 1, "the other answer goes to the other address");
    assert_eq!((fleet.counters(0).peers, fleet.counters(1).peers), (1, 0));
    assert_eq!(fleet.counters(1).handed_over, 1);
}

#[test]
fn a_forged_check_claims_nothing() {
    let mut fleet = Fleet::new(2, clock());
    let ada = fleet.announce(0);
    let mut check = fleet.remote(ada).check();
    let at = check.len() - 12;
    check[at] ^= 1;
    assert!(fleet.datagram(ada, &check).is_err());
    assert_eq!(fleet.director.shard_of(fleet.id(ada)), Ok(None));
    assert_eq!(fleet.answers(ada), 0);
}

#[test]
fn a_changed_address_that_arrives_at_another_shard_goes_on_in_both_directions() {
    let (mut fleet, ada, others) = meeting(2);
    let mut source = Source::new();
    source.picture(&mut fleet, ada, true);
    fleet.move_to(ada, 1);
    let sequence = source.sequence;
    let header = Header { marker: true, payload_type: 96, sequence, timestamp: 5, ssrc: 6000 };
    let early = Outgoing { header, extensions: &[], payload: b"nothing" };
    let refused = fleet.send(ada, &early);
    assert_eq!(refused, Err(Refusal::Dropped(DropReason::UnvalidatedAddress)));
    fleet.check(ada).unwrap();
    source.sequence = source.sequence.wrapping_add(1); // that one was lost
    source.picture(&mut fleet, ada, false);
    assert_eq!(fleet.received(others[1]).len(), 6);
    fleet.move_to(others[1], 0);
    fleet.check(others[1]).unwrap();
    source.picture(&mut fleet, ada, false);
    assert_eq!(fleet.received(others[1]).len(), 3, "to the new address");
    assert!(fleet.counters(1).handed_over > 3);
    assert_eq!((fleet.counters(0).peers, fleet.counters(1).peers), (2, 1));
}

#[test]
fn an_address_without_checks_is_handed_over_no_longer() {
    let mut fleet = Fleet::new(2, clock());
    let ada = fleet.connect(0);
    fleet.move_to(ada, 1);
    fleet.check(ada).unwrap();
    let handed = fleet.counters(1).handed_over;
    fleet.pass(Duration::from_secs(25));
    let header = Header { marker: true, payload_type: 96, sequence: 0, timestamp: 5, ssrc: 6000 };
    let late = Outgoing { header, extensions: &[], payload: b"nothing" };
    assert!(fleet.send(ada, &late).is_err());
    assert_eq!(fleet.counters(1).handed_over, handed);
}

#[test]
fn a_panic_ends_the_peer_that_it_belonged_to_and_no_other() {
    let (mut fleet, ada, others) = meeting(2);
    fleet.publish(ada, 2, microphone("0", 5000));
    let bad = fleet.connect(1);
    fleet.publish(bad, 3, microphone("0", 5000));
    for (ssrc, track) in [(700, 2), (500, 3)] {
        fleet.subscribe(others[1], track, subscription("4", ssrc));
    }
    let id = fleet.id(bad);
    fleet.shards[1].plant_panic(id);
    let mut batch = RxBatch::new();
    for (peer, sequence) in [(bad, 1), (bad, 2)] {
        let from = fleet.remote(peer).address;
        let datagram = fleet.seal(peer, &opus(5000, sequence, &[]));
        batch.push(from, &datagram, fleet.now.mono);
    }
    let check = fleet.remote(others[1]).check();
    batch.push(fleet.remote(others[1]).address, &check, fleet.now.mono);
    let now = fleet.now;
    fleet.shards[1].handle_batch(now, &mut batch);
    fleet.settle();
    assert_eq!((fleet.counters(1).panics, fleet.counters(1).peers), (1, 1));
    assert!(fleet.answers(others[1]) > 0, "what came behind it in the batch goes on");
    let failed = |event: &&Event| matches!(event, Event::Failed { peer, .. } if *peer == id);
    assert_eq!(fleet.events.iter().filter(failed).count(), 1);
    fleet.send(ada, &opus(5000, 9, &[])).unwrap();
    assert_eq!(fleet.received(others[1]).len(), 1);
    let _ = fleet.director.handle(Command::RemovePeer { peer: id });
}

#[test]
fn a_panic_of_a_timer_ends_the_peer_that_it_works_for_and_what_else_is_due_is_done() {
    let (mut fleet, ada, others) = meeting(1);
    let cem = fleet.connect(0);
    fleet.subscribe(cem, 1, subscription("3", 900));
    let mut source = Source::new();
    source.picture(&mut fleet, ada, true);
    let id = fleet.id(others[0]);
    fleet.shards[0].plant_panic(id);
    // Sooner than anybody checks again: only reports are due.
    let mut reports = Vec::new();
    let clock = SenderInfo { ssrc: 6000, ntp: 100 << 32, rtp: 5, packets: 3, octets: 900 };
    write::sender_report(&mut reports, &clock, &[]);
    fleet.send_rtcp(ada, &reports).unwrap();
    fleet.pass(Duration::from_millis(100));
    assert_eq!((fleet.counters(0).panics, fleet.counters(0).peers), (1, 2));
    let failed = |event: &&Event| matches!(event, Event::Failed { peer, .. } if *peer == id);
    assert_eq!(fleet.events.iter().filter(failed).count(), 1);
    assert!(!fleet.compounds(cem).is_empty(), "what else was due");
    source.picture(&mut fleet, ada, false);
    assert_eq!(fleet.received(cem).len(), 6);
}

#[test]
fn a_panic_over_something_handed_over_ends_its_peer_and_the_ring_goes_on() {
    let (mut fleet, ada, others) = meeting(2);
    let mut source = Source::new();
    source.picture(&mut fleet, ada, true);
    fleet.move_to(others[0], 1);
    fleet.check(others[0]).unwrap();
    let id = fleet.id(others[0]);
    fleet.shards[0].plant_panic(id);
    fleet.check(others[0]).unwrap();
    fleet.move_to(ada, 1);
    fleet.check(ada).unwrap();
    source.picture(&mut fleet, ada, false);
    assert_eq!(fleet.received(others[1]).len(), 6);
    assert_eq!((fleet.counters(0).panics, fleet.counters(0).peers), (1, 1));
}

#[test]
fn a_full_ring_leaves_out_whole_pictures_and_says_so_and_sound_goes_on() {
    let mut fleet = Fleet::with_rings(2, 64 << 10, clock());
    let (ada, others) = people(&mut fleet, 2);
    fleet.publish(ada, 2, microphone("0", 5000));
    fleet.subscribe(others[1], 2, subscription("4", 700));
    let mut source = Source { bytes: 1_000, ..Source::new() };
    source.picture(&mut fleet, ada, true);
    assert_eq!(fleet.received(others[1]).len(), 3);
    fleet.stall(1, true);
    for n in 0..30 {
        source.picture(&mut fleet, ada, false);
        fleet.send(ada, &opus(5000, n, &[])).unwrap();
    }
    fleet.stall(1, false);
    let left_out = fleet.dropped(DropReason::LinkFull);
    assert!(left_out > 0 && left_out.is_multiple_of(3), "whole pictures: {left_out}");
    assert_eq!(fleet.dropped(DropReason::LinkFullSound), 0);
    let received = fleet.received(others[1]);
    let (sound, video): (Vec<_>, Vec<_>) = received.iter().partition(|it| it.view.ssrc == 700);
    assert_eq!(sound.len(), 30);
    assert_eq!(video.len() as u64, 90 - left_out);
    assert!(video.last().unwrap().view.marker, "the last picture is whole");

    // Until a keyframe nothing can be decoded; it is asked for as soon as there is room.
    source.picture(&mut fleet, ada, false);
    fleet.pass(Duration::from_millis(1_100));
    assert!(plis(&fleet.compounds(ada)) >= 1);
    assert!(fleet.received(others[1]).iter().all(|it| it.view.ssrc == 700));
    source.picture(&mut fleet, ada, true);
    source.picture(&mut fleet, ada, false);
    let after: Vec<_> = fleet.received(others[1]).iter().map(|it| it.view.sequence).collect();
    assert_eq!(after.len(), 6);
    let last = video.last().unwrap().view.sequence;
    assert_eq!(after[0], last.wrapping_add(1), "what was left out is no loss to ask for");
    assert_without_gaps(&after);
    assert_eq!(fleet.received(others[0]).len(), 3 * 34, "nobody else is affected");
}

#[test]
fn a_program_publishes_and_reads_wherever_its_subscribers_live() {
    for number in [100, 101] {
        let mut fleet = Fleet::new(2, clock());
        let (peer, track) = (PeerId(number), TrackId(9));
        let source = frame::Source { track, codec: Codec::Vp8, ssrc: 77 };
        let publication = source.publication();
        fleet.command(Command::AddLocalPeer { peer, room: RoomId(1) }).unwrap();
        let (end, mut reader) = frame::tap(&publication);
        fleet.command(Command::Publish { track, peer, publication }).unwrap();
        fleet.command(Command::Tap { track, tap: end }).unwrap();
        let others = [fleet.connect(0), fleet.connect(1)];
        for &other in &others {
            fleet.subscribe(other, 9, subscription("3", 900));
        }
        fleet.settle();
        let mut writer = Writer::new(source);
        let mut read = 0;
        for picture in 0..30u8 {
            let frame = vec![u8::from(picture > 0) | picture << 1; 3_000];
            let keyframe = picture == 0;
            let command = writer.write(fleet.now, &frame, u32::from(picture) * 3_000, keyframe);
            fleet.command(command).unwrap();
            fleet.pass(Duration::from_millis(33));
            while let Some(Output::Frame(read_back)) = reader.poll(fleet.now.mono) {
                assert_eq!(read_back.payload, frame);
                read += 1;
            }
        }
        assert_eq!(read, 30);
        for &other in &others {
            assert_eq!(fleet.received(other).len(), 90);
        }
        let asks = |it: &Event| matches!(it, Event::KeyframeWanted { track: TrackId(9) });
        fleet.events.clear();
        let mut pli = Vec::new();
        write::receiver_report(&mut pli, 1, &[]);
        write::pli(&mut pli, 1, 900);
        for &other in &others {
            fleet.pass(Duration::from_secs(2));
            fleet.send_rtcp(other, &pli).unwrap();
        }
        fleet.pass(Duration::from_millis(100));
        assert!(fleet.events.iter().any(asks));
        fleet.command(Command::RemovePeer { peer }).unwrap();
        fleet.settle();
        assert_eq!(reader.poll(fleet.now.mono), Some(Output::Ended));
    }
}
