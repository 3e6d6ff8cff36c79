//! What is due when: one hierarchical timing wheel a shard.
//!
//! Seven levels of 64 slots; a slot of level 0 is one millisecond, one of level `n` is `64^n` of them.
//! An entry is filed by the highest digit (base 64) in which its moment differs from the wheel's
//! present, so everything of a lower level is due before everything of a higher one, and each entry
//! is moved at most six times before it is due. A slot is a doubly linked list through one table
//! of entries: filing, moving and taking out are a few writes, and nothing is allocated once the
//! table has its size. Every slot knows its earliest moment, so that [`Wheel::timeout`] is the very
//! moment of the next entry: who sleeps until then is not woken for a tick.
//!
//! Entries come earlier, never later ([`Wheel::wake_by`]): what turns out to be not due yet when it
//! is taken out files itself again. A deadline that every packet moves on costs one look at its end
//! instead of a write a packet.
//!
//! Source: G. Varghese, A. Lauck, "Hashed and hierarchical timing wheels", SOSP 1987.

use std::time::{Duration, Instant};

/// Names one entry of a [`Wheel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timer(u32);

impl Timer {
    /// Of something that is not in the wheel; waking it does nothing.
    pub(crate) const NONE: Self = Self(NIL);
}

/// Entries with the moments at which they are due.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// When tick 0 was: when the first entry came.
    epoch: Option<Instant>,
    /// The present: nothing is filed before it.
    elapsed: u64,
    entries: Vec<Entry<T>>,
    free: u32,
    slots: [Slot; SLOTS * LEVELS],
    /// One bit for each slot that is not empty.
    occupied: [u64; LEVELS],
}

#[derive(Debug)]
struct Entry<T> {
    /// `None` in the list of the free ones.
    what: Option<T>,
    /// When it is due, and the tick that this is.
    at: Instant,
    tick: u64,
    /// Where it is filed; [`NIL`]: nowhere.
    slot: u32,
    before: u32,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    /// No entry is due before; exact but for entries that were taken out.
    earliest: u64,
}

impl<T: Copy> Wheel<T> {
    /// A wheel without entries.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self {
            epoch: None,
            elapsed: 0,
            entries: Vec::new(),
            free: NIL,
            slots: [EMPTY; SLOTS * LEVELS],
            occupied: [0; LEVELS],
        }
    }

    /// A place for what will be due some time; not filed yet. The caller holds the limit on how many.
    pub(crate) fn insert(&mut self, now: Instant, what: T) -> Timer {
        self.epoch.get_or_insert(now);
        let entry = Entry { what: Some(what), at: now, tick: 0, slot: NIL, before: NIL, next: NIL };
        let index = self.free;
        if let Some(place) = self.entries.get_mut(index as usize) {
            self.free = place.next;
            *place = entry;
            return Timer(index);
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(NIL);
        self.entries.push(entry);
        Timer(index)
    }

    /// The entry will never be due.
    pub(crate) fn remove(&mut self, timer: Timer) {
        self.unlink(timer.0);
        let free = self.free;
        if let Some(entry) = self.entries.get_mut(timer.0 as usize)
            && entry.what.take().is_some()
        {
            entry.next = free;
            self.free = timer.0;
        }
    }

    /// The entry is due at `at`, unless it is due earlier already.
    pub(crate) fn wake_by(&mut self, timer: Timer, at: Instant) {
        let Some(entry) = self.entries.get_mut(timer.0 as usize) else { return };
        if entry.what.is_none() || (entry.slot != NIL && entry.at <= at) {
            return;
        }
        entry.at = at;
        let Some(tick) = self.tick(at) else { return };
        self.unlink(timer.0);
        self.link(timer.0, tick);
    }

    /// The next entry that is due; call until `None`. It is not filed any more then.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<T> {
        // What is filed under a tick is due once the tick has passed to its end: never early.
        let now = self.passed(now)?;
        loop {
            let (level, slot) = self.first()?;
            let Slot { first, earliest } = *self.slots.get(slot)?;
            if earliest > now {
                return None;
            }
            self.elapsed = self.elapsed.max(earliest);
            if level == 0 {
                self.unlink(first);
                return self.entries.get(first as usize)?.what;
            }
            self.spread(slot);
        }
    }

    /// When [`Wheel::expire`] has the next entry; `None` while nothing is filed.
    #[must_use]
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let (_, slot) = self.first()?;
        let ticks = self.slots.get(slot)?.earliest;
        self.epoch?.checked_add(Duration::from_millis(ticks))
    }

    /// Level and number of the slot that is due first.
    fn first(&self) -> Option<(usize, usize)> {
        let level = self.occupied.iter().position(|&occupied| occupied != 0)?;
        let at = self.occupied.get(level)?.trailing_zeros() as usize;
        Some((level, level * SLOTS + at))
    }

    /// Files the entries of a slot anew: the present has come near.
    fn spread(&mut self, slot: usize) {
        while let Some(first) = self.slots.get(slot).map(|slot| slot.first)
            && let Some(tick) = self.entries.get(first as usize).map(|entry| entry.tick)
        {
            self.unlink(first);
            self.link(first, tick);
        }
    }

    fn link(&mut self, index: u32, tick: u64) {
        let tick = tick.max(self.elapsed);
        let (level, at) = place(self.elapsed, tick);
        let number = level * SLOTS + at;
        let Some(slot) = self.slots.get_mut(number) else { return };
        let next = std::mem::replace(&mut slot.first, index);
        slot.earliest = slot.earliest.min(tick);
        if let Some(occupied) = self.occupied.get_mut(level) {
            *occupied |= 1 << at;
        }
        if let Some(next) = self.entries.get_mut(next as usize) {
            next.before = index;
        }
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.tick = tick;
            entry.slot = u32::try_from(number).unwrap_or(NIL);
            (entry.before, entry.next) = (NIL, next);
        }
    }

    fn unlink(&mut self, index: u32) {
        let Some(entry) = self.entries.get_mut(index as usize) else { return };
        let (number, before, next) = (entry.slot as usize, entry.before, entry.next);
        let Some(slot) = self.slots.get_mut(number) else { return };
        (entry.slot, entry.before, entry.next) = (NIL, NIL, NIL);
        if slot.first == index {
            slot.first = next;
        }
        if slot.first == NIL {
            *slot = EMPTY;
            if let Some(occupied) = self.occupied.get_mut(number / SLOTS) {
                *occupied &= !(1 << (number % SLOTS));
            }
        }
        if let Some(before) = self.entries.get_mut(before as usize) {
            before.next = next;
        }
        if let Some(next) = self.entries.get_mut(next as usize) {
            next.before = before;
        }
    }

    /// The first tick that does not begin before `at`; `None` if nothing was ever put in.
    fn tick(&self, at: Instant) -> Option<u64> {
        let millis = at.saturating_duration_since(self.epoch?).as_nanos().div_ceil(1_000_000);
        let tick = u64::try_from(millis).unwrap_or(u64::MAX);
        Some(tick.clamp(self.elapsed, self.elapsed.saturating_add(FARTHEST)))
    }

    /// The tick that `now` is in; `None` if nothing was ever filed.
    fn passed(&self, now: Instant) -> Option<u64> {
        let millis = now.checked_duration_since(self.epoch?)?.as_millis();
        u64::try_from(millis).ok()
    }
}

/// Level, and slot within it, of a tick that is not before the present.
fn place(elapsed: u64, tick: u64) -> (usize, usize) {
    let differ = (elapsed ^ tick) | (SLOTS as u64 - 1);
    let highest = 63 - differ.leading_zeros();
    let level = (highest / DIGIT).min(LAST);
    let at = (tick >> (level * DIGIT)) & (SLOTS as u64 - 1);
    (level as usize, usize::try_from(at).unwrap_or_default())
}

const NIL: u32 = u32::MAX;
const EMPTY: Slot = Slot { first: NIL, earliest: u64::MAX };
/// Bits of a digit.
const DIGIT: u32 = 6;
const SLOTS: usize = 1 << DIGIT;
/// The highest level; it turns once in 139 years.
const LAST: u32 = 6;
const LEVELS: usize = LAST as usize + 1;
/// What is due later is looked at then, and files itself again: after two years.
const FARTHEST: u64 = 1 << (DIGIT * LAST);

#[cfg(test)]
#[path = "wheel/tests.rs"]
mod tests;
