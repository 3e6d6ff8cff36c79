//! The way of commands to the shards, from any thread but theirs.
//!
//! With one shard they go there as they are. With several a [`Director`] says where; it is behind a
//! lock that control threads share, and that no media thread ever takes: what a shard reports comes
//! here through a worker.
#![expect(clippy::disallowed_types, reason = "the director is shared by control threads")]

use std::sync::{Arc, Mutex, PoisonError};

use super::shard::Handle;
use crate::command::Command;
use crate::director::{Director, Order, Report, ShardIndex};

/// Brings commands to the shards they are for.
#[derive(Clone)]
pub(super) struct Route {
    shards: Arc<[Handle]>,
    director: Arc<Mutex<Director>>,
}

impl Route {
    pub(super) fn new(shards: Vec<Handle>) -> Self {
        let director = Arc::new(Mutex::new(Director::new(shards.len())));
        Self { shards: shards.into(), director }
    }

    /// Carries a command to the shard that it is for.
    pub(super) fn send(&self, command: Command) {
        if let [only] = &*self.shards {
            only.send(Order::Command(command));
            return only.wake_up();
        }
        self.direct(|director| {
            if let Err(refusal) = director.handle(command) {
                tracing::debug!(%refusal, "a command was refused");
            }
        });
    }

    /// Takes what a shard reports.
    pub(super) fn report(&self, from: ShardIndex, report: Report) {
        self.direct(|director| director.report(from, report));
    }

    pub(super) fn wake_all(&self) {
        self.shards.iter().for_each(Handle::wake_up);
    }

    /// The orders leave in the order of the commands, so under the lock; woken is afterwards.
    fn direct(&self, change: impl FnOnce(&mut Director)) {
        let mut written = 0u32;
        {
            let mut director = self.director.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut director);
            while let Some((shard, order)) = director.poll() {
                written |= 1 << shard.0;
                if let Some(handle) = self.shards.get(shard.at()) {
                    handle.send(order);
                }
            }
        }
        for (shard, handle) in self.shards.iter().enumerate() {
            if written & (1 << shard) != 0 {
                handle.wake_up();
            }
        }
    }
}
