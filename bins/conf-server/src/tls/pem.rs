//! Reads certificate and key from PEM files and says in words what is wrong with them.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{Certificate, TlsError, live};
use crate::config::TlsFiles;

/// The pair of files of an operator: valid now, and the key not open to all.
///
/// # Errors
/// [`TlsError`] names the file and what is wrong.
pub(crate) fn read_files(files: &TlsFiles, now: Timestamp) -> Result<Certificate, TlsError> {
    let chain = read(&files.cert, ANY_MODE)?;
    let key = read(&files.key, KEY_MODE)?;
    let certificate = pair((&files.cert, &chain), (&files.key, &key))?;
    if certificate.is_valid(now) {
        return Ok(certificate);
    }
    let Certificate { begins, ends, .. } = certificate;
    Err(TlsError::OutOfDate { path: files.cert.clone(), begins, ends, now })
}

/// A chain and its key, each with the file it came from.
pub(super) fn pair(
    (cert, chain): (&Path, &[u8]),
    (path, key): (&Path, &[u8]),
) -> Result<Certificate, TlsError> {
    let wrong = |path: &Path, problem| TlsError::Content { path: path.to_owned(), problem };
    let chain = certificates(cert, chain)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| wrong(path, why_no_key(key)))?;
    let pair = CertifiedKey::from_der(chain, key, &live::provider());
    let pair = pair.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Mismatch { path: path.to_owned(), cert: cert.to_owned() }
        }
        rustls::Error::InvalidCertificate(_) => wrong(cert, NO_X509),
        _ => wrong(
            path,
            "holds a private key of a kind that is not served (RSA, ECDSA, Ed25519 are)",
        ),
    })?;
    Certificate::new(pair).ok_or_else(|| wrong(cert, NO_X509))
}

/// All certificates of a file, at least one.
pub(super) fn certificates(
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |problem| TlsError::Content { path: path.to_owned(), problem };
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|_| wrong("is damaged: it cannot be read as PEM"))?;
    if all.is_empty() {
        return Err(wrong("holds no certificate (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(all)
}

/// A file of at most [`LIMIT`] bytes with at most this mode.
pub(super) fn read(path: &Path, allowed: u32) -> Result<Vec<u8>, TlsError> {
    let failed = |cause| TlsError::Io { act: "read", path: path.to_owned(), cause };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_file() {
        return Err(TlsError::Content { path: path.to_owned(), problem: "is no file" });
    }
    if mode & !allowed != 0 {
        return Err(TlsError::Open { path: path.to_owned(), mode, allowed });
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LIMIT) {
        let problem = "is longer than 1 MiB";
        return Err(TlsError::Content { path: path.to_owned(), problem });
    }
    Ok(bytes)
}

fn why_no_key(pem: &[u8]) -> &'static str {
    let encrypted = String::from_utf8_lossy(pem).contains("ENCRYPTED");
    if encrypted {
        "is protected by a passphrase: allowed is a key without one"
    } else {
        "holds no private key (-----BEGIN PRIVATE KEY-----)"
    }
}

const NO_X509: &str = "holds a certificate that is no X.509 version 3";
const LIMIT: u64 = 1 << 20;
const ANY_MODE: u32 = 0o777;
/// The owner, and a group such as that of the program that renews it.
const KEY_MODE: u32 = 0o640;
