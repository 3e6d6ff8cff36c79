//! Everything that is kept in `data_dir`, opened in the order in which nothing can be overwritten.
//!
//! Folder (private, ours alone) → secrets → what a process that died left behind → database → gate
//! → what ended meanwhile. All of it before a port opens.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use conf_privacy::gate::{self, Difference};
use conf_privacy::policy::Policy;
use conf_store::spool::Spool;
use conf_store::sql::Sqlite;
use conf_store::{Fault, Folder, OpenError, PersonalStore as _, Store as _, StoreError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::secrets::{self, Secrets, SecretsError};
use crate::{clock, inventory};

/// What is open of `data_dir`.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    store: Arc<Sqlite>,
    _spool: Spool,
    _folder: Arc<Folder>,
}

/// Why what is kept was not opened. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// The folder or the database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The secrets.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The database does not answer.
    #[error("the database in data_dir does not answer")]
    Store(#[from] StoreError),
    /// Something is kept that is not declared, or the other way round.
    #[error("what is kept is not what is declared; nothing was changed:{}", listed(.0))]
    Differs(Vec<Difference>),
}

impl KeptError {
    /// What somebody has to look at.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Open(error) => error.fault(),
            Self::Secrets(error) => error.fault(),
            Self::Store(_) => Fault::Disk,
            Self::Differs(_) => Fault::Configuration,
        }
    }
}

impl Kept {
    /// Opens everything; then nothing undeclared is there, and nothing of an earlier meeting.
    pub(crate) async fn open(
        data_dir: &Path,
        policy: &Policy,
    ) -> Result<(Self, Secrets), KeptError> {
        let folder = Folder::open(data_dir)?;
        let secrets = secrets::load(data_dir)?;
        let spool = Spool::open(data_dir)?;
        let store = Arc::new(Sqlite::open(data_dir).await?);
        let kept = Self { store, _spool: spool, _folder: Arc::new(folder) };
        if let Err(error) = kept.begin(policy).await {
            // So that the log of the database does not stay beside it.
            kept.close().await;
            return Err(error);
        }
        Ok((kept, secrets))
    }

    async fn begin(&self, policy: &Policy) -> Result<(), KeptError> {
        let begun = clock::mono();
        let differences = self.differences(policy).await?;
        let took = clock::mono().duration_since(begun);
        if !differences.is_empty() {
            return Err(KeptError::Differs(differences));
        }
        tracing::info!(ms = took.as_millis(), "what is kept is what is declared");
        self.store.sweep(clock::wall()).await?;
        // What the process before could not finish.
        let _busy = self.store.settle().await?;
        Ok(())
    }

    async fn differences(&self, policy: &Policy) -> Result<Vec<Difference>, StoreError> {
        let seen = self.store.observed().await?;
        Ok(gate::check(&inventory::all(), &seen, policy))
    }

    /// Erases every ten minutes what has ended, and looks whether something came that is not declared.
    pub(crate) fn look_after(
        &self,
        policy: Arc<Policy>,
        mut stopping: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let kept = self.clone();
        let stopped = async move { drop(stopping.wait_for(|stop| *stop).await) };
        tokio::spawn(async move {
            tokio::pin!(stopped);
            let mut rounds = interval(ROUND);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            rounds.tick().await;
            loop {
                tokio::select! {
                    _ = rounds.tick() => kept.each_round(&policy).await,
                    () = &mut stopped => return,
                }
            }
        })
    }

    /// The database, for those who ask it.
    pub(crate) fn store(&self) -> Arc<Sqlite> {
        Arc::clone(&self.store)
    }

    /// Closes the database, when nobody needs it any more.
    pub(crate) async fn close(&self) {
        self.store.close().await;
    }

    async fn each_round(&self, policy: &Policy) {
        if let Err(error) = self.store.sweep(clock::wall()).await {
            tracing::error!(%error, "what has ended could not be erased");
        }
        match self.differences(policy).await {
            Ok(differences) if differences.is_empty() => {}
            // Which ones says the next start: a name might be personal.
            Ok(differences) => tracing::error!(
                count = differences.len(),
                "data_dir or the database has what is not declared; a restart will list it"
            ),
            Err(error) => tracing::error!(%error, "what is kept could not be looked at"),
        }
    }
}

fn listed(differences: &[Difference]) -> String {
    differences.iter().map(|difference| format!("\n  - {difference}")).collect()
}

/// The policy gives sessions and links a quarter of an hour to go.
const ROUND: Duration = Duration::from_secs(10 * 60);
