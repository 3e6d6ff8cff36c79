//! What is under way on a link, in the order in which it arrives.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Instant;

use super::link::{Fate, Link};

/// Packets under way. The payload is whatever the caller likes: bytes, or only a number.
#[derive(Clone, Debug)]
pub struct Transit<T> {
    heap: BinaryHeap<Reverse<Flying<T>>>,
    count: u64,
}

#[derive(Clone, Debug)]
struct Flying<T> {
    at: Instant,
    /// What arrives at one moment arrives in the order in which it was sent.
    number: u64,
    item: T,
}

impl<T> PartialEq for Flying<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Flying<T> {}

impl<T> PartialOrd for Flying<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Flying<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<T> Default for Transit<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), count: 0 }
    }
}

impl<T> Transit<T> {
    /// Sends a packet of `bytes` over the link; it may be lost, or come twice.
    pub fn send(&mut self, link: &mut Link, now: Instant, bytes: usize, item: T) -> Fate
    where
        T: Clone,
    {
        let fate = link.push(now, bytes);
        match fate {
            Fate::Lost(_) => {}
            Fate::Arrives(at) => self.put(at, item),
            Fate::Twice(at, again) => {
                self.put(at, item.clone());
                self.put(again, item);
            }
        }
        fate
    }

    /// Something arrives then.
    pub fn put(&mut self, at: Instant, item: T) {
        self.heap.push(Reverse(Flying { at, number: self.count, item }));
        self.count += 1;
    }

    /// What has arrived by `now`, and when; call it until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<(Instant, T)> {
        self.heap.peek().filter(|Reverse(first)| first.at <= now)?;
        self.heap.pop().map(|Reverse(first)| (first.at, first.item))
    }

    /// When the next one arrives.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(first)| first.at)
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Nothing is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}
