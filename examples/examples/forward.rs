//! The media engine in memory: one publisher's sealed packets become two subscribers' packets.
//!
//! `Lab` stands for the sockets, handshakes and browsers around one shard; an embedder with sockets
//! of its own drives `conf_media::shard::Shard` the same way, or uses `conf_media::net`.
#![allow(clippy::print_stdout, reason = "an example prints what happens")]

use std::time::{Duration, Instant};

use conf_media::rtp::Header;
use conf_media::test_util::{Lab, Outgoing, camera, subscription, vp8};
use conf_media::time::Now;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lab = Lab::new(Now { mono: start(), wall: jiff::Timestamp::UNIX_EPOCH });
    let publisher = lab.connect();
    let (track, ssrc) = (1, 4_711);
    lab.publish(publisher, track, camera("0", ssrc));
    let subscribers = [lab.connect(), lab.connect()];
    for (subscriber, own_ssrc) in subscribers.into_iter().zip([900, 901]) {
        lab.subscribe(subscriber, track, subscription("0", own_ssrc));
    }
    // A keyframe and two pictures more, 33 ms apart, on a video clock of 90 kHz.
    for picture in 0..3 {
        let header = Header {
            marker: true,
            payload_type: 96,
            sequence: 100 + picture,
            timestamp: u32::from(picture) * 3_000,
            ssrc,
        };
        let payload = vp8(picture, picture == 0, true, 1_000);
        lab.send(publisher, &Outgoing { header, extensions: &[], payload: &payload })?;
        lab.pass(Duration::from_millis(33), true);
    }
    for subscriber in subscribers {
        for packet in lab.received(subscriber) {
            println!(
                "peer {subscriber}: ssrc {} sequence {} timestamp {} {} bytes",
                packet.view.ssrc,
                packet.view.sequence,
                packet.view.timestamp,
                packet.payload().len()
            );
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a program owns its clock")]
fn start() -> Instant {
    Instant::now()
}
