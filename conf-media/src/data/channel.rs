//! What goes into and comes out of an association: channels, messages, and how they are counted.

use std::sync::Arc;

use bytes::Bytes;
use sctp_proto::ReliabilityType;

use super::flow::Credit;

/// How a channel was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name; chosen by the peer's program, at most [`super::MAX_LABEL`] bytes.
    pub label: Arc<str>,
    /// Messages arrive in order.
    pub ordered: bool,
    /// What happens to lost messages.
    pub repeat: Repeat,
}

impl Channel {
    /// Lost messages are repeated until they arrive.
    #[must_use]
    pub fn is_reliable(&self) -> bool {
        self.repeat == Repeat::Always
    }
}

/// How long a lost message is repeated (RFC 8831, section 6.1; RFC 3758).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Until it arrives.
    Always,
    /// At most so often.
    Times(u32),
    /// At most for so many milliseconds.
    For(u32),
}

impl Repeat {
    pub(super) fn parameters(self) -> (ReliabilityType, u32) {
        match self {
            Self::Always => (ReliabilityType::Reliable, 0),
            Self::Times(times) => (ReliabilityType::Rexmit, times),
            Self::For(milliseconds) => (ReliabilityType::Timed, milliseconds),
        }
    }
}

/// A message for a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Not text.
    pub binary: bool,
    /// 0 to [`super::MAX_SENT`] bytes.
    pub bytes: Bytes,
    /// Of the message that it forwards: kept until this one has left the waiting line.
    pub credit: Credit,
}

/// A message of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel's label.
    pub label: Arc<str>,
    /// It came over a channel that loses nothing.
    pub reliable: bool,
    /// Not text.
    pub binary: bool,
    /// 0 to [`super::MAX_MESSAGE`] bytes.
    pub bytes: Bytes,
    /// As long as clones of it live, the message is under way.
    pub credit: Credit,
}

/// What an association asks for or reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One SCTP packet for the DTLS channel.
    Transmit(Bytes),
    /// The peer opened a channel, and we have acknowledged it.
    Opened {
        /// Its number.
        stream: u16,
        /// How it was opened.
        channel: Channel,
    },
    /// A message of the peer.
    Message {
        /// The channel's number.
        stream: u16,
        /// What it says.
        message: Message,
    },
    /// A channel is gone.
    Closed {
        /// Its number.
        stream: u16,
        /// Why.
        why: Closing,
    },
    /// The association is gone, with all channels.
    Lost,
}

/// Why a channel is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The peer closed it.
    Peer,
    /// We closed it: the peer did not take what it was sent.
    TooSlow,
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No such channel is open.
    #[error("the data channel is not open")]
    NotOpen,
    /// Larger than a message may be.
    #[error("the message has {len} bytes (limit {limit})")]
    TooLarge {
        /// How large it is.
        len: usize,
        /// How large it may be.
        limit: usize,
    },
    /// The peer does not take what it was sent. A channel that may lose messages lost this one; a
    /// reliable one was closed.
    #[error("{len} bytes wait for the peer already (limit {limit})")]
    Full {
        /// How much waits.
        len: usize,
        /// How much may wait.
        limit: usize,
    },
}

/// Totals of one peer, after RTCDataChannelStats of W3C webrtc-stats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DataStats {
    /// Channels that were opened.
    #[serde(rename = "dataChannelsOpened")]
    pub opened: u64,
    /// Channels that were closed again.
    #[serde(rename = "dataChannelsClosed")]
    pub closed: u64,
    /// Of these, because the peer was too slow.
    pub closed_slow: u64,
    /// Messages of the peer, those that were dropped not counted.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Messages that were handed to SCTP.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages of the peer over a channel that may lose some, above what it may send.
    pub dropped_rate: u64,
    /// Messages for the peer that it would have got too late.
    pub dropped_slow: u64,
    /// Messages for the peer when it had no such channel, or none any more.
    pub dropped_closed: u64,
}

impl DataStats {
    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            opened: self.opened.saturating_sub(before.opened),
            closed: self.closed.saturating_sub(before.closed),
            closed_slow: self.closed_slow.saturating_sub(before.closed_slow),
            messages_received: self.messages_received.saturating_sub(before.messages_received),
            bytes_received: self.bytes_received.saturating_sub(before.bytes_received),
            messages_sent: self.messages_sent.saturating_sub(before.messages_sent),
            bytes_sent: self.bytes_sent.saturating_sub(before.bytes_sent),
            dropped_rate: self.dropped_rate.saturating_sub(before.dropped_rate),
            dropped_slow: self.dropped_slow.saturating_sub(before.dropped_slow),
            dropped_closed: self.dropped_closed.saturating_sub(before.dropped_closed),
        }
    }
}
