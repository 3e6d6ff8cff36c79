//! What is really there, in the database and in its folder; the search for needles in it.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use conf_privacy::inventory::{Entry, Holds, Place};
use conf_privacy::needle::{Hit, Needles};
use sqlx::{Error, Row as _, SqliteConnection, query};

use super::Sqlite;
use super::tables;
use crate::table::Table;
use crate::{Found, PersonalStore, ScanReport, Settled, StoreError};

#[async_trait]
impl PersonalStore for Sqlite {
    fn describe(&self) -> Vec<Entry> {
        describe()
    }

    async fn observed(&self) -> Result<Vec<Place>, StoreError> {
        let mut places = schema(&mut *self.read().await?).await?;
        let folder = self.folder().to_owned();
        places.extend(blocking(move || files(&folder)).await?);
        Ok(places)
    }

    async fn settle(&self) -> Result<Settled, StoreError> {
        self.settle_now().await
    }

    async fn scan(&self, needles: &Needles) -> Result<ScanReport, StoreError> {
        let (folder, needles) = (self.folder().to_owned(), needles.clone());
        blocking(move || search(&folder, &needles)).await
    }
}

/// Every table and file of a database, without opening one.
#[must_use]
pub fn describe() -> Vec<Entry> {
    let tables = tables::ALL.iter().flat_map(Table::entries);
    tables.chain(FILES.iter().map(|path| Entry::new(Place::file(path), DATABASE))).collect()
}

/// Everything the schema names: SQLite's own tables too.
async fn schema(db: &mut SqliteConnection) -> Result<Vec<Place>, Error> {
    let listed = query("SELECT type, name, tbl_name FROM sqlite_master ORDER BY rowid");
    let mut places = Vec::new();
    for row in listed.fetch_all(&mut *db).await? {
        let (kind, name): (String, String) = (row.try_get("type")?, row.try_get("name")?);
        let table: String = row.try_get("tbl_name")?;
        match kind.as_str() {
            "table" => {
                places.extend(columns(db, &name).await?);
                places.push(Place::Table { table: name.into() });
            }
            "index" => places.push(Place::Index { table: table.into(), index: name.into() }),
            "view" => places.push(Place::View { view: name.into() }),
            _ => places.push(Place::Trigger { trigger: name.into() }),
        }
    }
    Ok(places)
}

/// All columns of a table, hidden and computed ones too.
async fn columns(db: &mut SqliteConnection, table: &str) -> Result<Vec<Place>, Error> {
    let listed = query("SELECT name FROM pragma_table_xinfo(?1)").bind(table.to_owned());
    let column = |row: sqlx::sqlite::SqliteRow| {
        let name: String = row.try_get("name")?;
        Ok(Place::Column { table: Cow::Owned(table.to_owned()), column: name.into() })
    };
    listed.try_map(column).fetch_all(db).await
}

/// All files and folders below `folder`. What is neither counts as a file; links are not followed.
fn files(folder: &Path) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    walk(folder, &mut |path, is_folder| {
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
        places.push(match is_folder {
            true => Place::Directory { path: name.into() },
            false => Place::File { path: name.into() },
        });
        Ok(())
    })?;
    Ok(places)
}

fn search(folder: &Path, needles: &Needles) -> io::Result<ScanReport> {
    let mut report = ScanReport::default();
    walk(folder, &mut |path, is_folder| {
        if is_folder || !fs::symlink_metadata(path).is_ok_and(|it| it.is_file()) {
            return Ok(());
        }
        match File::open(path) {
            Ok(file) => search_file(path, file, needles, &mut report),
            // It went meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    })?;
    Ok(report)
}

fn search_file(
    path: &Path,
    mut file: File,
    needles: &Needles,
    report: &mut ScanReport,
) -> io::Result<()> {
    let mut scanner = needles.scanner();
    let mut chunk = vec![0; CHUNK];
    let mut whole = Vec::new();
    let mut hits = Vec::new();
    let mut packed = |bytes: &[u8], hits: &mut Vec<Hit>| {
        let packed = needles.search_packed(bytes);
        report.unread += packed.unread;
        hits.extend(packed.hits);
    };
    loop {
        let length = file.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        report.bytes += u64::try_from(length).unwrap_or(u64::MAX);
        hits.extend(scanner.feed(bytes));
        // Larger files are looked into for what is compressed a stretch at a time.
        if whole.len() + bytes.len() > STRETCH {
            packed(&whole, &mut hits);
            whole.clear();
        }
        whole.extend_from_slice(bytes);
    }
    packed(&whole, &mut hits);
    let name = path.display().to_string();
    report.found.extend(hits.into_iter().map(|hit| Found { file: name.clone(), hit }));
    report.files += 1;
    Ok(())
}

/// Goes through a folder and all below, up to a number that no data folder of ours has.
fn walk(folder: &Path, see: &mut impl FnMut(&Path, bool) -> io::Result<()>) -> io::Result<()> {
    let mut waiting: Vec<PathBuf> = vec![folder.to_owned()];
    let mut seen = 0_usize;
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            seen += 1;
            if seen > MOST {
                return Err(io::Error::other("more than 100000 files and folders"));
            }
            let (path, is_folder) = (entry.path(), entry.file_type()?.is_dir());
            see(&path, is_folder)?;
            if is_folder {
                waiting.push(path);
            }
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    let flat = done.map_err(io::Error::other).and_then(|result| result);
    flat.map_err(|error| StoreError::Unavailable(Box::new(error)))
}

const FILES: [&str; 3] = ["conf.db", "conf.db-wal", "conf.db-shm"];
const DATABASE: Holds = Holds::not_personal(
    "Die Datenbank als Datei; was darin steht, ist je Tabelle angegeben",
    "The database as a file; what is in it is declared for each table",
);
const CHUNK: usize = 64 * 1024;
const STRETCH: usize = 32 * 1024 * 1024;
const MOST: usize = 100_000;
