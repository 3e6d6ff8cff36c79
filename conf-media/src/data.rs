//! Data channels: one SCTP association inside a peer's DTLS channel.
//!
//! The browser opens the association and its channels (DCEP, in band); we accept both. Everything
//! a peer can make us hold is bounded: message size, number of channels, bytes in either direction.
//! A peer that goes over a bound loses its association, not its media.
//!
//! Source: RFC 8831 (data channels), RFC 8832 (DCEP), RFC 9260 (SCTP).

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sctp_proto::{
    AssociationHandle, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier as Ppid, ReliabilityType, ServerConfig, StreamEvent, TransportConfig,
};

/// How a channel was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name; chosen by the peer's program, at most [`MAX_LABEL`] bytes.
    pub label: String,
    /// Messages arrive in order.
    pub ordered: bool,
    /// Lost messages are repeated until they arrive.
    pub reliable: bool,
}

/// What an association asks for or reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One SCTP packet for the DTLS channel.
    Transmit(Bytes),
    /// The peer opened a channel, and we have acknowledged it.
    Opened {
        /// Its number.
        stream: u16,
        /// How it was opened.
        channel: Channel,
    },
    /// A message of the peer.
    Message {
        /// The channel's number.
        stream: u16,
        /// The channel's label.
        label: String,
        /// Not text.
        binary: bool,
        /// 0 to [`MAX_MESSAGE`] bytes.
        bytes: Bytes,
    },
    /// A channel is gone.
    Closed {
        /// Its number.
        stream: u16,
    },
    /// The association is gone, with all channels.
    Lost,
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No such channel is open.
    #[error("the data channel is not open")]
    NotOpen,
    /// Larger than a message may be.
    #[error("the message has {len} bytes (limit {limit})")]
    TooLarge {
        /// How large it is.
        len: usize,
        /// How large it may be.
        limit: usize,
    },
    /// The peer does not take what it was sent.
    #[error("{len} bytes wait for the peer already (limit {limit})")]
    Full {
        /// How much waits.
        len: usize,
        /// How much may wait.
        limit: usize,
    },
}

/// The accepting side of one peer's association.
pub struct Association {
    endpoint: Endpoint,
    inner: Option<(AssociationHandle, sctp_proto::Association)>,
    channels: BTreeMap<u16, Channel>,
    outputs: VecDeque<Output>,
    lost: bool,
}

impl Association {
    /// Waits for the peer's INIT.
    #[must_use]
    pub fn new() -> Self {
        let transport = TransportConfig::default()
            .with_max_receive_buffer_size(MAX_RECEIVED)
            .with_max_send_message_size(MAX_MESSAGE_U32)
            .with_max_receive_message_size(MAX_MESSAGE_U32)
            .with_max_num_inbound_streams(MAX_STREAMS)
            .with_max_num_outbound_streams(MAX_STREAMS);
        let mut server = ServerConfig::new();
        server.transport = Arc::new(transport);
        let mut endpoint = EndpointConfig::new();
        endpoint.max_payload_size(MAX_PAYLOAD);
        Self {
            endpoint: Endpoint::new(Arc::new(endpoint), Some(Arc::new(server))),
            inner: None,
            channels: BTreeMap::new(),
            outputs: VecDeque::new(),
            lost: false,
        }
    }

    /// Takes one SCTP packet out of the DTLS channel.
    pub fn handle(&mut self, now: Instant, packet: Bytes) {
        if self.lost {
            return;
        }
        let Some((handle, event)) = self.endpoint.handle(now, PEER, None, None, packet) else {
            return;
        };
        match event {
            DatagramEvent::NewAssociation(association) => {
                self.endpoint.reject_new_associations(); // one a peer
                self.inner = Some((handle, association));
            }
            DatagramEvent::AssociationEvent(event) => {
                if let Some((known, association)) = &mut self.inner
                    && *known == handle
                {
                    association.handle_event(event);
                }
            }
        }
        self.take_events();
    }

    /// Retransmits what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some((_, association)) = &mut self.inner {
            association.handle_timeout(now);
        }
        self.take_events();
    }

    /// Queues a message for the peer.
    ///
    /// # Errors
    /// [`DataError`] if the channel is not open, or a bound would be passed.
    pub fn send(&mut self, stream: u16, binary: bool, bytes: &[u8]) -> Result<(), DataError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(DataError::TooLarge { len: bytes.len(), limit: MAX_MESSAGE });
        }
        let len = self.waiting();
        if len + bytes.len() > MAX_WAITING {
            return Err(DataError::Full { len, limit: MAX_WAITING });
        }
        if !self.channels.contains_key(&stream) {
            return Err(DataError::NotOpen);
        }
        // SCTP has no empty messages: one zero byte stands for them (RFC 8831, section 6.6).
        let (bytes, ppid) = match (binary, bytes.is_empty()) {
            (true, false) => (bytes, Ppid::Binary),
            (true, true) => (&[0][..], Ppid::BinaryEmpty),
            (false, false) => (bytes, Ppid::String),
            (false, true) => (&[0][..], Ppid::StringEmpty),
        };
        self.write(stream, bytes, ppid)
    }

    /// What to do; call until `None`. `now` starts the timers of what is sent.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        let (_, association) = self.inner.as_mut()?;
        while let Some(transmit) = association.poll_transmit(now) {
            if let Payload::RawEncode(packets) = transmit.payload {
                self.outputs.extend(packets.into_iter().map(Output::Transmit));
            }
        }
        if self.lost {
            self.inner = None; // its last word, an ABORT, has been said
        }
        self.outputs.pop_front()
    }

    /// When to call [`Association::handle_timeout`]; `None`: nothing waits.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        self.inner.as_ref().and_then(|(_, association)| association.poll_timeout())
    }

    /// The open channel of that number.
    #[must_use]
    pub fn channel(&self, stream: u16) -> Option<&Channel> {
        self.channels.get(&stream)
    }

    fn take_events(&mut self) {
        loop {
            let Some((_, association)) = &mut self.inner else { return };
            while association.accept_stream().is_some() {} // its Readable event follows
            match association.poll() {
                None => return,
                Some(Event::Stream(StreamEvent::Readable { id } | StreamEvent::Opened { id })) => {
                    self.read(id);
                }
                Some(Event::Stream(StreamEvent::Finished { id })) => {
                    if self.channels.remove(&id).is_some() {
                        self.outputs.push_back(Output::Closed { stream: id });
                    }
                }
                Some(Event::HandshakeFailed { .. } | Event::AssociationLost { .. }) => self.lose(),
                Some(_) => {}
            }
        }
    }

    fn read(&mut self, stream: u16) {
        while let Some((ppid, bytes)) = self.next_message(stream) {
            match ppid {
                Ppid::Dcep => self.control(stream, &bytes),
                Ppid::String | Ppid::Binary | Ppid::StringEmpty | Ppid::BinaryEmpty => {
                    let Some(channel) = self.channels.get(&stream) else { continue };
                    let empty = matches!(ppid, Ppid::StringEmpty | Ppid::BinaryEmpty);
                    self.outputs.push_back(Output::Message {
                        stream,
                        label: channel.label.clone(),
                        binary: matches!(ppid, Ppid::Binary | Ppid::BinaryEmpty),
                        bytes: if empty { Bytes::new() } else { bytes },
                    });
                }
                Ppid::Unknown => {}
            }
        }
    }

    fn next_message(&mut self, stream: u16) -> Option<(Ppid, Bytes)> {
        let (_, association) = self.inner.as_mut()?;
        let chunks = association.stream(stream).ok()?.read_sctp().ok()??;
        let mut bytes = vec![0; chunks.len()];
        chunks.read(&mut bytes).ok()?;
        Some((chunks.ppi, bytes.into()))
    }

    /// DCEP: an OPEN is acknowledged; whatever else is malformed or unknown is ignored.
    fn control(&mut self, stream: u16, message: &[u8]) {
        let Some(open) = Open::read(message) else { return };
        if self.channels.len() >= MAX_CHANNELS || self.channels.contains_key(&stream) {
            return;
        }
        let Some((_, association)) = &mut self.inner else { return };
        let Ok(mut handle) = association.stream(stream) else { return };
        if handle
            .set_reliability_params(!open.channel.ordered, open.reliability, open.parameter)
            .is_err()
        {
            return;
        }
        if self.write(stream, &[DCEP_ACK], Ppid::Dcep).is_ok() {
            self.channels.insert(stream, open.channel.clone());
            self.outputs.push_back(Output::Opened { stream, channel: open.channel });
        }
    }

    fn write(&mut self, stream: u16, bytes: &[u8], ppid: Ppid) -> Result<(), DataError> {
        let (_, association) = self.inner.as_mut().ok_or(DataError::NotOpen)?;
        let mut stream = association.stream(stream).map_err(|_| DataError::NotOpen)?;
        stream.write_with_ppi(bytes, ppid).map_err(|_| DataError::NotOpen)?;
        Ok(())
    }

    /// Bytes that wait for the peer, over all channels.
    fn waiting(&mut self) -> usize {
        let Some((_, association)) = &mut self.inner else { return 0 };
        let streams = self.channels.keys();
        streams.filter_map(|&stream| association.stream(stream).ok()?.buffered_amount().ok()).sum()
    }

    fn lose(&mut self) {
        if !self.lost {
            self.lost = true;
            self.channels.clear();
            self.outputs.push_back(Output::Lost);
        }
    }
}

impl Default for Association {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Association")
            .field("channels", &self.channels.len())
            .finish_non_exhaustive()
    }
}

/// DATA_CHANNEL_OPEN (RFC 8832, section 5.1).
struct Open {
    channel: Channel,
    reliability: ReliabilityType,
    parameter: u32,
}

impl Open {
    fn read(message: &[u8]) -> Option<Self> {
        let (head, rest) = message.split_first_chunk::<12>()?;
        let &[kind, channel_type, _, _, p0, p1, p2, p3, l0, l1, _, _] = head;
        if kind != DCEP_OPEN {
            return None;
        }
        let label = rest.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
        if label.len() > MAX_LABEL {
            return None;
        }
        let reliability = match channel_type & 0x7F {
            0 => ReliabilityType::Reliable,
            1 => ReliabilityType::Rexmit,
            2 => ReliabilityType::Timed,
            _ => return None,
        };
        let channel = Channel {
            label: String::from_utf8(label.to_vec()).ok()?,
            ordered: channel_type & 0x80 == 0,
            reliable: reliability == ReliabilityType::Reliable,
        };
        Some(Self { channel, reliability, parameter: u32::from_be_bytes([p0, p1, p2, p3]) })
    }
}

/// Largest message in either direction, as `a=max-message-size` says.
pub const MAX_MESSAGE: usize = 64 * 1024;
const MAX_MESSAGE_U32: u32 = 64 * 1024;
/// Channels of one peer.
pub const MAX_CHANNELS: usize = 64;
/// Longest label; browsers' programs use a few characters.
pub const MAX_LABEL: usize = 256;
/// A browser numbers its channels 0, 2, 4 … or 1, 3, 5 …
const MAX_STREAMS: u16 = 128;
/// Bytes of incomplete and unread messages.
const MAX_RECEIVED: u32 = 256 * 1024;
/// Bytes that wait for the peer, over all channels.
const MAX_WAITING: usize = 256 * 1024;
/// With its headers, what fits one DTLS datagram.
const MAX_PAYLOAD: u32 = 1_100;
/// SCTP in DTLS has no addresses; the library wants one.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5_000);
const DCEP_OPEN: u8 = 3;
const DCEP_ACK: u8 = 2;

#[cfg(test)]
pub(crate) mod tests;
