//! The in-memory "socket" of one peer's handshake, and the queue that carries outputs away.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, oneshot};
use webrtc_dtls_util::{Conn, Error};

use crate::dtls::Output;
use crate::dtls::acceptor::Wake;
use crate::dtls::wire::{self, ALERT, HANDSHAKE, Record};

/// One end of the queue of outputs.
#[derive(Clone)]
pub(super) struct Outputs<End> {
    end: End,
    /// Whoever polls was woken and has not emptied the queue since.
    woken: Arc<AtomicBool>,
    wake: Wake,
}

/// A queue of `limit` outputs.
pub(super) fn outputs(
    limit: usize,
    wake: Wake,
) -> (Outputs<mpsc::Sender<Output>>, Outputs<mpsc::Receiver<Output>>) {
    let (sender, receiver) = mpsc::channel(limit);
    let woken = Arc::new(AtomicBool::new(false));
    let outputs = Outputs { end: sender, woken: woken.clone(), wake: wake.clone() };
    (outputs, Outputs { end: receiver, woken, wake })
}

impl Outputs<mpsc::Sender<Output>> {
    /// Something that must not be lost: waits for room.
    pub(super) async fn report(&self, output: Output) {
        if self.end.send(output).await.is_ok() {
            self.wake();
        }
    }

    /// A datagram: lost when there is no room.
    fn transmit(&self, datagram: Bytes) {
        if self.end.try_send(Output::Transmit(datagram)).is_ok() {
            self.wake();
        }
    }

    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }
}

impl Outputs<mpsc::Receiver<Output>> {
    /// The next one, if there is any.
    pub(super) fn take(&mut self) -> Option<Output> {
        if let Ok(output) = self.end.try_recv() {
            return Some(output);
        }
        // Empty: from here on news wake again. What came in between is found by looking once more.
        self.woken.store(false, Ordering::Release);
        self.end.try_recv().ok()
    }
}

/// What the crate takes for its socket. All its tasks hold it, so it is dropped after the last.
pub(super) struct Line {
    incoming: Mutex<mpsc::Receiver<Vec<u8>>>,
    outputs: Outputs<mpsc::Sender<Output>>,
    alerts: AtomicUsize,
    gone: Option<oneshot::Sender<usize>>,
}

impl Line {
    /// With a receiver that is told, when all tasks have ended, how many alerts they have sent.
    pub(super) fn new(
        incoming: mpsc::Receiver<Vec<u8>>,
        outputs: Outputs<mpsc::Sender<Output>>,
    ) -> (Self, oneshot::Receiver<usize>) {
        let (gone, told) = oneshot::channel();
        let incoming = Mutex::new(incoming);
        (Self { incoming, outputs, alerts: AtomicUsize::new(0), gone: Some(gone) }, told)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(gone) = self.gone.take() {
            let _ = gone.send(self.alerts.load(Ordering::Relaxed));
        }
    }
}

#[async_trait]
impl Conn for Line {
    async fn connect(&self, _: SocketAddr) -> Result<(), Error> {
        Ok(())
    }

    async fn recv(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let Some(datagram) = self.incoming.lock().await.recv().await else {
            return std::future::pending().await; // the owner is gone and ends the tasks
        };
        #[cfg(test)]
        assert!(datagram != PLANTED, "a planted bug");
        let place = buffer.get_mut(..datagram.len()).ok_or(Error::ErrBufferShort)?;
        place.copy_from_slice(&datagram);
        Ok(datagram.len())
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        Ok((self.recv(buffer).await?, NOWHERE))
    }

    async fn send(&self, datagram: &[u8]) -> Result<usize, Error> {
        if records(datagram).any(|record| record.content_type == ALERT) {
            self.alerts.fetch_add(1, Ordering::Relaxed);
        }
        self.outputs.transmit(Bytes::copy_from_slice(datagram));
        Ok(datagram.len())
    }

    async fn send_to(&self, datagram: &[u8], _: SocketAddr) -> Result<usize, Error> {
        self.send(datagram).await
    }

    fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(NOWHERE)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        Some(NOWHERE)
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// Our Finished is the one handshake message that we encrypt.
pub(super) fn carries_finished(datagram: &[u8]) -> bool {
    records(datagram).any(|record| record.content_type == HANDSHAKE && record.epoch == 1)
}

fn records(datagram: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = wire::Bytes(datagram);
    std::iter::from_fn(move || Record::read(&mut rest))
}

/// Addresses are the shard's business.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Makes the task that reads it panic.
#[cfg(test)]
pub(super) const PLANTED: &[u8] = b"planted";
