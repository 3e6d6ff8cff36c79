//! A whole engine with publishers and subscribers behind simulated links, in virtual time.
//!
//! A [`World`] owns one shard, its peers and their links, in one thread and without a socket: a run of
//! a minute with a dozen peers takes a fraction of a second, and one seed is one run. Everything
//! that the shard sends is looked at before it meets a link ([`Law`]): whatever the networks do, it
//! must hold.

mod law;
mod publisher;
mod subscriber;
mod truth;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Link, LinkStats, Plan, Transit};
use crate::command::{Command, Event, PeerId, Preference, RoomId, TrackId};
use crate::egress::TxBatch;
use crate::rtp::{self, Class};
use crate::shard::{Input, Output, Shard, ShardConfig};
use crate::test_util::{Remote, simulcast, subscription};
use crate::time::Now;

pub use law::{Broken, Law};
use publisher::Publisher;
pub use subscriber::Seen;
use subscriber::Subscriber;

/// A shard with peers behind links.
#[derive(Debug)]
pub struct World {
    /// The machine under test.
    pub shard: Shard,
    now: Now,
    began: Instant,
    seed: u64,
    nodes: Vec<Node>,
    by_address: HashMap<SocketAddr, usize>,
    sent: TxBatch,
    law: Law,
    events: Vec<(Duration, Event)>,
}

/// One peer, and the links to and from it.
#[derive(Debug)]
struct Node {
    remote: Remote,
    up: Link,
    down: Link,
    to_shard: Transit<Vec<u8>>,
    to_node: Transit<Vec<u8>>,
    check_at: Instant,
    publisher: Option<Publisher>,
    /// By the source that the track is received with.
    received: Vec<Subscriber>,
}

/// Which peer of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(usize);

impl World {
    /// A shard without peers; `now` is where time begins.
    #[must_use]
    pub fn new(now: Now, seed: u64) -> Self {
        Self::with(now, ShardConfig { seed, ..ShardConfig::default() })
    }

    /// The same with settings of one's own, but that nothing is held back: what leaves is seen before
    /// what comes next.
    #[must_use]
    pub fn with(now: Now, config: ShardConfig) -> Self {
        let seed = config.seed;
        let config = ShardConfig { hold: Duration::ZERO, ..config };
        Self {
            shard: Shard::new(config),
            now,
            began: now.mono,
            seed,
            nodes: Vec::new(),
            by_address: HashMap::new(),
            sent: TxBatch::new(),
            law: Law::default(),
            events: Vec::new(),
        }
    }

    /// A peer behind these links joins.
    ///
    /// # Panics
    /// If the shard refuses it.
    pub fn join(&mut self, up: &Plan, down: &Plan) -> NodeId {
        let number = u16::try_from(self.nodes.len()).expect("few peers");
        let remote = Remote::new(number);
        let (peer, address) = (remote.id, remote.address);
        let credentials = remote.credentials();
        self.command(Command::AddPeer { peer, room: RoomId(1), credentials });
        let seed = self.seed.wrapping_mul(1_000).wrapping_add(u64::from(number) * 2);
        self.by_address.insert(address, self.nodes.len());
        self.nodes.push(Node {
            up: Link::new(self.now.mono, up, seed),
            down: Link::new(self.now.mono, down, seed.wrapping_add(1)),
            to_shard: Transit::default(),
            to_node: Transit::default(),
            check_at: self.now.mono,
            publisher: None,
            received: Vec::new(),
            remote,
        });
        // The handshake is not what is looked at here.
        let check = self.nodes.last().map(|node| node.remote.check()).unwrap_or_default();
        self.arrive(address, check);
        self.deliver();
        self.command(Command::SetKeys { peer, keys: Remote::keys_of(number) });
        NodeId(usize::from(number))
    }

    /// A peer publishes a camera of three encodings.
    pub fn publish(&mut self, node: NodeId) -> TrackId {
        let track = TrackId(node.0 as u64 + 1);
        let peer = self.id(node);
        let publication = simulcast("1");
        self.command(Command::Publish { track, peer, publication });
        let seed = self.seed.wrapping_add(track.0);
        let publisher = Publisher::new(self.now.mono, u32::try_from(track.0).unwrap_or(1), seed);
        if let Some(node) = self.nodes.get_mut(node.0) {
            node.publisher = Some(publisher);
        }
        track
    }

    /// A peer receives a track.
    pub fn subscribe(&mut self, node: NodeId, track: TrackId) {
        let ssrc = 100_000 + u32::try_from(track.0).unwrap_or_default() * 2;
        let peer = self.id(node);
        let subscription = subscription(&format!("{}", track.0), ssrc);
        self.command(Command::Subscribe { track, peer, subscription });
        let subscriber = Subscriber::new(ssrc);
        if let Some(node) = self.nodes.get_mut(node.0) {
            node.received.push(subscriber);
        }
    }

    /// A peer shows a track in this way.
    pub fn prefer(&mut self, node: NodeId, track: TrackId, preference: Preference) {
        let peer = self.id(node);
        self.command(Command::Prefer { track, peer, preference });
    }

    /// Nothing above this is sent to a peer.
    pub fn limit(&mut self, node: NodeId, bits_per_second: Option<u64>) {
        let peer = self.id(node);
        self.command(Command::Limit { peer, bits_per_second });
    }

    /// A command that the shard must take.
    ///
    /// # Panics
    /// If it is refused.
    pub fn command(&mut self, command: Command) {
        self.shard.handle(self.now, Input::Command(command)).expect("a command in order");
        self.deliver();
    }

    /// Time passes.
    pub fn run(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.step(next.max(self.now.mono));
        }
        self.step(end);
    }

    /// Since the beginning.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.now.mono - self.began
    }

    /// What a peer made of a track so far.
    #[must_use]
    pub fn seen(&self, node: NodeId, track: TrackId) -> Option<&Seen> {
        let ssrc = 100_000 + u32::try_from(track.0).ok()? * 2;
        let received = &self.nodes.get(node.0)?.received;
        received.iter().find(|it| it.ssrc() == ssrc).map(Subscriber::seen)
    }

    /// What went over the link to a peer so far.
    #[must_use]
    pub fn down(&self, node: NodeId) -> LinkStats {
        self.nodes.get(node.0).map(|node| node.down.stats()).unwrap_or_default()
    }

    /// What the shard reported, and when.
    #[must_use]
    pub fn events(&self) -> &[(Duration, Event)] {
        &self.events
    }

    /// The laws that were broken; there must be none.
    #[must_use]
    pub fn broken(&self) -> &[Broken] {
        self.law.broken()
    }

    /// How the shard knows a peer.
    ///
    /// # Panics
    /// If it is not of this world.
    #[must_use]
    pub fn id(&self, node: NodeId) -> PeerId {
        self.nodes.get(node.0).expect("a peer of this world").remote.id
    }

    fn next(&self) -> Option<Instant> {
        let nodes = self.nodes.iter().flat_map(Node::timeouts);
        nodes.chain(self.shard.timeout()).min()
    }

    fn step(&mut self, at: Instant) {
        self.now = self.now.later(at.saturating_duration_since(self.now.mono));
        for index in 0..self.nodes.len() {
            self.node(index);
        }
        if self.shard.timeout().is_some_and(|due| at >= due) {
            self.shard.handle_timeout(self.now);
        }
        self.deliver();
    }

    /// What happens at one peer, and what has arrived from it.
    fn node(&mut self, index: usize) {
        let now = self.now.mono;
        let Some(node) = self.nodes.get_mut(index) else { return };
        while let Some((at, datagram)) = node.to_node.poll(now) {
            node.take(at, &datagram);
        }
        node.act(now);
        let address = node.remote.address;
        while let Some(node) = self.nodes.get_mut(index)
            && let Some((_, datagram)) = node.to_shard.poll(now)
        {
            let copy = datagram.clone();
            if self.arrive(address, datagram) {
                self.law.arrives(index, &copy);
            }
            self.deliver();
        }
    }

    /// Refused is what came too late or twice; the shard counts it.
    fn arrive(&mut self, from: SocketAddr, mut bytes: Vec<u8>) -> bool {
        let arrival = self.now.mono;
        let input = Input::Datagram { from, bytes: &mut bytes, arrival };
        self.shard.handle(self.now, input).is_ok()
    }

    /// What the shard sends meets the law, then a link.
    fn deliver(&mut self) {
        self.shard.flush(self.now, &mut self.sent);
        for (to, datagram) in self.sent.iter() {
            let Some(&index) = self.by_address.get(&to) else { continue };
            let Some(node) = self.nodes.get_mut(index) else { continue };
            self.law.leaves(self.now.mono - self.began, index, datagram);
            let bytes = datagram.len() + HEADERS;
            node.to_node.send(&mut node.down, self.now.mono, bytes, datagram.to_vec());
        }
        while let Some(output) = self.shard.poll() {
            if let Output::Event(event) = output {
                self.events.push((self.now.mono - self.began, event));
            }
        }
    }
}

impl Node {
    fn timeouts(&self) -> impl Iterator<Item = Instant> {
        let own = [
            Some(self.check_at),
            self.to_shard.timeout(),
            self.to_node.timeout(),
            self.publisher.as_ref().map(Publisher::timeout),
        ];
        let received = self.received.iter().filter_map(Subscriber::timeout);
        own.into_iter().flatten().chain(received)
    }

    /// A datagram of the shard arrived.
    fn take(&mut self, now: Instant, datagram: &[u8]) {
        let mut bytes = datagram.to_vec();
        match rtp::classify(datagram) {
            Class::Rtp => {
                let Some(packet) = self.remote.open(&mut bytes) else { return };
                let Ok(view) = rtp::parse(packet) else { return };
                for subscriber in &mut self.received {
                    subscriber.take(now, &view, packet);
                }
            }
            Class::Rtcp => {
                let Some(compound) = self.remote.open_rtcp(&mut bytes) else { return };
                if let Some(publisher) = &mut self.publisher {
                    publisher.hear(now, compound);
                }
            }
            _ => {}
        }
    }

    /// What the peer does by itself.
    fn act(&mut self, now: Instant) {
        let mut out: Vec<Vec<u8>> = Vec::new();
        if now >= self.check_at {
            self.check_at = now + CHECKS;
            out.push(self.remote.check());
        }
        if let Some(publisher) = &mut self.publisher {
            publisher.act(now, &mut self.remote, &mut out);
        }
        for subscriber in &mut self.received {
            subscriber.act(now, &mut self.remote, &mut out);
        }
        for datagram in out {
            let bytes = datagram.len() + HEADERS;
            self.to_shard.send(&mut self.up, now, bytes, datagram);
        }
    }
}

/// IPv4 and UDP.
const HEADERS: usize = 28;
/// Keeps the address validated.
const CHECKS: Duration = Duration::from_secs(2);
