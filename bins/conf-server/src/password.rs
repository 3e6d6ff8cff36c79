//! Passwords: Argon2id (RFC 9106), on threads of their own.
//!
//! A hash is slow by design and takes 19 MiB, so only as many run at once as there are cores, and
//! those who wait stand in a bounded, fair line. The threads have the lowest priority: whatever a
//! running meeting has to do comes first.
//!
//! Somebody who has no account, or no password yet, costs the same hash as anybody else; the time
//! of the answer tells nothing.

mod line;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use conf_core::PasswordHash;
use conf_privacy::Pii;
use tokio::sync::oneshot;

use crate::metrics::Metrics;
use crate::random;
use line::Line;

/// The threads that hash, and the way to them.
#[derive(Debug)]
pub(crate) struct Hasher {
    line: Arc<Line<Job>>,
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    Right,
    /// Right, and the hash was made with other parameters than today's.
    RightButOld,
}

/// The line is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more passwords wait to be hashed than the line takes ({LINE})")]
pub(crate) struct Busy;

impl Hasher {
    /// Starts a thread for each core.
    pub(crate) fn start(metrics: Arc<Metrics>) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let line = Arc::new(Line::new(LINE));
        for _ in 0..cores {
            let (line, metrics) = (Arc::clone(&line), Arc::clone(&metrics));
            let started = thread::Builder::new().name("conf-hash".to_owned());
            let started = started.spawn(move || work(&line, &metrics));
            started.expect("the system gives a thread at start");
        }
        Self { line }
    }

    /// Compares a password; without a hash, the work is the same and the answer no. `asker` is a
    /// number for where the question comes from.
    ///
    /// # Errors
    /// [`Busy`].
    pub(crate) async fn verify(
        &self,
        asker: u64,
        password: Pii<String>,
        hash: Option<PasswordHash>,
    ) -> Result<Verdict, Busy> {
        self.ask(asker, |answer| Job::Verify { password, hash, answer }).await
    }

    /// Makes the hash of a password.
    ///
    /// # Errors
    /// [`Busy`].
    pub(crate) async fn make(
        &self,
        asker: u64,
        password: Pii<String>,
    ) -> Result<PasswordHash, Busy> {
        self.ask(asker, |answer| Job::Make { password, answer }).await
    }

    async fn ask<T>(
        &self,
        asker: u64,
        job: impl FnOnce(oneshot::Sender<T>) -> Job,
    ) -> Result<T, Busy> {
        let (answer, answered) = oneshot::channel();
        self.line.push(asker, job(answer));
        answered.await.map_err(|_| Busy)
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.line.close();
    }
}

#[derive(Debug)]
enum Job {
    Verify { password: Pii<String>, hash: Option<PasswordHash>, answer: oneshot::Sender<Verdict> },
    Make { password: Pii<String>, answer: oneshot::Sender<PasswordHash> },
}

impl Job {
    /// Nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Verify { answer, .. } => answer.is_closed(),
            Self::Make { answer, .. } => answer.is_closed(),
        }
    }

    fn run(self, nobodys: &Phc) {
        match self {
            Self::Verify { password, hash, answer } => {
                let _gone = answer.send(verdict(password.reveal(), hash.as_ref(), nobodys));
            }
            Self::Make { password, answer } => {
                let _gone = answer.send(made(password.reveal()));
            }
        }
    }
}

fn work(line: &Line<Job>, metrics: &Metrics) {
    // On Linux the priority belongs to the thread, not to the process.
    if rustix::process::nice(LOWEST_PRIORITY).is_err() {
        tracing::warn!("hashing runs at the priority of everything else");
    }
    let nobodys = nobodys();
    while let Some(job) = line.next() {
        if !job.is_abandoned() {
            metrics.password_hashes.fetch_add(1, Ordering::Relaxed);
            job.run(&nobodys);
        }
    }
}

fn verdict(password: &str, hash: Option<&PasswordHash>, nobodys: &Phc) -> Verdict {
    let hash = hash.and_then(|hash| Phc::new(hash.reveal()).ok());
    let against = hash.as_ref().unwrap_or(nobodys);
    let same = argon2id().verify_password(password.as_bytes(), against).is_ok();
    match hash {
        Some(hash) if same && is_of_today(&hash) => Verdict::Right,
        Some(_) if same => Verdict::RightButOld,
        _ => Verdict::Wrong,
    }
}

fn made(password: &str) -> PasswordHash {
    let salt: [u8; SALT] = random::bytes();
    let hash = argon2id().hash_password_with_salt(password.as_bytes(), &salt);
    PasswordHash::new(hash.expect("parameters and lengths are ours").to_string())
}

/// A hash that no password has, with today's parameters.
fn nobodys() -> Phc {
    let of = "its lengths and parameters are ours";
    Phc {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&PARAMS).expect(of),
        salt: Some(Salt::new(&random::bytes::<SALT>()).expect(of)),
        hash: Some(Output::new(&random::bytes::<32>()).expect(of)),
    }
}

fn is_of_today(hash: &Phc) -> bool {
    hash.algorithm == Algorithm::Argon2id.ident()
        && Params::try_from(hash).is_ok_and(|params| {
            let costs = |of: &Params| (of.m_cost(), of.t_cost(), of.p_cost());
            costs(&params) == costs(&PARAMS)
        })
}

fn argon2id() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS)
}

/// 19 MiB, two passes, one lane: the least that OWASP's password storage cheat sheet names.
const PARAMS: Params = match Params::new(19 * 1_024, 2, 1, None) {
    Ok(params) => params,
    Err(_) => panic!("the parameters are allowed"),
};
const SALT: usize = 16;
/// Who waits longer than about two seconds asks again anyway.
const LINE: usize = 100;
const LOWEST_PRIORITY: i32 = 19;

#[cfg(test)]
mod tests;
