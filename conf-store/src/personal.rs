//! What a store must be able to say about the personal data in it.

use async_trait::async_trait;
use conf_privacy::inventory::{Entry, Place};
use conf_privacy::needle::{Hit, Needles};

use crate::StoreError;

/// A store that declares what it holds, and shows that it holds nothing else.
#[async_trait]
pub trait PersonalStore: Send + Sync {
    /// Every place this store keeps something, and what.
    fn describe(&self) -> Vec<Entry>;

    /// Every place that is really there, declared or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn observed(&self) -> Result<Vec<Place>, StoreError>;

    /// Removes what erased rows may have left behind. The store does it by itself soon after
    /// each erasure; whoever needs to know that it is done calls it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn settle(&self) -> Result<Settled, StoreError>;

    /// Searches all bytes on the disk, of every place that is there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if one cannot be read: nothing is passed over.
    async fn scan(&self, needles: &Needles) -> Result<ScanReport, StoreError>;
}

/// How removing the traces went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Settled {
    /// Nothing of what was erased is in the files.
    Clean,
    /// Somebody was reading, so the log of the database still has old pages; try again.
    Busy,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ScanReport {
    /// Files searched.
    pub files: u64,
    /// Bytes searched.
    pub bytes: u64,
    /// Compressed parts whose end was not looked into, because of the bounds of that search.
    pub unread: u64,
    /// Needles found.
    pub found: Vec<Found>,
}

/// A needle that a store still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In which file.
    pub file: String,
    /// Which needle, where.
    pub hit: Hit,
}
