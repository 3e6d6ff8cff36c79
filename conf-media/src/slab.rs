//! Dense storage with keys that notice when their entry is gone.
//!
//! A key is a slot and a generation: the slot is reused, the generation counts up, so an old key
//! finds nothing instead of somebody else's entry. Lookups are one bounds check and one compare.

use std::marker::PhantomData;

/// Names one entry of a [`Slab`] for as long as it lives.
pub(crate) struct Key<T> {
    slot: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// Names nothing: for pieces that are measured alone.
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) const NOWHERE: Self = Self { slot: u32::MAX, generation: u32::MAX, of: PhantomData };

    /// The small number that is unique among the living entries.
    #[must_use]
    pub(crate) fn slot(self) -> u32 {
        self.slot
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        self.slot == other.slot && self.generation == other.generation
    }
}

impl<T> Eq for Key<T> {}

impl<T> std::fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// Entries in slots that are reused, last freed first.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: Option<T>,
}

impl<T> Slab<T> {
    /// An empty slab.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    /// Puts an entry in and returns its key. The caller holds the limit on how many.
    pub(crate) fn insert(&mut self, entry: T) -> Key<T> {
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.slots.get_mut(slot as usize)
        {
            place.entry = Some(entry);
            return Key { slot, generation: place.generation, of: PhantomData };
        }
        let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 entries");
        self.slots.push(Slot { generation: 0, entry: Some(entry) });
        Key { slot, generation: 0, of: PhantomData }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, key: Key<T>) -> Option<T> {
        let place = self.slots.get_mut(key.slot as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let entry = place.entry.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.slot);
        Some(entry)
    }

    /// The entry of a key, to change it.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key<T>) -> Option<&mut T> {
        let place = self.slots.get_mut(key.slot as usize)?;
        if place.generation == key.generation { place.entry.as_mut() } else { None }
    }

    /// The entry of a key.
    #[inline]
    #[must_use]
    pub(crate) fn get(&self, key: Key<T>) -> Option<&T> {
        let place = self.slots.get(key.slot as usize)?;
        if place.generation == key.generation { place.entry.as_ref() } else { None }
    }

    /// The key of the living entry in `slot`, for loops that change other things on the way.
    #[must_use]
    pub(crate) fn key_at(&self, slot: usize) -> Option<Key<T>> {
        let place = self.slots.get(slot)?;
        place.entry.as_ref()?;
        let slot = u32::try_from(slot).ok()?;
        Some(Key { slot, generation: place.generation, of: PhantomData })
    }

    /// One past the highest slot ever used; see [`Slab::key_at`].
    #[must_use]
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// How many entries live.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_does_not_find_the_new_entry_in_its_slot() {
        let mut slab = Slab::new();
        let old = slab.insert("old");
        assert_eq!(slab.remove(old), Some("old"));
        let new = slab.insert("new");
        assert_eq!(new.slot(), old.slot());
        assert_eq!(slab.get(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get(new), Some(&"new"));
        assert_eq!(slab.len(), 1);
    }
}
