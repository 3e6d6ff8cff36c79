//! Chat: what people write to everybody, kept until the meeting ends and nowhere else.

use std::collections::VecDeque;
use std::sync::Arc;

use conf_privacy::Pii;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::roster::Member;
use super::{Effect, Refusal};
use crate::id::ParticipantId;
use crate::limits::Limits;
use crate::text::{self, TextError};
use crate::time::Now;
use crate::wire::Event;

/// Writes to everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SendChat {
    /// Plain text; line breaks stay.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub text: Pii<String>,
}

/// Somebody wrote something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ChatSent {
    /// What.
    pub message: Arc<ChatMessage>,
}

/// One chat message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ChatMessage {
    /// 1, 2, 3… in the order of the meeting.
    pub id: u64,
    /// Who wrote it.
    pub from: ParticipantId,
    /// Their name then; they may have left since.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub name: Pii<String>,
    /// When it arrived.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub sent_at: Timestamp,
    /// Plain text.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub text: Pii<String>,
}

/// The messages of a meeting, oldest first.
#[derive(Debug, Default)]
pub(super) struct Chat {
    history: VecDeque<Arc<ChatMessage>>,
    /// Bytes of their texts.
    bytes: usize,
    last_id: u64,
}

impl Chat {
    pub(super) fn send(
        &mut self,
        now: Now,
        limits: &Limits,
        member: &mut Member,
        command: &SendChat,
    ) -> Result<Effect, Refusal> {
        let text =
            text::message(command.text.reveal(), limits.chat_chars).map_err(|e| match e {
                TextError::Empty => Refusal::ChatEmpty,
                TextError::TooLong { limit } => Refusal::ChatTooLong { limit },
            })?;
        member.chat_rate.take(now.mono).map_err(Refusal::too_many)?;
        self.last_id += 1;
        let message = Arc::new(ChatMessage {
            id: self.last_id,
            from: member.participant.id,
            name: member.participant.name.clone(),
            sent_at: now.wall,
            text: Pii::new(text),
        });
        self.bytes += message.text.reveal().len();
        self.history.push_back(Arc::clone(&message));
        while self.history.len() > limits.chat_history || self.bytes > limits.chat_history_bytes {
            let Some(oldest) = self.history.pop_front() else { break };
            self.bytes -= oldest.text.reveal().len();
        }
        Ok(Effect::Broadcast(Event::Chat(ChatSent { message })))
    }

    pub(super) fn clear(&mut self) {
        self.history.clear();
        self.bytes = 0;
    }

    pub(super) fn history(&self) -> Vec<Arc<ChatMessage>> {
        self.history.iter().cloned().collect()
    }
}
