//! The frames of the meeting websocket: an event is written as JSON once, whoever many receive it.

use std::sync::Arc;

use axum::extract::ws::{Message, Utf8Bytes};
use conf_core::wire::{Event, Goodbye, ServerMessage, event_frame};

/// Remembers the last event and its frame: the meeting sends one event to all, one after another.
#[derive(Debug, Default)]
pub(super) struct Frames {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    event: Arc<Event>,
    json: String,
    sequence: u64,
    frame: Utf8Bytes,
}

impl Frames {
    /// The frame of a message. Participants with the same sequence number share its bytes.
    pub(super) fn write(&mut self, message: &ServerMessage) -> Message {
        let ServerMessage::Event { sequence, event } = message else { return plain(message) };
        let sequence = *sequence;
        match &mut self.last {
            Some(last) if Arc::ptr_eq(&last.event, event) => {
                if last.sequence != sequence {
                    last.sequence = sequence;
                    last.frame = event_frame(sequence, &last.json).into();
                }
                Message::Text(last.frame.clone())
            }
            _ => {
                let json = json(&**event);
                let frame = Utf8Bytes::from(event_frame(sequence, &json));
                self.last =
                    Some(Last { event: Arc::clone(event), json, sequence, frame: frame.clone() });
                Message::Text(frame)
            }
        }
    }
}

/// The last frame of a connection.
pub(crate) fn goodbye(reason: Goodbye) -> Message {
    plain(&ServerMessage::Goodbye { reason })
}

fn plain(message: &ServerMessage) -> Message {
    Message::Text(json(message).into())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("the wire's types always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;
    use conf_core::meeting::{EndReason, MeetingEnded};

    #[test]
    fn an_event_frame_equals_the_json_of_its_message() {
        let event = Arc::new(Event::MeetingEnded(MeetingEnded { reason: EndReason::Empty }));
        let mut frames = Frames::default();
        for sequence in [7, 7, 8] {
            let message = ServerMessage::Event { sequence, event: Arc::clone(&event) };
            assert_eq!(frames.write(&message), plain(&message));
        }
    }
}
