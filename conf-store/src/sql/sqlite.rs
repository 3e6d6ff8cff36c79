//! Opens the database: refuses what is not ours, damaged or newer before anything is written.
//!
//! Settings, and why: the write-ahead log lets readers go on while somebody writes.
//! `synchronous=FULL`: with less, a power failure could bring back a session that was ended or a
//! password that was changed. `secure_delete=ON` overwrites erased rows with zeros, and truncating
//! the log takes their last copies away. `temp_store=MEMORY` keeps sorting off the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{
    ConnectOptions as _, Error, Row as _, Sqlite as Driver, Transaction, query, query_scalar,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::migrate::{self, Stamp};
use crate::folder::private;
use crate::{OpenError, Settled, StoreError};

/// The store in one SQLite file.
#[derive(Debug)]
pub struct Sqlite {
    inner: Arc<Inner>,
    settling: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    /// One connection, so writers queue here and not in SQLite.
    writer: SqlitePool,
    readers: SqlitePool,
    folder: PathBuf,
    erased: Notify,
}

impl Sqlite {
    /// Opens the database of a folder, which must exist; makes it where there is none.
    ///
    /// Needs a tokio runtime, in which it settles after erasures until it is dropped.
    ///
    /// # Errors
    /// [`OpenError`] names the file.
    pub async fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        look(&path)?;
        let logs = ["-wal", "-shm"].map(|suffix| with_suffix(&path, suffix));
        let absent: Vec<PathBuf> = logs.into_iter().filter(|log| !log.exists()).collect();
        let opened = Self::connect(folder, &path).await;
        if opened.is_err() {
            // A connection that failed closes by itself, perhaps not before the process ends.
            absent.iter().for_each(|log| drop(std::fs::remove_file(log)));
        }
        opened
    }

    async fn connect(folder: &Path, path: &Path) -> Result<Self, OpenError> {
        let failed = |cause| explain(path, cause);
        let options = options(path);
        let writer = pool(1).connect_with(options.clone()).await.map_err(failed)?;
        if let Err(error) = prepare(&writer, path).await {
            writer.close().await;
            return Err(error);
        }
        let readers = options.pragma("query_only", "ON");
        let readers = pool(READERS).connect_with(readers).await.map_err(failed)?;
        let folder = folder.to_owned();
        let inner = Arc::new(Inner { writer, readers, folder, erased: Notify::new() });
        let settling = tokio::spawn(settle_when_erased(Arc::clone(&inner)));
        Ok(Self { inner, settling })
    }

    /// Closes the database; its log goes with the last connection.
    pub async fn close(&self) {
        self.settling.abort();
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }

    pub(super) async fn read(&self) -> Result<PoolConnection<Driver>, StoreError> {
        Ok(self.inner.readers.acquire().await?)
    }

    pub(super) async fn write(&self) -> Result<Transaction<'static, Driver>, StoreError> {
        Ok(self.inner.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Has the traces of an erasure removed in the background, if there was one.
    pub(super) fn settle_soon(&self, erased: bool) {
        if erased {
            self.inner.erased.notify_one();
        }
    }

    pub(super) async fn settle_now(&self) -> Result<Settled, StoreError> {
        Ok(self.inner.settle().await?)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.inner.folder
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.settling.abort();
    }
}

impl Inner {
    async fn settle(&self) -> Result<Settled, Error> {
        let row = query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.writer).await?;
        let busy: i64 = row.try_get(0)?;
        Ok(if busy == 0 { Settled::Clean } else { Settled::Busy })
    }
}

/// One settling for many erasures; again while somebody reads old pages.
async fn settle_when_erased(inner: Arc<Inner>) {
    loop {
        inner.erased.notified().await;
        tokio::time::sleep(COALESCE).await;
        while !matches!(inner.settle().await, Ok(Settled::Clean)) {
            tokio::time::sleep(COALESCE).await;
        }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        // Statements have no values in them, but nobody needs them in a log either.
        .disable_statement_logging()
}

/// Connections that stay open, so that the log is not made and removed all the time.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// What a look at a database without opening it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance {
    /// There is none.
    Missing,
    /// It has no tables yet.
    Begun,
    /// The version of its tables.
    Version(u32),
}

/// Reads the head of a folder's database and changes nothing, also while a server works with it.
///
/// # Errors
/// [`OpenError`] where [`Sqlite::open`] would refuse the file.
pub fn glance(folder: &Path) -> Result<Glance, OpenError> {
    let path = folder.join(FILE);
    let failed = OpenError::io("read", &path);
    match File::open(&path) {
        Ok(file) => judge(&path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Glance::Missing),
        Err(error) => Err(failed(error)),
    }
}

/// Looks at the file without touching it; makes an empty one where there is none.
fn look(path: &Path) -> Result<(), OpenError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut new = OpenOptions::new();
            return new
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map(|_| ())
                .map_err(OpenError::io("make", path));
        }
        Err(error) => return Err(OpenError::io("read", path)(error)),
    };
    judge(path, file).map(drop)
}

fn judge(path: &Path, file: File) -> Result<Glance, OpenError> {
    if !file.metadata().map_err(OpenError::io("read", path))?.is_file() {
        return Err(OpenError::Damaged { path: path.to_owned(), problem: "no file".to_owned() });
    }
    for suffix in ["", "-wal", "-shm"] {
        private(&with_suffix(path, suffix), 0o600)?;
    }
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).map_err(OpenError::io("read", path))?;
    if head.is_empty() {
        return Ok(Glance::Begun);
    }
    let stamp = stamp_of(&head).ok_or_else(|| OpenError::Damaged {
        path: path.to_owned(),
        problem: "not an SQLite database".to_owned(),
    })?;
    // Before its first tables are moved out of the log, our own file is one page without a stamp.
    let begun = stamp == Stamp { application: 0, version: 0 } && pages(&head) == Some(1);
    if begun {
        return Ok(Glance::Begun);
    }
    accept(path, stamp)?;
    Ok(Glance::Version(stamp.version))
}

/// What the head of the file says (SQLite file format, section 1.3).
fn stamp_of(head: &[u8]) -> Option<Stamp> {
    head.starts_with(b"SQLite format 3\0").then_some(())?;
    Some(Stamp { application: number(head, 68)?, version: number(head, 60)? })
}

fn pages(head: &[u8]) -> Option<u32> {
    number(head, 28)
}

fn number(head: &[u8], at: usize) -> Option<u32> {
    let bytes = head.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn accept(path: &Path, stamp: Stamp) -> Result<(), OpenError> {
    let path = path.to_owned();
    if stamp.application != migrate::APPLICATION {
        return Err(OpenError::Foreign { path });
    }
    let (found, known) = (stamp.version, migrate::VERSION);
    if found > known {
        return Err(OpenError::Newer { path, found, known });
    }
    Ok(())
}

/// Asks the database itself, whose log may know more than the head of its file; then makes the
/// tables where there are none.
async fn prepare(writer: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    let failed = |cause| explain(path, cause);
    let mut db = writer.acquire().await.map_err(failed)?;
    let stamp = migrate::stamp(&mut db).await.map_err(failed)?;
    if stamp.application == 0 && migrate::is_empty(&mut db).await.map_err(failed)? {
        return migrate::make(&mut db).await.map_err(failed);
    }
    accept(path, stamp)?;
    let problem: String =
        query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *db).await.map_err(failed)?;
    match problem.as_str() {
        "ok" => Ok(()),
        _ => Err(OpenError::Damaged { path: path.to_owned(), problem }),
    }
}

/// Tells damage from what else SQLite complains about (its result codes).
fn explain(path: &Path, cause: Error) -> OpenError {
    const CORRUPT: u32 = 11;
    const NOT_A_DATABASE: u32 = 26;
    let path = path.to_owned();
    match primary_code(&cause) {
        Some(CORRUPT | NOT_A_DATABASE) => OpenError::Damaged { path, problem: cause.to_string() },
        _ => OpenError::Database { path, cause },
    }
}

fn primary_code(error: &Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The name of the database in the folder.
const FILE: &str = "conf.db";
const HEAD: u64 = 100;
const READERS: u32 = 3;
/// How long SQLite waits for another process, or for readers when it settles.
const BUSY: Duration = Duration::from_secs(2);
/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long erasures gather before one settling.
const COALESCE: Duration = Duration::from_millis(250);
