//! What one meeting takes: numbers the operator sets, checked where the thing happens.

use std::time::Duration;

/// The limits of a meeting; lengths of text are counted in characters (Unicode scalar values).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// People at the same time.
    pub participants: usize,
    /// People who wait in the lobby at the same time.
    pub waiting: usize,
    /// Longest name.
    pub name_chars: usize,
    /// Longest chat message.
    pub chat_chars: usize,
    /// Chat messages one participant may send at once...
    pub chat_burst: u32,
    /// ...and one more each of these.
    pub chat_interval: Duration,
    /// Chat messages the meeting remembers; the oldest go first.
    pub chat_history: usize,
    /// Bytes of text they may have together.
    pub chat_history_bytes: usize,
    /// Commands of any kind one participant may send at once...
    pub command_burst: u32,
    /// ...and one more each of these.
    pub command_interval: Duration,
    /// Longest frame of the meeting websocket, bytes. Held by whoever owns the socket.
    pub message_bytes: usize,
    /// How long somebody without any connection stays, and an empty meeting after them.
    pub grace: Duration,
    /// Longest meeting.
    pub max_duration: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            participants: 50,
            waiting: 100,
            name_chars: 60,
            chat_chars: 2_000,
            chat_burst: 10,
            chat_interval: Duration::from_secs(1),
            chat_history: 1_000,
            chat_history_bytes: 1024 * 1024,
            command_burst: 100,
            command_interval: Duration::from_millis(20),
            message_bytes: 16 * 1024,
            grace: Duration::from_secs(30),
            max_duration: Duration::from_secs(24 * 60 * 60),
        }
    }
}
