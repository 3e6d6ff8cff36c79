//! The meetings that run now, by room: starts them, finds them, counts them, ends them.
//!
//! A meeting may end between finding and asking it, so [`Meetings::ask`] tries again with the next
//! one. Nothing of a meeting remains here after its task is over.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conf_core::meeting::Policy;
use conf_core::{Limits, Meeting, MeetingConfig, MeetingId, Room, RoomCode, RoomId, RoomOptions};
use conf_media::signal::livekit::token::Issuer;
use conf_media::signal::livekit::{Signal, SignalConfig};
use conf_media::signal::turn;
use conf_privacy::Pii;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::http::ApiError;
use crate::media::Engine;
use crate::meeting_task::{self, Mail, Parts, Turn};
use crate::metrics::{Gauge, Metrics};
use crate::{clock, random};

/// Which room a meeting belongs to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum RoomKey {
    /// One that has a link.
    Room(RoomId),
    /// One that only access tokens name.
    Name(String),
}

/// A room as its next meeting begins.
#[derive(Debug)]
pub(crate) struct Opening {
    key: RoomKey,
    /// As tokens name it.
    name: Pii<String>,
    code: Option<RoomCode>,
    policy: Policy,
    options: RoomOptions,
}

/// What every meeting is started with.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) limits: Limits,
    pub(crate) most: usize,
    /// The most players of one meeting.
    pub(crate) players: usize,
    pub(crate) issuer: Issuer,
    /// A relay that people are told of.
    pub(crate) turn: Option<turn::Turn>,
    pub(crate) engine: Engine,
    pub(crate) metrics: Arc<Metrics>,
}

/// The registry.
#[derive(Clone, Debug)]
pub(crate) struct Meetings {
    common: Arc<Common>,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    running: HashMap<RoomKey, Entry>,
    /// What the entries' codes lead to.
    codes: HashMap<RoomCode, RoomKey>,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    running: Running,
    /// By which people came in, newest last, at most [`CODES`]: whoever is in comes back by the
    /// same, also when the room has another now.
    codes: VecDeque<RoomCode>,
}

/// The way to a running meeting.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    id: MeetingId,
    inbox: mpsc::Sender<Mail>,
    count: Arc<AtomicUsize>,
}

impl Meetings {
    /// None runs yet.
    pub(crate) fn new(common: Common) -> Self {
        Self { common: Arc::new(common), table: Arc::default() }
    }

    /// The meeting of a room, if one runs.
    pub(crate) fn find(&self, room: &RoomKey) -> Option<Running> {
        let table = self.table();
        let running = table.running.get(room).map(|entry| &entry.running);
        running.filter(|running| !running.inbox.is_closed()).cloned()
    }

    /// The room whose running meeting people came into by this code, be it the room's or one it had
    /// before. No way in for newcomers.
    pub(crate) fn by_code(&self, code: RoomCode) -> Option<RoomKey> {
        self.table().codes.get(&code).cloned()
    }

    /// The meeting of a room, started if need be.
    ///
    /// # Errors
    /// [`ApiError::TooManyMeetings`], and [`ApiError::Unavailable`] while the server stops.
    pub(crate) fn open(&self, opening: &Opening) -> Result<Running, ApiError> {
        let mut table = self.table();
        if table.closed {
            return Err(ApiError::Unavailable);
        }
        if let Some(entry) = table.running.get(&opening.key)
            && !entry.running.inbox.is_closed()
        {
            let running = entry.running.clone();
            table.remember(opening);
            return Ok(running);
        }
        // The one before, if its task has not cleared up yet.
        table.retain(|key, _| *key != opening.key);
        if table.running.len() >= self.common.most {
            // Those that are over count no more, even before their tasks have cleared up.
            table.retain(|_, entry| !entry.running.inbox.is_closed());
        }
        if table.running.len() >= self.common.most {
            return Err(ApiError::TooManyMeetings { limit: self.common.most });
        }
        let running = self.start(opening);
        let entry = Entry { running: running.clone(), codes: VecDeque::new() };
        table.running.insert(opening.key.clone(), entry);
        table.remember(opening);
        Ok(running)
    }

    /// Asks the meeting that runs in a room something.
    ///
    /// # Errors
    /// [`ApiError::ParticipantGone`] where none runs, [`ApiError::Unavailable`] where it does not
    /// answer in time.
    pub(crate) async fn ask<T>(
        &self,
        room: &RoomKey,
        question: impl Fn(oneshot::Sender<T>) -> Mail,
    ) -> Result<T, ApiError> {
        self.ask_one(|| self.find(room).ok_or(ApiError::ParticipantGone), question).await
    }

    /// Asks the meeting of a room something, started if need be.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] where it does not answer in time, and those of [`Self::open`].
    pub(crate) async fn ask_opened<T>(
        &self,
        opening: &Opening,
        question: impl Fn(oneshot::Sender<T>) -> Mail,
    ) -> Result<T, ApiError> {
        self.ask_one(|| self.open(opening), question).await
    }

    async fn ask_one<T>(
        &self,
        find: impl Fn() -> Result<Running, ApiError>,
        question: impl Fn(oneshot::Sender<T>) -> Mail,
    ) -> Result<T, ApiError> {
        for _ in 0..TRIES {
            match timeout(PATIENCE, find()?.ask(&question)).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {} // it has just ended
                Err(_) => return Err(ApiError::Unavailable),
            }
        }
        Err(ApiError::Unavailable)
    }

    /// Ends the meeting of a room, if one runs, and waits until it is over.
    pub(crate) async fn end_room(&self, room: RoomId) {
        if let Some(running) = self.find(&RoomKey::Room(room)) {
            running.end().await;
        }
    }

    /// Tells the meeting of a room, if one runs, which options the room has now.
    pub(crate) async fn set_options(&self, room: RoomId, options: RoomOptions) {
        if let Some(running) = self.find(&RoomKey::Room(room)) {
            let _ended_already = running.inbox.send(Mail::SetOptions(options)).await;
        }
    }

    /// Ends all meetings, starts none any more, and waits until they are over.
    pub(crate) async fn stop(&self) {
        let running: Vec<Running> = {
            let mut table = self.table();
            table.closed = true;
            table.running.values().map(|entry| entry.running.clone()).collect()
        };
        // One that is busy has a full inbox, and no other waits for it.
        futures_util::future::join_all(running.iter().map(Running::end)).await;
    }

    /// Starts the tasks of a meeting: the one that runs it, and one that clears up after it.
    fn start(&self, opening: &Opening) -> Running {
        let id = MeetingId::from_u64(random::id());
        let (inbox, mail) = mpsc::channel(INBOX);
        let count = Arc::new(AtomicUsize::new(0));
        let (line, events) = self.common.engine.line();
        let metrics = Arc::clone(&self.common.metrics);
        let config = MeetingConfig {
            id,
            limits: self.common.limits.clone(),
            policy: opening.policy,
            options: opening.options,
        };
        let parts = Parts {
            meeting: Meeting::new(config, clock::core()),
            signal: Signal::new(self.signal_config(opening)),
            line,
            metrics: Arc::clone(&metrics),
            count: Arc::clone(&count),
        };
        metrics.meetings_started.fetch_add(1, Ordering::Relaxed);
        let gauge = Gauge::new(Arc::clone(&metrics), |metrics| &metrics.meetings);
        let task = tokio::spawn(meeting_task::run(parts, mail, events));
        let registry = self.clone();
        tokio::spawn(async move {
            if task.await.is_err() {
                tracing::error!(meeting = %id, "a meeting ended by a panic");
                metrics.meetings_panicked.fetch_add(1, Ordering::Relaxed);
            }
            drop(gauge);
            registry.forget(id);
        });
        tracing::info!(meeting = %id, "meeting started");
        Running { id, inbox, count }
    }

    /// A panic while it was locked is no reason to lose all rooms: each change of it is one step.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal_config(&self, opening: &Opening) -> SignalConfig {
        let media = self.common.engine.media();
        SignalConfig {
            candidates: media.candidates().to_vec(),
            turn: self.common.turn.clone(),
            fingerprint: media.fingerprint(),
            token: self.common.issuer.clone(),
            room_name: opening.name.reveal().clone(),
            room_number: random::id(),
            players: self.common.players,
            seed: random::bytes(),
        }
    }

    fn forget(&self, id: MeetingId) {
        self.table().retain(|_, entry| entry.running.id != id);
    }
}

impl Table {
    /// Notes by which code people come into a meeting that runs.
    fn remember(&mut self, opening: &Opening) {
        let Some(code) = opening.code else { return };
        let Some(entry) = self.running.get_mut(&opening.key) else { return };
        if self.codes.insert(code, opening.key.clone()).as_ref() == Some(&opening.key) {
            return;
        }
        entry.codes.push_back(code);
        if entry.codes.len() > CODES
            && let Some(oldest) = entry.codes.pop_front()
        {
            self.codes.remove(&oldest);
        }
    }

    /// Forgets the meetings that are not wanted, with their codes.
    fn retain(&mut self, wanted: impl Fn(&RoomKey, &Entry) -> bool) {
        let gone = self.running.extract_if(|key, entry| !wanted(key, entry));
        for code in gone.flat_map(|(_, entry)| entry.codes) {
            self.codes.remove(&code);
        }
    }
}

impl Running {
    /// How many are in it.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Ends it and waits until it is over.
    async fn end(&self) {
        let _ended_already = self.inbox.send(Mail::End).await;
        self.inbox.closed().await;
    }

    /// Asks the meeting something; `None` once it is over.
    pub(crate) async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> Mail,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.inbox.send(question(answer)).await.ok()?;
        answered.await.ok()
    }
}

/// One websocket's way to its meeting. Only so many of its messages wait there, so that nobody
/// fills the inbox, or the memory, alone.
#[derive(Debug)]
pub(crate) struct Voice {
    meeting: Running,
    turns: Arc<Semaphore>,
}

impl Voice {
    /// For a websocket that belongs to this meeting.
    pub(crate) fn new(meeting: Running) -> Self {
        Self { meeting, turns: Arc::new(Semaphore::new(TURNS)) }
    }

    /// The right to say something, once not too much of this websocket waits at the meeting.
    pub(crate) async fn turn(&self) -> Turn {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        turn.expect("the semaphore is never closed")
    }

    /// Tells the meeting something; `false` once it is over.
    pub(crate) async fn say(&self, mail: Mail) -> bool {
        self.meeting.inbox.send(mail).await.is_ok()
    }
}

impl Opening {
    /// A room with an owner is led by the owner, the open one by the first to come.
    pub(crate) fn of_room(room: &Room) -> Self {
        let owned = room.owner.is_some();
        Self {
            key: RoomKey::Room(room.id),
            name: Pii::new(room.code.to_string()),
            code: Some(room.code),
            policy: if owned { Policy::OwnerModerates } else { Policy::FirstJoinerModerates },
            options: room.options,
        }
    }

    /// A room that only access tokens name.
    pub(crate) fn named(name: String) -> Self {
        Self {
            key: RoomKey::Name(name.clone()),
            name: Pii::new(name),
            code: None,
            policy: Policy::FirstJoinerModerates,
            options: RoomOptions::default(),
        }
    }

    pub(crate) fn key(&self) -> &RoomKey {
        &self.key
    }
}

impl std::fmt::Debug for RoomKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RoomKey(…)")
    }
}

/// Mails that wait for a busy meeting.
const INBOX: usize = 1_024;
/// Messages of one websocket that wait: of signalling, each may have a mebibyte.
const TURNS: usize = 4;
/// Codes of one room by which people came into one meeting.
const CODES: usize = 16;
/// How long a meeting may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A meeting that ends while it is asked is rare, twice in a row rarer.
const TRIES: usize = 3;

#[cfg(test)]
mod tests;
