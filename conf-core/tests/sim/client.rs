//! What a client makes of the frames it gets: a copy of the meeting, strict about everything.

use conf_core::meeting::{Participant, WaitReason, Waiting};
use conf_core::wire::{Event, ServerMessage};
use conf_core::{ParticipantId, Role, RoomOptions};

/// One connection's view.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) me: ParticipantId,
    pub(crate) sequence: u64,
    pub(crate) roster: Vec<Participant>,
    pub(crate) options: RoomOptions,
    listeners: usize,
    /// Those in the lobby, as a moderator sees them.
    pub(crate) lobby: Vec<Waiting>,
    /// The own place in the lobby.
    pub(crate) place: Option<(usize, WaitReason)>,
    /// The command that was carried out and is not yet answered.
    pub(crate) asked: Option<u32>,
    last_chat: u64,
    greeted: bool,
    gone: bool,
}

impl Client {
    pub(crate) fn new(me: ParticipantId) -> Self {
        Self {
            me,
            sequence: 0,
            roster: Vec::new(),
            options: RoomOptions::default(),
            listeners: 0,
            lobby: Vec::new(),
            place: None,
            asked: None,
            last_chat: 0,
            greeted: false,
            gone: false,
        }
    }

    /// A new connection of somebody who kept what an earlier one knew.
    pub(crate) fn resuming(earlier: &Self) -> Self {
        Self { greeted: false, gone: false, place: None, ..earlier.clone() }
    }

    pub(crate) fn receive(&mut self, message: &ServerMessage) {
        assert!(!self.gone, "after goodbye: {message:?}");
        match message {
            ServerMessage::Waiting { position, reason } => {
                assert!(!self.greeted, "in the lobby, but was in the meeting");
                let place = Some((*position, *reason));
                assert_ne!(place, self.place, "nothing changed");
                self.place = place;
            }
            ServerMessage::Welcome(welcome) => {
                assert!(!self.greeted && welcome.you == self.me);
                self.greeted = true;
                self.sequence = welcome.sequence;
                self.place = None;
                self.roster.clone_from(&welcome.snapshot.participants);
                self.lobby.clone_from(&welcome.snapshot.waiting);
                self.options = welcome.snapshot.meeting.options;
                self.listeners = welcome.snapshot.listeners;
                let ids = welcome.snapshot.chat.iter().map(|message| message.id);
                assert!(ids.clone().zip(ids.clone().skip(1)).all(|(a, b)| b == a + 1));
                self.last_chat = ids.max().unwrap_or(self.last_chat);
            }
            ServerMessage::Resumed { sequence } => {
                assert!(!self.greeted && *sequence == self.sequence);
                self.greeted = true;
            }
            ServerMessage::Event { sequence, event } => {
                assert!(self.greeted, "an event before the greeting");
                assert_eq!(*sequence, self.sequence + 1, "a gap");
                self.sequence = *sequence;
                self.apply(event);
            }
            ServerMessage::Done { request } => assert_eq!(self.asked.take(), Some(*request)),
            ServerMessage::Goodbye { .. } => self.gone = true,
            ServerMessage::Refused { .. } | ServerMessage::Pong => panic!("{message:?}"),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::ParticipantJoined(joined) => {
                assert!(self.place(joined.participant.id).is_none(), "joined twice");
                self.roster.push(joined.participant.clone());
            }
            Event::ParticipantChanged(changed) => {
                let place = self.place(changed.participant.id).expect("changed, but not here");
                assert_ne!(self.roster[place], changed.participant, "nothing changed");
                self.roster[place] = changed.participant.clone();
                if changed.participant.id == self.me && changed.participant.role == Role::Viewer {
                    self.lobby.clear();
                }
            }
            Event::ParticipantLeft(left) => {
                assert_ne!(left.id, self.me, "told of its own leaving");
                let place = self.place(left.id).expect("left, but not here");
                self.roster.remove(place);
            }
            Event::Chat(chat) => {
                assert_eq!(chat.message.id, self.last_chat + 1, "chat out of order");
                self.last_chat = chat.message.id;
            }
            Event::MutedBy(muted) => assert_ne!(muted.participant, self.me),
            Event::WaitingAdded(added) => {
                let me = self.place(self.me).map(|place| self.roster[place].role);
                assert_eq!(me, Some(Role::Moderator), "told who waits");
                assert!(self.lobby.iter().all(|waiting| waiting.id != added.waiting.id));
                self.lobby.push(added.waiting.clone());
            }
            Event::WaitingRemoved(removed) => {
                let place = self.lobby.iter().position(|waiting| waiting.id == removed.id);
                self.lobby.remove(place.expect("does not wait"));
            }
            Event::OptionsChanged(changed) => {
                assert_ne!(self.options, changed.options, "nothing changed");
                self.options = changed.options;
            }
            Event::ListenersChanged(changed) => {
                assert_ne!(self.listeners, changed.listeners, "nothing changed");
                self.listeners = changed.listeners;
            }
            Event::MeetingEnded(_) => {}
        }
    }

    /// Whether it is in the meeting, and not in the lobby.
    pub(crate) fn is_in(&self) -> bool {
        self.greeted
    }

    /// Whether it has had a snapshot, on this connection or an earlier one.
    pub(crate) fn is_informed(&self) -> bool {
        !self.roster.is_empty()
    }

    fn place(&self, id: ParticipantId) -> Option<usize> {
        self.roster.iter().position(|participant| participant.id == id)
    }
}
