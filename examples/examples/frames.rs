//! Frames into a room and out of it, in one process: a program publishes pictures, another reads
//! them, and a third, slow one, loses some without anybody else noticing.
#![allow(clippy::print_stdout, reason = "an example prints what happens")]

use std::time::Duration;

use conf_media::codec::Codec;
use conf_media::command::{PeerId, RoomId, TrackId};
use conf_media::frame::{Frame, Source};
use conf_media::net::{self, FrameReader, MediaConfig, Next};
use conf_media::room::Room;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = MediaConfig { shards: 2, seed: 42, ..MediaConfig::default() };
    let media = net::start(config, Box::new(|_event| {}))?;

    // The table of the room turns wishes into commands, as for everybody who takes part.
    let (mut room, peer) = (Room::new(RoomId(1)), PeerId(1));
    let source = Source { track: TrackId(1), codec: Codec::Vp8, ssrc: 7 };
    room.add_local_peer(peer);
    room.publish(source.track, peer, source.publication())?;
    while let Some(command) = room.poll() {
        media.send(command);
    }
    let published = room.publication(source.track).ok_or("it was published")?;
    let mut fast = media.read_frames(source.track, published);
    let mut slow = media.read_frames(source.track, published);

    let (mut writer, mut read) = (media.write_frames(source), Vec::new());
    for number in 0..120u32 {
        let keyframe = number.is_multiple_of(30);
        writer.write(&picture(number, keyframe), number * 3_000, keyframe);
        std::thread::sleep(Duration::from_millis(5)); // the rate of the pictures
        read.extend(fetch(&mut fast));
    }
    read.extend(fetch(&mut fast));
    let equal = read.iter().zip(0..).all(|(frame, number)| {
        frame.timestamp == number * 3_000 && frame.payload == picture(number, frame.keyframe)
    });
    println!("{} of 120 pictures, equal to those that went in: {equal}", read.len());
    let late = fetch(&mut slow);
    println!("{} were still there for a reader that came last", late.len());
    let first = late.first().ok_or("a picture")?;
    println!("captured at {}", first.wall.ok_or("a time")?);
    if read.len() != 120 || !equal || late.len() == 120 {
        return Err("not what was promised".into());
    }
    media.stop();
    Ok(())
}

/// What would come from an encoder: 20 kB that begin as VP8 does.
fn picture(number: u32, keyframe: bool) -> Vec<u8> {
    let mut picture = vec![u8::from(!keyframe)];
    picture.extend(number.to_be_bytes());
    picture.resize(20_000, 0xAB);
    picture
}

/// All frames that are there.
fn fetch(reader: &mut FrameReader) -> Vec<Frame> {
    let frames = std::iter::from_fn(|| match reader.next_frame() {
        Next::Frame(frame) => Some(frame),
        Next::Later | Next::Ended => None,
    });
    frames.collect()
}
