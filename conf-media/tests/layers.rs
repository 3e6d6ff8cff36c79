//! Simulcast: the highest living encoding, without a seam for the subscriber.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::{Camera, clock, picture_id};
use conf_media::command::{Command, TrackId};
use conf_media::test_util::{Lab, Received, simulcast, subscription};

/// A publisher of two layers and one subscriber.
struct Call {
    lab: Lab,
    ada: usize,
    bob: usize,
    low: Camera,
    high: Camera,
}

impl Call {
    fn new() -> Self {
        let mut lab = Lab::new(clock());
        let (ada, bob) = (lab.connect(), lab.connect());
        lab.publish(ada, 1, simulcast("1"));
        lab.subscribe(bob, 1, subscription("3", 900));
        let (low, high) = (Camera::layer(11_000, "q"), Camera::layer(22_000, "f"));
        Self { lab, ada, bob, low, high }
    }

    /// The publisher's reports say that both layers' present timestamps are the same moment.
    fn report(&mut self) {
        let ntp = 3_900_000_000u64 << 32;
        for camera in [&self.low, &self.high] {
            let (ssrc, rtp) = (camera.ssrc, camera.timestamp);
            let info = common::sender_info(ssrc, ntp, rtp);
            let mut out = Vec::new();
            conf_media::rtcp::write::sender_report(&mut out, &info, &[]);
            self.lab.send_rtcp(self.ada, &out).unwrap();
        }
    }
}

#[test]
fn a_switch_waits_for_a_keyframe_and_leaves_no_seam() {
    let mut call = Call::new();
    let Call { lab, ada, low, high, .. } = &mut call;
    low.picture(lab, *ada, true);
    high.step(lab, *ada, false);
    low.picture(lab, *ada, false);
    high.step(lab, *ada, false);
    call.report();
    let Call { lab, ada, bob, low, high } = &mut call;
    for keyframe in [false, false, true, false, false] {
        low.picture(lab, *ada, false);
        high.step(lab, *ada, keyframe);
    }
    let received = lab.received(*bob);
    assert_seamless(&received);
    assert_eq!(lab.shard.counters().layer_switches, 1);
    assert_eq!(received.len(), 2 * (2 + 3 + 3), "low until the keyframe, then high");
    let steps: Vec<u32> = received
        .windows(2)
        .map(|pair| pair[1].view.timestamp.wrapping_sub(pair[0].view.timestamp))
        .collect();
    let pictures: Vec<u32> = steps.into_iter().filter(|&step| step != 0).collect();
    // Both layers show the moment of the switch: the high one follows it by a tick.
    assert_eq!(pictures, [3600, 3600, 3600, 3600, 1, 3600, 3600], "{pictures:?}");
}

#[test]
fn a_lower_layer_takes_over_when_the_higher_dies() {
    let mut call = Call::new();
    let Call { lab, ada, bob, low, high } = &mut call;
    low.picture(lab, *ada, true);
    high.step(lab, *ada, true);
    for _ in 0..40 {
        low.step(lab, *ada, false);
    }
    assert!(lab.shard.counters().plis_sent > 0, "the lower layer is asked for a keyframe");
    low.step(lab, *ada, true);
    low.step(lab, *ada, false);
    let received = lab.received(*bob);
    assert_seamless(&received);
    assert_eq!(received.len(), 2 * (1 + 1 + 2));
}

#[test]
fn without_reports_time_goes_on_by_the_clock() {
    let mut call = Call::new();
    let Call { lab, ada, bob, low, high } = &mut call;
    low.step(lab, *ada, true);
    low.step(lab, *ada, false);
    high.step(lab, *ada, true);
    let received = lab.received(*bob);
    let last = received.last().unwrap().view.timestamp;
    let before = received[2].view.timestamp;
    let step = last.wrapping_sub(before);
    assert!((3000..=4500).contains(&step), "{step} ticks for about 40 ms");
}

#[test]
fn a_muted_track_is_not_forwarded_and_begins_again_with_a_keyframe() {
    let mut call = Call::new();
    let Call { lab, ada, bob, low, .. } = &mut call;
    low.step(lab, *ada, true);
    lab.command(Command::Mute { track: TrackId(1), muted: true }).unwrap();
    for _ in 0..50 {
        mute_step(low, lab, *ada);
    }
    assert_eq!(lab.received(*bob).len(), 2);
    lab.command(Command::Mute { track: TrackId(1), muted: false }).unwrap();
    low.step(lab, *ada, false);
    assert!(lab.received(*bob).is_empty(), "not before a keyframe");
    low.step(lab, *ada, true);
    assert_eq!(lab.received(*bob).len(), 2);
}

#[test]
fn a_late_joiner_gets_the_keyframe_from_the_ring() {
    let mut call = Call::new();
    let Call { lab, ada, bob: _, low, .. } = &mut call;
    low.step(lab, *ada, true);
    low.step(lab, *ada, false);
    let carol = lab.connect();
    let asked = lab.shard.counters().plis_sent;
    lab.subscribe(carol, 1, subscription("3", 900));
    let received = lab.received(carol);
    assert_eq!(received.len(), 4);
    assert_seamless(&received);
    assert_eq!(lab.shard.counters().started_from_ring, 1);
    low.step(lab, *ada, false);
    assert_eq!(lab.received(carol).len(), 2);
    assert_eq!(lab.shard.counters().plis_sent, asked, "nobody had to be asked");
}

#[test]
fn a_newcomer_to_old_pictures_waits_for_a_fresh_keyframe() {
    let mut call = Call::new();
    let Call { lab, ada, bob: _, low, .. } = &mut call;
    low.step(lab, *ada, true);
    for _ in 0..100 {
        low.step(lab, *ada, false);
    }
    let carol = lab.connect();
    lab.subscribe(carol, 1, subscription("3", 900));
    assert!(lab.received(carol).is_empty());
    lab.compounds(*ada);
    lab.pass(Duration::from_millis(20), false);
    assert!(common::asks_for_keyframe(&lab.compounds(*ada), low.ssrc));
    low.step(lab, *ada, true);
    assert_eq!(lab.received(carol).len(), 2);
}

/// Numbers go up by one, time and picture ids never go back nor leave a gap.
fn assert_seamless(received: &[Received]) {
    for pair in received.windows(2) {
        let (a, b) = (&pair[0].view, &pair[1].view);
        assert_eq!(b.sequence, a.sequence.wrapping_add(1));
        let ahead = b.timestamp.wrapping_sub(a.timestamp);
        assert!(ahead < 3 * 90_000, "from {} to {}", a.timestamp, b.timestamp);
        let step = picture_id(&pair[1]).wrapping_sub(picture_id(&pair[0])) & 0x7fff;
        assert_eq!(step, u16::from(a.marker), "a picture id for each picture");
    }
}

/// A picture that the shard drops.
fn mute_step(camera: &mut Camera, lab: &mut Lab, peer: usize) {
    camera.refused = true;
    camera.step(lab, peer, false);
    camera.refused = false;
}
