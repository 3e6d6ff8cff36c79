//! What the director says; and peers that do not live here: those that nobody has placed yet, and those of other shards.
//!
//! Which socket gets a datagram is the kernel's decision, by the addresses of both ends; a peer
//! whose address changes arrives at another shard from then on. It goes on living where it was: its
//! checks are handed over by their user name, and once one of them was valid, everything else from
//! that address too. Addresses are believed for as long as ICE would believe them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::command::PeerId;
use crate::director::{Order, Report, ShardIndex};
use crate::ice::{CONSENT, Credentials, HOLD};
use crate::rtp::{self, Class};
use crate::stats::DropReason;
use crate::stun::{self, IntegrityKey, Message};
use crate::time::Now;

use super::hash::Seeded;
use super::link::{Matter, Note};
use super::{MAX_PEERS, Output, Refusal, Shard};

/// Who is not here.
#[derive(Debug)]
pub(super) struct Others {
    peers: HashMap<PeerId, Other, Seeded>,
    /// Our user name fragments towards them; two a peer.
    ufrags: HashMap<String, PeerId, Seeded>,
    /// Addresses that another shard has validated; at most [`MAX_ADDRESSES`], and believed only
    /// while they are fresh.
    addresses: HashMap<SocketAddr, Distant, Seeded>,
    /// What is in work was handed over to us: it goes no further.
    handed: bool,
}

struct Other {
    place: Place,
    ufrags: Vec<String>,
}

enum Place {
    Waiting { keys: Vec<(String, IntegrityKey)>, held: Option<Held> },
    At(ShardIndex),
}

/// The first valid check of a peer that waits to be placed.
pub(super) struct Held {
    from: SocketAddr,
    arrival: Instant,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Distant {
    peer: PeerId,
    shard: ShardIndex,
    checked: Instant,
}

impl Distant {
    /// Its last check is not older than ICE allows.
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.checked) < CONSENT
    }
}

impl Others {
    pub(super) fn new(seeded: Seeded) -> Self {
        Self {
            peers: HashMap::with_hasher(seeded),
            ufrags: HashMap::with_hasher(seeded),
            addresses: HashMap::with_hasher(seeded),
            handed: false,
        }
    }

    /// Forgets a peer; what it sent first, if that waited. `None`: not known.
    pub(super) fn forget(&mut self, peer: PeerId) -> Option<Option<Held>> {
        let other = self.peers.remove(&peer)?;
        for ufrag in other.ufrags {
            self.ufrags.remove(&ufrag);
        }
        Some(match other.place {
            Place::Waiting { held, .. } => held,
            Place::At(_) => {
                self.addresses.retain(|_, distant| distant.peer != peer);
                None
            }
        })
    }

    /// The address is in use by a peer of another shard.
    pub(super) fn is_held(&self, from: SocketAddr, now: Instant) -> bool {
        let distant = self.addresses.get(&from);
        distant.is_some_and(|distant| now.saturating_duration_since(distant.checked) < HOLD)
    }

    /// An address is a peer's of this shard from now on.
    pub(super) fn yield_address(&mut self, from: SocketAddr) {
        self.addresses.remove(&from);
    }

    /// After a panic: nothing is in work.
    pub(super) fn settle(&mut self) {
        self.handed = false;
    }

    fn name(&mut self, peer: PeerId, ufrag: String) {
        let Some(other) = self.peers.get_mut(&peer) else { return };
        if other.ufrags.contains(&ufrag) {
            return;
        }
        if other.ufrags.len() >= MAX_UFRAGS {
            self.ufrags.remove(&other.ufrags.remove(0));
        }
        other.ufrags.push(ufrag.clone());
        self.ufrags.insert(ufrag, peer);
    }
}

impl Shard {
    /// Carries out what the director says.
    pub(super) fn order(&mut self, now: Now, order: Order) -> Result<(), Refusal> {
        let done = match order {
            Order::Command(command) => return self.command(now, command),
            Order::Await { peer, credentials } => self.await_peer(peer, credentials),
            Order::Elsewhere { peer, ufrag, shard } => {
                self.peer_elsewhere(peer, ufrag, shard);
                Ok(())
            }
            Order::Mirror(mirror) => self.mirror(now, mirror),
            Order::Relay { track, to, on } => self.set_relay(now, track, to, on),
        };
        self.count();
        done
    }

    /// A peer may connect; nobody knows where.
    pub(super) fn await_peer(&mut self, peer: PeerId, new: Credentials) -> Result<(), Refusal> {
        if self.others.peers.len() >= MAX_PEERS {
            return Err(Refusal::TooMany { what: "peers", limit: MAX_PEERS });
        }
        let taken = self.others.ufrags.get(&new.ufrag).is_some_and(|&other| other != peer);
        if self.peer_ids.contains_key(&peer) || self.ufrags.contains_key(&new.ufrag) || taken {
            return Err(Refusal::Duplicate);
        }
        let waiting = || Place::Waiting { keys: Vec::new(), held: None };
        let other = self.others.peers.entry(peer);
        let other = other.or_insert_with(|| Other { place: waiting(), ufrags: Vec::new() });
        if let Place::Waiting { keys, .. } = &mut other.place {
            keys.truncate(MAX_UFRAGS - 1);
            keys.push((new.ufrag.clone(), IntegrityKey::new(&new.password)));
        }
        self.others.name(peer, new.ufrag);
        Ok(())
    }

    /// A peer lives on another shard; what it has sent here goes there.
    pub(super) fn peer_elsewhere(&mut self, peer: PeerId, ufrag: String, shard: ShardIndex) {
        let at = Place::At(shard);
        match self.others.peers.get_mut(&peer) {
            Some(other) => {
                let before = std::mem::replace(&mut other.place, at);
                if let Place::Waiting { held: Some(held), .. } = before {
                    let _ = self.hand_over(shard, (held.from, held.arrival), &held.bytes);
                }
            }
            None => {
                self.others.peers.insert(peer, Other { place: at, ufrags: Vec::new() });
            }
        }
        self.others.name(peer, ufrag);
    }

    /// A peer lives here now; its first check is answered.
    pub(super) fn peer_placed(&mut self, now: Now, held: Option<Held>) {
        if let Some(mut held) = held
            && let Err(reason) = self.datagram(now, held.from, &mut held.bytes, held.arrival)
        {
            self.out.counters.drop_one(reason);
        }
    }

    /// A check with a user name that no peer of this shard has.
    pub(super) fn check_elsewhere(
        &mut self,
        way: (SocketAddr, Instant),
        message: &Message<'_>,
        ufrag: &str,
        bytes: &[u8],
    ) -> Result<(), DropReason> {
        if self.others.handed {
            return Err(DropReason::UnknownUser);
        }
        let &id = self.others.ufrags.get(ufrag).ok_or(DropReason::UnknownUser)?;
        let other = self.others.peers.get_mut(&id).ok_or(DropReason::UnknownUser)?;
        match &mut other.place {
            &mut Place::At(shard) => self.hand_over(shard, way, bytes),
            Place::Waiting { keys, held } => {
                let (from, arrival) = way;
                let key = keys.iter().find(|(name, _)| name == ufrag);
                let valid = key.is_some_and(|(_, key)| message.verify(key).is_ok());
                if message.class() != stun::Class::Request || !valid {
                    return Err(DropReason::Unauthenticated);
                }
                if held.is_none() {
                    *held = Some(Held { from, arrival, bytes: bytes.to_vec() });
                    self.out.outputs.push_back(Output::Report(Report::Claimed { peer: id }));
                }
                Ok(())
            }
        }
    }

    /// What came from an address that no peer of this shard has; `None` if another one has it.
    pub(super) fn elsewhere(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        arrival: Instant,
    ) -> Result<(), DropReason> {
        match self.others.addresses.get(&from) {
            Some(&distant) if distant.is_fresh(arrival) && !self.others.handed => {
                let shard = distant.shard;
                self.hand_over(shard, (from, arrival), bytes)
            }
            _ => Err(DropReason::UnvalidatedAddress),
        }
    }

    fn hand_over(
        &mut self,
        shard: ShardIndex,
        (from, arrival): (SocketAddr, Instant),
        bytes: &[u8],
    ) -> Result<(), DropReason> {
        let note = Note::Datagram { from, arrival };
        if !self.links.push(shard, note, bytes, Matter::Rest) {
            return Err(DropReason::HandOverFull);
        }
        self.out.counters.handed_over += 1;
        Ok(())
    }

    /// A datagram of a peer that lives here came in over there.
    pub(super) fn handed_over(
        &mut self,
        now: Now,
        shard: ShardIndex,
        (from, arrival): (SocketAddr, Instant),
        bytes: &mut [u8],
    ) -> Result<(), DropReason> {
        let is_check = rtp::classify(bytes) == Class::Stun;
        self.others.handed = true;
        let done = self.datagram(now, from, bytes, arrival);
        self.others.handed = false;
        if done.is_ok()
            && is_check
            && let Some(peer) = self.addresses.get(&from).and_then(|&key| self.peers.get(key))
        {
            // Said again with each check: one that finds no room is lost for seconds only.
            let note = Note::Path { peer: peer.id, address: from };
            self.links.push(shard, note, &[], Matter::Control);
        }
        done
    }

    /// What comes from an address is for a peer of another shard.
    pub(super) fn learn_path(
        &mut self,
        now: Now,
        shard: ShardIndex,
        peer: PeerId,
        address: SocketAddr,
    ) {
        let others = &mut self.others;
        if !others.peers.contains_key(&peer) {
            return;
        }
        if others.addresses.len() >= MAX_ADDRESSES {
            others.addresses.retain(|_, distant| distant.is_fresh(now.mono));
        }
        if others.addresses.len() >= MAX_ADDRESSES && !others.addresses.contains_key(&address) {
            return;
        }
        self.addresses.remove(&address);
        others.addresses.insert(address, Distant { peer, shard, checked: now.mono });
    }
}

impl std::fmt::Debug for Other {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.place {
            Place::Waiting { .. } => "Waiting",
            Place::At(_) => "At(…)",
        })
    }
}

impl std::fmt::Debug for Distant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Distant({:?})", self.shard)
    }
}

const MAX_UFRAGS: usize = 2;
/// Addresses of peers of other shards; most peers have one.
const MAX_ADDRESSES: usize = 4 * MAX_PEERS;
