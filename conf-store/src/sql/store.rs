//! The storage traits on the database: each function that writes is one transaction.
//!
//! A transaction takes the one place for writing before it reads, so what it has checked still
//! holds when it writes, and on an error all of it is undone.

use async_trait::async_trait;
use conf_core::account::LinkPurpose;
use conf_core::{Account, AccountId, AccountRole, Email, Room, RoomCode, RoomId};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::Sqlite;
use super::tables::{accounts, links, rooms, sessions};
use crate::{
    ACCOUNTS, Accounts, Digest, Link, Links, Page, ROOMS, ROOMS_PER_ACCOUNT, Removed, Rooms,
    SESSIONS_PER_ACCOUNT, Session, Sessions, Store, StoreError,
};

#[async_trait]
impl Store for Sqlite {
    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let erased =
            sessions::erase_ended(&mut tx, now).await? + links::erase_ended(&mut tx, now).await?;
        tx.commit().await?;
        self.settle_soon(erased > 0);
        Ok(erased)
    }
}

#[async_trait]
impl Accounts for Sqlite {
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        Ok(accounts::by_id(&mut *self.read().await?, id).await?)
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        Ok(accounts::by_email(&mut *self.read().await?, email).await?)
    }

    async fn add_account(&self, account: Account) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        add_account(&mut tx, &account).await?;
        Ok(tx.commit().await?)
    }

    async fn change_account(&self, account: Account) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        change_account(&mut tx, &account).await?;
        tx.commit().await?;
        self.settle_soon(true);
        Ok(())
    }

    async fn remove_account(&self, id: AccountId) -> Result<Option<Removed>, StoreError> {
        let mut tx = self.write().await?;
        let Some(account) = accounts::by_id(&mut tx, id).await? else { return Ok(None) };
        if administers(&account) && !accounts::has_administrator(&mut tx, Some(id)).await? {
            return Err(StoreError::LastAdministrator);
        }
        let rooms = rooms::of(&mut tx, id).await?.iter().map(|room| room.id).collect();
        accounts::erase(&mut tx, id).await?;
        tx.commit().await?;
        self.settle_soon(true);
        Ok(Some(Removed { rooms }))
    }

    async fn accounts(&self, page: Page<AccountId>) -> Result<Vec<Account>, StoreError> {
        Ok(accounts::page(&mut *self.read().await?, page).await?)
    }

    async fn has_administrator(&self) -> Result<bool, StoreError> {
        Ok(accounts::has_administrator(&mut *self.read().await?, None).await?)
    }
}

#[async_trait]
impl Sessions for Sqlite {
    async fn add_session(&self, session: Session) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        needs_account(&mut tx, session.account).await?;
        sessions::insert(&mut tx, &session).await?;
        let account = session.account;
        let erased = sessions::erase_beyond(&mut tx, account, SESSIONS_PER_ACCOUNT).await?;
        tx.commit().await?;
        self.settle_soon(erased > 0);
        Ok(())
    }

    async fn session(
        &self,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        Ok(sessions::by_digest(&mut *self.read().await?, digest, now).await?)
    }

    async fn end_session(&self, digest: &Digest) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let erased = sessions::erase(&mut tx, digest).await?;
        tx.commit().await?;
        self.settle_soon(erased > 0);
        Ok(erased > 0)
    }

    async fn end_sessions_of(&self, account: AccountId) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let erased = sessions::erase_of(&mut tx, account).await?;
        tx.commit().await?;
        self.settle_soon(erased > 0);
        Ok(erased)
    }
}

#[async_trait]
impl Links for Sqlite {
    async fn add_link(&self, link: Link) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        if let Some(account) = link.account {
            needs_account(&mut tx, account).await?;
        }
        let erased = links::erase_of(&mut tx, link.account).await?;
        links::insert(&mut tx, &link).await?;
        tx.commit().await?;
        self.settle_soon(erased > 0);
        Ok(())
    }

    async fn link(&self, digest: &Digest, now: Timestamp) -> Result<Option<Link>, StoreError> {
        Ok(links::by_digest(&mut *self.read().await?, digest, now).await?)
    }

    async fn redeem(
        &self,
        digest: &Digest,
        now: Timestamp,
        account: Account,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let link = links::by_digest(&mut tx, digest, now).await?.ok_or(StoreError::LinkUnknown)?;
        match (link.purpose, link.account) {
            (LinkPurpose::FirstAdministrator, _) => {
                if accounts::has_administrator(&mut tx, None).await? {
                    return Err(StoreError::AdministratorExists);
                }
                add_account(&mut tx, &account).await?;
            }
            (_, owner) if owner == Some(account.id) => change_account(&mut tx, &account).await?,
            _ => return Err(NO_ACCOUNT),
        }
        links::erase(&mut tx, digest).await?;
        sessions::erase_of(&mut tx, account.id).await?;
        tx.commit().await?;
        self.settle_soon(true);
        Ok(())
    }
}

#[async_trait]
impl Rooms for Sqlite {
    async fn room(&self, id: RoomId) -> Result<Option<Room>, StoreError> {
        Ok(rooms::by_id(&mut *self.read().await?, id).await?)
    }

    async fn by_code(&self, code: RoomCode) -> Result<Option<Room>, StoreError> {
        Ok(rooms::by_code(&mut *self.read().await?, code).await?)
    }

    async fn rooms_of(&self, owner: AccountId) -> Result<Vec<Room>, StoreError> {
        Ok(rooms::of(&mut *self.read().await?, owner).await?)
    }

    async fn insert(&self, room: Room) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let taken = rooms::by_id(&mut tx, room.id).await?.is_some()
            || rooms::by_code(&mut tx, room.code).await?.is_some();
        if taken {
            return Err(StoreError::RoomTaken);
        }
        has_place_for(&mut tx, &room).await?;
        if is_full(rooms::count(&mut tx).await?, ROOMS) {
            return Err(StoreError::Full { what: "rooms", limit: ROOMS });
        }
        rooms::insert(&mut tx, &room).await?;
        Ok(tx.commit().await?)
    }

    async fn change(&self, room: Room) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let before = rooms::by_id(&mut tx, room.id).await?;
        let before = before.ok_or(StoreError::Missing { what: "room" })?;
        if rooms::by_code(&mut tx, room.code).await?.is_some_and(|other| other.id != room.id) {
            return Err(StoreError::RoomTaken);
        }
        if before.owner != room.owner {
            has_place_for(&mut tx, &room).await?;
        }
        rooms::update(&mut tx, &room).await?;
        tx.commit().await?;
        self.settle_soon(true);
        Ok(())
    }

    async fn remove(&self, id: RoomId) -> Result<Option<Room>, StoreError> {
        let mut tx = self.write().await?;
        let Some(room) = rooms::by_id(&mut tx, id).await? else { return Ok(None) };
        rooms::erase(&mut tx, id).await?;
        tx.commit().await?;
        self.settle_soon(true);
        Ok(Some(room))
    }

    async fn rooms(&self, page: Page<RoomId>) -> Result<Vec<Room>, StoreError> {
        Ok(rooms::page(&mut *self.read().await?, page).await?)
    }
}

async fn add_account(db: &mut SqliteConnection, account: &Account) -> Result<(), StoreError> {
    if accounts::by_id(db, account.id).await?.is_some() {
        return Err(StoreError::AccountTaken);
    }
    if accounts::by_email(db, &account.email).await?.is_some() {
        return Err(StoreError::EmailTaken);
    }
    if is_full(accounts::count(db).await?, ACCOUNTS) {
        return Err(StoreError::Full { what: "accounts", limit: ACCOUNTS });
    }
    Ok(accounts::insert(db, account).await?)
}

async fn change_account(db: &mut SqliteConnection, account: &Account) -> Result<(), StoreError> {
    let before = accounts::by_id(db, account.id).await?.ok_or(NO_ACCOUNT)?;
    let with_address = accounts::by_email(db, &account.email).await?;
    if with_address.is_some_and(|other| other.id != account.id) {
        return Err(StoreError::EmailTaken);
    }
    let lost = administers(&before) && !administers(account);
    if lost && !accounts::has_administrator(db, Some(account.id)).await? {
        return Err(StoreError::LastAdministrator);
    }
    if before.password != account.password {
        sessions::erase_of(db, account.id).await?;
    }
    Ok(accounts::update(db, account).await?)
}

async fn needs_account(db: &mut SqliteConnection, id: AccountId) -> Result<(), StoreError> {
    accounts::by_id(db, id).await?.map(|_| ()).ok_or(NO_ACCOUNT)
}

/// Whether the owner exists and may have one more.
async fn has_place_for(db: &mut SqliteConnection, room: &Room) -> Result<(), StoreError> {
    let Some(owner) = room.owner else { return Ok(()) };
    needs_account(db, owner).await?;
    if is_full(rooms::count_of(db, owner).await?, ROOMS_PER_ACCOUNT) {
        return Err(StoreError::Full { what: "rooms of one account", limit: ROOMS_PER_ACCOUNT });
    }
    Ok(())
}

fn administers(account: &Account) -> bool {
    account.role == AccountRole::Administrator && account.password.is_some()
}

fn is_full(count: i64, limit: usize) -> bool {
    usize::try_from(count).is_ok_and(|count| count >= limit)
}

const NO_ACCOUNT: StoreError = StoreError::Missing { what: "account" };
