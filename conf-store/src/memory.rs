//! A store that forgets everything with the process: for tests, and to try the server.

mod tables;

use async_trait::async_trait;
use conf_core::{Account, AccountId, Email, Room, RoomCode, RoomId};
use conf_privacy::inventory::{Entry, Place};
use conf_privacy::needle::Needles;
use jiff::Timestamp;
use tokio::sync::RwLock;

use crate::{
    Accounts, Digest, Link, Links, Page, PersonalStore, Removed, Rooms, ScanReport, Session,
    Sessions, Settled, Store, StoreError,
};
use tables::Tables;

/// Everything in memory. One lock: each function is one step for all others.
#[derive(Debug, Default)]
pub struct Memory {
    tables: RwLock<Tables>,
}

#[async_trait]
impl Store for Memory {
    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.tables.write().await.sweep(now))
    }
}

#[async_trait]
impl Accounts for Memory {
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self.tables.read().await.accounts.get(&id).cloned())
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        Ok(self.tables.read().await.by_email(email).cloned())
    }

    async fn add_account(&self, account: Account) -> Result<(), StoreError> {
        self.tables.write().await.add_account(account)
    }

    async fn change_account(&self, account: Account) -> Result<(), StoreError> {
        self.tables.write().await.change_account(account)
    }

    async fn remove_account(&self, id: AccountId) -> Result<Option<Removed>, StoreError> {
        self.tables.write().await.remove_account(id)
    }

    async fn accounts(&self, page: Page<AccountId>) -> Result<Vec<Account>, StoreError> {
        Ok(tables::page(&self.tables.read().await.accounts, page))
    }

    async fn has_administrator(&self) -> Result<bool, StoreError> {
        Ok(self.tables.read().await.has_administrator(None))
    }
}

#[async_trait]
impl Sessions for Memory {
    async fn add_session(&self, session: Session) -> Result<(), StoreError> {
        self.tables.write().await.add_session(session)
    }

    async fn session(
        &self,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let tables = self.tables.read().await;
        Ok(tables.sessions.get(digest).filter(|session| session.ends_at > now).cloned())
    }

    async fn end_session(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.tables.write().await.sessions.remove(digest).is_some())
    }

    async fn end_sessions_of(&self, account: AccountId) -> Result<u64, StoreError> {
        Ok(self.tables.write().await.end_sessions_of(account))
    }
}

#[async_trait]
impl Links for Memory {
    async fn add_link(&self, link: Link) -> Result<(), StoreError> {
        self.tables.write().await.add_link(link)
    }

    async fn link(&self, digest: &Digest, now: Timestamp) -> Result<Option<Link>, StoreError> {
        let tables = self.tables.read().await;
        Ok(tables.links.get(digest).filter(|link| link.ends_at > now).cloned())
    }

    async fn redeem(
        &self,
        digest: &Digest,
        now: Timestamp,
        account: Account,
    ) -> Result<(), StoreError> {
        self.tables.write().await.redeem(digest, now, account)
    }
}

#[async_trait]
impl Rooms for Memory {
    async fn room(&self, id: RoomId) -> Result<Option<Room>, StoreError> {
        Ok(self.tables.read().await.rooms.get(&id).cloned())
    }

    async fn by_code(&self, code: RoomCode) -> Result<Option<Room>, StoreError> {
        Ok(self.tables.read().await.by_code(code).cloned())
    }

    async fn rooms_of(&self, owner: AccountId) -> Result<Vec<Room>, StoreError> {
        Ok(self.tables.read().await.rooms_of(owner).cloned().collect())
    }

    async fn insert(&self, room: Room) -> Result<(), StoreError> {
        self.tables.write().await.insert_room(room)
    }

    async fn change(&self, room: Room) -> Result<(), StoreError> {
        self.tables.write().await.change_room(room)
    }

    async fn remove(&self, id: RoomId) -> Result<Option<Room>, StoreError> {
        Ok(self.tables.write().await.remove_room(id))
    }

    async fn rooms(&self, page: Page<RoomId>) -> Result<Vec<Room>, StoreError> {
        Ok(tables::page(&self.tables.read().await.rooms, page))
    }
}

/// Nothing is on the disk.
#[async_trait]
impl PersonalStore for Memory {
    fn describe(&self) -> Vec<Entry> {
        Vec::new()
    }

    async fn observed(&self) -> Result<Vec<Place>, StoreError> {
        Ok(Vec::new())
    }

    async fn settle(&self) -> Result<Settled, StoreError> {
        Ok(Settled::Clean)
    }

    async fn scan(&self, _needles: &Needles) -> Result<ScanReport, StoreError> {
        Ok(ScanReport::default())
    }
}
