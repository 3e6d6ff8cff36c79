//! A publisher's packets at its subscribers, opened with the subscriber's own keys.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use common::{Camera, clock, opus};
use conf_media::command::{Command, TrackId};
use conf_media::stats::DropReason;
use conf_media::test_util::{Lab, TO, camera, microphone, subscription};

#[test]
fn sound_arrives_rewritten_for_its_subscriber() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, microphone("0", 5000));
    lab.subscribe(bob, 1, subscription("7", 900));
    for n in 0..5u16 {
        lab.send(ada, &opus(5000, 100 + n, &[(4, &[20]), (6, &[1, 2, 3])])).unwrap();
    }
    let received = lab.received(bob);
    assert_eq!(received.len(), 5);
    let first = &received[0];
    assert_eq!((first.view.ssrc, first.view.payload_type), (900, 109));
    assert_eq!(first.extension(TO.mid.unwrap()), Some(&b"7"[..]));
    assert_eq!(first.extension(TO.audio_level.unwrap()), Some(&[20][..]));
    assert_eq!(
        first.view.extensions(&first.bytes).count(),
        3,
        "its level, our section and number, and nothing else"
    );
    assert_eq!(first.payload(), opus(0, 0, &[]).payload);
    let numbers: Vec<u16> = received.iter().map(|packet| packet.view.sequence).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
    let step = received[1].view.timestamp.wrapping_sub(first.view.timestamp);
    assert_eq!(step, 960);
}

#[test]
fn nobody_hears_itself_and_a_publisher_without_subscribers_costs_nothing() {
    let mut lab = Lab::new(clock());
    let ada = lab.connect();
    lab.publish(ada, 1, microphone("0", 5000));
    lab.send(ada, &opus(5000, 1, &[])).unwrap();
    assert!(lab.received(ada).is_empty());
    assert_eq!(lab.shard.counters().packets_out, 0);
}

#[test]
fn video_begins_with_a_keyframe() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, camera("1", 6000));
    lab.subscribe(bob, 1, subscription("3", 900));
    let mut camera = Camera::new(6000);
    camera.picture(&mut lab, ada, false);
    assert!(lab.received(bob).is_empty());
    camera.picture(&mut lab, ada, true);
    camera.picture(&mut lab, ada, false);
    let received = lab.received(bob);
    assert_eq!(received.len(), 4, "two pictures of two packets");
    assert_eq!(received[0].view.payload_type, 120);
    assert!(received[1].view.marker);
}

#[test]
fn an_address_that_was_not_checked_is_refused() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, microphone("0", 5000));
    lab.subscribe(bob, 1, subscription("7", 900));
    let datagram = lab.seal(ada, &opus(5000, 1, &[]));
    let elsewhere = "10.9.9.9:9".parse().unwrap();
    assert!(lab.datagram(elsewhere, &datagram).is_err());
    assert!(lab.datagram(elsewhere, &[22, 254, 253, 0]).is_err(), "a handshake neither");
    assert_eq!(lab.shard.counters().dropped(DropReason::UnvalidatedAddress), 2);
    assert!(lab.received(bob).is_empty());
}

#[test]
fn a_peer_without_keys_gets_nothing_and_begins_when_it_has_them() {
    let mut lab = Lab::new(clock());
    let ada = lab.connect();
    let bob = lab.announce();
    lab.publish(ada, 1, microphone("0", 5000));
    lab.subscribe(bob, 1, subscription("7", 900));
    lab.send(ada, &opus(5000, 1, &[])).unwrap();
    lab.check(bob);
    lab.send(ada, &opus(5000, 2, &[])).unwrap();
    assert!(lab.received(bob).is_empty());
    let keys = lab.keys(bob);
    lab.command(Command::SetKeys { peer: lab.id(bob), keys }).unwrap();
    lab.send(ada, &opus(5000, 3, &[])).unwrap();
    assert_eq!(lab.received(bob).len(), 1);
}

#[test]
fn an_unknown_payload_type_is_counted_and_disturbs_nothing() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, microphone("0", 5000));
    lab.subscribe(bob, 1, subscription("7", 900));
    let mut odd = opus(5000, 1, &[]);
    odd.header.payload_type = 33;
    assert!(lab.send(ada, &odd).is_err());
    assert_eq!(lab.shard.counters().dropped(DropReason::UnknownPayloadType), 1);
    lab.send(ada, &opus(5000, 2, &[])).unwrap();
    assert_eq!(lab.received(bob).len(), 1);
}

#[test]
fn a_subscriber_without_the_codec_is_not_sent_to() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, camera("1", 6000));
    let mut without = subscription("3", 900);
    without.codecs.retain(|payload| payload.payload_type == 109);
    lab.subscribe(bob, 1, without);
    Camera::new(6000).picture(&mut lab, ada, true);
    assert!(lab.received(bob).is_empty());
    assert_eq!(lab.shard.counters().dropped(DropReason::NoCommonCodec), 2);
}

#[test]
fn malformed_datagrams_are_counted_and_disturb_nothing() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, microphone("0", 5000));
    lab.subscribe(bob, 1, subscription("7", 900));
    let address = lab.remote(ada).address;
    let mut forged = lab.seal(ada, &opus(5000, 1, &[]));
    *forged.last_mut().unwrap() ^= 1;
    assert!(lab.datagram(address, &forged).is_err());
    for odd in [&[][..], &[0x80], &[0x80, 200], &[255; 30], &[0x80; 12], &[20; 3], &[1; 40]] {
        let _ = lab.datagram(address, odd);
    }
    assert!(lab.send_rtcp(ada, &[0x81, 201, 0, 1, 0, 0, 0, 1]).is_err(), "a block is missing");
    assert_eq!(lab.shard.counters().dropped(DropReason::MalformedRtcp), 1);
    lab.send(ada, &opus(5000, 2, &[])).unwrap();
    assert_eq!(lab.received(bob).len(), 1);
}

#[test]
fn sources_that_were_not_announced_are_bound_by_their_extensions() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    let unannounced = |mid| {
        let mut publication = microphone(mid, 0);
        publication.encodings[0].ssrc = None;
        publication
    };
    lab.publish(ada, 1, unannounced("0"));
    lab.publish(ada, 2, unannounced("1"));
    lab.subscribe(bob, 1, subscription("7", 900));
    lab.subscribe(bob, 2, subscription("8", 950));
    assert!(lab.send(ada, &opus(77, 1, &[])).is_err(), "two tracks have this payload type");
    assert_eq!(lab.shard.counters().dropped(DropReason::UnknownSource), 1);
    lab.send(ada, &opus(77, 2, &[(1, b"1")])).unwrap();
    lab.send(ada, &opus(77, 3, &[])).unwrap();
    let received = lab.received(bob);
    assert_eq!(received.len(), 2);
    assert!(received.iter().all(|packet| packet.view.ssrc == 950));
}

#[test]
fn everything_ends_with_its_peer() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, microphone("0", 5000));
    lab.publish(bob, 2, camera("0", 6000));
    lab.subscribe(bob, 1, subscription("7", 900));
    lab.subscribe(ada, 2, subscription("7", 900));
    let counters = *lab.shard.counters();
    assert_eq!((counters.peers, counters.tracks, counters.edges), (2, 2, 2));
    lab.command(Command::RemovePeer { peer: lab.id(ada) }).unwrap();
    let counters = *lab.shard.counters();
    assert_eq!((counters.peers, counters.tracks, counters.edges), (1, 1, 0));
    assert!(lab.send(ada, &opus(5000, 1, &[])).is_err());
    lab.command(Command::RemovePeer { peer: lab.id(bob) }).unwrap();
    let counters = *lab.shard.counters();
    assert_eq!((counters.peers, counters.tracks, counters.edges), (0, 0, 0));
    lab.pass(std::time::Duration::from_secs(1), false);
    assert_eq!(lab.shard.timeout(), None, "nothing waits any more");
}

#[test]
fn a_track_ends_and_so_do_its_edges() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, microphone("0", 5000));
    lab.subscribe(bob, 1, subscription("7", 900));
    lab.command(Command::Unsubscribe { track: TrackId(1), peer: lab.id(bob) }).unwrap();
    assert_eq!(lab.shard.counters().edges, 0);
    lab.subscribe(bob, 1, subscription("7", 900));
    lab.command(Command::Unpublish { track: TrackId(1) }).unwrap();
    let counters = *lab.shard.counters();
    assert_eq!((counters.peers, counters.tracks, counters.edges), (2, 0, 0));
    assert!(lab.send(ada, &opus(5000, 1, &[])).is_err());
}

#[test]
fn a_source_that_is_used_again_never_repeats_a_sequence_number() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, microphone("0", 5000));
    lab.subscribe(bob, 1, subscription("7", 900));
    lab.send(ada, &opus(5000, 1, &[])).unwrap();
    lab.command(Command::Unsubscribe { track: TrackId(1), peer: lab.id(bob) }).unwrap();
    lab.subscribe(bob, 1, subscription("7", 900));
    lab.send(ada, &opus(5000, 2, &[])).unwrap();
    let received = lab.received(bob);
    assert_eq!(received[1].view.sequence, received[0].view.sequence.wrapping_add(1));
}

#[test]
fn a_picture_id_has_no_gap_where_a_subscriber_joins_and_pauses() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, camera("1", 6000));
    lab.subscribe(bob, 1, subscription("3", 900));
    let mut camera = Camera::new(6000);
    camera.picture(&mut lab, ada, true);
    let pause = |paused| Command::Pause { track: TrackId(1), peer: lab.id(bob), paused };
    let (pause, resume) = (pause(true), pause(false));
    lab.command(pause).unwrap();
    (0..20).for_each(|_| camera.picture(&mut lab, ada, false));
    assert_eq!(lab.received(bob).len(), 2);
    lab.command(resume).unwrap();
    camera.picture(&mut lab, ada, false);
    camera.picture(&mut lab, ada, true);
    let received = lab.received(bob);
    // The keyframe that is still in the ring came at once with all that followed it.
    let ids: Vec<u16> = received.iter().map(common::picture_id).collect();
    let step = |pair: &[u16]| pair[1].wrapping_sub(pair[0]) & 0x7fff;
    assert!(ids.windows(2).all(|pair| step(pair) <= 1), "{ids:?}");
    assert_eq!(ids.len(), 46);
}
