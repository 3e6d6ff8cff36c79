//! One tokio task owns one meeting: its state machine, its signalling, its sockets' outboxes.
//!
//! ```text
//!  http::meeting_ws ─┐             ┌──► conf_core::Meeting ──► outboxes of the meeting websockets
//!  http::rtc ────────┼─► Mail ─► Task    │ Order   ▲ Fact
//!  http::whip  ──────┤             │     │         │
//!  http::rooms ──────┘             │     ▼         │
//!  media::Line ───────── Event ────└──► signal::livekit::Signal ──► outboxes of signalling, Line
//! ```
//!
//! What one machine puts out may be the other's input, so both are polled until neither has more.
//! Nothing here waits for a socket. A panic ends this meeting only; [`crate::meetings`] notices.

mod frame;
mod mail;
mod translate;
mod whip;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::ws::Message;
use bytes::Bytes;
use conf_core::meeting::{EndBy, Fact, Order, Standing, Via, Visitor};
use conf_core::wire::{Goodbye, Request, ServerMessage};
use conf_core::{Meeting, ParticipantId, Refusal, Secret};
use conf_media::command::{Event, PeerId};
use conf_media::signal::livekit::token::Claims;
use conf_media::signal::livekit::{self, Signal};
use conf_privacy::Pii;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::media::Line;
use crate::metrics::Metrics;
use crate::socket::Outbox;
use crate::{clock, random};
use frame::Frames;
use translate::Identities;
use whip::Offered;

pub(crate) use frame::goodbye;
pub(crate) use mail::{
    Attach, JoinRequest, Joined, Mail, Offer, OpenSignal, Purpose, Turn, Unanswered, is_participant,
};
pub(crate) use translate::word;

/// What a task is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) meeting: Meeting,
    pub(crate) signal: Signal,
    pub(crate) line: Line,
    pub(crate) metrics: Arc<Metrics>,
    /// How many are in the meeting, for those who ask from outside.
    pub(crate) count: Arc<AtomicUsize>,
}

/// Runs a meeting until it has ended.
pub(crate) async fn run(
    parts: Parts,
    mut inbox: mpsc::Receiver<Mail>,
    mut events: mpsc::Receiver<Event>,
) {
    let mut task = Task {
        parts,
        sockets: HashMap::new(),
        signals: HashMap::new(),
        offered: HashMap::new(),
        players: 0,
        identities: Identities::default(),
        frames: Frames::default(),
        ended: false,
    };
    while !task.ended {
        let due = task.timeout();
        let timer = async {
            match due {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            mail = inbox.recv() => match mail {
                Some(mail) => task.take(mail),
                None => task.end(),
            },
            Some(event) = events.recv() => task.media(event),
            () = timer => task.time_passed(),
        }
        task.pump();
    }
}

struct Task {
    parts: Parts,
    sockets: HashMap<u64, Outbox>,
    signals: HashMap<u64, Signalling>,
    /// Whose answers are on their way.
    offered: HashMap<PeerId, Offered>,
    players: usize,
    identities: Identities,
    frames: Frames,
    ended: bool,
}

/// A signalling websocket.
struct Signalling {
    participant: ParticipantId,
    outbox: Outbox,
}

/// Inputs.
impl Task {
    fn take(&mut self, mail: Mail) {
        match mail {
            // Nobody waits any more: whoever asked is gone, and would stay as a ghost.
            Mail::Join { answer, .. } if answer.is_closed() => {}
            Mail::Admit { answer, .. } if answer.is_closed() => {}
            Mail::Offer { answer, .. } if answer.is_closed() => {}
            Mail::Join { name, standing, answer } => {
                drop(answer.send(self.join(name, Via::Web, standing)));
            }
            Mail::Return { participant, secret, answer } => {
                let found = self.parts.meeting.authenticate(participant, &secret);
                drop(answer.send(found.map(|visitor| Joined::new(visitor, secret.clone()))));
            }
            Mail::Attach { attach, answer } => drop(answer.send(self.attach(attach))),
            Mail::Command { connection, request, turn } => {
                drop(turn);
                self.command(connection, request);
            }
            Mail::Ping { connection, turn } => {
                drop(turn);
                self.send(connection, &ServerMessage::Pong);
            }
            Mail::Detach { connection } => self.detach(connection),
            Mail::Admit { claims, enter, answer } => {
                let enter = enter.then_some(Via::Token);
                drop(answer.send(self.admit(&claims, enter).map(|_| ())));
            }
            Mail::Offer { offer, answer } => self.offer(*offer, answer),
            Mail::HangUp { peer, answer } => drop(answer.send(self.hang_up(peer))),
            Mail::SetOptions(options) => {
                let input = conf_core::Input::SetOptions(options);
                // Refused only if it has ended.
                let _over = self.parts.meeting.handle(clock::core(), input);
            }
            Mail::Signal { signal, answer } => drop(answer.send(self.open_signal(*signal))),
            Mail::SignalMessage { connection, bytes, turn } => {
                drop(turn);
                self.signal_message(connection, &bytes);
            }
            Mail::SignalClosed { connection } => self.close_signal(connection),
            Mail::End => self.end(),
            #[cfg(test)]
            Mail::Panic => panic!("asked to"),
        }
    }

    fn join(&mut self, name: Pii<String>, via: Via, standing: Standing) -> Result<Joined, Refusal> {
        let id = ParticipantId::from_u64(random::id());
        let secret = Secret::new(random::text::<24>()).expect("32 characters of base64url");
        let input =
            conf_core::Input::Join { participant: id, name, secret: secret.clone(), via, standing };
        self.parts.meeting.handle(clock::core(), input)?;
        let visitor = self.parts.meeting.visitor(id).ok_or(Refusal::ParticipantUnknown)?;
        self.parts.metrics.joins.fetch_add(1, Ordering::Relaxed);
        Ok(Joined::new(visitor, secret))
    }

    fn attach(&mut self, attach: Attach) -> Result<(), Refusal> {
        let Attach { participant, secret, connection, resume_from, outbox } = attach;
        let id = conf_core::ConnectionId(connection);
        let input = conf_core::Input::Attach { participant, secret, connection: id, resume_from };
        self.parts.meeting.handle(clock::core(), input)?;
        self.sockets.insert(connection, outbox);
        Ok(())
    }

    fn command(&mut self, connection: u64, request: Request) {
        let Request { request, command } = request;
        let id = conf_core::ConnectionId(connection);
        let input = conf_core::Input::Command { connection: id, request, command };
        if let Err(refusal) = self.parts.meeting.handle(clock::core(), input) {
            self.parts.metrics.refuse(refusal.code());
            self.send(connection, &ServerMessage::Refused { request, refusal });
        }
    }

    fn detach(&mut self, connection: u64) {
        self.sockets.remove(&connection);
        let connection = conf_core::ConnectionId(connection);
        // Detaching is never refused.
        let _done =
            self.parts.meeting.handle(clock::core(), conf_core::Input::Detach { connection });
    }

    /// A participant of the web client must be in already; whoever has an API token may come in
    /// with `enter`, unless they were put out.
    fn admit(&mut self, claims: &Claims, enter: Option<Via>) -> Result<ParticipantId, Refusal> {
        let meeting = &self.parts.meeting;
        if let Ok(id) = claims.identity.reveal().parse::<ParticipantId>() {
            return match meeting.visitor(id) {
                Some(Visitor::Here(_)) => Ok(id),
                Some(Visitor::Waiting(_)) => Err(Refusal::StillWaiting),
                None => {
                    Err(meeting.turned_away(id).cloned().unwrap_or(Refusal::ParticipantUnknown))
                }
            };
        }
        if self.identities.is_removed(&claims.identity) {
            return Err(Refusal::Removed);
        }
        if let Some(id) = self.identities.participant(&claims.identity)
            && meeting.participant(id).is_some()
        {
            return Ok(id);
        }
        let via = enter.ok_or(Refusal::ParticipantUnknown)?;
        let name = if claims.name.trim().is_empty() {
            claims.identity.reveal().to_owned()
        } else {
            claims.name.clone()
        };
        let joined = self.join(Pii::new(name), via, Standing::Guest)?;
        self.identities.add(claims.identity.clone(), joined.participant);
        Ok(joined.participant)
    }

    fn open_signal(&mut self, signal: OpenSignal) -> Result<(), Refusal> {
        let OpenSignal { connection, claims, request, outbox } = signal;
        // They were let in before the websocket opened.
        let id = self.admit(&claims, None)?;
        let participant = self.parts.meeting.participant(id);
        let participant = participant.ok_or(Refusal::ParticipantUnknown)?;
        let join = livekit::Join {
            connection: livekit::ConnectionId(connection),
            identity: claims.identity,
            name: participant.name.reveal().clone(),
            sid_number: random::id(),
            grants: claims.grants,
            metadata: claims.metadata,
            attributes: claims.attributes,
            request,
            peer: PeerId(random::id()),
        };
        self.signals.insert(connection, Signalling { participant: id, outbox });
        // A refused client was told by the machine, which closes the connection if it must.
        if self.signal_input(livekit::Input::Join(join)) {
            self.note(Fact::Connected { participant: id });
        }
        Ok(())
    }

    fn signal_message(&mut self, connection: u64, bytes: &[u8]) {
        let connection = livekit::ConnectionId(connection);
        self.signal_input(livekit::Input::Message { connection, bytes });
    }

    fn close_signal(&mut self, connection: u64) {
        self.forget_signal(connection);
        let connection = livekit::ConnectionId(connection);
        self.signal_input(livekit::Input::Closed { connection });
    }

    /// A participant without any signalling websocket is away until one comes back.
    fn forget_signal(&mut self, connection: u64) -> Option<Outbox> {
        let Signalling { participant, outbox } = self.signals.remove(&connection)?;
        if !self.signals.values().any(|other| other.participant == participant) {
            self.note(Fact::Away { participant });
        }
        Some(outbox)
    }

    fn note(&mut self, fact: Fact) {
        // Refused: the participant has gone meanwhile.
        let _late = self.parts.meeting.handle(clock::core(), conf_core::Input::Media(fact));
    }

    fn media(&mut self, event: Event) {
        self.signal_input(livekit::Input::Media(event));
    }

    fn end(&mut self) {
        let input = conf_core::Input::End { by: EndBy::Operator };
        // Refused only if it has ended already.
        let _over = self.parts.meeting.handle(clock::core(), input);
    }

    fn time_passed(&mut self) {
        self.parts.meeting.handle_timeout(clock::core());
        self.parts.signal.handle_timeout(clock::media());
    }

    /// Hands an input to the signalling; whether it was taken.
    fn signal_input(&mut self, input: livekit::Input<'_>) -> bool {
        let done = self.parts.signal.handle(clock::media(), input);
        if let Err(refusal) = &done {
            self.parts.metrics.refuse(word(refusal));
            tracing::debug!(%refusal, "signalling refused an input");
        }
        done.is_ok()
    }

    fn timeout(&self) -> Option<std::time::Instant> {
        [self.parts.meeting.timeout(), self.parts.signal.timeout()].into_iter().flatten().min()
    }
}

/// Outputs.
impl Task {
    fn pump(&mut self) {
        loop {
            if let Some(output) = self.parts.meeting.poll() {
                self.carry_out(output);
            } else if let Some(output) = self.parts.signal.poll() {
                self.carry_out_signal(output);
            } else {
                break;
            }
        }
        let now = self.parts.meeting.count();
        let before = self.parts.count.swap(now, Ordering::Relaxed);
        translate::adjust(&self.parts.metrics.participants, before, now);
    }

    fn carry_out(&mut self, output: conf_core::Output) {
        match output {
            // Its queue goes at once: else somebody who reconnects again and again without reading
            // could fill the memory with snapshots.
            conf_core::Output::Send {
                connection,
                message: ServerMessage::Goodbye { reason: reason @ Goodbye::Replaced },
            } => {
                if let Some(outbox) = self.sockets.remove(&connection.0) {
                    outbox.cut(Some(goodbye(reason)));
                }
            }
            conf_core::Output::Send { connection, message } => self.send(connection.0, &message),
            conf_core::Output::Close { connection } => {
                self.sockets.remove(&connection.0);
            }
            conf_core::Output::Media(order) => self.order(order),
            conf_core::Output::Ended { reason } => {
                tracing::info!(?reason, "meeting ended");
                self.ended = true;
            }
        }
    }

    fn carry_out_signal(&mut self, output: livekit::Output) {
        match output {
            livekit::Output::Send { connection, bytes } => self.send_signal(connection.0, bytes),
            livekit::Output::Close { connection } => {
                self.forget_signal(connection.0);
            }
            livekit::Output::Answer { peer, sdp } => self.answered(peer, sdp),
            livekit::Output::Command(command) => self.parts.line.send(command),
            livekit::Output::Fact(livekit::Fact::Players { count }) => self.count_players(count),
            livekit::Output::Fact(fact) => {
                if let Some(fact) = self.identities.fact(fact) {
                    self.note(fact);
                }
            }
        }
    }

    fn order(&mut self, order: Order) {
        let input = match order {
            Order::Mute { participant, source } => livekit::Input::Mute {
                identity: self.identities.identity(participant),
                source: translate::source(source),
            },
            Order::Remove { participant } => {
                let put_out = self.parts.meeting.turned_away(participant).is_some();
                let identity = self.identities.remove(participant, put_out);
                if put_out || is_participant(&identity) {
                    let identity = identity.clone();
                    let ended = livekit::Input::EndPlayers { identity };
                    // Never refused.
                    let _done = self.parts.signal.handle(clock::media(), ended);
                }
                livekit::Input::Remove { identity }
            }
            Order::End => livekit::Input::End,
        };
        // Refused where the participant has no media: there is nothing to do then.
        let _nobody = self.parts.signal.handle(clock::media(), input);
    }

    fn send(&mut self, connection: u64, message: &ServerMessage) {
        let Some(outbox) = self.sockets.get(&connection) else { return };
        if outbox.send(self.frames.write(message)).is_ok() {
            return;
        }
        if let Some(outbox) = self.sockets.remove(&connection) {
            outbox.cut(Some(goodbye(Goodbye::TooSlow)));
            self.parts.metrics.too_slow.fetch_add(1, Ordering::Relaxed);
        }
        self.detach(connection);
    }

    fn send_signal(&mut self, connection: u64, bytes: Bytes) {
        let Some(open) = self.signals.get(&connection) else { return };
        if open.outbox.send(Message::Binary(bytes)).is_ok() {
            return;
        }
        if let Some(outbox) = self.forget_signal(connection) {
            outbox.cut(None);
            self.parts.metrics.too_slow.fetch_add(1, Ordering::Relaxed);
        }
        self.close_signal(connection);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let before = self.parts.count.swap(0, Ordering::Relaxed);
        translate::adjust(&self.parts.metrics.participants, before, 0);
        self.count_players(0);
    }
}
