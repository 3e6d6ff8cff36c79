//! The tasks of one peer: the one that does the handshake and carries data, and its watcher.

use std::sync::Arc;
use std::time::Duration;

use ::webrtc_dtls::Error;
use ::webrtc_dtls::config::Config;
use ::webrtc_dtls::conn::DTLSConn;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use webrtc_dtls_util::KeyingMaterialExporter as _;

use super::line::{Line, Outputs};
use crate::dtls::acceptor::Panics;
use crate::dtls::gate::MAX_DATAGRAM;
use crate::dtls::{DtlsError, HANDSHAKE_LIMIT, Output, fingerprint};
use crate::srtp::{Keys, Profile};

/// What the task works with.
pub(super) struct Work {
    pub(super) line: Line,
    pub(super) config: Config,
    pub(super) profile: Profile,
    pub(super) outputs: Outputs<mpsc::Sender<Output>>,
    pub(super) to_send: mpsc::Receiver<Bytes>,
}

/// How the work ended.
pub(super) enum End {
    Failed(DtlsError),
    /// The crate's reader has stopped: after an alert, or by a panic.
    Silent {
        connected: bool,
    },
    /// Nobody waits for it any more.
    Dropped,
}

impl Work {
    /// Handshake, then data, until one side closes.
    pub(super) async fn run(self) -> End {
        let Self { line, config, profile, outputs, mut to_send } = self;
        let handshake = DTLSConn::new(Arc::new(line), config, false, None);
        let dtls = match tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await {
            Ok(Ok(dtls)) => dtls,
            Ok(Err(Error::ErrAlertFatalOrClose)) => return End::Silent { connected: false },
            Ok(Err(error)) => return failed(error.to_string()),
            Err(_) => return failed("the peer has not answered for too long".into()),
        };
        match connected(&dtls, profile).await {
            Ok(output) => outputs.report(output).await,
            Err(error) => return End::Failed(error),
        }
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            tokio::select! {
                read = dtls.read(&mut buffer, None) => {
                    let Ok(len) = read else { return End::Silent { connected: true } };
                    let bytes = buffer.get(..len).map(Bytes::copy_from_slice).unwrap_or_default();
                    outputs.report(Output::Data(bytes)).await;
                }
                bytes = to_send.recv() => {
                    let Some(bytes) = bytes else { return End::Dropped };
                    if let Err(error) = dtls.write(&bytes, None).await {
                        return failed(error.to_string());
                    }
                }
            }
        }
    }
}

/// Keys and fingerprint of a handshake that is done.
async fn connected(dtls: &DTLSConn, profile: Profile) -> Result<Output, DtlsError> {
    if dtls.selected_srtpprotection_profile() as u16 != profile.to_dtls() {
        return Err(DtlsError::Downgraded);
    }
    let state = dtls.connection_state().await;
    let material = state
        .export_keying_material("EXTRACTOR-dtls_srtp", &[], profile.exporter_len())
        .await
        .map_err(|_| DtlsError::NoKeys)?;
    let keys = Keys::from_exporter(profile, &material, true).map_err(|_| DtlsError::NoKeys)?;
    let shown = state.peer_certificates.first().ok_or(DtlsError::NoKeys)?;
    Ok(Output::Connected { keys, fingerprint: fingerprint(shown) })
}

/// Waits for the end of the work, however it comes, and reports it.
pub(super) async fn watch(
    work: JoinHandle<End>,
    gone: oneshot::Receiver<usize>,
    outputs: Outputs<mpsc::Sender<Output>>,
    panics: Panics,
) {
    let panicked = match work.await {
        Ok(End::Dropped) => return,
        Ok(End::Failed(error)) => return outputs.report(Output::Failed(error)).await,
        // The crate's reader never stops without an alert of ours, unless it panics.
        Ok(End::Silent { connected }) => match tokio::time::timeout(TASKS_END, gone).await {
            Ok(Ok(0)) => true,
            _ if connected => return outputs.report(Output::Closed).await,
            _ => false,
        },
        Err(error) if error.is_panic() => true,
        Err(_) => return, // aborted by its owner
    };
    let error = if panicked {
        panics.add();
        tracing::error!("a panic in a handshake was caught");
        DtlsError::Panicked
    } else {
        DtlsError::Backend { reason: "the peer refused to go on".into() }
    };
    outputs.report(Output::Failed(error)).await;
}

fn failed(reason: String) -> End {
    End::Failed(DtlsError::Backend { reason })
}

/// The crate's tasks end as soon as they are scheduled.
const TASKS_END: Duration = Duration::from_secs(1);
