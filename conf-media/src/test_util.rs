//! Peers in memory on one shard or several, for tests, benches and fuzzing.
//!
//! A [`Lab`] owns a shard and simulated time. Its peers have validated addresses and known keys, so
//! that no handshake is needed; what the shard sends them is opened with their own keys and kept
//! until it is looked at. A [`Fleet`] is the same with several shards.

mod browser;
mod fleet;
mod piece;
pub mod scalable;
mod tracks;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::command::{Command, Event, PeerId, Publication, RoomId, Subscription, TrackId};
use crate::egress::TxBatch;
use crate::ice::Credentials;
use crate::ingress::RxBatch;
use crate::rtp::{self, Class, Header, View};
use crate::shard::{Input, Output, Refusal, Shard, ShardConfig};
use crate::srtp::{Keys, MasterKey, Opener, Profile, Sealer};
use crate::time::Now;

pub use browser::{Browser, Handshake, Identity};
pub use fleet::Fleet;
pub use piece::Piece;
pub use tracks::{FROM, TO, camera, label, microphone, payload, simulcast, subscription, vp8};

/// A shard with simulated time and the remotes around it.
#[derive(Debug)]
pub struct Lab {
    /// The machine under test.
    pub shard: Shard,
    /// The present.
    pub now: Now,
    /// What the shard reported since it was last looked at.
    pub events: Vec<Event>,
    remotes: Vec<Remote>,
    next_check: Instant,
    sent: TxBatch,
    batch: RxBatch,
}

/// The far end of one peer.
#[derive(Debug)]
pub struct Remote {
    /// Its id at the shard.
    pub id: PeerId,
    /// Where it sends from.
    pub address: SocketAddr,
    /// Opened media that it received.
    pub rtp: Vec<Received>,
    /// Opened reports and requests that it received.
    pub rtcp: Vec<Vec<u8>>,
    /// Everything else that it received.
    pub other: Vec<Vec<u8>>,
    sealer: Sealer,
    opener: Opener,
    ignores: bool,
    ufrag: String,
    password: String,
}

/// A media packet at a subscriber.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its header.
    pub view: View,
    /// All of it, opened.
    pub bytes: Vec<u8>,
}

impl Received {
    /// What it carries.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.view.payload(&self.bytes)
    }

    /// The value of a header extension.
    #[must_use]
    pub fn extension(&self, id: u8) -> Option<&[u8]> {
        self.view.extension(&self.bytes, id)
    }
}

/// A media packet that a publisher sends.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Header fields.
    pub header: Header,
    /// Header extensions, id and value.
    pub extensions: &'a [(u8, &'a [u8])],
    /// What it carries.
    pub payload: &'a [u8],
}

impl Outgoing<'_> {
    /// The packet, sealed.
    fn seal(&self, sealer: &mut Sealer) -> Vec<u8> {
        let mut bytes = vec![0; self.payload.len() + 400];
        let at = self.header.write(self.extensions, &mut bytes).expect("a writable header");
        let end = at + self.payload.len();
        bytes.get_mut(at..end).expect("room").copy_from_slice(self.payload);
        let len = sealer.seal_rtp(&mut bytes, end).expect("sealed");
        bytes.truncate(len);
        bytes
    }
}

impl Lab {
    /// An empty shard that holds nothing back; `now` is where time begins.
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self::with(now, ShardConfig { seed: 1, hold: Duration::ZERO, ..ShardConfig::default() })
    }

    /// The same with settings of one's own.
    #[must_use]
    pub fn with(now: Now, config: ShardConfig) -> Self {
        Self {
            shard: Shard::new(config),
            now,
            events: Vec::new(),
            remotes: Vec::new(),
            next_check: now.mono,
            sent: TxBatch::new(),
            batch: RxBatch::new(),
        }
    }

    /// Adds a peer with a validated address and keys; returns its index.
    ///
    /// # Panics
    /// If the shard refuses it.
    pub fn connect(&mut self) -> usize {
        let peer = self.announce();
        self.check(peer);
        let keys = self.keys(peer);
        self.command(Command::SetKeys { peer: self.id(peer), keys }).expect("usable keys");
        peer
    }

    /// Adds a peer that has neither address nor keys yet; returns its index.
    ///
    /// # Panics
    /// If the shard refuses it.
    pub fn announce(&mut self) -> usize {
        let index = self.remotes.len();
        let remote = Remote::new(u16::try_from(index).expect("few peers"));
        let (ufrag, password) = (remote.ufrag.clone(), remote.password.clone());
        self.remotes.push(remote);
        let credentials = Credentials { ufrag, password };
        let (peer, room) = (self.id(index), RoomId(1));
        self.command(Command::AddPeer { peer, room, credentials }).expect("a new peer");
        index
    }

    /// The peer sends a connectivity check that nominates its address.
    pub fn check(&mut self, peer: usize) {
        let remote = self.remote(peer);
        let (address, check) = (remote.address, remote.check());
        let _ = self.datagram(address, &check);
    }

    /// The keys that the shard is given for a peer.
    #[must_use]
    pub fn keys(&self, peer: usize) -> Keys {
        Remote::keys_of(u16::try_from(peer).unwrap_or_default())
    }

    /// Hands a command to the shard.
    ///
    /// # Errors
    /// What the shard refuses.
    pub fn command(&mut self, command: Command) -> Result<(), Refusal> {
        let done = self.shard.handle(self.now, Input::Command(command));
        self.deliver();
        done
    }

    /// Hands a datagram to the shard as it is.
    ///
    /// # Errors
    /// What the shard refuses.
    pub fn datagram(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<(), Refusal> {
        let mut bytes = datagram.to_vec();
        let arrival = self.now.mono;
        let done =
            self.shard.handle(self.now, Input::Datagram { from, bytes: &mut bytes, arrival });
        self.deliver();
        done
    }

    /// A peer sends a media packet, sealed.
    ///
    /// # Errors
    /// What the shard refuses.
    pub fn send(&mut self, peer: usize, packet: &Outgoing<'_>) -> Result<(), Refusal> {
        let datagram = self.seal(peer, packet);
        self.datagram(self.remote(peer).address, &datagram)
    }

    /// A media packet of a peer, sealed, not sent yet.
    ///
    /// # Panics
    /// If the packet cannot be written.
    pub fn seal(&mut self, peer: usize, packet: &Outgoing<'_>) -> Vec<u8> {
        self.remote_mut(peer).seal(packet)
    }

    /// A peer sends a compound of reports and requests, sealed.
    ///
    /// # Errors
    /// What the shard refuses.
    ///
    /// # Panics
    /// If the compound cannot be sealed.
    pub fn send_rtcp(&mut self, peer: usize, compound: &[u8]) -> Result<(), Refusal> {
        let bytes = self.seal_rtcp(peer, compound);
        self.datagram(self.remote(peer).address, &bytes)
    }

    /// A compound of a peer, sealed, not sent yet.
    ///
    /// # Panics
    /// If the compound cannot be sealed.
    pub fn seal_rtcp(&mut self, peer: usize, compound: &[u8]) -> Vec<u8> {
        self.remote_mut(peer).seal_rtcp(compound)
    }

    /// Time passes in steps of 10 ms; peers keep their addresses validated if `checks`.
    pub fn pass(&mut self, time: Duration, checks: bool) {
        let end = self.now.mono + time;
        while self.now.mono < end {
            self.now = self.now.later(Duration::from_millis(10));
            if checks && self.now.mono >= self.next_check {
                self.next_check = self.now.mono + Duration::from_secs(2);
                (0..self.remotes.len()).for_each(|peer| self.check(peer));
            }
            if self.shard.timeout().is_some_and(|at| self.now.mono >= at) {
                self.shard.handle_timeout(self.now);
            }
            self.deliver();
        }
    }

    /// A batch with the given sealed datagrams of a peer goes in, and what comes out is only
    /// counted: the path of a packet without the far ends. Returns how many datagrams came out.
    pub fn run_batch(&mut self, from: SocketAddr, datagrams: &[Vec<u8>]) -> usize {
        for datagram in datagrams {
            self.batch.push(from, datagram, self.now.mono);
        }
        self.shard.handle_batch(self.now, &mut self.batch);
        self.shard.flush(self.now, &mut self.sent);
        self.sent.len()
    }

    /// Publishes a track of a peer.
    ///
    /// # Panics
    /// If the shard refuses it.
    pub fn publish(&mut self, peer: usize, track: u64, publication: Publication) {
        let peer = self.id(peer);
        let track = TrackId(track);
        self.command(Command::Publish { track, peer, publication }).expect("a new track");
    }

    /// Subscribes a peer to a track.
    ///
    /// # Panics
    /// If the shard refuses it.
    pub fn subscribe(&mut self, peer: usize, track: u64, subscription: Subscription) {
        let peer = self.id(peer);
        let track = TrackId(track);
        self.command(Command::Subscribe { track, peer, subscription }).expect("a new edge");
    }

    /// The id of a peer.
    #[must_use]
    pub fn id(&self, peer: usize) -> PeerId {
        self.remote(peer).id
    }

    /// The far end of a peer.
    ///
    /// # Panics
    /// If there is no such peer.
    #[must_use]
    pub fn remote(&self, peer: usize) -> &Remote {
        self.remotes.get(peer).expect("a peer of this lab")
    }

    /// The far end of a peer, to change it.
    ///
    /// # Panics
    /// If there is no such peer.
    pub fn remote_mut(&mut self, peer: usize) -> &mut Remote {
        self.remotes.get_mut(peer).expect("a peer of this lab")
    }

    /// Takes what a peer received.
    pub fn received(&mut self, peer: usize) -> Vec<Received> {
        std::mem::take(&mut self.remote_mut(peer).rtp)
    }

    /// Takes the compounds that a peer received.
    pub fn compounds(&mut self, peer: usize) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.remote_mut(peer).rtcp)
    }

    /// From now on a peer takes no notice of what it receives.
    pub fn ignore(&mut self, peer: usize) {
        self.remote_mut(peer).ignores = true;
    }

    /// Carries what the shard sends to the far ends.
    fn deliver(&mut self) {
        self.shard.flush(self.now, &mut self.sent);
        for (to, datagram) in self.sent.iter() {
            if let Some(remote) = self.remotes.iter_mut().find(|remote| remote.address == to) {
                remote.take(datagram);
            }
        }
        while let Some(output) = self.shard.poll() {
            if let Output::Event(event) = output {
                self.events.push(event);
            }
        }
    }
}

impl Remote {
    /// The far end of the peer with this number.
    pub(crate) fn new(number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        let keys = Self::keys_of(number);
        Self {
            id: PeerId(1000 + u64::from(number)),
            address: SocketAddr::from(([10, 1, high, low], 5000)),
            rtp: Vec::new(),
            rtcp: Vec::new(),
            other: Vec::new(),
            sealer: Sealer::new(keys.profile, &keys.remote).expect("usable keys"),
            opener: Opener::new(keys.profile, &keys.local).expect("usable keys"),
            ignores: false,
            ufrag: format!("u{number:05}"),
            password: format!("{number:022}"),
        }
    }

    pub(crate) fn keys_of(peer: u16) -> Keys {
        let [high, low] = peer.to_be_bytes();
        let key = |side: u8| {
            let mut key = vec![side; 16];
            key.extend([high, low]);
            MasterKey { key: key.split_off(2), salt: vec![side ^ low; 12] }
        };
        Keys { profile: Profile::AeadAes128Gcm, local: key(1), remote: key(2) }
    }

    /// A media packet, sealed.
    pub(crate) fn seal(&mut self, packet: &Outgoing<'_>) -> Vec<u8> {
        packet.seal(&mut self.sealer)
    }

    /// A compound, sealed.
    pub(crate) fn seal_rtcp(&mut self, compound: &[u8]) -> Vec<u8> {
        let mut bytes = compound.to_vec();
        bytes.resize(compound.len() + 64, 0);
        let len = self.sealer.seal_rtcp(&mut bytes, compound.len()).expect("sealed");
        bytes.truncate(len);
        bytes
    }

    /// What its checks carry.
    pub(crate) fn credentials(&self) -> Credentials {
        Credentials { ufrag: self.ufrag.clone(), password: self.password.clone() }
    }

    /// Opens a packet in place; `None` if it was sealed for somebody else, or came before.
    pub(crate) fn open<'a>(&mut self, bytes: &'a mut [u8]) -> Option<&'a [u8]> {
        let len = self.opener.open_rtp(bytes).ok()?;
        bytes.get(..len)
    }

    /// The same for a compound.
    pub(crate) fn open_rtcp<'a>(&mut self, bytes: &'a mut [u8]) -> Option<&'a [u8]> {
        let len = self.opener.open_rtcp(bytes).ok()?;
        bytes.get(..len)
    }

    /// A connectivity check that nominates.
    #[must_use]
    pub fn check(&self) -> Vec<u8> {
        browser::check(&self.ufrag, &self.password, 7)
    }

    fn take(&mut self, datagram: &[u8]) {
        let mut bytes = datagram.to_vec();
        match rtp::classify(datagram) {
            _ if self.ignores => {}
            Class::Rtp => {
                let len = self.opener.open_rtp(&mut bytes).expect("sealed for this peer");
                bytes.truncate(len);
                let view = rtp::parse(&bytes).expect("a whole packet");
                self.rtp.push(Received { view, bytes });
            }
            Class::Rtcp => {
                let len = self.opener.open_rtcp(&mut bytes).expect("sealed for this peer");
                bytes.truncate(len);
                self.rtcp.push(bytes);
            }
            _ => self.other.push(bytes),
        }
    }
}
