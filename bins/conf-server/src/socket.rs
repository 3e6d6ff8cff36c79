//! The sending half of a websocket: a bounded outbox on one side, a task that writes on the other.
//!
//! A meeting never waits for a socket. When an [`Outbox`] is full its reader is too slow: the
//! meeting cuts it off with a last frame, and the client may come back and resume. Dropping an
//! outbox closes the socket after what is still in it.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::SinkExt as _;
use futures_util::stream::SplitSink;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval_at, timeout};

/// Where frames for one websocket go.
#[derive(Debug)]
pub(crate) struct Outbox {
    frames: mpsc::Sender<Message>,
    cut: oneshot::Sender<Option<Message>>,
}

/// The other end of an [`Outbox`].
#[derive(Debug)]
pub(crate) struct Outgoing {
    frames: mpsc::Receiver<Message>,
    cut: oneshot::Receiver<Option<Message>>,
}

/// The outbox is full, or the socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stuck;

/// An outbox for `frames` frames.
pub(crate) fn outbox(frames: usize) -> (Outbox, Outgoing) {
    let (frames, received) = mpsc::channel(frames);
    let (cut, was_cut) = oneshot::channel();
    (Outbox { frames, cut }, Outgoing { frames: received, cut: was_cut })
}

impl Outbox {
    /// Queues a frame; never waits.
    ///
    /// # Errors
    /// [`Stuck`]: cut it off.
    pub(crate) fn send(&self, frame: Message) -> Result<(), Stuck> {
        self.frames.try_send(frame).map_err(|_| Stuck)
    }

    /// Throws away what is queued, sends `last` if the socket still takes it, and closes.
    pub(crate) fn cut(self, last: Option<Message>) {
        let _gone_already = self.cut.send(last);
    }
}

#[cfg(test)]
impl Outgoing {
    /// The last frame with which the outbox was cut off, if it was.
    pub(crate) fn last(&mut self) -> Option<Message> {
        self.cut.try_recv().ok().flatten()
    }
}

/// Writes what comes out of the outbox until it is dropped or cut, then closes the socket.
pub(crate) async fn write(mut sink: SplitSink<WebSocket, Message>, outgoing: Outgoing) {
    let Outgoing { mut frames, cut } = outgoing;
    let cut = async {
        match cut.await {
            Ok(last) => last,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::pin!(cut);
    let mut ping = interval_at(Instant::now() + PING, PING);
    let last = loop {
        let next = tokio::select! {
            biased;
            last = &mut cut => break last,
            frame = frames.recv() => frame,
            _ = ping.tick() => Some(Message::Ping(bytes::Bytes::new())),
        };
        let Some(frame) = next else { break None };
        let sent = tokio::select! {
            biased;
            last = &mut cut => break last,
            sent = timeout(STALLED, sink.send(frame)) => sent,
        };
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    };
    let _best_effort = timeout(FAREWELL, say_goodbye(&mut sink, last)).await;
}

/// Sends a last frame and closes; for a socket that no meeting owns yet.
pub(crate) async fn say_goodbye(sink: &mut SplitSink<WebSocket, Message>, last: Option<Message>) {
    if let Some(last) = last
        && sink.send(last).await.is_err()
    {
        return;
    }
    let close = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    let _gone_already = sink.send(Message::Close(Some(close))).await;
}

/// How often a client is asked for a sign of life.
const PING: Duration = Duration::from_secs(20);
/// No frame takes longer than this to leave.
const STALLED: Duration = Duration::from_secs(30);
/// How long closing may take.
const FAREWELL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_outbox_refuses_at_once_and_can_be_cut() {
        let (outbox, mut outgoing) = outbox(2);
        assert_eq!(outbox.send(Message::text("1")), Ok(()));
        assert_eq!(outbox.send(Message::text("2")), Ok(()));
        assert_eq!(outbox.send(Message::text("3")), Err(Stuck));
        outbox.cut(Some(Message::text("too slow")));
        assert_eq!(outgoing.last(), Some(Message::text("too slow")));
    }

    #[test]
    fn a_dropped_outbox_still_gives_what_was_queued() {
        let (outbox, mut outgoing) = outbox(2);
        outbox.send(Message::text("goodbye")).unwrap();
        drop(outbox);
        assert_eq!(outgoing.frames.try_recv(), Ok(Message::text("goodbye")));
        assert_eq!(outgoing.frames.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }
}
