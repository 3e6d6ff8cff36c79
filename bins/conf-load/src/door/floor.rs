//! The floor program's door: addresses and keys over one connection on this machine.
//!
//! No checks and no handshake: the floor shows what forwarding costs, nothing around it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use conf_media::command::{Fingerprint, Kind};
use conf_media::srtp::{Keys, MasterKey, Profile};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;

use super::{Door, DoorError, Entered, Publish, Subscribe};
use crate::floor::wire::{Answer, Request, WireKeys};
use crate::plan::DoorPlan;
use crate::sdp::{self, Remote, Section};

/// One floor program.
#[derive(Debug)]
pub struct Floor {
    url: String,
    authority: String,
    profile: Profile,
    connection: tokio::sync::Mutex<Option<BufStream<TcpStream>>>,
    /// Who publishes: number and name.
    feeds: Mutex<Vec<(u64, String)>>,
    next: AtomicU64,
}

impl Floor {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// [`DoorError::Url`].
    pub fn new(plan: &DoorPlan, profile: Profile) -> Result<Self, DoorError> {
        let url = plan.url.clone();
        let authority = url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let authority = authority.ok_or_else(|| DoorError::Url { url: url.clone() })?.to_owned();
        let (connection, feeds) = (tokio::sync::Mutex::new(None), Mutex::default());
        Ok(Self { url, authority, profile, connection, feeds, next: AtomicU64::new(1) })
    }

    /// One line there, one line back.
    async fn ask(&self, request: &Request, doing: &'static str) -> Result<Answer, DoorError> {
        let broken = |cause| DoorError::Connect { url: self.url.clone(), cause };
        let mut line = serde_json::to_string(request)
            .map_err(|_| DoorError::Incomplete { doing, what: "request" })?;
        line.push('\n');
        let mut place = self.connection.lock().await;
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(&self.authority).await.map_err(broken)?;
                stream.set_nodelay(true).map_err(broken)?;
                BufStream::new(stream)
            }
        };
        connection.write_all(line.as_bytes()).await.map_err(broken)?;
        connection.flush().await.map_err(broken)?;
        line.clear();
        connection.read_line(&mut line).await.map_err(broken)?;
        *place = Some(connection);
        serde_json::from_str(&line).map_err(|_| DoorError::Incomplete { doing, what: "address" })
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn feeds(&self) -> std::sync::MutexGuard<'_, Vec<(u64, String)>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys of both directions, random.
    fn keys(&self) -> Result<Keys, DoorError> {
        let none = |_| DoorError::Incomplete { doing: "making keys", what: "randomness" };
        let mut material = vec![0; self.profile.exporter_len()];
        getrandom::fill(&mut material).map_err(none)?;
        let wrong = |_| DoorError::Incomplete { doing: "making keys", what: "fitting keys" };
        Keys::from_exporter(self.profile, &material, false).map_err(wrong)
    }
}

#[async_trait]
impl Door for Floor {
    async fn open(&self) -> Result<(), DoorError> {
        Ok(())
    }

    async fn publish(&self, wish: &Publish) -> Result<Entered, DoorError> {
        let (id, keys, from) = (self.number(), self.keys()?, wish.local.address);
        let of = |kind| {
            let sources = wish.sources.iter().filter(move |source| source.kind == kind);
            sources.map(|source| source.ssrc).collect()
        };
        let (microphones, cameras) = (of(Kind::Audio), of(Kind::Video));
        let (theirs, back) = (wire(&keys, &keys.local), wire(&keys, &keys.remote));
        let request = Request::Publish { id, from, keys: theirs, back, microphones, cameras };
        let media = self.ask(&request, "publishing (floor)").await?.media;
        self.feeds().push((id, wish.name.clone()));
        let kinds = wish.sources.iter().map(|source| source.kind);
        Ok(entered(id, (media, kinds), keys))
    }

    async fn subscribe(&self, wish: &Subscribe) -> Result<Entered, DoorError> {
        let (id, keys, to) = (self.number(), self.keys()?, wish.local.address);
        let of =
            self.feeds().iter().filter(|(_, name)| *name != wish.name).map(|(id, _)| *id).collect();
        let request = Request::Subscribe { id, to, keys: wire(&keys, &keys.remote), of };
        let media = self.ask(&request, "subscribing (floor)").await?.media;
        let sound = std::iter::repeat_n(Kind::Audio, wish.audio);
        let kinds = sound.chain(std::iter::repeat_n(Kind::Video, wish.video));
        Ok(entered(id, (media, kinds), keys))
    }

    async fn leave(&self, session: &str) -> Result<(), DoorError> {
        let id = session.parse().unwrap_or_default();
        self.feeds().retain(|(feed, _)| *feed != id);
        self.ask(&Request::Leave { id }, "leaving (floor)").await.map(drop)
    }
}

fn wire(keys: &Keys, direction: &MasterKey) -> WireKeys {
    WireKeys::new(keys.profile, direction)
}

/// What other doors read in a session description.
fn entered(id: u64, to: (SocketAddr, impl Iterator<Item = Kind>), keys: Keys) -> Entered {
    let (media, kinds) = to;
    let sections = kinds.enumerate().map(|(mid, kind)| {
        let sound = kind == Kind::Audio;
        let level = sound.then(|| (1, sdp::LEVEL_URI.to_owned()));
        Section {
            kind,
            mid: mid.to_string(),
            media: Some(if sound { sdp::OPUS } else { sdp::VP8 }),
            rtx: None,
            extensions: level.into_iter().chain([(4, sdp::MID_URI.to_owned())]).collect(),
            ssrcs: Vec::new(),
        }
    });
    let remote = Remote {
        ufrag: String::new(),
        password: String::new(),
        fingerprint: Fingerprint([0; 32]),
        candidates: vec![media],
        sections: sections.collect(),
    };
    Entered { session: id.to_string(), remote, keys: Some(keys) }
}
