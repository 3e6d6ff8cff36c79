//! Signalling machines: what a client says about media, turned into commands for the engine.
//!
//! ```text
//!   websocket  ──► Join, Message, Closed ──► ┌────────┐ ──► Send, Close ──► websocket
//!   HTTP       ──► Publish, Play, HangUp ──► │ Signal │ ──► Answer      ──► HTTP
//!   engine     ──► Media(Event)          ──► │        │ ──► Command     ──► engine
//!   meeting    ──► SetGrants, Mute, …    ──► └────────┘ ──► Fact        ──► meeting
//! ```
//!
//! One [`Signal`] a meeting holds who takes part, what each publishes and who receives it, and two
//! doors lead to it: [`livekit`] over a websocket, [`whip`] over HTTP. So whoever comes by one door
//! is seen and heard by those who came by the other. It is sans-IO like the rest: the owner of the
//! connections hands in what comes and sends what comes out.

pub mod livekit;
pub mod local;
mod participant;
mod random;
pub mod turn;
mod types;
pub mod whip;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use self::participant::Participant;
use self::random::Random;
use self::types::{ConnectionId, Fact, Identity, Input, Output, Refusal, SignalConfig};
use self::whip::Players;
use crate::command::{PeerId, RoomId};
use crate::room::Room;
use crate::time::Now;

/// The signalling of one meeting.
pub struct Signal {
    config: SignalConfig,
    random: Random,
    room: Room,
    participants: BTreeMap<PeerId, Participant>,
    connections: BTreeMap<ConnectionId, PeerId>,
    players: Players,
    outputs: VecDeque<Output>,
    /// The last version that a participant's description got.
    version: u32,
    /// When the meeting began, in milliseconds, from the first join on.
    created: Option<jiff::Timestamp>,
    /// When changed loudness is told.
    speakers_at: Option<Instant>,
    /// When publishers may have to be told that fewer encodings are needed.
    needed_at: Option<Instant>,
    /// The audience for which that was looked at.
    needed_as_of: Option<u64>,
    ended: bool,
}

impl Signal {
    /// A meeting without participants.
    #[must_use]
    pub fn new(config: SignalConfig) -> Self {
        Self {
            random: Random::new(&config.seed),
            room: Room::new(RoomId(config.room_number)),
            config,
            participants: BTreeMap::new(),
            connections: BTreeMap::new(),
            players: Players::default(),
            outputs: VecDeque::new(),
            version: 0,
            created: None,
            speakers_at: None,
            needed_at: None,
            needed_as_of: None,
            ended: false,
        }
    }

    /// Takes what happened.
    ///
    /// # Errors
    /// A [`Refusal`]: the client was told, nothing else changed.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Result<(), Refusal> {
        let done = match input {
            Input::Join(join) => self.join(now, join),
            Input::Message { connection, bytes } => self.message(now, connection, bytes),
            Input::Closed { connection } => self.closed(now, connection),
            Input::Publish(publish) => self.whip_publish(now, *publish),
            Input::Play(play) => self.whip_play(now, *play),
            Input::Local(local) => self.local(now, *local),
            Input::HangUp { peer } => self.hang_up(peer),
            Input::Media(event) => {
                self.player_media(now, &event);
                self.media(now, &event)
            }
            Input::SetGrants { identity, grants } => self.set_grants(now, &identity, grants),
            Input::Mute { identity, source } => self.server_mute(&identity, source),
            Input::Remove { identity } => self.remove(&identity),
            Input::EndPlayers { identity } => {
                self.end_players_of(&identity);
                Ok(())
            }
            Input::End => self.end(),
        };
        self.fill_players();
        self.tell_needed(now);
        self.drain_room();
        done
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.give_up(now);
        self.give_up_players(now);
        self.refresh_tokens(now);
        self.tell_speakers(now);
        self.fill_players();
        self.tell_needed(now);
        self.drain_room();
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`]; `None` when nothing waits.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        let participants = self.participants.values();
        let deadlines = participants.flat_map(|participant| {
            let refresh = participant.connection.map(|_| participant.refresh_at);
            [participant.gone_at, refresh]
        });
        let others = [self.speakers_at, self.players.timeout(), self.needed_at];
        deadlines.chain(others).flatten().min()
    }

    /// How many participants are joined, those within their grace included. Players do not count.
    #[must_use]
    pub fn participants(&self) -> usize {
        self.participants.len()
    }

    /// How many players there are.
    #[must_use]
    pub fn players(&self) -> usize {
        self.players.len()
    }

    fn participant(&mut self, peer: PeerId) -> Result<&mut Participant, Refusal> {
        self.participants.get_mut(&peer).ok_or(Refusal::UnknownParticipant)
    }

    fn peer_of(&self, identity: &Identity) -> Option<PeerId> {
        let mut participants = self.participants.values();
        let found = participants.find(|known| known.profile.identity == *identity);
        found.map(|participant| participant.peer)
    }

    fn fact(&mut self, fact: Fact) {
        self.outputs.push_back(Output::Fact(fact));
    }

    fn drain_room(&mut self) {
        while let Some(command) = self.room.poll() {
            self.outputs.push_back(Output::Command(command));
        }
    }
}

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signal")
            .field("participants", &self.participants.len())
            .field("players", &self.players.len())
            .field("outputs", &self.outputs.len())
            .finish_non_exhaustive()
    }
}
