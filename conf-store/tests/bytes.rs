//! What is erased is gone from the files, whatever way it might be written there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::fs;

use conf_core::{Account, AccountId, RoomCode};
use conf_privacy::needle::Needles;
use conf_store::{
    Accounts as _, Links as _, PersonalStore as _, Rooms as _, Sessions as _, Settled,
};
use conf_store::{Session, Store as _};
use support::{
    Opened, administrator, at, digest, hash, link, member, owned, room, session, sqlite,
};

/// Everything personal that an account with a session, a link and a room leaves.
fn texts(number: u8) -> Vec<String> {
    let account = member(number);
    let room = owned(number, number);
    vec![
        account.name.reveal().clone(),
        account.email.reveal().to_owned(),
        account.password.unwrap().reveal().to_owned(),
        room.code.to_string(),
        room.title.unwrap().reveal().clone(),
        account.id.to_string(),
    ]
}

/// Whether any byte sequence is in any file of the folder.
fn on_disk(opened: &Opened, bytes: &[u8]) -> bool {
    let files = fs::read_dir(&opened.folder.0).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|file| fs::read(file).unwrap())
        .any(|all| all.windows(bytes.len()).any(|window| window == bytes))
}

async fn found(opened: &Opened, texts: &[String]) -> usize {
    let report = opened.store.scan(&Needles::new(texts).unwrap()).await.unwrap();
    assert!(report.files >= 3 && report.bytes > 0, "{report:?}");
    report.found.len()
}

async fn put(opened: &Opened, number: u8) {
    let store = &opened.store;
    store.add_account(member(number)).await.unwrap();
    store.add_session(session(number, number, 100)).await.unwrap();
    store.add_link(link(number.wrapping_add(100), Some(number), 100)).await.unwrap();
    store.insert(owned(number, number)).await.unwrap();
}

async fn settled(opened: &Opened) {
    assert_eq!(opened.store.settle().await.unwrap(), Settled::Clean);
    let log = fs::metadata(opened.folder.0.join("conf.db-wal")).unwrap();
    assert_eq!(log.len(), 0);
}

#[tokio::test]
async fn of_a_removed_account_nothing_remains() {
    let opened = sqlite().await;
    for number in 1..=100 {
        put(&opened, number).await;
    }
    settled(&opened).await;
    let all: Vec<_> = (1..=100).flat_map(texts).collect();
    assert!(found(&opened, &all).await >= all.len(), "the search finds what is there");
    assert!(on_disk(&opened, &digest(7)) && on_disk(&opened, &digest(107)));
    for number in (1..=100).filter(|number| number % 3 != 0) {
        opened.store.remove_account(member(number).id).await.unwrap();
    }
    settled(&opened).await;
    let gone: Vec<_> = (1..=100).filter(|number| number % 3 != 0).flat_map(texts).collect();
    assert_eq!(found(&opened, &gone).await, 0);
    for number in (1..=100).filter(|number| number % 3 != 0) {
        assert!(!on_disk(&opened, &digest(number)), "{number}");
        assert!(!on_disk(&opened, &digest(number + 100)), "{number}");
    }
    let kept: Vec<_> = (1..=100).filter(|number| number % 3 == 0).flat_map(texts).collect();
    assert!(found(&opened, &kept).await >= kept.len());
}

#[tokio::test]
async fn of_what_was_changed_the_old_does_not_remain() {
    let opened = sqlite().await;
    opened.store.add_account(administrator(50)).await.unwrap();
    for number in 1..=20 {
        put(&opened, number).await;
    }
    for number in 1..=20 {
        let changed = Account {
            name: "N".to_owned().into(),
            email: format!("somebody-with-a-longer-address-{number}@example.org").parse().unwrap(),
            password: Some(hash("second")),
            ..member(number)
        };
        opened.store.change_account(changed).await.unwrap();
        let mut room = owned(number, number);
        room.code = RoomCode::from_bytes([number + 100; RoomCode::BYTES]);
        room.title = None;
        opened.store.change(room).await.unwrap();
    }
    settled(&opened).await;
    let id = |text: &String| text.starts_with("a-");
    let old: Vec<_> = (1..=20).flat_map(texts).filter(|text| !id(text)).collect();
    assert_eq!(found(&opened, &old).await, 0);
    for number in 1..=20 {
        assert!(!on_disk(&opened, &digest(number)), "its session ended with the password");
    }
}

#[tokio::test]
async fn of_ended_sessions_used_links_and_removed_rooms_nothing_remains() {
    let opened = sqlite().await;
    for number in 1..=20 {
        put(&opened, number).await;
        opened.store.insert(room(number + 50)).await.unwrap();
    }
    for number in 1..=20 {
        opened.store.end_session(&digest(number)).await.unwrap();
        let account = Account { password: Some(hash("second")), ..member(number) };
        opened.store.redeem(&digest(number + 100), at(0), account).await.unwrap();
        opened.store.remove(room(number + 50).id).await.unwrap();
    }
    settled(&opened).await;
    for number in 1..=20 {
        assert!(!on_disk(&opened, &digest(number)) && !on_disk(&opened, &digest(number + 100)));
    }
    let rooms = (51..=70).map(|number| room(number).title.unwrap().reveal().clone());
    assert_eq!(found(&opened, &rooms.collect::<Vec<_>>()).await, 0);
    let hashes = (1..=20).map(|number| member(number).password.unwrap().reveal().to_owned());
    assert_eq!(found(&opened, &hashes.collect::<Vec<_>>()).await, 0);
}

#[tokio::test]
async fn of_thousands_that_came_and_went_in_any_order_nothing_remains() {
    let opened = sqlite().await;
    let mut rooms = Vec::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for _ in 0..3_000 {
        let bits = next();
        if bits % 3 == 0 && !rooms.is_empty() {
            let at = usize::try_from(bits >> 32).unwrap() % rooms.len();
            let room: conf_core::Room = rooms.swap_remove(at);
            opened.store.remove(room.id).await.unwrap();
            continue;
        }
        let mut made = room(0);
        made.id = conf_core::RoomId::from_u64(bits);
        let code: [u8; 12] = std::array::from_fn(|i| {
            bits.rotate_left(11 * u32::try_from(i).unwrap()).to_le_bytes()[0]
        });
        made.code = RoomCode::from_bytes(code);
        made.title =
            Some(format!("Planted {}", "x".repeat(usize::try_from(bits % 90).unwrap())).into());
        opened.store.insert(made.clone()).await.unwrap();
        rooms.push(made);
    }
    for room in rooms.drain(..) {
        opened.store.remove(room.id).await.unwrap();
    }
    settled(&opened).await;
    assert!(!on_disk(&opened, b"Planted"));
    assert!(!on_disk(&opened, b"anyone"), "not a byte of a row");
}

#[tokio::test]
async fn the_store_settles_by_itself_soon_after_an_erasure() {
    let opened = sqlite().await;
    opened.store.add_account(member(1)).await.unwrap();
    opened.store.add_session(session(1, 1, 100)).await.unwrap();
    opened.store.end_session(&digest(1)).await.unwrap();
    let clock = tokio::time::Instant::now();
    while on_disk(&opened, &digest(1)) {
        assert!(clock.elapsed().as_secs() < 2, "it is still there");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_sweep_leaves_nothing_of_what_has_ended() {
    let opened = sqlite().await;
    opened.store.add_account(member(1)).await.unwrap();
    for number in 0..40 {
        let account = AccountId::from_u64(1);
        let session = Session { digest: digest(number), account, ends_at: at(100) };
        opened.store.add_session(session).await.unwrap();
    }
    assert_eq!(opened.store.sweep(at(100)).await.unwrap(), 40);
    settled(&opened).await;
    for number in 0..40 {
        assert!(!on_disk(&opened, &digest(number)), "{number}");
    }
}
