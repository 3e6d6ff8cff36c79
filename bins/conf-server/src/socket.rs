//! The sending half of a websocket: a bounded outbox on one side, a task that writes on the other.
//!
//! A meeting never waits for a socket. When an [`Outbox`] is full its reader is too slow: the
//! meeting cuts it off with a last frame, and the client may come back and resume. Dropping an
//! outbox closes the socket after what is still in it. An [`Offence`] of the client closes it with
//! the code and the reason that RFC 6455 has for it.

use std::time::Duration;

use std::error::Error as _;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite;

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

/// What a client sent that ends its websocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offence {
    /// A message longer than is read.
    TooLong {
        /// Bytes that are read.
        limit: usize,
    },
    /// A message that is none of the protocol's.
    Unreadable,
    /// Text where binary is spoken, or the other way round.
    WrongKind,
}

impl Offence {
    /// The label of the refusal in the metrics.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::TooLong { .. } => "message_too_large",
            Self::Unreadable => "message_unreadable",
            Self::WrongKind => "message_of_wrong_kind",
        }
    }

    fn frame(self) -> CloseFrame {
        let (code, reason) = match self {
            Self::TooLong { limit } => {
                (close_code::SIZE, format!("a message has at most {limit} bytes"))
            }
            Self::Unreadable => (close_code::INVALID, "the message cannot be read".to_owned()),
            Self::WrongKind => {
                (close_code::UNSUPPORTED, "messages of this kind are not taken".to_owned())
            }
        };
        CloseFrame { code, reason: reason.into() }
    }
}

/// What comes out of a websocket.
pub(crate) enum Received {
    /// A text or binary message.
    Message(Message),
    /// More than is read.
    Offence(Offence),
    /// Nothing more: closed, cut, or silent for too long.
    Gone,
}

/// The next message; signs of life are passed over.
pub(crate) async fn receive(stream: &mut SplitStream<WebSocket>, limit: usize) -> Received {
    loop {
        match timeout(IDLE, stream.next()).await {
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            Ok(Some(Ok(message @ (Message::Text(_) | Message::Binary(_))))) => {
                return Received::Message(message);
            }
            Ok(Some(Err(error))) if is_too_long(&error) => {
                return Received::Offence(Offence::TooLong { limit });
            }
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return Received::Gone,
        }
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    let error = error.source().and_then(|source| source.downcast_ref::<tungstenite::Error>());
    matches!(error, Some(tungstenite::Error::Capacity(_)))
}

/// Reads until the client has closed too, so that it reads the last frame: unread bytes would turn
/// our end into a reset.
pub(crate) async fn drain(stream: &mut SplitStream<WebSocket>) {
    let rest = async { while let Some(Ok(_)) = stream.next().await {} };
    let _in_time = timeout(FAREWELL, rest).await;
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

/// Writes what comes out of the outbox until it is dropped or cut, or the client has offended, then
/// closes the socket.
pub(crate) async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    outgoing: Outgoing,
    offence: oneshot::Receiver<Offence>,
) {
    let Outgoing { mut frames, cut } = outgoing;
    let cut = async {
        let offended = async {
            match offence.await {
                Ok(offence) => Some(Message::Close(Some(offence.frame()))),
                Err(_) => std::future::pending().await,
            }
        };
        let cut = async {
            match cut.await {
                Ok(last) => last,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            last = cut => last,
            last = offended => last,
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
    if let Some(last) = last {
        let closes = matches!(last, Message::Close(_));
        if sink.send(last).await.is_err() || closes {
            return;
        }
    }
    let close = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    let _gone_already = sink.send(Message::Close(Some(close))).await;
}

/// How often a client is asked for a sign of life.
const PING: Duration = Duration::from_secs(20);
/// No frame takes longer than this to leave.
const STALLED: Duration = Duration::from_secs(30);
/// Three pings unanswered.
const IDLE: Duration = Duration::from_secs(65);
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
