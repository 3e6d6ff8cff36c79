//! What is not ours, damaged or newer is refused, and stays as it is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use conf_store::sql::Sqlite;
use conf_store::{Accounts as _, Fault, Folder, OpenError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, raw_sql};
use support::{Opened, member, sqlite};

/// A folder with a closed database of a hundred accounts.
async fn closed() -> (support::Folder, PathBuf) {
    let Opened { store, folder } = sqlite().await;
    for number in 1..=100 {
        store.add_account(member(number)).await.unwrap();
    }
    store.close().await;
    let path = folder.0.join("conf.db");
    (folder, path)
}

async fn refused(path: &Path) -> OpenError {
    let before = fs::read(path).unwrap();
    let error = Sqlite::open(path.parent().unwrap()).await.unwrap_err();
    assert_eq!(fs::read(path).unwrap(), before, "it was changed: {error}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    error
}

async fn run(path: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut other = options.connect().await.unwrap();
    raw_sql(statement).execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn what_was_stored_is_there_again() {
    let (folder, path) = closed().await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let store = Sqlite::open(&folder.0).await.unwrap();
    assert_eq!(store.account(member(7).id).await.unwrap(), Some(member(7)));
    for file in ["conf.db-wal", "conf.db-shm"] {
        let mode = fs::metadata(folder.0.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = support::Folder::new();
    let path = folder.0.join("conf.db");
    for bytes in [b"x".to_vec(), vec![0; 4096], (0..=255).cycle().take(100_000).collect()] {
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert_eq!(error.fault(), Fault::Disk);
    }
}

#[tokio::test]
async fn a_database_that_was_cut_or_overwritten_is_refused() {
    for length in [50, 100, 4096, 3 * 4096, 4 * 4096 + 100] {
        let (_folder, path) = closed().await;
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        assert!(file.metadata().unwrap().len() > length);
        file.set_len(length).unwrap();
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::Damaged { .. }), "{length}: {error}");
    }
    let (_folder, path) = closed().await;
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let folder = support::Folder::new();
    let path = folder.0.join("conf.db");
    run(&path, "CREATE TABLE pets (name TEXT); INSERT INTO pets VALUES ('Rex')").await;
    assert!(matches!(refused(&path).await, OpenError::Foreign { .. }));
    run(&path, "PRAGMA journal_mode = WAL").await;
    assert!(matches!(refused(&path).await, OpenError::Foreign { .. }));
    run(&path, "PRAGMA application_id = 7").await;
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Configuration);
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let (_folder, path) = closed().await;
    run(&path, "PRAGMA user_version = 2").await;
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_file_or_folder_that_others_can_use_is_refused() {
    let (folder, path) = closed().await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = refused(&path).await;
    assert!(error.to_string().contains("mode 0640, allowed is 0600"), "{error}");
    assert_eq!(error.fault(), Fault::Permission);
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    let error = Folder::open(&folder.0).unwrap_err();
    assert!(error.to_string().contains("mode 0755, allowed is 0700"), "{error}");
}

#[test]
fn a_folder_serves_one_at_a_time() {
    let folder = support::Folder::new();
    let path = folder.0.join("a/b");
    let first = Folder::open(&path).unwrap();
    assert!(matches!(Folder::open(&path), Err(OpenError::InUse { .. })));
    drop(first);
    Folder::open(&path).unwrap();
}
