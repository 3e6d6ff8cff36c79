//! What peers, tracks and edges cost: the formula of ARCHITECTURE.md, counted.
//!
//! What a peer has on the heap is what is given back when it goes; its places in slabs, maps and
//! the timing wheel stay for the next one and are added by their size. Not counted is what the cipher
//! library takes for the keys of a peer, 4 × 592 bytes.

use std::time::Duration;

use super::timers::Due;
use crate::command::{Command, PeerId};
use crate::forward::Edge;
use crate::peer::Peer;
use crate::rtp::Header;
use crate::slab::Key;
use crate::test_util::{Lab, Outgoing, camera, microphone, subscription, vp8};
use crate::track::Track;

const KIB: usize = 1024;
/// An entry of one map each for ids, addresses and user names, at the worst load of a map.
const MAPS: usize = 3 * 2 * (size_of::<std::net::SocketAddr>() + size_of::<Key<Peer>>());
const TIMER: usize = size_of::<Due>() + 48;

/// Sends pictures and sound for so many rounds of 20 ms.
fn talk(lab: &mut Lab, peer: usize, rounds: u16) {
    for n in 0..rounds {
        let header = |payload_type, ssrc, timestamp| Header {
            marker: true,
            payload_type,
            sequence: n,
            timestamp,
            ssrc,
        };
        let number = n.to_be_bytes();
        let extensions: &[(u8, &[u8])] = &[(4, &[30]), (5, &number)];
        let picture = vp8(n, n == 0, true, 1100);
        let ticks = u32::from(n) * 1800;
        let video = Outgoing { header: header(96, 6000, ticks), extensions, payload: &picture };
        let sound = Outgoing { header: header(111, 5000, ticks), extensions, payload: &[7; 120] };
        lab.send(peer, &video).expect("a picture");
        lab.send(peer, &sound).expect("sound");
        lab.pass(Duration::from_millis(20), true);
    }
}

/// Heap bytes that go with a peer.
fn freed(lab: &mut Lab, peer: PeerId) -> usize {
    let info = allocation_counter::measure(|| {
        let _ = lab.command(Command::RemovePeer { peer });
    });
    usize::try_from(-info.bytes_current).expect("less than before")
}

/// A publisher of both, and peers that receive so many tracks of it.
fn meeting(received: &[u64], transport: bool) -> (Lab, usize, usize) {
    let mut lab = Lab::new(crate::forward::test_clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, camera("1", 6000));
    lab.publish(ada, 2, microphone("2", 5000));
    for &track in received {
        let mut how = subscription("3", 900 + 10 * u32::try_from(track).unwrap());
        if !transport {
            how.extensions.transport_cc = None;
        }
        lab.subscribe(bob, track, how);
    }
    talk(&mut lab, ada, 300);
    assert!(received.is_empty() || lab.received(bob).len() >= 300);
    (lab, ada, bob)
}

fn subscriber(received: &[u64], transport: bool) -> usize {
    let (mut lab, _, bob) = meeting(received, transport);
    let bob = lab.id(bob);
    let edges = received.len() * (size_of::<Edge>() + TIMER);
    freed(&mut lab, bob) + size_of::<Peer>() + MAPS + TIMER + edges
}

#[test]
fn a_subscriber_of_one_video_and_one_audio_track_takes_at_most_15_kib() {
    let idle = subscriber(&[], false);
    let (video, audio) = (subscriber(&[1], false) - idle, subscriber(&[2], false) - idle);
    let both = subscriber(&[1, 2], false);
    let feedback = subscriber(&[1, 2], true) - both;
    assert!(idle <= 3 * KIB, "a peer: {idle}");
    assert!(video <= 10 * KIB, "a video edge: {video}");
    assert!(audio <= 3 * KIB, "an audio edge: {audio}");
    assert!(both <= 15 * KIB, "{both}");
    assert!(feedback <= 3 * KIB, "the packets that its feedback is matched with: {feedback}");
}

#[test]
fn a_publisher_takes_its_rings_and_gives_them_back_when_it_falls_silent() {
    let (mut lab, ada, _) = meeting(&[], false);
    let id = lab.id(ada);
    let (mut silent, quiet, _) = meeting(&[], false);
    silent.pass(Duration::from_secs(5), true);
    let inline = size_of::<Peer>() + MAPS + TIMER + 2 * (size_of::<Track>() + TIMER);
    let sending = freed(&mut lab, id) + inline;
    let id = silent.id(quiet);
    let resting = freed(&mut silent, id) + inline;
    assert!(sending <= 960 * KIB, "{sending}");
    assert!(resting <= 36 * KIB, "{resting}");
}
