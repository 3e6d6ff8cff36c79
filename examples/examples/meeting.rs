//! A meeting without any network: two people come, one writes, the moderator ends it.
//!
//! What an embedder does around `conf_core::Meeting`: hand in what happened and the time, carry out
//! what it asks for.
#![allow(clippy::print_stdout, reason = "an example prints what happens")]

use std::time::{Duration, Instant};

use conf_core::meeting::{Policy, SendChat, Standing, Via};
use conf_core::wire::{Command, ServerMessage};
use conf_core::{
    ConnectionId, Input, Limits, Meeting, MeetingConfig, MeetingId, Now, Output, ParticipantId,
    Refusal, RoomOptions, Secret,
};
use conf_privacy::Pii;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let mut now = Now { mono: start(), wall: jiff::Timestamp::UNIX_EPOCH };
    let config = MeetingConfig {
        id: MeetingId::from_u64(1),
        limits: Limits::default(),
        policy: Policy::FirstJoinerModerates,
        options: RoomOptions::default(),
    };
    let mut meeting = Meeting::new(config, now);
    for (number, name) in [(1, "Ada"), (2, "Ben")] {
        enter(&mut meeting, now, number, name)?;
        now = now.later(Duration::from_secs(1));
    }
    let hello = Command::SendChat(SendChat { text: Pii::new("Good morning".to_owned()) });
    ask(&mut meeting, now, 2, hello)?;
    show(&mut meeting);
    // Ben is no moderator: refused, and nothing has changed.
    match ask(&mut meeting, now, 2, Command::End) {
        Err(refusal) => println!("refused: {refusal}"),
        Ok(()) => println!("a viewer ended the meeting"),
    }
    ask(&mut meeting, now, 1, Command::End)?;
    show(&mut meeting);
    Ok(())
}

fn enter(meeting: &mut Meeting, now: Now, number: u64, name: &str) -> Outcome {
    let participant = ParticipantId::from_u64(number);
    let secret = Secret::new(format!("a-random-secret-of-128-bits-{number}"))?;
    let name = Pii::new(name.to_owned());
    let (via, standing) = (Via::Web, Standing::Guest);
    let join = Input::Join { participant, name, secret: secret.clone(), via, standing };
    meeting.handle(now, join)?;
    let connection = ConnectionId(number);
    meeting.handle(now, Input::Attach { participant, secret, connection, resume_from: None })?;
    Ok(())
}

fn ask(meeting: &mut Meeting, now: Now, number: u64, command: Command) -> Result<(), Refusal> {
    let connection = ConnectionId(number);
    meeting.handle(now, Input::Command { connection, request: 1, command })
}

fn show(meeting: &mut Meeting) {
    while let Some(output) = meeting.poll() {
        match output {
            Output::Send { connection, message: ServerMessage::Event { sequence, event } } => {
                println!("{connection:?} event {sequence}: {event:?}");
            }
            Output::Ended { reason } => println!("ended: {reason:?}"),
            _ => {}
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a program owns its clock")]
fn start() -> Instant {
    Instant::now()
}
