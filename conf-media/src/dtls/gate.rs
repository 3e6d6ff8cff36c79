//! Checks what comes in before a backend sees it that trusts its input.
//!
//! `webrtc-dtls` panics on some malformed messages, allocates what a length claims, and keeps
//! every fragment it gets. So it is handed none of the peer's framing: a [`Gate`] puts the messages
//! of the handshake together itself, checks each whole, and passes it on as one record of its own
//! making. What no server expects is dropped; what is malformed ends the handshake; how much a
//! peer may send is bounded. Encrypted records cannot be read here: their number and size are
//! bounded until the handshake is done, and after it no handshake message passes at all.
//!
//! Source: RFC 6347, section 4 (records, fragments); RFC 5246, sections 7.4.6 to 7.4.8
//! (certificate, key exchange, verify); RFC 8422, section 5.7 (key exchange on curves).

use super::DtlsError;
use super::hello::{Hello, Reader};
use super::wire::{
    ALERT, APPLICATION_DATA, Assembler, Bytes, CERTIFICATE, CERTIFICATE_VERIFY, CHANGE_CIPHER_SPEC,
    CLIENT_HELLO, CLIENT_KEY_EXCHANGE, DTLS_1_0, DTLS_1_2, Fragment, HANDSHAKE, MAX_FRAGMENTS,
    MAX_RECORDS, Record, Unfit, record,
};

/// The gate in front of one handshake.
#[derive(Debug)]
pub struct Gate {
    hello: Reader,
    offer: Option<Offer>,
    messages: Assembler,
    /// Of the next record in the clear that we make.
    sequence: u64,
    /// Bytes of handshake messages that were passed on.
    spent: usize,
    /// Records other than those that were passed on before the handshake was done.
    records: usize,
    is_done: bool,
}

/// What was first offered: a second ClientHello must not offer something else.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Offer {
    profiles: Vec<u16>,
    versions: Vec<u16>,
}

/// What of a datagram may go on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Datagrams for the backend, each at most [`MAX_DATAGRAM`] bytes.
    pub datagrams: Vec<Vec<u8>>,
    /// A ClientHello is among them: the first, or the one that returns the cookie.
    pub hello: Option<Hello>,
    /// The handshake is done and the peer repeats its last flight, so ours was lost.
    pub repeats: bool,
}

impl Gate {
    /// A gate that waits for the ClientHello: nothing passes before it.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hello: Reader::default(),
            offer: None,
            messages: Assembler::new(MAX_OPEN),
            sequence: 0,
            spent: 0,
            records: 0,
            is_done: false,
        }
    }

    /// Takes one datagram.
    ///
    /// # Errors
    /// [`DtlsError::Hello`], [`DtlsError::Malformed`], [`DtlsError::TooMuch`] or
    /// [`DtlsError::Downgraded`]: the handshake is over.
    pub fn push(&mut self, datagram: &[u8]) -> Result<Passed, DtlsError> {
        let mut passed = Passed::default();
        let mut rest = Bytes(datagram);
        for _ in 0..MAX_RECORDS {
            let Some(record) = Record::read(&mut rest) else { break };
            if ![DTLS_1_0, DTLS_1_2].contains(&record.version) {
                continue;
            }
            match record.epoch {
                0 if !self.is_done => self.clear(&record, &mut passed)?,
                1 if self.offer.is_some() => self.sealed(&record, &mut passed)?,
                _ => {} // of an epoch that there is not, or not protected although it should be
            }
        }
        Ok(passed)
    }

    /// The handshake is done: from now on only what is encrypted passes, and no handshake.
    pub fn done(&mut self) {
        self.is_done = true;
        self.messages = Assembler::new(0);
        self.hello = Reader::default();
    }

    fn clear(&mut self, record: &Record<'_>, passed: &mut Passed) -> Result<(), DtlsError> {
        match (record.content_type, record.body) {
            (HANDSHAKE, body) => {
                let mut body = Bytes(body);
                while let Some(fragment) = Fragment::read(&mut body) {
                    self.fragment(&fragment, passed)?;
                }
            }
            (CHANGE_CIPHER_SPEC, [1]) | (ALERT, [_, _]) if self.offer.is_some() => {
                self.count()?;
                let bytes = record.write(Some(self.next()));
                passed.add(bytes);
            }
            _ => {}
        }
        Ok(())
    }

    fn fragment(&mut self, fragment: &Fragment<'_>, passed: &mut Passed) -> Result<(), DtlsError> {
        let limit = match fragment.message {
            CLIENT_HELLO => return self.client_hello(fragment, passed),
            CERTIFICATE => MAX_CERTIFICATE,
            CLIENT_KEY_EXCHANGE => MAX_KEY_EXCHANGE,
            CERTIFICATE_VERIFY => MAX_VERIFY,
            _ => return Ok(()), // no server expects it
        };
        if self.offer.is_none() {
            return Ok(()); // nothing is kept for a handshake that has not begun
        }
        if fragment.length > limit {
            return Err(DtlsError::TooMuch { len: fragment.length, limit });
        }
        let Some(body) = self.messages.add(fragment)? else { return Ok(()) };
        check(fragment.message, &body).map_err(|what| DtlsError::Malformed { what })?;
        self.spend(body.len())?;
        let sequence = number(self.next());
        passed.add(record(fragment.message, fragment.message_seq, &body, &sequence));
        Ok(())
    }

    fn client_hello(
        &mut self,
        fragment: &Fragment<'_>,
        passed: &mut Passed,
    ) -> Result<(), DtlsError> {
        let sequence = number(self.sequence);
        let Some(hello) = self.hello.add(fragment, &sequence)? else { return Ok(()) };
        if hello.resumes {
            return Err(DtlsError::Malformed { what: "a session to resume, which there is not" });
        }
        if hello.record.len() > MAX_DATAGRAM {
            let len = hello.record.len();
            return Err(DtlsError::TooMuch { len, limit: MAX_DATAGRAM });
        }
        let offer = Offer { profiles: hello.profiles.clone(), versions: hello.versions.clone() };
        if *self.offer.get_or_insert_with(|| offer.clone()) != offer {
            // Only the last ClientHello is covered by signatures, but the first is what counts.
            return Err(DtlsError::Downgraded);
        }
        self.spend(hello.record.len())?;
        self.next();
        passed.add(hello.record.clone());
        passed.hello = Some(hello);
        Ok(())
    }

    fn sealed(&mut self, record: &Record<'_>, passed: &mut Passed) -> Result<(), DtlsError> {
        let fits = match record.content_type {
            HANDSHAKE => record.body.len() == SEALED_FINISHED,
            ALERT => record.body.len() == SEALED_ALERT,
            APPLICATION_DATA => (SEALED_MIN..=MAX_SEALED).contains(&record.body.len()),
            _ => false,
        };
        if !fits {
            return Ok(());
        }
        if self.is_done && record.content_type == HANDSHAKE {
            passed.repeats = true;
            return Ok(());
        }
        if !self.is_done {
            self.count()?; // the backend queues what it cannot open yet
        }
        passed.add(record.write(None));
        Ok(())
    }

    fn next(&mut self) -> u64 {
        let number = self.sequence;
        self.sequence += 1;
        number
    }

    fn spend(&mut self, len: usize) -> Result<(), DtlsError> {
        self.spent += len;
        if self.spent > MAX_HANDSHAKE {
            return Err(DtlsError::TooMuch { len: self.spent, limit: MAX_HANDSHAKE });
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), DtlsError> {
        self.records += 1;
        if self.records > MAX_OTHERS {
            return Err(DtlsError::TooManyRecords { limit: MAX_OTHERS });
        }
        Ok(())
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Passed {
    /// Records that came together go on together, as far as they fit the backend's buffer.
    fn add(&mut self, record: Vec<u8>) {
        match self.datagrams.last_mut() {
            Some(last) if last.len() + record.len() <= MAX_DATAGRAM => last.extend(record),
            _ => self.datagrams.push(record),
        }
    }
}

impl From<Unfit> for DtlsError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Overrun => Self::Malformed { what: "fragment length" },
            Unfit::TooMany => Self::TooManyFragments { limit: MAX_FRAGMENTS },
        }
    }
}

/// Checks a whole message other than the ClientHello; names what is wrong.
fn check(message: u8, body: &[u8]) -> Result<(), &'static str> {
    let sound = match message {
        CERTIFICATE => certificates(body),
        CLIENT_KEY_EXCHANGE => key_exchange(body),
        CERTIFICATE_VERIFY => verify(body),
        _ => None,
    };
    sound.ok_or(match message {
        CERTIFICATE => "certificate",
        CLIENT_KEY_EXCHANGE => "key exchange",
        _ => "certificate verify",
    })
}

/// One to [`MAX_CHAIN`] certificates that fill the message; none is refused, we ask for one.
fn certificates(body: &[u8]) -> Option<()> {
    let mut body = Bytes(body);
    let mut list = Bytes(body.vector24()?);
    let mut count = 0;
    while !list.is_empty() {
        (!list.vector24()?.is_empty()).then_some(())?;
        count += 1;
    }
    (body.is_empty() && (1..=MAX_CHAIN).contains(&count)).then_some(())
}

/// A point: 32 bytes on X25519, uncompressed on P-256 or P-384.
fn key_exchange(body: &[u8]) -> Option<()> {
    let mut body = Bytes(body);
    let point = body.vector8()?;
    let known = match point {
        [4, rest @ ..] => matches!(rest.len(), 31 | 64 | 96),
        _ => point.len() == 32,
    };
    (body.is_empty() && known).then_some(())
}

/// Two bytes that name the algorithm, and a signature that fills the message.
fn verify(body: &[u8]) -> Option<()> {
    let mut body = Bytes(body);
    body.u16()?;
    let signature = body.vector16()?;
    (body.is_empty() && !signature.is_empty()).then_some(())
}

/// 48 bits in network order.
fn number(sequence: u64) -> [u8; 6] {
    let [_, _, number @ ..] = sequence.to_be_bytes();
    number
}

/// What the backend reads at once.
pub const MAX_DATAGRAM: usize = 8_192;
/// Messages in pieces at the same time; a flight has three.
const MAX_OPEN: usize = 4;
/// Browsers' certificates have 300 to 1,000 bytes.
const MAX_CERTIFICATE: usize = 8_000;
/// Of one chain; browsers show one.
const MAX_CHAIN: usize = 4;
/// The longest point has 97 bytes.
const MAX_KEY_EXCHANGE: usize = 128;
/// RSA with 8,192 bits has 1,024.
const MAX_VERIFY: usize = 1_028;
/// Of one peer's handshake with all repetitions: a browser's has 3 kB.
const MAX_HANDSHAKE: usize = 64 * 1_024;
/// Alerts, changes of cipher and encrypted records before the handshake is done.
const MAX_OTHERS: usize = 64;
/// Explicit nonce and tag of AES-GCM.
const SEALED: usize = 8 + 16;
const SEALED_MIN: usize = SEALED + 1;
const SEALED_ALERT: usize = SEALED + 2;
/// Header and twelve bytes.
const SEALED_FINISHED: usize = SEALED + 12 + 12;
/// Data comes in datagrams of the path's MTU.
const MAX_SEALED: usize = 2_048;

#[cfg(test)]
mod tests;
