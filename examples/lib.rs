//! What an embedder writes around the sans-IO engine, once for all examples: a [`Shard`] for the
//! packets, a [`Transport`] a peer for its handshake, and the few lines that carry things between
//! the two.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use conf_media::command::{Command, Event, Fingerprint, PeerId};
use conf_media::dtls::{Acceptor, Backend, DtlsError};
use conf_media::egress::TxBatch;
use conf_media::net::control::{self, Transport};
use conf_media::rtp::Header;
use conf_media::shard::{Input, Output, Refusal, Shard, ShardConfig};
use conf_media::test_util::{Browser, Outgoing};
use conf_media::time::Now;

/// The engine of a program that owns its sockets and its clock.
#[derive(Debug)]
pub struct Engine {
    shard: Shard,
    acceptor: Acceptor,
    transports: BTreeMap<PeerId, Transport>,
    to_send: TxBatch,
    /// What was reported since it was last looked at.
    pub events: Vec<Event>,
}

impl Engine {
    /// Without peers; `seed` is random.
    ///
    /// # Errors
    /// If no certificate can be made.
    pub fn new(seed: u64) -> Result<Self, DtlsError> {
        Ok(Self {
            shard: Shard::new(ShardConfig { seed, ..ShardConfig::default() }),
            acceptor: Acceptor::start(Backend::Dimpl)?,
            transports: BTreeMap::new(),
            to_send: TxBatch::new(),
            events: Vec::new(),
        })
    }

    /// Of our certificate: an answer tells it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.acceptor.fingerprint()
    }

    /// A wish of the signalling: for the shard, the peer's handshake, or both.
    ///
    /// # Errors
    /// Why the shard refuses it.
    pub fn order(&mut self, now: Now, command: Command) -> Result<(), Refusal> {
        match &command {
            Command::AddPeer { peer, .. } => {
                let handshake = self.acceptor.accept(Arc::new(|| {}));
                self.transports.insert(*peer, Transport::new(handshake));
            }
            Command::ExpectFingerprint { peer, fingerprint } => {
                if let Some(transport) = self.transports.get_mut(peer) {
                    transport.handle(now.mono, control::Input::Expect(*fingerprint));
                }
            }
            Command::RemovePeer { peer } => drop(self.transports.remove(peer)),
            _ => {}
        }
        self.shard.handle(now, Input::Command(command))
    }

    /// A datagram came in. Many at a time cost less: `Shard::handle_batch`.
    pub fn receive(&mut self, now: Now, from: SocketAddr, bytes: &mut [u8]) {
        // A refused one is counted, and there is nobody to tell.
        let _ = self.shard.handle(now, Input::Datagram { from, bytes, arrival: now.mono });
    }

    /// Does what is due, and gives what is to be sent.
    pub fn turn(&mut self, now: Now) -> &TxBatch {
        self.shard.handle_timeout(now);
        for transport in self.transports.values_mut() {
            transport.handle_timeout(now.mono);
        }
        while let Some(output) = self.shard.poll() {
            match output {
                Output::ToControl { peer, bytes } => {
                    if let Some(transport) = self.transports.get_mut(&peer) {
                        transport.handle(now.mono, control::Input::Datagram(&bytes));
                    }
                }
                Output::Event(event) => self.events.push(event),
                _ => {}
            }
        }
        for (&peer, transport) in &mut self.transports {
            while let Some(output) = transport.poll() {
                let command = match output {
                    control::Output::Transmit(datagram) => Command::SendDatagram { peer, datagram },
                    control::Output::Connected(keys) => {
                        self.events.push(Event::Connected { peer, profile: keys.profile });
                        Command::SetKeys { peer, keys }
                    }
                    control::Output::Failed(reason) => {
                        self.events.push(Event::Failed { peer, reason });
                        continue;
                    }
                    control::Output::Data(_) => continue, // data channels are not used here
                };
                // The peer may be gone already.
                let _ = self.shard.handle(now, Input::Command(command));
            }
        }
        self.shard.flush(now, &mut self.to_send);
        &self.to_send
    }

    /// When to call [`Engine::turn`] at the latest.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        let transports = self.transports.values().filter_map(Transport::timeout);
        self.shard.timeout().into_iter().chain(transports).min()
    }
}

/// A far end sends 20 ms of sound from the source 7.
pub fn speak(browser: &mut Browser, sequence: u16) {
    let timestamp = u32::from(sequence) * 960;
    let header = Header { marker: false, payload_type: 111, sequence, timestamp, ssrc: 7 };
    browser.send(&Outgoing { header, extensions: &[], payload: &[0x5a; 100] });
}

/// Reads the clocks: a program owns them, the engine does not.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a program owns its clock")]
pub fn now() -> Now {
    Now { mono: Instant::now(), wall: jiff::Timestamp::now() }
}
