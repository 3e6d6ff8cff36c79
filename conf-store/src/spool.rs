//! What a meeting has to put on the disk, such as uploads: encrypted, and gone with it.
//!
//! Each meeting has a [`Drawer`] with a key that is only in memory. When the drawer is dropped, the
//! key is overwritten and the files are removed; when the process dies, the key dies with it, and
//! opening the [`Spool`] again removes what was left, which nobody could read any more.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use conf_privacy::inventory::{Entry, Holds, Place};

use crate::OpenError;
use crate::crypt::{Key, Opening, Sealing};

/// The folder in which meetings keep files.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
}

impl Spool {
    /// Opens the spool below the server's folder, and removes what a process that died has left.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let folder = data_dir.join(FOLDER);
        let made = match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        };
        made.map_err(OpenError::io("make the folder", &folder))?;
        empty(&folder).map_err(OpenError::io("empty", &folder))?;
        Ok(Self { folder })
    }

    /// A drawer for one meeting.
    ///
    /// # Errors
    /// A system without randomness.
    pub fn drawer(&self) -> io::Result<Drawer> {
        Ok(Drawer { folder: self.folder.clone(), key: Key::random()?, files: Vec::new() })
    }

    /// Where the spool keeps something, and what.
    #[must_use]
    pub fn describe() -> Vec<Entry> {
        vec![
            Entry::new(Place::directory(FOLDER), SEALED),
            Entry::new(Place::file("spool/*"), SEALED),
        ]
    }
}

/// The files of one meeting.
#[derive(Debug)]
pub struct Drawer {
    folder: PathBuf,
    key: Key,
    files: Vec<PathBuf>,
}

/// A file in a drawer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId(usize);

impl Drawer {
    /// Begins a file. It can be read once [`Sealing::finish`] was called.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(&mut self) -> io::Result<(FileId, Sealing<File>)> {
        let mut name = [0; NAME];
        rand::fill(&mut name).map_err(|_| io::Error::other("the system gives no randomness"))?;
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.folder.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        self.files.push(path);
        Ok((FileId(self.files.len() - 1), Sealing::new(file, &self.key)?))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Those of the file system; `InvalidData` if it is not what was written.
    pub fn open(&self, file: FileId) -> io::Result<Opening<File>> {
        let path = self.files.get(file.0).ok_or(io::ErrorKind::NotFound)?;
        Opening::new(File::open(path)?, &self.key)
    }
}

impl Drop for Drawer {
    fn drop(&mut self) {
        for path in &self.files {
            // What cannot be removed now goes at the next start; without the key it is noise.
            let _left = fs::remove_file(path);
        }
    }
}

/// Removes the files; a folder was not made by us, and the gate finds it.
fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

const FOLDER: &str = "spool";
const NAME: usize = 16;
const SEALED: Holds = Holds::not_personal(
    "Dateien laufender Konferenzen, verschlüsselt; den Schlüssel gibt es nur im Arbeitsspeicher",
    "Files of meetings that run, encrypted; the key exists in memory only",
);

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let mut name = [0; 8];
            rand::fill(&mut name).unwrap();
            let name = format!("conf-spool-{:016x}", u64::from_ne_bytes(name));
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn files(&self) -> Vec<PathBuf> {
            fs::read_dir(self.0.join(FOLDER)).unwrap().map(|it| it.unwrap().path()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    fn put(drawer: &mut Drawer, text: &[u8]) -> FileId {
        let (id, mut file) = drawer.create().unwrap();
        file.write_all(text).unwrap();
        file.finish().unwrap();
        id
    }

    fn get(drawer: &Drawer, file: FileId) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        drawer.open(file)?.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn a_file_is_read_back_and_nothing_of_it_is_on_the_disk() {
        let folder = Folder::new();
        let mut drawer = Spool::open(&folder.0).unwrap().drawer().unwrap();
        let (one, two) = (put(&mut drawer, b"canary one"), put(&mut drawer, b"canary two"));
        assert_eq!(get(&drawer, one).unwrap(), b"canary one");
        assert_eq!(get(&drawer, two).unwrap(), b"canary two");
        for file in folder.files() {
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            let bytes = fs::read(file).unwrap();
            assert!(!bytes.windows(6).any(|window| window == b"canary"));
        }
    }

    #[test]
    fn with_the_drawer_its_files_go_and_no_others() {
        let folder = Folder::new();
        let spool = Spool::open(&folder.0).unwrap();
        let (mut ends, mut goes_on) = (spool.drawer().unwrap(), spool.drawer().unwrap());
        put(&mut ends, b"first");
        let kept = put(&mut goes_on, b"second");
        drop(ends);
        assert_eq!(folder.files().len(), 1);
        assert_eq!(get(&goes_on, kept).unwrap(), b"second");
    }

    #[test]
    fn a_file_of_another_meeting_in_the_place_of_one_does_not_open() {
        let folder = Folder::new();
        let spool = Spool::open(&folder.0).unwrap();
        let (mut one, mut two) = (spool.drawer().unwrap(), spool.drawer().unwrap());
        let (file, other) = (put(&mut one, b"first"), put(&mut two, b"second"));
        fs::copy(&two.files[other.0], &one.files[file.0]).unwrap();
        assert_eq!(get(&one, file).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn what_a_dead_process_left_goes_at_the_next_opening() {
        let folder = Folder::new();
        let mut drawer = Spool::open(&folder.0).unwrap().drawer().unwrap();
        put(&mut drawer, b"whole");
        let (_, half) = drawer.create().unwrap();
        std::mem::forget((drawer, half));
        assert_eq!(folder.files().len(), 2);
        Spool::open(&folder.0).unwrap();
        assert_eq!(folder.files().len(), 0);
    }
}
