//! What both websockets do once a meeting has taken them: hand over what comes, until it is over.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::meeting_task::{Mail, Turn};
use crate::meetings::Voice;
use crate::socket::{self, Offence, Outgoing, Received};

/// A websocket that belongs to a meeting.
pub(super) struct Line {
    /// What the meeting hears.
    pub(super) voice: Voice,
    /// What the meeting wants to have sent.
    pub(super) outgoing: Outgoing,
    /// The longest message, bytes.
    pub(super) longest: usize,
    /// Tells the meeting that the websocket is gone.
    pub(super) last: Mail,
}

/// Reads until the client is gone, silent for too long, offends, or the writer is done.
pub(super) async fn converse(
    stream: &mut SplitStream<WebSocket>,
    sink: SplitSink<WebSocket, Message>,
    line: Line,
    decode: impl Fn(Message, Turn) -> Result<Mail, Offence>,
) -> Option<Offence> {
    let Line { voice, outgoing, longest, last } = line;
    let (offend, offended) = oneshot::channel();
    let mut writer = tokio::spawn(socket::write(sink, outgoing, offended));
    let offence = loop {
        let received = tokio::select! {
            received = socket::receive(stream, longest) => received,
            _ = &mut writer => break None,
        };
        let message = match received {
            Received::Message(message) => message,
            Received::Offence(offence) => break Some(offence),
            Received::Gone => break None,
        };
        match decode(message, voice.turn().await) {
            Ok(mail) => {
                if !voice.say(mail).await {
                    break None;
                }
            }
            Err(offence) => break Some(offence),
        }
    };
    if let Some(offence) = offence {
        let _gone_already = offend.send(offence);
    }
    // The meeting drops the outbox when it hears of this; what is in it still leaves.
    let _over_already = voice.say(last).await;
    if !writer.is_finished() {
        let _in_time = timeout(FAREWELL, writer).await;
    }
    offence
}

/// How long the last words may take.
pub(super) const FAREWELL: Duration = Duration::from_secs(3);
