//! Carrying out what a feature has decided: tell, send away, end.

use std::sync::Arc;
use std::time::Instant;

use super::roster::Member;
use super::{
    EndReason, LeftReason, Meeting, MeetingEnded, MutedBy, OptionsChanged, Order, Output,
    ParticipantLeft, Policy, Refusal, Source,
};
use crate::id::{ConnectionId, ParticipantId};
use crate::room::RoomOptions;
use crate::time::Now;
use crate::wire::{Event, Goodbye, MeetingInfo, ServerMessage, Snapshot, Welcome, WireLimits};

/// What a feature wants to happen, once it has accepted a command.
#[derive(Debug)]
pub(super) enum Effect {
    Nothing,
    Broadcast(Event),
    Mute { by: ParticipantId, whom: Vec<ParticipantId> },
    RoleChanged(ParticipantId),
    LetIn(Vec<ParticipantId>),
    Deny(ParticipantId),
    Options(RoomOptions),
    Depart { who: ParticipantId, reason: LeftReason },
    End(EndReason),
}

impl Meeting {
    pub(super) fn apply(&mut self, effect: Effect, now: Now) {
        match effect {
            Effect::Nothing => {}
            Effect::Broadcast(event) => self.broadcast(event),
            Effect::Mute { by, whom } => {
                for participant in whom {
                    if participant != by {
                        self.tell(participant, Event::MutedBy(MutedBy { participant: by }));
                    }
                    let source = Source::Microphone;
                    self.outputs.push_back(Output::Media(Order::Mute { participant, source }));
                }
            }
            Effect::RoleChanged(who) => self.role_changed(who),
            Effect::LetIn(whom) => {
                for who in whom {
                    self.let_in(now, who);
                }
            }
            Effect::Deny(whom) => self.dismiss(whom, Goodbye::Denied, now.mono),
            Effect::Options(options) => {
                if self.config.options != options {
                    self.config.options = options;
                    self.broadcast(Event::OptionsChanged(OptionsChanged { options }));
                }
            }
            Effect::Depart { who, reason } => self.depart(who, reason, now.mono),
            Effect::End(reason) => self.end(reason),
        }
    }

    /// Tells everybody; all get the same event.
    pub(super) fn broadcast(&mut self, event: Event) {
        self.tell_those(event, |_| true);
    }

    /// Tells those who can let people in.
    pub(super) fn tell_moderators(&mut self, event: Event) {
        self.tell_those(event, Member::leads);
    }

    fn tell_those(&mut self, event: Event, wanted: impl Fn(&Member) -> bool) {
        let event = Arc::new(event);
        for member in self.roster.iter_mut().filter(|member| wanted(member)) {
            let sequence = member.log.push(Arc::clone(&event));
            if let Some(connection) = member.connection {
                let message = ServerMessage::Event { sequence, event: Arc::clone(&event) };
                self.outputs.push_back(Output::Send { connection, message });
            }
        }
    }

    /// Tells one.
    pub(super) fn tell(&mut self, id: ParticipantId, event: Event) {
        let Some(member) = self.roster.get_mut(id) else { return };
        let event = Arc::new(event);
        let sequence = member.log.push(Arc::clone(&event));
        if let Some(connection) = member.connection {
            self.send(connection, ServerMessage::Event { sequence, event });
        }
    }

    /// Gives a new connection what it missed, or everything.
    pub(super) fn greet(
        &mut self,
        id: ParticipantId,
        connection: ConnectionId,
        resume_from: Option<u64>,
    ) {
        let Some(member) = self.roster.get_mut(id) else { return };
        member.connection = Some(connection);
        let sequence = member.log.last();
        let missed = resume_from.and_then(|from| Some((from, member.log.since(from)?)));
        let Some((from, events)) = missed else {
            let snapshot = self.snapshot(id);
            let welcome = Box::new(Welcome { sequence, you: id, snapshot });
            return self.send(connection, ServerMessage::Welcome(welcome));
        };
        self.send(connection, ServerMessage::Resumed { sequence: from });
        for (sequence, event) in events {
            self.send(connection, ServerMessage::Event { sequence, event });
        }
    }

    pub(super) fn depart(&mut self, who: ParticipantId, reason: LeftReason, now: Instant) {
        let Some(member) = self.roster.take(who) else { return };
        if reason == LeftReason::Removed {
            self.turned_away.add(who, Refusal::Removed);
        }
        if self.speaker == Some(who) {
            self.speaker = None;
        }
        if let Some(connection) = member.connection {
            self.goodbye(connection, goodbye_of(reason));
        }
        self.outputs.push_back(Output::Media(Order::Remove { participant: who }));
        self.broadcast(Event::ParticipantLeft(ParticipantLeft { id: who, reason }));
        if self.config.policy == Policy::FirstJoinerModerates
            && let Some(promoted) = self.roster.promote()
        {
            self.role_changed(promoted);
        }
        self.note_emptiness(reason == LeftReason::Lost, now);
    }

    /// An empty meeting ends after the grace; the lost have had theirs.
    pub(super) fn note_emptiness(&mut self, lost: bool, now: Instant) {
        if self.roster.len() == 0 && self.queue.is_empty() {
            self.empty_until = Some(if lost { now } else { now + self.config.limits.grace });
        }
    }

    fn role_changed(&mut self, who: ParticipantId) {
        let Some(member) = self.roster.get(who) else { return };
        let (event, leads) = (member.changed(), member.leads());
        self.broadcast(event);
        if leads {
            self.hand_over_lobby(who);
        }
    }

    pub(super) fn end(&mut self, reason: EndReason) {
        self.broadcast(Event::MeetingEnded(MeetingEnded { reason }));
        for member in self.roster.drain() {
            if let Some(connection) = member.connection {
                self.goodbye(connection, Goodbye::Ended);
            }
        }
        for connection in self.queue.drain() {
            self.goodbye(connection, Goodbye::Ended);
        }
        self.chat.clear();
        self.speaker = None;
        self.ended = Some(reason);
        self.outputs.push_back(Output::Media(Order::End));
        self.outputs.push_back(Output::Ended { reason });
    }

    pub(super) fn goodbye(&mut self, connection: ConnectionId, reason: Goodbye) {
        self.send(connection, ServerMessage::Goodbye { reason });
        self.outputs.push_back(Output::Close { connection });
    }

    pub(super) fn send(&mut self, connection: ConnectionId, message: ServerMessage) {
        self.outputs.push_back(Output::Send { connection, message });
    }

    /// The meeting as one participant may see it.
    pub(super) fn snapshot(&self, of: ParticipantId) -> Snapshot {
        let leads = self.roster.get(of).is_some_and(Member::leads);
        let waiting = if leads { self.queue.iter().cloned().collect() } else { Vec::new() };
        let (started_at, options) = (self.started_at(), self.config.options);
        Snapshot {
            meeting: MeetingInfo { id: self.config.id, started_at, options },
            waiting,
            limits: WireLimits::from(&self.config.limits),
            participants: self.roster.participants().cloned().collect(),
            listeners: self.listeners.told(),
            chat: self.chat.history(),
        }
    }
}

fn goodbye_of(reason: LeftReason) -> Goodbye {
    match reason {
        LeftReason::Left => Goodbye::Left,
        LeftReason::Removed => Goodbye::Removed,
        LeftReason::Lost => Goodbye::Unknown,
    }
}
