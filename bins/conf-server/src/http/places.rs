//! How many websockets are open, and how many of them may still be strangers.
//!
//! A meeting websocket is a stranger until it has said hello. When too many wait, the one that has
//! waited longest goes: people say hello at once, so a flood pushes out itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::ApiError;

/// The places of all websockets.
#[derive(Debug)]
pub(crate) struct Places {
    open: Arc<Semaphore>,
    most: u32,
    strangers: Mutex<VecDeque<oneshot::Sender<()>>>,
    most_strangers: usize,
}

/// One open websocket; free again when it is dropped.
pub(crate) type Place = OwnedSemaphorePermit;

impl Places {
    /// Places for `most` websockets, `most_strangers` of them before their hello.
    pub(crate) fn new(most: u32, most_strangers: usize) -> Self {
        let open = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(usize::MAX)));
        Self { open, most, strangers: Mutex::default(), most_strangers }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`ApiError::TooManySockets`].
    pub(crate) fn take(&self) -> Result<Place, ApiError> {
        let limit = usize::try_from(self.most).unwrap_or(usize::MAX);
        Arc::clone(&self.open).try_acquire_owned().map_err(|_| ApiError::TooManySockets { limit })
    }

    /// One more stranger: what is returned fires when it has to go for a newer one.
    pub(crate) fn stranger(&self) -> oneshot::Receiver<()> {
        let (push, pushed) = oneshot::channel();
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if strangers.len() >= self.most_strangers {
            strangers.retain(|stranger| !stranger.is_closed());
        }
        if strangers.len() >= self.most_strangers
            && let Some(longest) = strangers.pop_front()
        {
            let _gone_already = longest.send(());
        }
        strangers.push_back(push);
        pushed
    }

    /// Waits until no websocket is open; none opens any more.
    pub(crate) async fn empty(&self) {
        let all = self.open.acquire_many(self.most).await;
        drop(all);
        self.open.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oneshot::error::TryRecvError;

    #[test]
    fn no_more_websockets_open_than_there_are_places() {
        let places = Places::new(2, 9);
        let first = places.take().unwrap();
        let _second = places.take().unwrap();
        assert_eq!(places.take().unwrap_err(), ApiError::TooManySockets { limit: 2 });
        drop(first);
        let _third = places.take().unwrap();
    }

    #[test]
    fn a_flood_of_strangers_pushes_out_itself() {
        let places = Places::new(9, 2);
        let known = places.stranger();
        drop(known); // It said hello.
        let mut longest = places.stranger();
        let mut second = places.stranger();
        assert_eq!(longest.try_recv(), Err(TryRecvError::Empty));
        let mut newest = places.stranger();
        assert_eq!(longest.try_recv(), Ok(()));
        assert_eq!(second.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(newest.try_recv(), Err(TryRecvError::Empty));
    }
}
