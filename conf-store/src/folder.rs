//! The server's folder: nobody else may look into it, and one server works with it at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use conf_privacy::inventory::{Entry, Holds, Place};

use crate::OpenError;

/// The folder of a server that runs. The lock goes with it, or with the process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where there is none, and takes it for this process.
    ///
    /// # Errors
    /// [`OpenError::Open`] if others may look into it, [`OpenError::InUse`], [`OpenError::Io`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(OpenError::io("make the folder", path))?;
        private(path, 0o700)?;
        let lock = path.join(LOCK);
        let failed = OpenError::io("write", &lock);
        let options =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let file = options.map_err(&failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What taking the folder leaves in it.
    #[must_use]
    pub fn describe() -> Vec<Entry> {
        vec![Entry::new(Place::file(LOCK), EMPTY)]
    }
}

/// Refuses a file or folder that others may use, if there is one.
pub(crate) fn private(path: &Path, allowed: u32) -> Result<(), OpenError> {
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o7777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::io("read", path)(error)),
    };
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(OpenError::Open { path: path.to_owned(), mode, allowed }),
    }
}

const LOCK: &str = "lock";
const EMPTY: Holds = Holds::not_personal(
    "Leer; zeigt, dass ein Server mit dem Ordner arbeitet",
    "Empty; shows that a server works with the folder",
);
