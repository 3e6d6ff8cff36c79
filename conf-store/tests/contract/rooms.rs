//! Rooms: their codes, their owners.

use conf_core::{Room, RoomCode};
use conf_store::{Page, ROOMS_PER_ACCOUNT, Store, StoreError};

use crate::support::{member, owned, room};

pub(crate) async fn a_room_is_found_by_its_code_until_it_is_removed(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.insert(room(1)).await.unwrap();
    store.insert(owned(2, 1)).await.unwrap();
    assert_eq!(store.room(room(1).id).await.unwrap(), Some(room(1)));
    assert_eq!(store.by_code(room(2).code).await.unwrap(), Some(owned(2, 1)));
    assert_eq!(store.by_code(room(3).code).await.unwrap(), None);
    assert_eq!(store.remove(room(2).id).await.unwrap(), Some(owned(2, 1)));
    assert_eq!(store.remove(room(2).id).await.unwrap(), None);
    assert_eq!(store.by_code(room(2).code).await.unwrap(), None);
    store.insert(Room { title: None, ..room(2) }).await.unwrap();
    assert_eq!(store.room(room(2).id).await.unwrap(), Some(Room { title: None, ..room(2) }));
}

pub(crate) async fn a_room_with_a_known_id_or_code_changes_nothing(store: &dyn Store) {
    store.insert(room(1)).await.unwrap();
    let same_id = Room { code: room(2).code, ..room(1) };
    let same_code = Room { id: room(2).id, ..room(1) };
    for taken in [same_id, same_code] {
        assert!(matches!(store.insert(taken).await, Err(StoreError::RoomTaken)));
    }
    assert_eq!(all(store).await, [room(1)]);
    assert_eq!(store.by_code(room(2).code).await.unwrap(), None);
}

pub(crate) async fn a_changed_room_has_its_new_code_only(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.insert(owned(1, 1)).await.unwrap();
    store.insert(room(2)).await.unwrap();
    let code = RoomCode::from_bytes([9; RoomCode::BYTES]);
    let changed = Room { code, title: None, ..owned(1, 1) };
    store.change(changed.clone()).await.unwrap();
    assert_eq!(store.by_code(code).await.unwrap(), Some(changed.clone()));
    assert_eq!(store.by_code(room(1).code).await.unwrap(), None);
    let taken = Room { code: room(2).code, ..changed.clone() };
    assert!(matches!(store.change(taken).await, Err(StoreError::RoomTaken)));
    let missing = store.change(room(3)).await;
    assert!(matches!(missing, Err(StoreError::Missing { what: "room" })), "{missing:?}");
    assert_eq!(all(store).await, [changed, room(2)]);
}

pub(crate) async fn an_account_has_its_rooms_and_a_hundred_at_most(store: &dyn Store) {
    store.add_account(member(1)).await.unwrap();
    store.add_account(member(2)).await.unwrap();
    let most = u8::try_from(ROOMS_PER_ACCOUNT).unwrap();
    for number in 0..most {
        store.insert(owned(number, 1)).await.unwrap();
    }
    let full = |result| matches!(result, Err(StoreError::Full { limit: ROOMS_PER_ACCOUNT, .. }));
    assert!(full(store.insert(owned(most, 1)).await));
    store.insert(owned(most, 2)).await.unwrap();
    assert!(full(store.change(owned(most, 1)).await), "nor by becoming the owner");
    store.change(Room { title: None, ..owned(0, 1) }).await.unwrap();
    assert_eq!(store.rooms_of(member(1).id).await.unwrap().len(), ROOMS_PER_ACCOUNT);
    assert_eq!(store.rooms_of(member(2).id).await.unwrap(), [owned(most, 2)]);
}

pub(crate) async fn a_room_needs_its_owner(store: &dyn Store) {
    store.insert(room(1)).await.unwrap();
    for refused in [store.insert(owned(2, 7)).await, store.change(owned(1, 7)).await] {
        assert!(matches!(refused, Err(StoreError::Missing { what: "account" })), "{refused:?}");
    }
    assert_eq!(all(store).await, [room(1)]);
}

pub(crate) async fn pages_of_rooms_put_together_are_all(store: &dyn Store) {
    for number in [5, 1, 4, 2, 3] {
        store.insert(room(number)).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.rooms(Page { after, limit: 2 }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page);
    }
    assert_eq!(found, (1..=5).map(room).collect::<Vec<_>>());
}

async fn all(store: &dyn Store) -> Vec<Room> {
    store.rooms(Page { after: None, limit: 100 }).await.unwrap()
}
