//! The DTLS backend: `dimpl` as a DTLS 1.2 server.
//!
//! Version 1.2 on purpose: the crate's 1.3 server takes the peer's first SRTP profile, which in
//! Chromium is AES-CM with SHA-1, four times the cost per packet; its 1.2 server prefers
//! AES-256-GCM, then AES-128-GCM, and takes AES-CM only when no GCM is offered. What it chose is
//! compared with the offer that [`super::hello`] read: another choice ends the handshake.

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use bytes::Bytes;

use super::hello::Reader;
use super::{Certificate, Dtls, DtlsError, MTU, Output, fingerprint};
use crate::command::Fingerprint;
use crate::srtp::{Keys, Profile};

/// One handshake; holds no state of the backend until a sound ClientHello is there.
pub struct Server {
    certificate: Certificate,
    stage: Stage,
    outputs: VecDeque<Output>,
    timeout: Option<Instant>,
}

enum Stage {
    Hello(Reader),
    Handshake(Handshake),
    Connected(::dimpl::Dtls),
    Closed,
}

struct Handshake {
    dtls: ::dimpl::Dtls,
    /// What must come out.
    profile: Profile,
    keys: Option<Keys>,
    fingerprint: Option<Fingerprint>,
    done: bool,
}

impl Server {
    /// A server that waits for its ClientHello.
    #[must_use]
    pub fn new(certificate: Certificate) -> Self {
        Self {
            certificate,
            stage: Stage::Hello(Reader::default()),
            outputs: VecDeque::new(),
            timeout: None,
        }
    }

    /// What it shows.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn start(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        let Stage::Hello(reader) = &mut self.stage else { return Ok(()) };
        let Some(hello) = reader.push(datagram)? else { return Ok(()) };
        let config = self.certificate.config.clone();
        let dtls = ::dimpl::Dtls::new_12(config, (*self.certificate.der).clone(), now);
        self.stage = Stage::Handshake(Handshake {
            dtls,
            profile: hello.profile,
            keys: None,
            fingerprint: None,
            done: false,
        });
        self.feed(now, &hello.record)
    }

    fn feed(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        let (Stage::Handshake(Handshake { dtls, .. }) | Stage::Connected(dtls)) = &mut self.stage
        else {
            return Ok(());
        };
        dtls.handle_timeout(now).map_err(backend)?;
        dtls.handle_packet(datagram).map_err(backend)?;
        self.drain()
    }

    /// Takes everything out of the backend; its state is only consistent after that.
    fn drain(&mut self) -> Result<(), DtlsError> {
        // Where the backend writes its records: not kept, for a peer says little after its handshake.
        let buffer = &mut vec![0; BUFFER];
        match &mut self.stage {
            Stage::Handshake(handshake) => {
                loop {
                    match handshake.step(buffer)? {
                        Step::Output(output) => self.outputs.push_back(output),
                        Step::Again => {}
                        Step::Wait(at) => {
                            self.timeout = Some(at);
                            break;
                        }
                    }
                }
                self.promote()
            }
            Stage::Connected(dtls) => loop {
                match common(dtls.poll_output(buffer))? {
                    Step::Output(Output::Closed) => {
                        self.outputs.push_back(Output::Closed);
                        self.stage = Stage::Closed;
                        self.timeout = None;
                        return Ok(());
                    }
                    Step::Output(output) => self.outputs.push_back(output),
                    Step::Again => {}
                    Step::Wait(at) => {
                        self.timeout = Some(at);
                        return Ok(());
                    }
                }
            },
            Stage::Hello(_) | Stage::Closed => Ok(()),
        }
    }

    /// From handshake to channel, once the backend says so.
    fn promote(&mut self) -> Result<(), DtlsError> {
        if !matches!(&self.stage, Stage::Handshake(handshake) if handshake.done) {
            return Ok(());
        }
        let Stage::Handshake(handshake) = std::mem::replace(&mut self.stage, Stage::Closed) else {
            return Ok(());
        };
        let keys = handshake.keys.ok_or(DtlsError::NoKeys)?;
        let fingerprint = handshake.fingerprint.ok_or(DtlsError::NoKeys)?;
        if keys.profile != handshake.profile {
            return Err(DtlsError::Downgraded);
        }
        // Data that came with the last flight is queued behind the news that there are keys.
        let follows = |output: &Output| matches!(output, Output::Data(_) | Output::Closed);
        let early = self.outputs.iter().position(follows);
        let at = early.unwrap_or(self.outputs.len());
        self.outputs.insert(at, Output::Connected { keys, fingerprint });
        self.stage = Stage::Connected(handshake.dtls);
        Ok(())
    }

    fn end(&mut self, error: DtlsError) -> DtlsError {
        self.stage = Stage::Closed;
        self.timeout = None;
        error
    }
}

impl Dtls for Server {
    fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        let result = match &self.stage {
            Stage::Hello(_) => self.start(now, datagram),
            Stage::Handshake(_) | Stage::Connected(_) => self.feed(now, datagram),
            Stage::Closed => Ok(()),
        };
        result.map_err(|error| self.end(error))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        let (Stage::Handshake(Handshake { dtls, .. }) | Stage::Connected(dtls)) = &mut self.stage
        else {
            return Ok(());
        };
        let result = dtls.handle_timeout(now).map_err(backend).and_then(|()| self.drain());
        result.map_err(|error| self.end(error))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), DtlsError> {
        let Stage::Connected(dtls) = &mut self.stage else { return Err(DtlsError::NotConnected) };
        if bytes.len() > MAX_DATA {
            return Err(DtlsError::TooLarge { len: bytes.len(), limit: MAX_DATA });
        }
        let result = dtls.send_application_data(bytes).map_err(backend).and_then(|_| self.drain());
        result.map_err(|error| self.end(error))
    }

    fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.outputs = VecDeque::new(); // after its handshake a peer says little
        }
        output
    }

    fn timeout(&self) -> Option<Instant> {
        self.timeout
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Hello(_) => "Hello",
            Stage::Handshake(_) => "Handshake",
            Stage::Connected(_) => "Connected",
            Stage::Closed => "Closed",
        };
        f.debug_struct("Server").field("stage", &stage).finish_non_exhaustive()
    }
}

impl Handshake {
    fn step(&mut self, buffer: &mut [u8]) -> Result<Step, DtlsError> {
        use ::dimpl::Output as Out;
        match self.dtls.poll_output(buffer) {
            Out::Connected => self.done = true,
            Out::PeerCert(der) => self.fingerprint = Some(fingerprint(der)),
            Out::KeyingMaterial(material, profile) => {
                let profile = match profile {
                    ::dimpl::SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                    ::dimpl::SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                    ::dimpl::SrtpProfile::AES128_CM_SHA1_80 => Profile::AesCm128HmacSha1_80,
                    _ => return Err(DtlsError::NoKeys),
                };
                let keys = Keys::from_exporter(profile, &material, true);
                self.keys = Some(keys.map_err(|_| DtlsError::NoKeys)?);
            }
            other => return common(other),
        }
        Ok(Step::Again)
    }
}

enum Step {
    Output(Output),
    Again,
    Wait(Instant),
}

fn common(output: ::dimpl::Output<'_>) -> Result<Step, DtlsError> {
    Ok(match output {
        ::dimpl::Output::Packet(bytes) => {
            Step::Output(Output::Transmit(Bytes::copy_from_slice(bytes)))
        }
        ::dimpl::Output::ApplicationData(bytes) => {
            Step::Output(Output::Data(Bytes::copy_from_slice(bytes)))
        }
        ::dimpl::Output::CloseNotify => Step::Output(Output::Closed),
        ::dimpl::Output::Timeout(at) => Step::Wait(at),
        ::dimpl::Output::BufferTooSmall { needed } => {
            let reason = format!("a record of {needed} bytes (limit {BUFFER})");
            return Err(DtlsError::Backend { reason });
        }
        _ => Step::Again,
    })
}

fn backend(error: ::dimpl::Error) -> DtlsError {
    DtlsError::Backend { reason: error.to_string() }
}

/// A whole record of the largest size, so that the backend never asks for more.
const BUFFER: usize = 16_384 + 256;
/// Plaintext that fits one datagram with its record header and tag.
const MAX_DATA: usize = MTU - 50;
