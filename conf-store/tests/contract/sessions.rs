//! Sessions: they end when they should, and stay ended.

use conf_core::Account;
use conf_store::{SESSIONS_PER_ACCOUNT, Store, StoreError};

use crate::support::{at, digest, hash, member, session};

pub(crate) async fn a_session_lasts_until_its_end(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.add_session(session(1, 1, 100)).await.unwrap();
    assert_eq!(store.session(&digest(1), at(99)).await.unwrap(), Some(session(1, 1, 100)));
    assert_eq!(store.session(&digest(1), at(100)).await.unwrap(), None);
    assert_eq!(store.session(&digest(2), at(0)).await.unwrap(), None);
}

pub(crate) async fn an_ended_session_stays_ended(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.add_account(member(2)).await.unwrap();
    for number in 1..=3 {
        store.add_session(session(number, 1, 100)).await.unwrap();
    }
    store.add_session(session(4, 2, 100)).await.unwrap();
    assert!(store.end_session(&digest(1)).await.unwrap());
    assert!(!store.end_session(&digest(1)).await.unwrap());
    assert_eq!(store.session(&digest(1), at(0)).await.unwrap(), None);
    assert_eq!(store.end_sessions_of(member(1).id).await.unwrap(), 2);
    assert_eq!(store.session(&digest(2), at(0)).await.unwrap(), None);
    assert!(store.session(&digest(4), at(0)).await.unwrap().is_some());
}

pub(crate) async fn another_password_ends_all_sessions(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.add_session(session(1, 1, 100)).await.unwrap();
    let changed = Account { password: Some(hash("second")), ..member(1) };
    store.change_account(changed).await.unwrap();
    assert_eq!(store.session(&digest(1), at(0)).await.unwrap(), None);
}

pub(crate) async fn the_fifty_first_session_takes_the_place_of_the_first(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.add_account(member(2)).await.unwrap();
    store.add_session(session(200, 2, 1)).await.unwrap();
    let most = u8::try_from(SESSIONS_PER_ACCOUNT).unwrap();
    for number in 0..=most {
        store.add_session(session(number, 1, 100 + i64::from(number))).await.unwrap();
    }
    assert_eq!(store.session(&digest(0), at(0)).await.unwrap(), None);
    assert!(store.session(&digest(1), at(0)).await.unwrap().is_some());
    assert!(store.session(&digest(most), at(0)).await.unwrap().is_some());
    assert!(store.session(&digest(200), at(0)).await.unwrap().is_some());
}

pub(crate) async fn a_session_needs_an_account(store: &dyn Store) {
    let refused = store.add_session(session(1, 1, 100)).await;
    assert!(matches!(refused, Err(StoreError::Missing { what: "account" })), "{refused:?}");
}
