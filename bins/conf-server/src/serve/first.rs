//! What has to be in the store before the first request: the open room, and a way in for the first
//! administrator.

use conf_core::account::LinkPurpose;
use conf_core::{Room, RoomCode, RoomId, RoomOptions};
use conf_privacy::Pii;
use conf_store::{Store, StoreError};

use crate::http::issue;

/// What is printed at start; whoever has one of these can use it.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) open_room: Option<Pii<String>>,
    /// While there is no administrator.
    pub(super) first_administrator: Option<Pii<String>>,
}

/// Puts both there; `base` begins their links.
///
/// # Errors
/// Those of the store.
pub(super) async fn fill(
    store: &dyn Store,
    code: Option<RoomCode>,
    base: &str,
) -> Result<Links, StoreError> {
    open_room(store, code).await?;
    Ok(Links {
        open_room: code.map(|code| Pii::new(format!("{base}/r/{code}"))),
        first_administrator: first_administrator(store, base).await?,
    })
}

/// Puts the open room there with this code, or takes it away.
async fn open_room(store: &dyn Store, code: Option<RoomCode>) -> Result<(), StoreError> {
    let Some(code) = code else {
        store.remove(OPEN_ROOM).await?;
        return Ok(());
    };
    let options = RoomOptions::default();
    let room = Room { id: OPEN_ROOM, owner: None, code, title: None, options };
    match store.room(OPEN_ROOM).await? {
        None => store.insert(room).await,
        Some(found) if found == room => Ok(()),
        Some(_) => store.change(room).await,
    }
}

/// The address where the first administrator signs up; `None` once there is one.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub(super) async fn first_administrator(
    store: &dyn Store,
    base: &str,
) -> Result<Option<Pii<String>>, StoreError> {
    if store.has_administrator().await? {
        return Ok(None);
    }
    let issued = issue(store, LinkPurpose::FirstAdministrator, None).await?;
    Ok(Some(issued.address(base)))
}

/// No other room has this id: theirs are random.
const OPEN_ROOM: RoomId = RoomId::from_u64(0);
