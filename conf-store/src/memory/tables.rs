//! The maps behind the store in memory, and what must hold between them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use conf_core::account::LinkPurpose;
use conf_core::{Account, AccountId, AccountRole, Email, Room, RoomCode, RoomId};
use jiff::Timestamp;

use crate::{
    ACCOUNTS, Digest, Link, Page, ROOMS, ROOMS_PER_ACCOUNT, Removed, SESSIONS_PER_ACCOUNT, Session,
    StoreError,
};

/// All that is stored. `emails` and `codes` have one entry for each account and room.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) sessions: HashMap<Digest, Session>,
    pub(super) links: HashMap<Digest, Link>,
    pub(super) rooms: BTreeMap<RoomId, Room>,
    emails: HashMap<Email, AccountId>,
    codes: HashMap<RoomCode, RoomId>,
}

impl Tables {
    pub(super) fn add_account(&mut self, account: Account) -> Result<(), StoreError> {
        if self.accounts.contains_key(&account.id) {
            return Err(StoreError::AccountTaken);
        }
        if self.emails.contains_key(&account.email) {
            return Err(StoreError::EmailTaken);
        }
        if self.accounts.len() >= ACCOUNTS {
            return Err(StoreError::Full { what: "accounts", limit: ACCOUNTS });
        }
        self.emails.insert(account.email.clone(), account.id);
        self.accounts.insert(account.id, account);
        Ok(())
    }

    pub(super) fn change_account(&mut self, account: Account) -> Result<(), StoreError> {
        let before = self.accounts.get(&account.id).ok_or(NO_ACCOUNT)?;
        if self.emails.get(&account.email).is_some_and(|id| *id != account.id) {
            return Err(StoreError::EmailTaken);
        }
        let last = administers(before) && !self.has_administrator(Some(account.id));
        if last && !administers(&account) {
            return Err(StoreError::LastAdministrator);
        }
        let (email, other_password) = (before.email.clone(), before.password != account.password);
        self.emails.remove(&email);
        self.emails.insert(account.email.clone(), account.id);
        if other_password {
            self.end_sessions_of(account.id);
        }
        self.accounts.insert(account.id, account);
        Ok(())
    }

    pub(super) fn remove_account(&mut self, id: AccountId) -> Result<Option<Removed>, StoreError> {
        let Some(account) = self.accounts.get(&id) else { return Ok(None) };
        if administers(account) && !self.has_administrator(Some(id)) {
            return Err(StoreError::LastAdministrator);
        }
        self.emails.remove(&account.email);
        self.accounts.remove(&id);
        self.end_sessions_of(id);
        self.links.retain(|_, link| link.account != Some(id));
        let rooms: Vec<RoomId> = self.rooms_of(id).map(|room| room.id).collect();
        for room in &rooms {
            self.remove_room(*room);
        }
        Ok(Some(Removed { rooms }))
    }

    pub(super) fn add_session(&mut self, session: Session) -> Result<(), StoreError> {
        if !self.accounts.contains_key(&session.account) {
            return Err(NO_ACCOUNT);
        }
        let account = session.account;
        self.sessions.insert(session.digest, session);
        let own = self.sessions.values().filter(|other| other.account == account);
        let mut own: Vec<_> = own.map(|other| (other.ends_at, other.digest)).collect();
        own.sort_unstable();
        for (_, digest) in own.iter().rev().skip(SESSIONS_PER_ACCOUNT) {
            self.sessions.remove(digest);
        }
        Ok(())
    }

    pub(super) fn end_sessions_of(&mut self, account: AccountId) -> u64 {
        let before = self.sessions.len();
        self.sessions.retain(|_, session| session.account != account);
        count(before - self.sessions.len())
    }

    pub(super) fn add_link(&mut self, link: Link) -> Result<(), StoreError> {
        if link.account.is_some_and(|id| !self.accounts.contains_key(&id)) {
            return Err(NO_ACCOUNT);
        }
        self.links.retain(|_, earlier| earlier.account != link.account);
        self.links.insert(link.digest, link);
        Ok(())
    }

    pub(super) fn redeem(
        &mut self,
        digest: &Digest,
        now: Timestamp,
        account: Account,
    ) -> Result<(), StoreError> {
        let link = self.links.get(digest).filter(|link| link.ends_at > now);
        let link = link.ok_or(StoreError::LinkUnknown)?;
        let id = account.id;
        match (link.purpose, link.account) {
            (LinkPurpose::FirstAdministrator, _) if self.has_administrator(None) => {
                return Err(StoreError::AdministratorExists);
            }
            (LinkPurpose::FirstAdministrator, _) => self.add_account(account)?,
            (_, owner) if owner == Some(id) => self.change_account(account)?,
            _ => return Err(NO_ACCOUNT),
        }
        self.links.remove(digest);
        self.end_sessions_of(id);
        Ok(())
    }

    pub(super) fn sweep(&mut self, now: Timestamp) -> u64 {
        let before = self.sessions.len() + self.links.len();
        self.sessions.retain(|_, session| session.ends_at > now);
        self.links.retain(|_, link| link.ends_at > now);
        count(before - self.sessions.len() - self.links.len())
    }

    pub(super) fn insert_room(&mut self, room: Room) -> Result<(), StoreError> {
        if self.rooms.contains_key(&room.id) || self.codes.contains_key(&room.code) {
            return Err(StoreError::RoomTaken);
        }
        self.has_place_for(&room)?;
        if self.rooms.len() >= ROOMS {
            return Err(StoreError::Full { what: "rooms", limit: ROOMS });
        }
        self.codes.insert(room.code, room.id);
        self.rooms.insert(room.id, room);
        Ok(())
    }

    pub(super) fn change_room(&mut self, room: Room) -> Result<(), StoreError> {
        let before = self.rooms.get(&room.id).ok_or(StoreError::Missing { what: "room" })?;
        if self.codes.get(&room.code).is_some_and(|id| *id != room.id) {
            return Err(StoreError::RoomTaken);
        }
        if before.owner != room.owner {
            self.has_place_for(&room)?;
        }
        let code = before.code;
        self.codes.remove(&code);
        self.codes.insert(room.code, room.id);
        self.rooms.insert(room.id, room);
        Ok(())
    }

    pub(super) fn remove_room(&mut self, id: RoomId) -> Option<Room> {
        let removed = self.rooms.remove(&id)?;
        self.codes.remove(&removed.code);
        Some(removed)
    }

    pub(super) fn by_email(&self, email: &Email) -> Option<&Account> {
        self.emails.get(email).and_then(|id| self.accounts.get(id))
    }

    pub(super) fn by_code(&self, code: RoomCode) -> Option<&Room> {
        self.codes.get(&code).and_then(|id| self.rooms.get(id))
    }

    pub(super) fn rooms_of(&self, owner: AccountId) -> impl Iterator<Item = &Room> {
        self.rooms.values().filter(move |room| room.owner == Some(owner))
    }

    pub(super) fn has_administrator(&self, but: Option<AccountId>) -> bool {
        self.accounts.values().any(|account| administers(account) && Some(account.id) != but)
    }

    /// Whether the owner exists and may have one more.
    fn has_place_for(&self, room: &Room) -> Result<(), StoreError> {
        let Some(owner) = room.owner else { return Ok(()) };
        if !self.accounts.contains_key(&owner) {
            return Err(NO_ACCOUNT);
        }
        if self.rooms_of(owner).count() >= ROOMS_PER_ACCOUNT {
            return Err(StoreError::Full {
                what: "rooms of one account",
                limit: ROOMS_PER_ACCOUNT,
            });
        }
        Ok(())
    }
}

/// A page of a map in the order of its keys.
pub(super) fn page<Id: Ord + Copy, T: Clone>(map: &BTreeMap<Id, T>, page: Page<Id>) -> Vec<T> {
    let start = page.after.map_or(Bound::Unbounded, Bound::Excluded);
    let rest = map.range((start, Bound::Unbounded)).map(|(_, value)| value);
    rest.take(page.limit).cloned().collect()
}

fn administers(account: &Account) -> bool {
    account.role == AccountRole::Administrator && account.password.is_some()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

const NO_ACCOUNT: StoreError = StoreError::Missing { what: "account" };
