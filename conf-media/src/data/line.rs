//! What waits for a peer whose reliable channels take less than they are sent.
//!
//! SCTP's own buffer copies what it holds, so only a little goes there at a time; the rest waits
//! here, where the receivers of one message share its bytes. The line is bounded in bytes, and in
//! the time that its head has waited: over either, the channels are closed, so that a receiver
//! that reads nothing costs nobody anything.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::channel::Outgoing;

/// Messages of all reliable channels, oldest first.
#[derive(Default)]
pub(super) struct Line {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

struct Waiting {
    stream: u16,
    since: Instant,
    message: Outgoing,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a message, if there is room for it. Its sender may go on at once while little waits.
    pub(super) fn push(&mut self, now: Instant, stream: u16, mut message: Outgoing) -> bool {
        let bytes = self.bytes + message.bytes.len();
        if bytes > MAX_BYTES || self.waiting.len() >= MAX_MESSAGES {
            return false;
        }
        if bytes <= FREE_BYTES {
            message.credit = super::Credit::default();
        }
        self.bytes = bytes;
        self.waiting.push_back(Waiting { stream, since: now, message });
        true
    }

    /// Stream and size of the next message.
    pub(super) fn head(&self) -> Option<(u16, usize)> {
        self.waiting.front().map(|waiting| (waiting.stream, waiting.message.bytes.len()))
    }

    pub(super) fn pop(&mut self) -> Option<(u16, Outgoing)> {
        let Waiting { stream, message, .. } = self.waiting.pop_front()?;
        self.bytes -= message.bytes.len();
        Some((stream, message))
    }

    /// When its head will have waited too long.
    pub(super) fn overdue_at(&self) -> Option<Instant> {
        self.waiting.front().map(|waiting| waiting.since + PATIENCE)
    }

    /// Forgets what waits for one channel; how many messages that were.
    pub(super) fn forget(&mut self, stream: u16) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.stream != stream);
        self.bytes = self.waiting.iter().map(|waiting| waiting.message.bytes.len()).sum();
        before - self.waiting.len()
    }
}

/// Up to here a message counts as delivered for its sender; above, the sender waits.
pub(super) const FREE_BYTES: usize = 1024 * 1024;
/// Senders have little under way each, so only many of them together reach this.
pub(super) const MAX_BYTES: usize = 4 * 1024 * 1024;
const MAX_MESSAGES: usize = 16_384;
/// A receiver that takes the free bytes in this time, 100 kB/s, is never too slow.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
