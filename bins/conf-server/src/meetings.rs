//! The meetings that run now, by room: starts them, finds them, counts them, ends them.
//!
//! A meeting may end between finding and asking it, so [`Meetings::ask`] tries again with the next
//! one. Nothing of a meeting remains here after its task is over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conf_core::meeting::Policy;
use conf_core::{Limits, Meeting, MeetingConfig, MeetingId, RoomCode, RoomOptions};
use conf_media::signal::livekit::token::Issuer;
use conf_media::signal::livekit::{Signal, SignalConfig};
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
    Code(RoomCode),
    /// One that only access tokens name.
    Name(String),
}

/// What every meeting is started with.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) limits: Limits,
    pub(crate) most: usize,
    pub(crate) issuer: Issuer,
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
    running: HashMap<RoomKey, Running>,
    closed: bool,
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
        self.table().running.get(room).filter(|running| !running.inbox.is_closed()).cloned()
    }

    /// The meeting of a room, started if need be.
    ///
    /// # Errors
    /// [`ApiError::TooManyMeetings`], and [`ApiError::Unavailable`] while the server stops.
    pub(crate) fn open(&self, room: &RoomKey) -> Result<Running, ApiError> {
        let mut table = self.table();
        if table.closed {
            return Err(ApiError::Unavailable);
        }
        if let Some(running) = table.running.get(room)
            && !running.inbox.is_closed()
        {
            return Ok(running.clone());
        }
        if table.running.len() >= self.common.most {
            // Those that are over count no more, even before their tasks have cleared up.
            table.running.retain(|_, running| !running.inbox.is_closed());
        }
        if table.running.len() >= self.common.most {
            return Err(ApiError::TooManyMeetings { limit: self.common.most });
        }
        let running = self.start(room);
        table.running.insert(room.clone(), running.clone());
        Ok(running)
    }

    /// Asks the meeting of a room something; with `open`, starts one if none runs.
    ///
    /// # Errors
    /// [`ApiError::ParticipantGone`] where none runs, [`ApiError::Unavailable`] where it does not
    /// answer in time, and those of [`Self::open`].
    pub(crate) async fn ask<T>(
        &self,
        room: &RoomKey,
        open: bool,
        question: impl Fn(oneshot::Sender<T>) -> Mail,
    ) -> Result<T, ApiError> {
        for _ in 0..TRIES {
            let running = if open {
                self.open(room)?
            } else {
                self.find(room).ok_or(ApiError::ParticipantGone)?
            };
            match timeout(PATIENCE, running.ask(&question)).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {} // it has just ended
                Err(_) => return Err(ApiError::Unavailable),
            }
        }
        Err(ApiError::Unavailable)
    }

    /// Ends the meeting of a room, if one runs.
    pub(crate) async fn end_room(&self, room: &RoomKey) {
        if let Some(running) = self.find(room) {
            let _ended_already = running.inbox.send(Mail::End).await;
        }
    }

    /// A room has another code: its meeting is found by both as long as it runs. Whoever comes anew
    /// by the old code finds no room.
    pub(crate) fn move_room(&self, before: RoomCode, after: RoomCode) {
        let mut table = self.table();
        if let Some(running) = table.running.get(&RoomKey::Code(before)).cloned() {
            table.running.insert(RoomKey::Code(after), running);
        }
    }

    /// Ends all meetings, starts none any more, and waits until they are over.
    pub(crate) async fn stop(&self) {
        let running: Vec<Running> = {
            let mut table = self.table();
            table.closed = true;
            table.running.values().cloned().collect()
        };
        // One that is busy has a full inbox, and no other waits for it.
        let ends = running.into_iter().map(|running| async move {
            let _ended_already = running.inbox.send(Mail::End).await;
            running.inbox.closed().await;
        });
        futures_util::future::join_all(ends).await;
    }

    /// Starts the tasks of a meeting: the one that runs it, and one that clears up after it.
    fn start(&self, room: &RoomKey) -> Running {
        let id = MeetingId::from_u64(random::id());
        let (inbox, mail) = mpsc::channel(INBOX);
        let count = Arc::new(AtomicUsize::new(0));
        let (line, events) = self.common.engine.line();
        let metrics = Arc::clone(&self.common.metrics);
        let config = MeetingConfig {
            id,
            limits: self.common.limits.clone(),
            policy: Policy::FirstJoinerModerates,
            options: RoomOptions::default(),
        };
        let parts = Parts {
            meeting: Meeting::new(config, clock::core()),
            signal: Signal::new(self.signal_config(room)),
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

    fn signal_config(&self, room: &RoomKey) -> SignalConfig {
        let media = self.common.engine.media();
        SignalConfig {
            candidates: media.candidates().to_vec(),
            fingerprint: media.fingerprint(),
            token: self.common.issuer.clone(),
            room_name: room.name(),
            room_number: random::id(),
            seed: random::bytes(),
        }
    }

    fn forget(&self, id: MeetingId) {
        self.table().running.retain(|_, running| running.id != id);
    }
}

impl Running {
    /// How many are in it.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
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

    /// Tells the meeting something, waiting while too much of this websocket waits there; `false`
    /// once it is over.
    pub(crate) async fn say(&self, mail: impl FnOnce(Turn) -> Mail) -> bool {
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return false };
        self.meeting.inbox.send(mail(turn)).await.is_ok()
    }

    /// The last word of a websocket.
    pub(crate) async fn end(&self, mail: Mail) {
        let _over_already = self.meeting.inbox.send(mail).await;
    }
}

impl RoomKey {
    /// As tokens name it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Code(code) => code.to_string(),
            Self::Name(name) => name.clone(),
        }
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
/// How long a meeting may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A meeting that ends while it is asked is rare, twice in a row rarer.
const TRIES: usize = 3;

#[cfg(test)]
mod tests;
