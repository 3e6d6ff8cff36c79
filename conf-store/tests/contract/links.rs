//! One-time links: used once, by one, for what they are.

use conf_core::Account;
use conf_core::account::LinkPurpose;
use conf_store::{Link, Store, StoreError};

use crate::support::{administrator, at, digest, hash, link, member, session};

pub(crate) async fn a_link_makes_the_first_administrator_once(store: &dyn Store) {
    store.add_link(link(1, None, 100)).await.unwrap();
    assert_eq!(store.link(&digest(1), at(99)).await.unwrap(), Some(link(1, None, 100)));
    assert_eq!(store.link(&digest(1), at(100)).await.unwrap(), None);
    let late = store.redeem(&digest(1), at(100), administrator(1)).await;
    assert!(matches!(late, Err(StoreError::LinkUnknown)));
    store.redeem(&digest(1), at(99), administrator(1)).await.unwrap();
    assert_eq!(store.account(administrator(1).id).await.unwrap(), Some(administrator(1)));
    let again = store.redeem(&digest(1), at(99), administrator(2)).await;
    assert!(matches!(again, Err(StoreError::LinkUnknown)));
    store.add_link(link(2, None, 100)).await.unwrap();
    let second = store.redeem(&digest(2), at(0), administrator(2)).await;
    assert!(matches!(second, Err(StoreError::AdministratorExists)));
    assert_eq!(store.account(administrator(2).id).await.unwrap(), None);
}

pub(crate) async fn a_link_lets_its_account_choose_a_password(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.add_session(session(1, 1, 100)).await.unwrap();
    let reset = Link { purpose: LinkPurpose::Reset, ..link(2, Some(1), 100) };
    store.add_link(reset.clone()).await.unwrap();
    assert_eq!(store.link(&digest(2), at(0)).await.unwrap(), Some(reset));
    let changed = Account { password: Some(hash("second")), ..member(1) };
    store.redeem(&digest(2), at(0), changed.clone()).await.unwrap();
    assert_eq!(store.account(member(1).id).await.unwrap(), Some(changed));
    assert_eq!(store.session(&digest(1), at(0)).await.unwrap(), None);
    assert_eq!(store.link(&digest(2), at(0)).await.unwrap(), None);
}

pub(crate) async fn a_link_is_for_its_account_only(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.add_account(member(2)).await.unwrap();
    store.add_link(link(1, Some(1), 100)).await.unwrap();
    let changed = Account { password: Some(hash("stolen")), ..member(2) };
    let refused = store.redeem(&digest(1), at(0), changed).await;
    assert!(matches!(refused, Err(StoreError::Missing { .. })), "{refused:?}");
    assert_eq!(store.account(member(2).id).await.unwrap(), Some(member(2)));
    let unknown = store.add_link(link(3, Some(3), 100)).await;
    assert!(matches!(unknown, Err(StoreError::Missing { what: "account" })), "{unknown:?}");
}

pub(crate) async fn a_new_link_takes_the_place_of_the_old(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.add_account(member(2)).await.unwrap();
    for earlier in [link(1, Some(1), 100), link(2, Some(2), 100), link(3, None, 100)] {
        store.add_link(earlier).await.unwrap();
    }
    store.add_link(link(4, Some(1), 100)).await.unwrap();
    store.add_link(link(5, None, 100)).await.unwrap();
    for (number, there) in [(1, false), (2, true), (3, false), (4, true), (5, true)] {
        let found = store.link(&digest(number), at(0)).await.unwrap();
        assert_eq!(found.is_some(), there, "{number}");
    }
}

pub(crate) async fn a_refused_use_leaves_the_link(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.add_account(member(2)).await.unwrap();
    store.add_session(session(9, 1, 100)).await.unwrap();
    store.add_link(link(1, Some(1), 100)).await.unwrap();
    let changed = Account { email: member(2).email, password: Some(hash("x")), ..member(1) };
    let refused = store.redeem(&digest(1), at(0), changed).await;
    assert!(matches!(refused, Err(StoreError::EmailTaken)), "{refused:?}");
    assert!(store.link(&digest(1), at(0)).await.unwrap().is_some());
    assert!(store.session(&digest(9), at(0)).await.unwrap().is_some());
    assert_eq!(store.account(member(1).id).await.unwrap(), Some(member(1)));
}

pub(crate) async fn two_who_use_one_link_at_once_are_one(store: &dyn Store) {
    for round in 1..=20 {
        store.add_account(member(round)).await.unwrap();
        store.add_link(link(round, Some(round), 100)).await.unwrap();
        let with = |text: &str| Account { password: Some(hash(text)), ..member(round) };
        let digest = digest(round);
        let (one, two) = tokio::join!(
            store.redeem(&digest, at(0), with("one")),
            store.redeem(&digest, at(0), with("two")),
        );
        assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|won| **won).count(), 1);
        let winner = if one.is_ok() { with("one") } else { with("two") };
        assert_eq!(store.account(winner.id).await.unwrap(), Some(winner));
    }
}

pub(crate) async fn two_first_administrators_at_once_are_one(store: &dyn Store) {
    store.add_link(link(1, None, 100)).await.unwrap();
    let digest = digest(1);
    let (one, two) = tokio::join!(
        store.redeem(&digest, at(0), administrator(1)),
        store.redeem(&digest, at(0), administrator(2)),
    );
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|won| **won).count(), 1);
    let made = [store.account(administrator(1).id).await, store.account(administrator(2).id).await];
    assert_eq!(made.map(|account| account.unwrap().is_some()), [one.is_ok(), two.is_ok()]);
}

pub(crate) async fn a_sweep_erases_what_has_ended(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.add_session(session(1, 1, 100)).await.unwrap();
    store.add_session(session(2, 1, 200)).await.unwrap();
    store.add_link(link(3, Some(1), 100)).await.unwrap();
    store.add_link(link(4, None, 200)).await.unwrap();
    assert_eq!(store.sweep(at(100)).await.unwrap(), 2);
    assert_eq!(store.sweep(at(100)).await.unwrap(), 0);
    assert_eq!(store.session(&digest(1), at(0)).await.unwrap(), None);
    assert!(store.session(&digest(2), at(0)).await.unwrap().is_some());
    assert_eq!(store.link(&digest(3), at(0)).await.unwrap(), None);
    assert!(store.link(&digest(4), at(0)).await.unwrap().is_some());
}
