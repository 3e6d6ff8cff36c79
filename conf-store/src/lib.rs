//! What outlives a meeting: storage traits and their implementations.
//!
//! ```text
//! Store = Accounts + Sessions + Links + Rooms + PersonalStore
//!   memory::Memory     forgets with the process: for tests
//!   sql::Sqlite        one file in the server's folder; its tables are made from `table::Table`
//! ```
//!
//! The only library of ours that may touch disks and databases. What a meeting holds never comes
//! here. Times come from the caller. What is personal goes with its account, and all that a
//! function erases goes in the same transaction.

#![forbid(unsafe_code)]

pub mod crypt;
mod fault;
mod folder;
pub mod memory;
mod personal;
pub mod spool;
pub mod sql;
pub mod table;

use std::fmt::Debug;

use async_trait::async_trait;
use conf_core::account::LinkPurpose;
use conf_core::{Account, AccountId, Email, Room, RoomCode, RoomId};
use jiff::Timestamp;

pub use fault::{Fault, OpenError, fault_of};
pub use folder::Folder;
pub use personal::{Found, PersonalStore, ScanReport, Settled};

/// Everything the server stores. Every function may fail with [`StoreError::Unavailable`].
#[async_trait]
pub trait Store: Accounts + Sessions + Links + Rooms + PersonalStore + Debug {
    /// Erases the sessions and links that have ended; returns how many there were.
    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError>;
}

/// The people with a sign-in.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// One account.
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError>;

    /// The account that signs in with an address.
    async fn account_by_email(&self, email: &Email) -> Result<Option<Account>, StoreError>;

    /// Adds an account.
    ///
    /// # Errors
    /// [`StoreError::EmailTaken`], [`StoreError::AccountTaken`], [`StoreError::Full`].
    async fn add_account(&self, account: Account) -> Result<(), StoreError>;

    /// Puts a whole account in the place of the one with its id. Another password (or none) ends
    /// all its sessions.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::EmailTaken`]; [`StoreError::LastAdministrator`] if
    /// none would remain.
    async fn change_account(&self, account: Account) -> Result<(), StoreError>;

    /// Takes an account away, with its rooms, sessions and links; `None` if there was none.
    ///
    /// # Errors
    /// [`StoreError::LastAdministrator`].
    async fn remove_account(&self, id: AccountId) -> Result<Option<Removed>, StoreError>;

    /// Accounts in the order of their ids, a page at a time.
    async fn accounts(&self, page: Page<AccountId>) -> Result<Vec<Account>, StoreError>;

    /// Whether somebody could sign in as administrator: one with a password.
    async fn has_administrator(&self) -> Result<bool, StoreError>;
}

/// Who is signed in.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Adds a session; beyond [`SESSIONS_PER_ACCOUNT`] those that end first go.
    ///
    /// # Errors
    /// [`StoreError::Missing`] without its account.
    async fn add_session(&self, session: Session) -> Result<(), StoreError>;

    /// The session of a token, if it has not ended.
    async fn session(&self, digest: &Digest, now: Timestamp)
    -> Result<Option<Session>, StoreError>;

    /// Ends a session; whether there was one.
    async fn end_session(&self, digest: &Digest) -> Result<bool, StoreError>;

    /// Ends all sessions of an account; returns how many there were.
    async fn end_sessions_of(&self, account: AccountId) -> Result<u64, StoreError>;
}

/// One-time links.
#[async_trait]
pub trait Links: Send + Sync {
    /// Adds a link in the place of the account's earlier ones; one for the first administrator in
    /// the place of those for the first administrator.
    ///
    /// # Errors
    /// [`StoreError::Missing`] without its account.
    async fn add_link(&self, link: Link) -> Result<(), StoreError>;

    /// The link of a token, if it was not used and has not ended.
    async fn link(&self, digest: &Digest, now: Timestamp) -> Result<Option<Link>, StoreError>;

    /// Uses a link up: in one step it goes, its account is added (first administrator) or
    /// changed, and that account's sessions end. On an error the link stays.
    ///
    /// # Errors
    /// [`StoreError::LinkUnknown`] if it was used, has ended or never was;
    /// [`StoreError::AdministratorExists`] for a first one who is not the first;
    /// [`StoreError::Missing`] if it is another account's link or its account is gone; else as
    /// adding and changing.
    async fn redeem(
        &self,
        digest: &Digest,
        now: Timestamp,
        account: Account,
    ) -> Result<(), StoreError>;
}

/// The rooms there are.
#[async_trait]
pub trait Rooms: Send + Sync {
    /// One room.
    async fn room(&self, id: RoomId) -> Result<Option<Room>, StoreError>;

    /// The room that a link opens.
    async fn by_code(&self, code: RoomCode) -> Result<Option<Room>, StoreError>;

    /// All rooms of an account, in the order of their ids.
    async fn rooms_of(&self, owner: AccountId) -> Result<Vec<Room>, StoreError>;

    /// Adds a room.
    ///
    /// # Errors
    /// [`StoreError::RoomTaken`] if its id or code exists, [`StoreError::Missing`] without its
    /// owner, [`StoreError::Full`].
    async fn insert(&self, room: Room) -> Result<(), StoreError>;

    /// Puts a whole room in the place of the one with its id.
    ///
    /// # Errors
    /// [`StoreError::Missing`] without room or owner, [`StoreError::RoomTaken`] if another has the
    /// code.
    async fn change(&self, room: Room) -> Result<(), StoreError>;

    /// Takes a room away and returns it; `None` if there was none.
    async fn remove(&self, id: RoomId) -> Result<Option<Room>, StoreError>;

    /// Rooms in the order of their ids, a page at a time.
    async fn rooms(&self, page: Page<RoomId>) -> Result<Vec<Room>, StoreError>;
}

/// SHA-256 of a token: what is stored of it.
pub type Digest = [u8; 32];

/// Somebody is signed in with one browser.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Of the token in the cookie.
    pub digest: Digest,
    /// Who.
    pub account: AccountId,
    /// From then on it is void.
    pub ends_at: Timestamp,
}

/// A link that can be used once.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// Of the token in the link.
    pub digest: Digest,
    /// What for.
    pub purpose: LinkPurpose,
    /// Whose; `None` for the first administrator, whom using it makes.
    pub account: Option<AccountId>,
    /// From then on it is void.
    pub ends_at: Timestamp,
}

/// What went with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its rooms: their meetings have to end.
    pub rooms: Vec<RoomId>,
}

/// A stretch of a list, in the order of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<Id> {
    /// Only what comes after this one; `None` begins.
    pub after: Option<Id>,
    /// At most so many.
    pub limit: usize,
}

/// Why a store did not do something. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An account with this id exists.
    #[error("an account with this id exists")]
    AccountTaken,
    /// Another account has this e-mail address.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// A room with this id or code exists.
    #[error("a room with this id or code exists")]
    RoomTaken,
    /// Nothing has this id.
    #[error("there is no such {what}")]
    Missing {
        /// The kind of thing.
        what: &'static str,
    },
    /// Nobody could administer any more.
    #[error("this is the last administrator who can sign in")]
    LastAdministrator,
    /// The first administrator was made before.
    #[error("there is an administrator already")]
    AdministratorExists,
    /// A link that was used, has ended or never was.
    #[error("the link was used, has ended or never was")]
    LinkUnknown,
    /// The store takes no more.
    #[error("the store is full ({limit} {what})")]
    Full {
        /// Of which things.
        what: &'static str,
        /// How many it takes.
        limit: usize,
    },
    /// The store cannot be reached or is damaged.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("ends_at", &self.ends_at).finish_non_exhaustive()
    }
}

impl Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Link");
        shown.field("purpose", &self.purpose).field("ends_at", &self.ends_at);
        shown.finish_non_exhaustive()
    }
}

/// Sessions an account may have at once.
pub const SESSIONS_PER_ACCOUNT: usize = 50;
/// Rooms an account may have.
pub const ROOMS_PER_ACCOUNT: usize = 100;
/// Accounts a store takes.
const ACCOUNTS: usize = 1_000_000;
/// Rooms a store takes.
const ROOMS: usize = 1_000_000;
