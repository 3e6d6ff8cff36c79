//! A store that forgets everything with the process: for tests, and to try the server.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use async_trait::async_trait;
use conf_core::{Room, RoomCode, RoomId};
use tokio::sync::RwLock;

use crate::{Page, Rooms, StoreError};

/// All rooms in memory, up to a million.
#[derive(Debug, Default)]
pub struct Memory {
    rooms: RwLock<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    by_id: BTreeMap<RoomId, Room>,
    /// One entry for each of `by_id`.
    by_code: HashMap<RoomCode, RoomId>,
}

#[async_trait]
impl Rooms for Memory {
    async fn by_code(&self, code: RoomCode) -> Result<Option<Room>, StoreError> {
        let tables = self.rooms.read().await;
        Ok(tables.by_code.get(&code).and_then(|id| tables.by_id.get(id)).cloned())
    }

    async fn insert(&self, room: Room) -> Result<(), StoreError> {
        let mut tables = self.rooms.write().await;
        if tables.by_id.contains_key(&room.id) || tables.by_code.contains_key(&room.code) {
            return Err(StoreError::RoomTaken);
        }
        if tables.by_id.len() >= LIMIT {
            return Err(StoreError::Full { limit: LIMIT });
        }
        tables.by_code.insert(room.code, room.id);
        tables.by_id.insert(room.id, room);
        Ok(())
    }

    async fn remove(&self, id: RoomId) -> Result<Option<Room>, StoreError> {
        let mut tables = self.rooms.write().await;
        let removed = tables.by_id.remove(&id);
        if let Some(room) = &removed {
            tables.by_code.remove(&room.code);
        }
        Ok(removed)
    }

    async fn list(&self, page: Page) -> Result<Vec<Room>, StoreError> {
        let tables = self.rooms.read().await;
        let start = page.after.map_or(Bound::Unbounded, Bound::Excluded);
        let rooms = tables.by_id.range((start, Bound::Unbounded)).map(|(_, room)| room);
        Ok(rooms.take(page.limit).cloned().collect())
    }
}

const LIMIT: usize = 1_000_000;
