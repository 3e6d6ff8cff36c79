//! Why the store was not opened: each names the file, and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why the server's folder or its database was not opened. What was there is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The system refuses something.
    #[error("cannot {act} {}: {cause}", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Others may read it.
    #[error(
        "{} has mode {mode:04o}, allowed is {allowed:04o}: others may read what is stored. Restrict it (chmod {allowed:o})",
        path.display()
    )]
    Open {
        /// Which file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it may have.
        allowed: u32,
    },
    /// Another server works with it.
    #[error("{} is in use by another conf-server: one folder serves one", path.display())]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
    /// A database of another program.
    #[error(
        "{} belongs to another program; nothing was changed. Move it away, or name another data_dir",
        path.display()
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// Made by a newer version of this program.
    #[error(
        "{} has tables of version {found}, this program knows {known}; nothing was changed. Start the newer program, or restore an older backup",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The version of its tables.
        found: u32,
        /// The newest this program knows.
        known: u32,
    },
    /// Not what was once written.
    #[error("{} is damaged ({problem}); nothing was changed. Restore a backup", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// In which way.
        problem: String,
    },
    /// The database cannot be worked with.
    #[error("cannot work with {}: {cause}", path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        cause: sqlx::Error,
    },
}

/// What somebody has to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// What is configured: another folder, another version.
    Configuration,
    /// The disk: full, read-only, damaged.
    Disk,
    /// Who may do what with a file.
    Permission,
}

impl OpenError {
    /// What somebody has to look at.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Io { cause, .. } => fault_of(cause),
            Self::Open { .. } => Fault::Permission,
            Self::InUse { .. } | Self::Foreign { .. } | Self::Newer { .. } => Fault::Configuration,
            Self::Damaged { .. } | Self::Database { .. } => Fault::Disk,
        }
    }

    /// Makes an error of the system one of a path.
    pub(crate) fn io(act: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io { act, path: path.clone(), cause }
    }
}

/// What somebody has to look at after an error of the system.
#[must_use]
pub fn fault_of(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Fault::Permission,
        _ => Fault::Disk,
    }
}
