//! What outlives a meeting: storage traits and their implementations.
//!
//! The only library of ours that may touch disks and databases. What a meeting holds never comes
//! here. Times come from the caller.

#![forbid(unsafe_code)]

pub mod memory;

use async_trait::async_trait;
use conf_core::{Room, RoomCode, RoomId};

/// Why a store did not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A room with this id or code exists.
    #[error("a room with this id or code exists")]
    RoomTaken,
    /// The store takes no more.
    #[error("the store is full ({limit} rooms)")]
    Full {
        /// How many it takes.
        limit: usize,
    },
    /// The store cannot be reached or is damaged.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A stretch of a list, in the order of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only what comes after this one; `None` begins.
    pub after: Option<RoomId>,
    /// At most so many.
    pub limit: usize,
}

/// The rooms there are. Every function may fail with [`StoreError::Unavailable`].
#[async_trait]
pub trait Rooms: Send + Sync {
    /// The room that a link opens.
    async fn by_code(&self, code: RoomCode) -> Result<Option<Room>, StoreError>;

    /// Adds a room.
    ///
    /// # Errors
    /// [`StoreError::RoomTaken`] if its id or code exists, [`StoreError::Full`].
    async fn insert(&self, room: Room) -> Result<(), StoreError>;

    /// Takes a room away and returns it; `None` if there was none.
    async fn remove(&self, id: RoomId) -> Result<Option<Room>, StoreError>;

    /// Rooms in the order of their ids, a page at a time.
    async fn list(&self, page: Page) -> Result<Vec<Room>, StoreError>;
}
