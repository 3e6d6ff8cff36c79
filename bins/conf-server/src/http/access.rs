//! What guards passwords and one-time links: who may try how often, and the threads that hash.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use conf_core::PasswordHash;
use conf_privacy::Pii;
use tokio::sync::{Mutex, MutexGuard};

use super::throttle::{GUESSES, SIGN_INS, Throttle};
use super::{ApiError, client};
use crate::clock;
use crate::metrics::Metrics;
use crate::password::{Hasher, Verdict};

/// Shared by the routes of accounts.
#[derive(Debug)]
pub(crate) struct Access {
    hasher: Hasher,
    sign_ins: Throttle,
    guesses: Throttle,
    changes: Mutex<()>,
    /// Turns an address into a number that means nothing elsewhere.
    key: RandomState,
}

impl Access {
    /// Starts the threads.
    pub(crate) fn start(metrics: Arc<Metrics>) -> Self {
        Self {
            hasher: Hasher::start(metrics),
            sign_ins: Throttle::new(SIGN_INS),
            guesses: Throttle::new(GUESSES),
            changes: Mutex::new(()),
            key: RandomState::new(),
        }
    }

    /// Takes one of the tries that an address has, at passwords and links.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`].
    pub(super) fn take(&self, from: IpAddr) -> Result<(), ApiError> {
        self.sign_ins.take(clock::mono(), from).map_err(too_many)
    }

    /// Takes one of the tries that an address has at one account.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`].
    pub(super) fn take_guess(&self, from: IpAddr, email: &str) -> Result<(), ApiError> {
        self.take(from)?;
        self.guesses.take_about(clock::mono(), from, email).map_err(too_many)
    }

    /// Compares a password; without a hash, the work is the same and the answer no.
    ///
    /// # Errors
    /// [`ApiError::Busy`].
    pub(super) async fn verify(
        &self,
        from: IpAddr,
        password: Pii<String>,
        hash: Option<PasswordHash>,
    ) -> Result<Verdict, ApiError> {
        Ok(self.hasher.verify(self.asker(from), password, hash).await?)
    }

    /// Makes the hash of a password.
    ///
    /// # Errors
    /// [`ApiError::Busy`].
    pub(super) async fn hash(
        &self,
        from: IpAddr,
        password: Pii<String>,
    ) -> Result<PasswordHash, ApiError> {
        Ok(self.hasher.make(self.asker(from), password).await?)
    }

    /// Waits for one's turn to read an account or room, change it and write it back: two at a time
    /// would undo each other.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().await
    }

    fn asker(&self, from: IpAddr) -> u64 {
        self.key.hash_one(client::network(from))
    }
}

/// The refusal that says when to come back.
pub(super) fn too_many(wait: Duration) -> ApiError {
    ApiError::TooManyRequests { retry_after: wait.as_secs() + 1 }
}
