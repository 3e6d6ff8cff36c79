//! The media engine as the meetings see it: commands go in, each event finds its meeting.
//!
//! The engine knows peers and tracks, no meetings. A [`Line`] watches the commands of one meeting
//! go by, notes which ids are its own, and when it is dropped (also by a panic) takes all of the
//! meeting's peers out of the engine.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use conf_media::command::{Command, Event, PeerId, Subject, TrackId};
use conf_media::net::{Media, MediaConfig, NetError, TcpCounters};
use conf_media::stats::Counters;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::random;

/// The running engine and who waits for which of its events.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    media: Media,
    routes: Arc<Routes>,
}

#[derive(Debug, Default)]
struct Routes {
    table: Mutex<HashMap<Subject, mpsc::Sender<Event>>>,
}

impl Engine {
    /// Opens the media port and starts the engine's threads. Needs a tokio runtime.
    ///
    /// # Errors
    /// As [`conf_media::net::start`].
    pub(crate) fn start(config: &Config, metrics: Arc<Metrics>) -> Result<Self, NetError> {
        let config = MediaConfig {
            listen: config.media_listen.clone(),
            tcp: config.media_tcp,
            advertise: config.media_advertise.clone(),
            shards: config.media_shards,
            dtls: config.media_dtls,
            seed: random::id(),
            loudest: config.media_loudest,
        };
        let routes = Arc::new(Routes::default());
        let (sender, events) = mpsc::channel(EVENTS);
        let lost = Arc::clone(&metrics);
        // Called from the engine's threads: neither waits nor locks.
        let take = move |event| hand_over(&sender, event, &lost);
        let media = conf_media::net::start(config, Box::new(take))?;
        tokio::spawn(route(events, Arc::clone(&routes), metrics));
        Ok(Self { media, routes })
    }

    /// A line for one meeting, and the events that come over it.
    pub(crate) fn line(&self) -> (Line, mpsc::Receiver<Event>) {
        let (sender, events) = mpsc::channel(EVENTS_OF_A_MEETING);
        let engine = self.clone();
        (Line { engine, sender, peers: HashSet::new(), tracks: HashMap::new() }, events)
    }

    /// The handle of the engine itself.
    pub(crate) fn media(&self) -> &Media {
        &self.media
    }

    /// What the engine has counted.
    pub(crate) fn counters(&self) -> Counters {
        self.media.counters()
    }

    /// What became of TCP connections.
    pub(crate) fn tcp_counters(&self) -> TcpCounters {
        self.media.tcp_counters()
    }

    /// Ends the engine's threads; blocks until they are gone.
    pub(crate) fn stop(self) {
        self.media.stop();
    }
}

async fn route(mut events: mpsc::Receiver<Event>, routes: Arc<Routes>, metrics: Arc<Metrics>) {
    while let Some(event) = events.recv().await {
        let meeting = routes.find(event.subject());
        if let Some(meeting) = meeting {
            hand_over(&meeting, event, &metrics);
        }
    }
}

/// Hands an event on without waiting. Half of the queue is kept for what happens once: how loud
/// somebody is comes again, a lossy message may be lost, that a peer is gone may not.
fn hand_over(queue: &mpsc::Sender<Event>, event: Event, metrics: &Metrics) {
    let may_be_lost = match &event {
        Event::Level { .. } | Event::Stats { .. } | Event::DataStats { .. } => true,
        Event::Data { message, .. } => !message.reliable,
        _ => false,
    };
    let lost = if may_be_lost && queue.capacity() <= queue.max_capacity() / 2 {
        true
    } else {
        matches!(queue.try_send(event), Err(mpsc::error::TrySendError::Full(_)))
    };
    if lost {
        metrics.events_lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl Routes {
    fn find(&self, subject: Subject) -> Option<mpsc::Sender<Event>> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.get(&subject).cloned()
    }

    fn set(&self, subject: Subject, meeting: Option<&mpsc::Sender<Event>>) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        match meeting {
            Some(meeting) => table.insert(subject, meeting.clone()),
            None => table.remove(&subject),
        };
    }
}

/// One meeting's way to the engine.
#[derive(Debug)]
pub(crate) struct Line {
    engine: Engine,
    sender: mpsc::Sender<Event>,
    peers: HashSet<PeerId>,
    tracks: HashMap<TrackId, PeerId>,
}

impl Line {
    /// Hands a command to the engine and notes whose events will come here.
    pub(crate) fn send(&mut self, command: Command) {
        match &command {
            Command::AddPeer { peer, .. } | Command::AddLocalPeer { peer, .. } => {
                self.peers.insert(*peer);
                self.engine.routes.set(Subject::Peer(*peer), Some(&self.sender));
            }
            Command::Publish { track, peer, .. } => {
                self.tracks.insert(*track, *peer);
                self.engine.routes.set(Subject::Track(*track), Some(&self.sender));
            }
            Command::Unpublish { track } => self.forget_track(*track),
            Command::RemovePeer { peer } => self.forget_peer(*peer),
            _ => {}
        }
        self.engine.media.send(command);
    }

    fn forget_peer(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.engine.routes.set(Subject::Peer(peer), None);
        let of_peer = |(track, of): (&TrackId, &PeerId)| (*of == peer).then_some(*track);
        let tracks: Vec<_> = self.tracks.iter().filter_map(of_peer).collect();
        for track in tracks {
            self.forget_track(track);
        }
    }

    fn forget_track(&mut self, track: TrackId) {
        self.tracks.remove(&track);
        self.engine.routes.set(Subject::Track(track), None);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let peers: Vec<_> = self.peers.iter().copied().collect();
        for peer in peers {
            self.send(Command::RemovePeer { peer });
        }
    }
}

/// Levels of 2,000 microphones fit twice.
const EVENTS: usize = 16_384;
/// A hundred senders of data packets have 3,200 under way.
const EVENTS_OF_A_MEETING: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_never_push_out_what_happens_once() {
        let (queue, mut events) = mpsc::channel(4);
        let metrics = Metrics::default();
        let level = || Event::Level { track: TrackId(1), level: 0.5, speaking: true };
        for _ in 0..9 {
            hand_over(&queue, level(), &metrics);
        }
        hand_over(&queue, Event::Disconnected { peer: PeerId(1) }, &metrics);
        hand_over(&queue, Event::Reconnected { peer: PeerId(1) }, &metrics);
        assert_eq!(metrics.events_lost.load(Ordering::Relaxed), 7);
        let order = std::iter::from_fn(|| events.try_recv().ok());
        let kinds: Vec<bool> = order.map(|it| matches!(it, Event::Level { .. })).collect();
        assert_eq!(kinds, [true, true, false, false]);
    }
}
