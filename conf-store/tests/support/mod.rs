//! Stores to try, and what to put into them.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]

use std::ops::Deref;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use conf_core::account::LinkPurpose;
use conf_core::{
    Account, AccountId, AccountRole, Lobby, PasswordHash, Room, RoomCode, RoomId, RoomOptions,
    Start,
};
use conf_store::memory::Memory;
use conf_store::sql::Sqlite;
use conf_store::{Link, Session, Store};
use jiff::{SignedDuration, Timestamp};

/// A store in memory.
pub async fn memory() -> Arc<dyn Store> {
    Arc::new(Memory::default())
}

/// A store in a database, in a folder that goes with it.
pub async fn sqlite() -> Opened {
    let folder = Folder::new();
    Opened { store: Sqlite::open(&folder.0).await.unwrap(), folder }
}

/// A store with its folder.
pub struct Opened {
    pub store: Sqlite,
    pub folder: Folder,
}

impl Deref for Opened {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &self.store
    }
}

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("conf-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone_already = std::fs::remove_dir_all(&self.0);
    }
}

/// An ordinary account that can sign in.
pub fn member(number: u8) -> Account {
    Account {
        id: AccountId::from_u64(u64::from(number)),
        name: format!("Canary Person {number:03}").into(),
        email: format!("canary-{number:03}@example.org").parse().unwrap(),
        role: AccountRole::Member,
        password: Some(hash(&format!("first-{number:03}"))),
        last_sign_in: None,
    }
}

/// An administrator who can sign in.
pub fn administrator(number: u8) -> Account {
    Account { role: AccountRole::Administrator, ..member(number) }
}

/// What stands for the hash of a password.
pub fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(format!("$argon2id$v=19$canary-hash-{text}"))
}

/// A session of an account; it ends after so many seconds.
pub fn session(number: u8, account: u8, seconds: i64) -> Session {
    let account = AccountId::from_u64(u64::from(account));
    Session { digest: digest(number), account, ends_at: at(seconds) }
}

/// A link of an account.
pub fn link(number: u8, account: Option<u8>, seconds: i64) -> Link {
    let purpose = account.map_or(LinkPurpose::FirstAdministrator, |_| LinkPurpose::Invitation);
    let account = account.map(|account| AccountId::from_u64(u64::from(account)));
    Link { digest: digest(number), purpose, account, ends_at: at(seconds) }
}

/// What stands for the digest of a token: no two are alike, nor parts of them.
pub fn digest(number: u8) -> [u8; 32] {
    let mut state = u64::from(number).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    std::array::from_fn(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[2]
    })
}

/// A room without an owner.
pub fn room(number: u8) -> Room {
    Room {
        id: RoomId::from_u64(u64::from(number)),
        owner: None,
        code: RoomCode::from_bytes([number; RoomCode::BYTES]),
        title: Some(format!("Canary Room {number:03}").into()),
        options: RoomOptions::default(),
    }
}

/// A room of an account, with every option.
pub fn owned(number: u8, owner: u8) -> Room {
    let options = RoomOptions { mute_on_start: true, lobby: Lobby::Ask, start: Start::Owner };
    Room { owner: Some(AccountId::from_u64(u64::from(owner))), options, ..room(number) }
}

/// So many seconds after the beginning of the test's time.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}
