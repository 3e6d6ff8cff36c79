//! What every store of rooms does, tried through the trait.

use conf_core::{Room, RoomCode, RoomId, RoomOptions};
use conf_store::memory::Memory;
use conf_store::{Page, Rooms, StoreError};

fn room(number: u8) -> Room {
    Room {
        id: RoomId::from_u64(u64::from(number)),
        owner: None,
        code: RoomCode::from_bytes([number; RoomCode::BYTES]),
        title: Some(format!("Room {number}").into()),
        options: RoomOptions::default(),
    }
}

/// Each kind of store, empty.
fn stores() -> Vec<Box<dyn Rooms>> {
    vec![Box::new(Memory::default())]
}

#[tokio::test]
async fn a_room_is_found_by_its_code_until_it_is_removed() {
    for store in stores() {
        store.insert(room(1)).await.unwrap();
        store.insert(room(2)).await.unwrap();
        assert_eq!(store.by_code(room(2).code).await.unwrap(), Some(room(2)));
        assert_eq!(store.by_code(room(3).code).await.unwrap(), None);
        assert_eq!(store.remove(room(2).id).await.unwrap(), Some(room(2)));
        assert_eq!(store.remove(room(2).id).await.unwrap(), None);
        assert_eq!(store.by_code(room(2).code).await.unwrap(), None);
        store.insert(room(2)).await.unwrap();
    }
}

#[tokio::test]
async fn a_room_with_a_known_id_or_code_changes_nothing() {
    for store in stores() {
        store.insert(room(1)).await.unwrap();
        let same_id = Room { code: room(2).code, ..room(1) };
        let same_code = Room { id: room(2).id, ..room(1) };
        for taken in [same_id, same_code] {
            assert!(matches!(store.insert(taken).await, Err(StoreError::RoomTaken)));
        }
        let all = Page { after: None, limit: 10 };
        assert_eq!(store.list(all).await.unwrap(), [room(1)]);
        assert_eq!(store.by_code(room(2).code).await.unwrap(), None);
    }
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list() {
    for store in stores() {
        for number in [5, 1, 4, 2, 3] {
            store.insert(room(number)).await.unwrap();
        }
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(Page { after, limit: 2 }).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            all.extend(page);
        }
        assert_eq!(all, (1..=5).map(room).collect::<Vec<_>>());
    }
}
