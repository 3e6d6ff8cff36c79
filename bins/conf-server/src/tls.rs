//! HTTPS: which certificate is served, where it comes from, and how it changes without a restart.
//!
//! ```text
//!  pem (files) ─► watch ──┐
//!                         ├─► Live ─► rustls, at each handshake
//!  acme (orders, renews) ─┘
//!        └─► Challenges ─► http/redirect, when the ACME server asks
//! ```

mod acme;
mod certificate;
mod challenges;
mod live;
mod pem;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch as channel;
use tokio::task::JoinHandle;

use crate::config::{Config, Tls};

pub(crate) use certificate::Certificate;
pub(crate) use challenges::Challenges;
pub(crate) use live::Live;
pub(crate) use pem::read_files;

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The system does not give the file.
    #[error("cannot {act} {path}: {cause}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Others may read the key.
    #[error(
        "{path} has mode {mode:04o}, allowed is {allowed:04o} or less: others may have read the private key. Get a new one, then restrict it (chmod {allowed:04o})"
    )]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The most that is allowed.
        allowed: u32,
    },
    /// Not what the file should hold.
    #[error("{path} {problem}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// In which way.
        problem: &'static str,
    },
    /// Certificate and key are not a pair.
    #[error("{path} is not certified by {cert}: the private key belongs to another certificate")]
    Mismatch {
        /// The key's file.
        path: PathBuf,
        /// The certificate's.
        cert: PathBuf,
    },
    /// Too late or too early.
    #[error(
        "{path} is valid from {begins} to {ends}, and now it is {now}: renew it, or set the clock"
    )]
    OutOfDate {
        /// Which file.
        path: PathBuf,
        /// From when.
        begins: jiff::Timestamp,
        /// Until when.
        ends: jiff::Timestamp,
        /// What the clock says.
        now: jiff::Timestamp,
    },
    /// Nobody is trusted.
    #[error(
        "no certificate authority is trusted on this machine, so the ACME server cannot be: install ca-certificates, or set tls.acme.root"
    )]
    NoRoots,
    /// The library refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// What serves HTTPS; dropped with the server.
#[derive(Debug)]
pub(crate) struct Https {
    /// For the listener.
    pub(crate) server: Arc<rustls::ServerConfig>,
    /// For the port of plain HTTP.
    pub(crate) challenges: Arc<Challenges>,
    /// Keeps the certificate current.
    pub(crate) keeper: JoinHandle<()>,
}

/// The certificate that was got by ACME last, if there is one.
///
/// # Errors
/// [`TlsError`], where its file is damaged or open to others.
pub(crate) fn stored(data_dir: &std::path::Path) -> Result<Option<Certificate>, TlsError> {
    acme::stored(&data_dir.join(acme::FOLDER))
}

/// Reads the certificate and starts what keeps it current: files that change (or `reload`), or
/// orders at an ACME server.
///
/// # Errors
/// [`TlsError`]; a certificate by ACME that is missing or over is no error, it is ordered.
pub(crate) fn start(
    tls: &Tls,
    config: &Config,
    reload: channel::Receiver<()>,
    stopping: channel::Receiver<bool>,
) -> Result<Https, TlsError> {
    let live = Arc::new(Live::default());
    let challenges = Arc::new(Challenges::default());
    let server = live::server(Arc::clone(&live)).map_err(TlsError::Setup)?;
    let keeper = match tls {
        Tls::Files(files) => {
            let now = crate::clock::wall();
            let seen = watch::Stamp::of(files);
            live.put(read_files(files, now)?);
            tokio::spawn(watch::keep(live, files.clone(), seen, reload, stopping))
        }
        Tls::Acme(settings) => {
            let folder = config.data_dir.join(acme::FOLDER);
            let keeper = acme::Keeper::new(settings, folder, live, Arc::clone(&challenges))?;
            tokio::spawn(keeper.keep(stopping))
        }
    };
    Ok(Https { server, challenges, keeper })
}
