//! Tests of the meeting: what people do, what everybody is told.

mod chatting;
mod coming;
mod ending;
mod going;
mod moderating;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use conf_privacy::Pii;

use super::*;
use crate::limits::Limits;
use crate::role::{Action, Role};
use crate::wire::Event;

const SECOND: Duration = Duration::from_secs(1);

/// A meeting with a clock and the outputs not looked at yet.
struct Scene {
    meeting: Meeting,
    now: Now,
}

#[expect(clippy::disallowed_methods, reason = "an instant has no other constructor")]
fn start() -> Now {
    Now { mono: Instant::now(), wall: "2026-01-02T03:04:05Z".parse().unwrap() }
}

fn scene() -> Scene {
    scene_with(Limits::default())
}

fn scene_with(limits: Limits) -> Scene {
    scene_of(Policy::FirstJoinerModerates, RoomOptions::default(), limits)
}

fn scene_of(policy: Policy, options: RoomOptions, limits: Limits) -> Scene {
    let now = start();
    let config = MeetingConfig { id: MeetingId::from_u64(1), limits, policy, options };
    Scene { meeting: Meeting::new(config, now), now }
}

fn id(number: u64) -> ParticipantId {
    ParticipantId::from_u64(number)
}

fn secret(number: u64) -> Secret {
    Secret::new(format!("secret-of-number-{number}")).unwrap()
}

impl Scene {
    fn join(&mut self, number: u64) -> Result<(), Refusal> {
        self.join_as(number, Standing::Guest, Via::Web)
    }

    fn join_as(&mut self, number: u64, standing: Standing, via: Via) -> Result<(), Refusal> {
        let (participant, secret) = (id(number), secret(number));
        let name = Pii::new(format!("Person {number}"));
        self.meeting.handle(self.now, Input::Join { participant, name, secret, via, standing })
    }

    /// Connection numbers are participant numbers unless a test says otherwise.
    fn attach(&mut self, number: u64) -> Result<(), Refusal> {
        self.attach_as(number, number, None)
    }

    fn attach_as(&mut self, number: u64, on: u64, resume: Option<u64>) -> Result<(), Refusal> {
        let (participant, secret) = (id(number), secret(number));
        let connection = ConnectionId(on);
        let input = Input::Attach { participant, secret, connection, resume_from: resume };
        self.meeting.handle(self.now, input)
    }

    fn detach(&mut self, connection: u64) {
        let connection = ConnectionId(connection);
        self.meeting.handle(self.now, Input::Detach { connection }).unwrap();
    }

    /// Lets these in and connects them, the first as moderator; forgets what they were told.
    fn people(mut self, numbers: std::ops::RangeInclusive<u64>) -> Self {
        for number in numbers {
            self.join(number).unwrap();
            self.attach(number).unwrap();
        }
        self.outputs();
        self
    }

    fn command(&mut self, connection: u64, command: Command) -> Result<(), Refusal> {
        let connection = ConnectionId(connection);
        self.meeting.handle(self.now, Input::Command { connection, request: 9, command })
    }

    fn say(&mut self, connection: u64, text: &str) -> Result<(), Refusal> {
        let text = Pii::new(text.to_owned());
        self.command(connection, Command::SendChat(SendChat { text }))
    }

    fn fact(&mut self, fact: Fact) {
        self.meeting.handle(self.now, Input::Media(fact)).unwrap();
    }

    fn track(&mut self, number: u64, source: Source, state: TrackState) {
        self.fact(Fact::Track { participant: id(number), source, state });
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now.later(time);
        self.meeting.handle_timeout(self.now);
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.meeting.poll()).collect()
    }

    /// What one connection is sent.
    fn told(&mut self, connection: u64) -> Vec<ServerMessage> {
        let wanted = ConnectionId(connection);
        let sent = |output| match output {
            Output::Send { connection, message } if connection == wanted => Some(message),
            _ => None,
        };
        self.outputs().into_iter().filter_map(sent).collect()
    }

    fn role(&self, number: u64) -> Role {
        self.meeting.participant(id(number)).unwrap().role
    }

    fn state(&self) -> String {
        format!("{:?}", self.meeting)
    }
}

fn goodbye(reason: Goodbye) -> ServerMessage {
    ServerMessage::Goodbye { reason }
}

fn left(number: u64, reason: LeftReason) -> Event {
    Event::ParticipantLeft(ParticipantLeft { id: id(number), reason })
}

fn event(sequence: u64, event: Event) -> ServerMessage {
    ServerMessage::Event { sequence, event: Arc::new(event) }
}

#[test]
fn nothing_personal_prints_with_a_meeting() {
    let mut scene = scene().people(1..=2);
    scene.say(1, "confidential").unwrap();
    let printed = format!("{:?} {:?}", scene.meeting, scene.meeting.snapshot(id(1)));
    for personal in ["Person", "confidential", "secret-of"] {
        assert!(!printed.contains(personal), "{personal}");
    }
}
