//! Frames of tracks, and tracks of frames, for programs of this process.

use crate::command::{Command, Publication, TrackId};
use crate::frame::{self, Frame, Output, Source};

use super::{Media, batch};

/// Frames of one track; dropped, it costs the engine nothing any more.
#[derive(Debug)]
pub struct FrameReader {
    media: Media,
    track: TrackId,
    reader: frame::Reader,
}

/// What a [`FrameReader`] has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A frame; there may be more.
    Frame(Frame),
    /// Nothing; ask again in a few milliseconds.
    Later,
    /// The track has ended.
    Ended,
}

impl FrameReader {
    /// The next frame, if there is one. Never waits. What is not fetched for some seconds is lost,
    /// up to the next keyframe.
    pub fn next_frame(&mut self) -> Next {
        let track = self.track;
        loop {
            match self.reader.poll(batch::now().mono) {
                None => return Next::Later,
                Some(Output::Frame(frame)) => return Next::Frame(frame),
                Some(Output::Ended) => return Next::Ended,
                Some(Output::AskKeyframe { encoding }) => {
                    self.media.send(Command::AskKeyframe { track, encoding });
                }
            }
        }
    }
}

/// The frames that one track is made of.
#[derive(Debug)]
pub struct FrameWriter {
    media: Media,
    writer: frame::Writer,
}

impl FrameWriter {
    /// Publishes a frame that was captured now; see [`frame::Writer::write`].
    pub fn write(&mut self, frame: &[u8], timestamp: u32, keyframe: bool) {
        let command = self.writer.write(batch::now(), frame, timestamp, keyframe);
        self.media.send(command);
    }
}

impl Media {
    /// Reads a track that is published like this ([`crate::room::Room::publication`]).
    #[must_use]
    pub fn read_frames(&self, track: TrackId, publication: &Publication) -> FrameReader {
        let (tap, reader) = frame::tap(publication);
        self.send(Command::Tap { track, tap });
        FrameReader { media: self.clone(), track, reader }
    }

    /// Writes the frames of a track that a local peer publishes
    /// ([`crate::room::Room::add_local_peer`]).
    #[must_use]
    pub fn write_frames(&self, source: Source) -> FrameWriter {
        FrameWriter { media: self.clone(), writer: frame::Writer::new(source) }
    }
}
