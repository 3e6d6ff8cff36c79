//! Accounts: who there is, who may go.

use conf_core::{Account, AccountId, AccountRole};
use conf_store::{Page, Removed, Store, StoreError};

use crate::support::{administrator, at, digest, hash, link, member, owned, session};

pub(crate) async fn an_account_is_found_by_id_and_address(store: &dyn Store) {
    let ada = Account { last_sign_in: Some(at(5)), ..administrator(1) };
    let invited = Account { password: None, ..member(2) };
    store.add_account(ada.clone()).await.unwrap();
    store.add_account(invited.clone()).await.unwrap();
    assert_eq!(store.account(ada.id).await.unwrap(), Some(ada.clone()));
    assert_eq!(store.account_by_email(&ada.email).await.unwrap(), Some(ada));
    assert_eq!(store.account_by_email(&invited.email).await.unwrap(), Some(invited));
    assert_eq!(store.account(member(3).id).await.unwrap(), None);
    assert_eq!(store.account_by_email(&member(3).email).await.unwrap(), None);
}

pub(crate) async fn an_address_or_id_is_given_once(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    let same_id = Account { email: member(2).email, ..member(1) };
    let same_address = Account { email: member(1).email, ..member(2) };
    assert!(matches!(store.add_account(same_id).await, Err(StoreError::AccountTaken)));
    assert!(matches!(store.add_account(same_address.clone()).await, Err(StoreError::EmailTaken)));
    store.add_account(member(2)).await.unwrap();
    assert!(matches!(store.change_account(same_address).await, Err(StoreError::EmailTaken)));
    assert_eq!(all(store).await, [member(1), member(2)]);
}

pub(crate) async fn a_changed_account_keeps_its_place(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.insert(owned(1, 1)).await.unwrap();
    store.add_session(session(1, 1, 100)).await.unwrap();
    let changed = Account {
        name: "Another name".to_owned().into(),
        email: "another@example.org".parse().unwrap(),
        role: AccountRole::Administrator,
        last_sign_in: Some(at(7)),
        ..member(1)
    };
    store.change_account(changed.clone()).await.unwrap();
    assert_eq!(all(store).await, [changed]);
    assert_eq!(store.account_by_email(&member(1).email).await.unwrap(), None);
    assert_eq!(store.rooms_of(member(1).id).await.unwrap(), [owned(1, 1)]);
    let session = store.session(&digest(1), at(0)).await.unwrap();
    assert!(session.is_some(), "the password is the same, so the session stays");
    let missing = store.change_account(member(2)).await;
    assert!(matches!(missing, Err(StoreError::Missing { what: "account" })));
}

pub(crate) async fn the_last_administrator_stays(store: &dyn Store) {
    store.add_account(administrator(1)).await.unwrap();
    store.add_account(administrator(2)).await.unwrap();
    store.add_account(member(3)).await.unwrap();
    store.change_account(member(2)).await.unwrap();
    let without_password = Account { password: None, ..administrator(1) };
    for lost in [member(1), without_password] {
        let refused = store.change_account(lost).await;
        assert!(matches!(refused, Err(StoreError::LastAdministrator)));
    }
    let refused = store.remove_account(administrator(1).id).await;
    assert!(matches!(refused, Err(StoreError::LastAdministrator)));
    assert_eq!(all(store).await, [administrator(1), member(2), member(3)]);
    store.change_account(administrator(3)).await.unwrap();
    assert!(store.remove_account(administrator(1).id).await.unwrap().is_some());
}

pub(crate) async fn an_administrator_without_password_is_none(store: &dyn Store) {
    assert!(!store.has_administrator().await.unwrap());
    let invited = Account { password: None, ..administrator(1) };
    store.add_account(invited).await.unwrap();
    store.add_account(member(2)).await.unwrap();
    assert!(!store.has_administrator().await.unwrap());
    store.change_account(administrator(1)).await.unwrap();
    assert!(store.has_administrator().await.unwrap());
}

pub(crate) async fn with_an_account_all_of_it_goes(store: &dyn Store) {
    for number in [1, 2] {
        store.add_account(member(number)).await.unwrap();
        store.add_session(session(number, number, 100)).await.unwrap();
        store.add_link(link(10 + number, Some(number), 100)).await.unwrap();
        store.insert(owned(number, number)).await.unwrap();
        store.insert(owned(20 + number, number)).await.unwrap();
    }
    let removed = store.remove_account(member(1).id).await.unwrap();
    assert_eq!(removed, Some(Removed { rooms: vec![owned(1, 1).id, owned(21, 1).id] }));
    assert_eq!(store.remove_account(member(1).id).await.unwrap(), None);
    assert_eq!(all(store).await, [member(2)]);
    let rooms = store.rooms(Page { after: None, limit: 10 }).await.unwrap();
    assert_eq!(rooms, [owned(2, 2), owned(22, 2)]);
    assert_eq!(store.by_code(owned(1, 1).code).await.unwrap(), None);
    assert_eq!(store.session(&digest(1), at(0)).await.unwrap(), None);
    assert_eq!(store.link(&digest(11), at(0)).await.unwrap(), None);
    assert!(store.session(&digest(2), at(0)).await.unwrap().is_some());
    assert!(store.link(&digest(12), at(0)).await.unwrap().is_some());
    store.add_account(Account { password: Some(hash("new")), ..member(1) }).await.unwrap();
    assert_eq!(store.rooms_of(member(1).id).await.unwrap(), []);
}

pub(crate) async fn pages_of_accounts_put_together_are_all(store: &dyn Store) {
    for number in [5, 1, 4, 2, 3] {
        store.add_account(member(number)).await.unwrap();
    }
    let high = Account { id: AccountId::from_u64(u64::MAX), ..member(6) };
    store.add_account(high.clone()).await.unwrap();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.accounts(Page { after, limit: 2 }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page);
    }
    assert_eq!(found, (1..=5).map(member).chain([high]).collect::<Vec<_>>());
}

async fn all(store: &dyn Store) -> Vec<Account> {
    store.accounts(Page { after: None, limit: 100 }).await.unwrap()
}
