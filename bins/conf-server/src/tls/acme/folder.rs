//! `data_dir/acme`: the account at the ACME server and the certificate, mode 0600 each.
//!
//! Certificate and key are one file, so that a crash cannot leave one without the other.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};

use crate::tls::{Certificate, TlsError, pem};

/// The folder; made where it is missing.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

#[derive(Serialize, Deserialize)]
struct Stored {
    /// Accounts are known to one ACME server only.
    directory: String,
    credentials: AccountCredentials,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Result<Self, TlsError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(failed("make", &path))?;
        Ok(Self(path))
    }

    /// The certificate that was got last; it may be over.
    pub(super) fn certificate(&self) -> Result<Option<Certificate>, TlsError> {
        certificate_in(&self.0)
    }

    /// Stores a new one and reads it back.
    pub(super) fn keep_certificate(&self, key: &str, chain: &str) -> Result<Certificate, TlsError> {
        let path = self.0.join(CERTIFICATE);
        let pem = format!("{}\n{}\n", key.trim(), chain.trim());
        // Nothing that cannot be served takes the place of what can.
        let certificate = pem::pair((&path, pem.as_bytes()), (&path, pem.as_bytes()))?;
        self.write(CERTIFICATE, pem.as_bytes()).map_err(failed("write", &path))?;
        Ok(certificate)
    }

    /// The account at this ACME server, if there is one.
    pub(super) fn account(&self, directory: &str) -> Result<Option<AccountCredentials>, TlsError> {
        let path = self.0.join(ACCOUNT);
        let Some(json) = read(&path)? else { return Ok(None) };
        let problem = "is damaged: restore it, or delete it to get a new account";
        let stored: Stored =
            serde_json::from_slice(&json).map_err(|_| TlsError::Content { path, problem })?;
        Ok((stored.directory == directory).then_some(stored.credentials))
    }

    pub(super) fn keep_account(
        &self,
        directory: &str,
        credentials: AccountCredentials,
    ) -> Result<(), TlsError> {
        let stored = Stored { directory: directory.to_owned(), credentials };
        let json = serde_json::to_vec(&stored).map_err(io::Error::from);
        let written = json.and_then(|json| self.write(ACCOUNT, &json));
        written.map_err(failed("write", &self.0.join(ACCOUNT)))
    }

    /// Whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (path, draft) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(MODE).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        fs::File::open(&self.0)?.sync_all()
    }
}

/// The certificate that was got last.
pub(super) fn certificate_in(folder: &Path) -> Result<Option<Certificate>, TlsError> {
    let path = folder.join(CERTIFICATE);
    let Some(pem) = read(&path)? else { return Ok(None) };
    pem::pair((&path, &pem), (&path, &pem)).map(Some)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, TlsError> {
    match pem::read(path, MODE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(TlsError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    let path = path.to_owned();
    move |cause| TlsError::Io { act, path, cause }
}

const MODE: u32 = 0o600;
const CERTIFICATE: &str = "certificate.pem";
const ACCOUNT: &str = "account.json";
