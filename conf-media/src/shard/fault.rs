//! A panic is a bug of ours: it ends the peer whose input met it, and nothing else.
//!
//! What is handed in is worked on inside a guard, one for a whole batch. The peer in work is noted
//! as soon as it is known; after a panic it is taken out, the control plane hears of it, and the
//! rest of the batch goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::command::{Command, Event, PeerId};
use crate::director::Order;
use crate::ingress::RxBatch;
use crate::slab::Key;
use crate::time::Now;

use super::{Input, Refusal, Shard};

impl Shard {
    /// Takes all datagrams of a batch and clears it. Drops are counted.
    pub fn handle_batch(&mut self, now: Now, batch: &mut RxBatch) {
        let mut datagrams = batch.iter_mut();
        loop {
            let rest = AssertUnwindSafe(|| {
                for (from, bytes, arrival) in datagrams.by_ref() {
                    let _ = self.take(now, from, bytes, arrival);
                }
                self.send_burst(now);
            });
            if catch_unwind(rest).is_ok() {
                break;
            }
            self.blame(now);
        }
        drop(datagrams);
        batch.clear();
    }

    /// Takes an order, as [`Shard::handle`] does; a panic ends at most the peer that it is about.
    ///
    /// # Errors
    /// As [`Shard::handle`], and [`Refusal::Panicked`].
    pub fn handle_order(&mut self, now: Now, order: Order) -> Result<(), Refusal> {
        self.in_work = None;
        if let Order::Command(command) = &order {
            self.in_work = subject(command).and_then(|peer| self.peer_ids.get(&peer).copied());
        }
        let work = AssertUnwindSafe(|| self.handle(now, Input::Order(order)));
        catch_unwind(work).unwrap_or_else(|_| {
            self.blame(now);
            Err(Refusal::Panicked)
        })
    }

    /// Sends what was gathered; a panic ends at most its publisher.
    pub(super) fn finish_burst(&mut self, now: Now) {
        let work = AssertUnwindSafe(|| self.send_burst(now));
        if catch_unwind(work).is_err() {
            self.blame(now);
        }
    }

    /// After a panic: takes the peer out that was in work.
    pub(super) fn blame(&mut self, now: Now) {
        self.out.counters.panics += 1;
        self.others.settle();
        let Some(key) = self.in_work.take() else { return };
        let Some(id) = self.peers.get(key).map(|peer| peer.id) else { return };
        let removal = AssertUnwindSafe(|| self.remove_peer(now, id));
        if catch_unwind(removal).is_err() {
            self.cut_out(id, key);
        }
        self.count();
        let reason = "internal error in the media engine".into();
        self.out.event(Event::Failed { peer: id, reason });
    }

    /// Removes what a datagram could find a peer by.
    fn cut_out(&mut self, id: PeerId, key: Key<crate::peer::Peer>) {
        self.peers.remove(key);
        self.peer_ids.remove(&id);
        self.ufrags.retain(|_, &mut other| other != key);
        self.addresses.retain(|_, &mut other| other != key);
    }

    /// The next packet, report, check or timer of this peer meets a panic.
    #[cfg(any(test, feature = "test-util"))]
    pub fn plant_panic(&mut self, peer: PeerId) {
        self.planted = self.peer_ids.get(&peer).copied();
    }

    /// Notes whose input is in work.
    #[inline]
    pub(super) fn work_for(&mut self, key: Key<crate::peer::Peer>) {
        self.in_work = Some(key);
        #[cfg(any(test, feature = "test-util"))]
        if self.planted == self.in_work {
            self.planted = None;
            panic!("planted by a test");
        }
    }
}

/// The peer that a command is about.
fn subject(command: &Command) -> Option<PeerId> {
    match command {
        Command::AddPeer { peer, .. }
        | Command::AddLocalPeer { peer, .. }
        | Command::AskStats { peer }
        | Command::RestartIce { peer, .. }
        | Command::SetKeys { peer, .. }
        | Command::SetPadding { peer, .. }
        | Command::SendDatagram { peer, .. }
        | Command::Publish { peer, .. }
        | Command::Subscribe { peer, .. }
        | Command::Unsubscribe { peer, .. }
        | Command::Pause { peer, .. }
        | Command::Prefer { peer, .. }
        | Command::Limit { peer, .. } => Some(*peer),
        _ => None,
    }
}
