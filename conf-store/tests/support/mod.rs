//! Stores to try, and what to put into them.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]

use std::sync::Arc;

use conf_core::account::LinkPurpose;
use conf_core::{
    Account, AccountId, AccountRole, Lobby, PasswordHash, Room, RoomCode, RoomId, RoomOptions,
    Start,
};
use conf_store::memory::Memory;
use conf_store::{Link, Session, Store};
use jiff::{SignedDuration, Timestamp};

/// A store in memory.
pub async fn memory() -> Arc<dyn Store> {
    Arc::new(Memory::default())
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

/// What stands for the digest of a token.
pub fn digest(number: u8) -> [u8; 32] {
    std::array::from_fn(|i| number.wrapping_mul(31).wrapping_add(u8::try_from(i * 7).unwrap()))
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
