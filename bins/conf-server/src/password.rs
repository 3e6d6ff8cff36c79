//! Passwords: Argon2id (RFC 9106), on threads of their own.
//!
//! A hash is slow by design and takes 46 MiB, so only as many run at once as there are cores, and
//! those who wait stand in a bounded, fair line. The threads have a low priority: whatever a
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
use argon2::{Algorithm, Argon2, Block, Params, Version};
use conf_core::PasswordHash;
use conf_privacy::Pii;
use subtle::ConstantTimeEq as _;
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

    fn run(self, memory: &mut Memory, nobodys: &Made) {
        match self {
            Self::Verify { password, hash, answer } => {
                let made = hash.as_ref().and_then(Made::read);
                let same = memory.gives(made.as_ref().unwrap_or(nobodys), password.reveal());
                let _gone = answer.send(match made {
                    Some(made) if same && made.is_of_today() => Verdict::Right,
                    Some(_) if same => Verdict::RightButOld,
                    _ => Verdict::Wrong,
                });
            }
            Self::Make { password, answer } => {
                let _gone = answer.send(memory.make(password.reveal()));
            }
        }
    }
}

fn work(line: &Line<Job>, metrics: &Metrics) {
    // On Linux the priority belongs to the thread, not to the process.
    if rustix::process::nice(LOW_PRIORITY).is_err() {
        tracing::warn!("hashing runs at the priority of everything else");
    }
    let (mut memory, nobodys) = (Memory::default(), Made::nobodys());
    while let Some(job) = line.next() {
        if !job.is_abandoned() {
            metrics.password_hashes.fetch_add(1, Ordering::Relaxed);
            job.run(&mut memory, &nobodys);
        }
    }
}

/// What was stored of a password, read.
struct Made {
    params: Params,
    salt: Salt,
    output: Output,
}

impl Made {
    fn read(hash: &PasswordHash) -> Option<Self> {
        let phc = Phc::new(hash.reveal()).ok()?;
        let ours = phc.algorithm == Algorithm::Argon2id.ident();
        let ours = ours && phc.version == Some(VERSION.into());
        let params = Params::try_from(&phc).ok()?;
        ours.then_some(Self { params, salt: phc.salt?, output: phc.hash? })
    }

    /// One that no password has, with today's parameters.
    fn nobodys() -> Self {
        let output = Output::new(&random::bytes::<OUTPUT>()).expect("its length is allowed");
        Self { params: PARAMS, salt: fresh_salt(), output }
    }

    fn is_of_today(&self) -> bool {
        let costs = |of: &Params| (of.m_cost(), of.t_cost(), of.p_cost());
        costs(&self.params) == costs(&PARAMS)
    }
}

/// The memory of one thread, kept from hash to hash: while the system takes it back and forth, it
/// holds up everything else in the process.
#[derive(Default)]
struct Memory(Vec<Block>);

impl Memory {
    /// Whether a password gives the same as was made before.
    fn gives(&mut self, made: &Made, password: &str) -> bool {
        let mut output = vec![0; made.output.len()];
        let hashed = self.hash(made.params.clone(), password, &made.salt, &mut output);
        hashed.is_ok() && made.output.as_bytes().ct_eq(&output).into()
    }

    fn make(&mut self, password: &str) -> PasswordHash {
        const OF: &str = "parameters and lengths are ours";
        let (salt, mut output) = (fresh_salt(), [0; OUTPUT]);
        self.hash(PARAMS, password, &salt, &mut output).expect(OF);
        let phc = Phc {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(VERSION.into()),
            params: ParamsString::try_from(&PARAMS).expect(OF),
            salt: Some(salt),
            hash: Some(Output::new(&output).expect(OF)),
        };
        PasswordHash::new(phc.to_string())
    }

    fn hash(
        &mut self,
        params: Params,
        password: &str,
        salt: &[u8],
        output: &mut [u8],
    ) -> argon2::Result<()> {
        let blocks = params.block_count().max(self.0.len());
        self.0.resize(blocks, Block::default());
        let argon2id = Argon2::new(Algorithm::Argon2id, VERSION, params);
        argon2id.hash_password_into_with_memory(password.as_bytes(), salt, output, &mut *self.0)
    }
}

fn fresh_salt() -> Salt {
    Salt::new(&random::bytes::<16>()).expect("its length is allowed")
}

/// 46 MiB, two passes, one lane: twice the least that OWASP's password storage cheat sheet names, so
/// that a comparison takes 50 ms or more.
const PARAMS: Params = match Params::new(46 * 1_024, 2, 1, None) {
    Ok(params) => params,
    Err(_) => panic!("the parameters are allowed"),
};
const VERSION: Version = Version::V0x13;
const OUTPUT: usize = 32;
/// On two cores they wait three seconds; who waits longer asks again anyway.
const LINE: usize = 100;
/// A tenth of what other threads get. With the lowest, one that is preempted while it takes a job or
/// wakes whoever waits for it would be away for long, and with it the lock it holds.
const LOW_PRIORITY: i32 = 10;

#[cfg(test)]
mod tests;
