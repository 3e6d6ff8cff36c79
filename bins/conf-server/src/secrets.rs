//! What the server keeps secret: generated once into `data_dir/secrets.toml`, mode 0600.
//!
//! The folder is there, and ours alone (`conf_store::Folder`). The file is never overwritten. One
//! that others could read, or that cannot be read, stops the start with a message that says what to do: new secrets in its place would silently break every
//! link that was handed out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use conf_core::RoomCode;
use conf_privacy::Pii;
use conf_privacy::inventory::{Entry, Holds, Place};
use conf_store::{Fault, fault_of};
use serde::{Deserialize, Serialize};

use crate::random;

/// The secrets of one installation.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Names the key with which the server mints its own media tokens.
    pub token_key: String,
    /// Signs them.
    pub token_secret: Pii<String>,
    /// Opens the open room.
    pub open_room: RoomCode,
}

/// Why there are no secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsError {
    /// The system refuses something.
    #[error("cannot {act} {path}: {cause}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Others may read the file.
    #[error(
        "{path} has mode {mode:04o}, allowed is 0600: others may have read the secrets. Restrict it (chmod 600), or delete it to get new ones"
    )]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not what was once written.
    #[error(
        "{path} is broken ({problem}); restore it, or delete it to get new secrets (room links change then)"
    )]
    Broken {
        /// Which file.
        path: PathBuf,
        /// In which way.
        problem: &'static str,
    },
}

impl SecretsError {
    /// What somebody has to look at.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Io { cause, .. } => fault_of(cause),
            Self::Open { .. } => Fault::Permission,
            Self::Broken { .. } => Fault::Disk,
        }
    }
}

/// Where they are kept.
pub(crate) fn describe() -> Vec<Entry> {
    vec![Entry::new(Place::file(FILE), SERVERS_OWN)]
}

/// Reads the secrets of `data_dir`; at the first start makes the file.
///
/// # Errors
/// [`SecretsError`]; an existing file is left as it is.
pub fn load(data_dir: &Path) -> Result<Secrets, SecretsError> {
    let path = data_dir.join(FILE);
    remove_half_written(data_dir)?;
    match File::open(&path) {
        Ok(file) => read(&path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_new(data_dir, &path)?;
            File::open(&path).map_err(failed("read", &path)).and_then(|file| read(&path, file))
        }
        Err(error) => Err(failed("read", &path)(error)),
    }
}

/// What a start that was killed while it wrote has left: secrets that were never in use.
fn remove_half_written(data_dir: &Path) -> Result<(), SecretsError> {
    let failed = failed("look into", data_dir);
    for entry in fs::read_dir(data_dir).map_err(&failed)? {
        let entry = entry.map_err(&failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(BESIDE) && name.ends_with(NEW) {
            fs::remove_file(entry.path()).map_err(&failed)?;
        }
    }
    Ok(())
}

/// Writes beside the place and links into it, so that the file is whole or not there, and one
/// that another process made meanwhile stays.
fn write_new(data_dir: &Path, path: &Path) -> Result<(), SecretsError> {
    let beside = data_dir.join(format!("{BESIDE}{}{NEW}", random::text::<9>()));
    let written =
        write(&beside).map_err(failed("write", &beside)).and_then(|()| {
            match fs::hard_link(&beside, path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    Err(failed("write", path)(error))
                }
                _ => Ok(()),
            }
        });
    let _gone = fs::remove_file(&beside);
    written?;
    File::open(data_dir).and_then(|folder| folder.sync_all()).map_err(failed("write", path))
}

fn write(path: &Path) -> io::Result<()> {
    let stored = Stored {
        media_tokens: Tokens {
            key: format!("conf-{}", random::text::<6>()),
            secret: random::text::<32>(),
        },
        open_room: OpenRoom { code: RoomCode::from_bytes(random::bytes()) },
    };
    let text = toml::to_string(&stored).expect("three texts are always TOML");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(HEAD.as_bytes())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn read(path: &Path, file: File) -> Result<Secrets, SecretsError> {
    let broken = |problem| SecretsError::Broken { path: path.to_owned(), problem };
    let metadata = file.metadata().map_err(failed("read", path))?;
    if !metadata.is_file() {
        return Err(broken("no file"));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretsError::Open { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed("read", path))?;
    // The library's message quotes lines of the file, so only ours is shown.
    let stored: Stored = toml::from_str(&text).map_err(|_| broken("not the expected keys"))?;
    if stored.media_tokens.key.is_empty() || stored.media_tokens.secret.len() < SHORTEST_SECRET {
        return Err(broken("the secret of the media tokens is too short"));
    }
    Ok(Secrets {
        token_key: stored.media_tokens.key,
        token_secret: Pii::new(stored.media_tokens.secret),
        open_room: stored.open_room.code,
    })
}

fn failed(act: &'static str, path: &Path) -> impl Fn(io::Error) -> SecretsError {
    let path = path.to_owned();
    move |cause| SecretsError::Io { act, path: path.clone(), cause }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    media_tokens: Tokens,
    open_room: OpenRoom,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    key: String,
    secret: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenRoom {
    code: RoomCode,
}

const FILE: &str = "secrets.toml";
const BESIDE: &str = ".secrets-";
const NEW: &str = ".new";
const SERVERS_OWN: Holds = Holds::not_personal(
    "Geheimnisse des Servers, keine von Personen",
    "Secrets of the server, none of persons",
);
const HEAD: &str =
    "# Made by conf-server at its first start. Whoever reads it can enter every meeting.\n\n";
const MAX_BYTES: u64 = 64 * 1024;
/// RFC 7518, section 3.2.
const SHORTEST_SECRET: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let path = std::env::temp_dir().join(format!("conf-secrets-{}", random::text::<12>()));
        fs::create_dir(&path).unwrap();
        path
    }

    #[test]
    fn the_first_start_makes_them_and_later_ones_find_the_same() {
        let outer = folder();
        let data = outer.join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join(".secrets-half.new"), "half").unwrap();
        let first = load(&data).unwrap();
        let second = load(&data).unwrap();
        assert_eq!(first.open_room, second.open_room);
        assert_eq!(first.token_secret, second.token_secret);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&data.join("secrets.toml")), 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
        assert!(!format!("{first:?}").contains(first.token_secret.reveal()));
        fs::remove_dir_all(outer).unwrap();
    }

    #[test]
    fn a_file_that_others_can_read_stops_the_start() {
        let data = folder();
        load(&data).unwrap();
        let path = data.join("secrets.toml");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = load(&data).unwrap_err().to_string();
        assert!(error.contains("mode 0640, allowed is 0600"), "{error}");
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn a_broken_file_stops_the_start_and_stays_as_it_is() {
        let data = folder();
        let path = data.join("secrets.toml");
        for text in ["", "not toml", "[media_tokens]\nkey = \"a\"\nsecret = \"canary\"\n"] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = load(&data).unwrap_err();
            assert!(matches!(error, SecretsError::Broken { .. }));
            assert!(!format!("{error} {error:?}").contains("canary"));
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::remove_dir_all(data).unwrap();
    }
}
