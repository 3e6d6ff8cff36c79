//! The whole machine of a media thread, met by peers that have keys: what they send is authentic
//! and may be anything.
//!
//! An input is a row of steps, each a byte that says what, a byte that says how long, and as many
//! bytes: a datagram as it is, RTP or RTCP that is sealed before it goes in, or time that passes.

use std::time::Duration;

use conf_media::command::{Command, TrackId};
use conf_media::frame;
use conf_media::rtcp::write;
use conf_media::rtp::Header;
use conf_media::srtp::Sealer;
use conf_media::stats::Counters;
use conf_media::test_util::{Lab, camera, microphone, simulcast, subscription, vp8};
use conf_media::time::Now;

use crate::{Shape, media, start};

/// What the first byte of a step says, modulo the number of kinds.
const DATAGRAM: u8 = 0;
const RTP: u8 = 1;
const RTCP: u8 = 2;
const KINDS: u8 = 4;

/// Steps of one input.
const MAX_STEPS: usize = 64;

pub(crate) fn run(input: &[u8]) -> Shape {
    let mut lab = Lab::new(Now { mono: start(), wall: jiff::Timestamp::UNIX_EPOCH });
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, camera("1", 6000));
    lab.publish(ada, 2, simulcast("2"));
    lab.publish(ada, 3, microphone("3", 7000));
    for (track, ssrc) in [(1, 900), (2, 910), (3, 920)] {
        lab.subscribe(bob, track, subscription("3", ssrc));
    }
    let mut sealers = [ada, bob].map(|peer| {
        let keys = lab.keys(peer);
        Sealer::new(keys.profile, &keys.remote).expect("usable keys")
    });
    let mut readers = Vec::new();
    for (track, publication) in
        [(1, camera("1", 6000)), (2, simulcast("2")), (3, microphone("3", 7000))]
    {
        let (end, reader) = frame::tap(&publication);
        lab.command(Command::Tap { track: TrackId(track), tap: end }).expect("a track of the lab");
        readers.push(reader);
    }
    let mut rest = input;
    for _ in 0..MAX_STEPS {
        let Some((&[what, len], behind)) = rest.split_first_chunk::<2>() else { break };
        let (bytes, behind) = behind.split_at(behind.len().min(len.into()));
        rest = behind;
        let peer = usize::from(what >> 7);
        let Some(sealer) = sealers.get_mut(peer) else { break };
        let mut buffer = bytes.to_vec();
        buffer.resize(bytes.len() + 64, 0);
        let sealed = match what % KINDS {
            DATAGRAM => Ok(bytes.len()),
            RTP => sealer.seal_rtp(&mut buffer, bytes.len()),
            RTCP => sealer.seal_rtcp(&mut buffer, bytes.len()),
            _ => {
                lab.pass(Duration::from_millis(u64::from(len) * 4), what & 0x40 != 0);
                continue;
            }
        };
        let Ok(sealed) = sealed else { continue };
        buffer.truncate(sealed);
        let from = lab.remote(peer).address;
        drop(lab.datagram(from, &buffer));
    }
    lab.pass(Duration::from_millis(40), true);
    for reader in &mut readers {
        // Behind a gap a reader waits for what is sent again; then it goes on.
        let wait = Duration::from_secs(1);
        let frames = [lab.now.mono, lab.now.mono + wait]
            .map(|now| std::iter::from_fn(|| reader.poll(now)).take(2 * MAX_STEPS).count());
        assert!(frames.into_iter().all(|count| count < 2 * MAX_STEPS), "no more than packets");
    }
    for peer in [ada, bob] {
        let stats = lab.shard.peer_stats(lab.now, lab.id(peer)).expect("a peer of the lab");
        assert!(stats.inbound_rtp.iter().all(|it| it.jitter.is_finite()));
    }
    shape(lab.shard.counters())
}

/// Which of the counters moved.
fn shape(counters: &Counters) -> Shape {
    let moved: Vec<bool> = counters.totals().map(|(_, total)| total > 0).collect();
    let dropped = counters.drops.map(|count| count > 0);
    Shape::of(moved).and(dropped)
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let step = |what: u8, bytes: &[u8]| {
        let len = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        [&[what, len], bytes.get(..len.into()).unwrap_or(bytes)].concat()
    };
    let packet = |payload_type, sequence, ssrc, extensions: &[(u8, &[u8])], payload: &[u8]| {
        let header = Header { marker: true, payload_type, sequence, timestamp: 90_000, ssrc };
        media::packet(&header, extensions, payload)
    };
    let picture = |sequence: u16| {
        packet(96, sequence, 6000, &[(1, b"1")], &vp8(sequence, sequence == 1, true, 40))
    };
    let pictures: Vec<u8> = [1, 2, 4, 5].map(|at| step(RTP, &picture(at))).concat();
    let layer = packet(96, 9, 8000, &[(1, b"2"), (2, b"h")], &vp8(1, true, true, 40));
    let sound = packet(111, 7, 7000, &[(3, &[0x90])], b"sound");
    let mut asks = Vec::new();
    write::receiver_report(&mut asks, 900, &[]);
    write::nack(&mut asks, 900, 900, &[1, 2, 3]);
    write::pli(&mut asks, 900, 900);
    let feedback = media::rtcp_seeds().pop().unwrap_or_default();
    vec![
        [pictures.clone(), step(0x80 | RTCP, &asks), step(3, &[0; 100])].concat(),
        [step(RTP, &layer), step(RTP, &sound), step(RTCP, &feedback)].concat(),
        [pictures, step(0x80 | RTCP, &feedback), step(DATAGRAM, &[0; 20])].concat(),
    ]
}
