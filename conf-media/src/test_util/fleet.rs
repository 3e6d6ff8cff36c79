//! Peers in memory on several shards, with the director that places them.

use std::time::Duration;

use crate::command::{Command, Event, PeerId, Publication, RoomId, Subscription, TrackId};
use crate::director::{Director, ShardIndex};
use crate::egress::TxBatch;
use crate::ice::Credentials;
use crate::shard::link::{self, Links};
use crate::shard::{Input, Output, Refusal, Shard, ShardConfig};
use crate::stats::{Counters, DropReason};
use crate::time::Now;

use super::{Outgoing, Received, Remote};

/// Several shards with simulated time and the remotes around them.
#[derive(Debug)]
pub struct Fleet {
    /// The machines under test.
    pub shards: Vec<Shard>,
    /// Who lives where.
    pub director: Director,
    /// The present.
    pub now: Now,
    /// What the shards reported since it was last looked at.
    pub events: Vec<Event>,
    remotes: Vec<Remote>,
    /// At which shard the datagrams of each remote arrive.
    arrives: Vec<usize>,
    /// Shards that take nothing from the others for now.
    stalled: Vec<bool>,
    sent: TxBatch,
}

impl Fleet {
    /// This many shards without peers; `now` is where time begins.
    #[must_use]
    pub fn new(shards: usize, now: Now) -> Self {
        Self::with_links(link::mesh(shards), now)
    }

    /// As [`Fleet::new`], with rings of this many bytes.
    #[must_use]
    pub fn with_rings(shards: usize, bytes: usize, now: Now) -> Self {
        Self::with_links(link::mesh_of(shards, bytes), now)
    }

    fn with_links(links: Vec<Links>, now: Now) -> Self {
        let config = || ShardConfig {
            seed: 1,
            hold: Duration::ZERO,
            padding: false,
            ..ShardConfig::default()
        };
        let director = Director::new(links.len());
        let stalled = vec![false; links.len()];
        let shards = links.into_iter().map(|links| Shard::with_links(config(), links)).collect();
        Self {
            shards,
            director,
            now,
            events: Vec::new(),
            remotes: Vec::new(),
            arrives: Vec::new(),
            stalled,
            sent: TxBatch::new(),
        }
    }

    /// Adds a peer whose datagrams arrive at `shard`, checked and with keys; returns its index.
    ///
    /// # Panics
    /// If it is refused.
    pub fn connect(&mut self, shard: usize) -> usize {
        let peer = self.announce(shard);
        self.check(peer).expect("a valid check");
        self.keys(peer);
        peer
    }

    /// Adds a peer that has neither address nor keys yet; returns its index.
    ///
    /// # Panics
    /// If it is refused.
    pub fn announce(&mut self, shard: usize) -> usize {
        let index = self.remotes.len();
        let remote = Remote::new(u16::try_from(index).expect("few peers"));
        let credentials =
            Credentials { ufrag: remote.ufrag.clone(), password: remote.password.clone() };
        let (peer, room) = (remote.id, RoomId(1));
        self.remotes.push(remote);
        self.arrives.push(shard);
        self.command(Command::AddPeer { peer, room, credentials }).expect("a new peer");
        index
    }

    /// The handshake of a peer is done.
    ///
    /// # Panics
    /// If its keys are refused.
    pub fn keys(&mut self, peer: usize) {
        let keys = Remote::keys_of(u16::try_from(peer).expect("few peers"));
        self.command(Command::SetKeys { peer: self.id(peer), keys }).expect("usable keys");
    }

    /// The peer sends a connectivity check that nominates its address.
    ///
    /// # Errors
    /// What the shard refuses.
    pub fn check(&mut self, peer: usize) -> Result<(), Refusal> {
        let check = self.remote(peer).check();
        self.datagram(peer, &check)
    }

    /// From now on the peer has another address, whose datagrams arrive at `shard`.
    pub fn move_to(&mut self, peer: usize, shard: usize) {
        let remote = self.remote_mut(peer);
        let port = remote.address.port();
        remote.address.set_port(port + 1);
        if let Some(arrives) = self.arrives.get_mut(peer) {
            *arrives = shard;
        }
    }

    /// The shard takes nothing from the others until it is told to go on.
    pub fn stall(&mut self, shard: usize, stalled: bool) {
        if let Some(it) = self.stalled.get_mut(shard) {
            *it = stalled;
        }
        self.settle();
    }

    /// Hands a command to the director.
    ///
    /// # Errors
    /// What the director refuses; a refusal of a shard is a panic.
    pub fn command(&mut self, command: Command) -> Result<(), Refusal> {
        let done = self.director.handle(command);
        self.settle();
        done
    }

    /// A peer sends a datagram as it is.
    ///
    /// # Errors
    /// What the shard refuses where it arrives.
    ///
    /// # Panics
    /// If there is no such shard.
    pub fn datagram(&mut self, peer: usize, datagram: &[u8]) -> Result<(), Refusal> {
        let mut bytes = datagram.to_vec();
        let input = Input::Datagram {
            from: self.remote(peer).address,
            bytes: &mut bytes,
            arrival: self.now.mono,
        };
        let at = self.arrives.get(peer).copied().unwrap_or_default();
        let done = self.shards.get_mut(at).expect("a shard").handle(self.now, input);
        self.settle();
        done
    }

    /// A media packet of a peer, sealed, not sent yet.
    #[must_use]
    pub fn seal(&mut self, peer: usize, packet: &Outgoing<'_>) -> Vec<u8> {
        self.remote_mut(peer).seal(packet)
    }

    /// A peer sends a media packet, sealed.
    ///
    /// # Errors
    /// What the shard refuses where it arrives.
    pub fn send(&mut self, peer: usize, packet: &Outgoing<'_>) -> Result<(), Refusal> {
        let datagram = self.seal(peer, packet);
        self.datagram(peer, &datagram)
    }

    /// A peer sends a compound of reports and requests, sealed.
    ///
    /// # Errors
    /// What the shard refuses where it arrives.
    pub fn send_rtcp(&mut self, peer: usize, compound: &[u8]) -> Result<(), Refusal> {
        let datagram = self.remote_mut(peer).seal_rtcp(compound);
        self.datagram(peer, &datagram)
    }

    /// Time passes in steps of 10 ms.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while self.now.mono < end {
            self.now = self.now.later(Duration::from_millis(10));
            for shard in &mut self.shards {
                if shard.timeout().is_some_and(|at| self.now.mono >= at) {
                    shard.handle_timeout(self.now);
                }
            }
            self.settle();
        }
    }

    /// Publishes a track of a peer.
    ///
    /// # Panics
    /// If it is refused.
    pub fn publish(&mut self, peer: usize, track: u64, publication: Publication) {
        let (track, peer) = (TrackId(track), self.id(peer));
        self.command(Command::Publish { track, peer, publication }).expect("a track");
    }

    /// Subscribes a peer to a track.
    ///
    /// # Panics
    /// If it is refused.
    pub fn subscribe(&mut self, peer: usize, track: u64, subscription: Subscription) {
        let (track, peer) = (TrackId(track), self.id(peer));
        self.command(Command::Subscribe { track, peer, subscription }).expect("an edge");
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
        self.remotes.get(peer).expect("a peer of this fleet")
    }

    /// The far end of a peer, to change it.
    ///
    /// # Panics
    /// If there is no such peer.
    pub fn remote_mut(&mut self, peer: usize) -> &mut Remote {
        self.remotes.get_mut(peer).expect("a peer of this fleet")
    }

    /// Takes what a peer received.
    pub fn received(&mut self, peer: usize) -> Vec<Received> {
        std::mem::take(&mut self.remote_mut(peer).rtp)
    }

    /// Takes the compounds that a peer received.
    pub fn compounds(&mut self, peer: usize) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.remote_mut(peer).rtcp)
    }

    /// Takes everything else that a peer received.
    pub fn answers(&mut self, peer: usize) -> usize {
        std::mem::take(&mut self.remote_mut(peer).other).len()
    }

    /// What a shard has counted.
    ///
    /// # Panics
    /// If there is no such shard.
    #[must_use]
    pub fn counters(&self, shard: usize) -> &Counters {
        self.shards.get(shard).expect("a shard").counters()
    }

    /// How many datagrams all shards have dropped for `reason`.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.shards.iter().map(|shard| shard.counters().dropped(reason)).sum()
    }

    /// Carries everything where it belongs until nothing is left to carry.
    ///
    /// # Panics
    /// If a shard refuses what the director orders.
    pub fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for at in 0..self.shards.len() {
                quiet &= !self.turn(at);
            }
            while let Some((shard, order)) = self.director.poll() {
                quiet = false;
                let shard = self.shards.get_mut(shard.at()).expect("a shard");
                shard.handle(self.now, Input::Order(order)).expect("a sensible order");
            }
            if quiet {
                return;
            }
        }
    }

    /// One turn of a shard; `true` if something came out.
    fn turn(&mut self, at: usize) -> bool {
        let stalled = self.stalled.get(at).copied().unwrap_or(false);
        let Some(shard) = self.shards.get_mut(at) else { return false };
        if !stalled {
            shard.look_at_links();
            shard.handle_links(self.now);
        }
        let mut any = false;
        while let Some(output) = shard.poll() {
            any = true;
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Report(report) => {
                    let at = u8::try_from(at).expect("few shards");
                    self.director.report(ShardIndex(at), report);
                }
                Output::ToShard { .. } | Output::ToControl { .. } => {}
            }
        }
        shard.flush(self.now, &mut self.sent);
        for (to, datagram) in self.sent.iter() {
            any = true;
            if let Some(remote) = self.remotes.iter_mut().find(|remote| remote.address == to) {
                remote.take(datagram);
            }
        }
        any
    }
}
