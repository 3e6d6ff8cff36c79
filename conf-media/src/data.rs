//! Data channels: one SCTP association inside a peer's DTLS channel.
//!
//! The browser opens the association and its channels (DCEP, in band), or both sides have agreed
//! on a channel's number beforehand ([`Association::negotiate`]). Everything a peer can make us
//! hold is bounded: message size, number of channels, bytes in either direction, and what it may
//! send ([`flow`]). Messages for a peer that takes them slowly wait in a [`line`]; over its bounds
//! the peer loses its channels, not its media. A peer that breaks the rules of SCTP itself loses
//! its association.
//!
//! Source: RFC 8831 (data channels), RFC 8832 (DCEP), RFC 9260 (SCTP), RFC 3758 (partial
//! reliability), RFC 6525 (closing a channel).

mod channel;
mod dcep;
mod flow;
mod line;
mod receive;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sctp_proto::{
    AssociationHandle, DatagramEvent, Endpoint, EndpointConfig, Payload,
    PayloadProtocolIdentifier as Ppid, ServerConfig, TransportConfig,
};

pub use channel::{Channel, Closing, DataError, DataStats, Message, Outgoing, Output, Repeat};
pub use flow::Credit;

use crate::dtls::Wake;
use flow::{Allowance, Ledger};
use line::Line;

/// The accepting side of one peer's association.
pub struct Association {
    endpoint: Endpoint,
    inner: Option<(AssociationHandle, sctp_proto::Association)>,
    channels: BTreeMap<u16, Channel>,
    /// Channels that both sides know without a word, and whose stream may not exist yet.
    negotiated: BTreeMap<u16, Channel>,
    /// Where messages wait until the peer may send more.
    unread: BTreeSet<u16>,
    allowance: Allowance,
    ledger: Ledger,
    line: Line,
    outputs: VecDeque<Output>,
    stats: DataStats,
    lost: bool,
}

impl Association {
    /// Waits for the peer's INIT.
    #[must_use]
    pub fn new() -> Self {
        Self::waking(None)
    }

    /// As [`Association::new`]; calls `wake`, from any thread, when the peer has had too much under
    /// way and may go on: [`Association::poll`] then has more to say.
    #[must_use]
    pub fn waking(wake: Option<Wake>) -> Self {
        let transport = TransportConfig::default()
            .with_max_receive_buffer_size(MAX_RECEIVED)
            .with_max_send_message_size(MAX_SENT_U32)
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
            negotiated: BTreeMap::new(),
            unread: BTreeSet::new(),
            allowance: Allowance::new(),
            ledger: Ledger::new(wake),
            line: Line::default(),
            outputs: VecDeque::new(),
            stats: DataStats::default(),
            lost: false,
        }
    }

    /// Both sides have agreed outside of SCTP that the stream is this channel. One that the peer
    /// opens in band, with that number or that label, goes before it.
    pub fn negotiate(&mut self, stream: u16, channel: Channel) {
        if self.negotiated.len() < MAX_CHANNELS && stream < MAX_STREAMS {
            self.negotiated.insert(stream, channel);
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
        self.take_events(now);
    }

    /// Retransmits what is due; closes the channels of a peer that takes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some((_, association)) = &mut self.inner {
            association.handle_timeout(now);
        }
        self.take_events(now);
        if self.line.overdue_at().is_some_and(|at| at <= now) {
            self.flush();
        }
        if self.line.overdue_at().is_some_and(|at| at <= now) {
            self.too_slow();
        }
    }

    /// Sends a message over the open channel of that label.
    ///
    /// # Errors
    /// [`DataError`] if there is none, or a bound would be passed. It is counted.
    pub fn send_to(
        &mut self,
        now: Instant,
        label: &str,
        message: Outgoing,
    ) -> Result<(), DataError> {
        match self.stream_of(label) {
            Some(stream) => self.send(now, stream, message),
            None => {
                self.stats.dropped_closed += 1;
                Err(DataError::NotOpen)
            }
        }
    }

    /// Sends a message: at once, or when the peer has taken what waits before it.
    ///
    /// # Errors
    /// [`DataError`] if the channel is not open, or a bound would be passed. It is counted. A
    /// reliable channel that is [`DataError::Full`] is closed: a message is missing in it.
    pub fn send(&mut self, now: Instant, stream: u16, message: Outgoing) -> Result<(), DataError> {
        let sent = self.try_send(now, stream, message);
        match &sent {
            Ok(()) => {}
            Err(DataError::Full { .. }) => self.stats.dropped_slow += 1,
            Err(_) => self.stats.dropped_closed += 1,
        }
        sent
    }

    fn try_send(&mut self, now: Instant, stream: u16, message: Outgoing) -> Result<(), DataError> {
        let len = message.bytes.len();
        if len > MAX_SENT {
            return Err(DataError::TooLarge { len, limit: MAX_SENT });
        }
        self.open_negotiated(stream);
        let reliable = self.channels.get(&stream).ok_or(DataError::NotOpen)?.is_reliable();
        if !reliable {
            let buffered = self.buffered_of(stream);
            if buffered + len > MAX_BUFFERED {
                return Err(DataError::Full { len: buffered, limit: MAX_BUFFERED });
            }
            return self.write_message(stream, &message);
        }
        if self.line.is_empty() && self.buffered() + len <= MAX_BUFFERED {
            return self.write_message(stream, &message);
        }
        let full = DataError::Full { len: self.line.bytes(), limit: line::MAX_BYTES };
        if !self.line.push(now, stream, message) {
            self.too_slow();
            return Err(full);
        }
        Ok(())
    }

    /// What to do; call until `None`. `now` starts the timers of what is sent.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        self.read_on(now);
        self.flush();
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
        let (_, association) = self.inner.as_ref()?;
        let reading = (!self.unread.is_empty()).then(|| self.allowance.left_at()).flatten();
        [association.poll_timeout(), reading, self.line.overdue_at()].into_iter().flatten().min()
    }

    /// The open channel of that number.
    #[must_use]
    pub fn channel(&self, stream: u16) -> Option<&Channel> {
        self.channels.get(&stream)
    }

    /// Totals.
    #[must_use]
    pub fn stats(&self) -> DataStats {
        self.stats
    }

    /// The last opened of the channels of that label, or else an agreed one.
    fn stream_of(&self, label: &str) -> Option<u16> {
        let named =
            |(stream, channel): (&u16, &Channel)| (*channel.label == *label).then_some(*stream);
        let agreed = |stream: &u16| self.negotiated.contains_key(stream);
        let open = self.channels.iter().filter_map(named).rfind(|stream| !agreed(stream));
        open.or_else(|| self.negotiated.iter().find_map(named))
    }

    fn closed(&mut self, stream: u16, why: Closing) {
        if self.channels.remove(&stream).is_some() {
            self.stats.dropped_closed += count(self.line.forget(stream));
            self.stats.closed += 1;
            self.stats.closed_slow += u64::from(why == Closing::TooSlow);
            self.outputs.push_back(Output::Closed { stream, why });
        }
    }

    /// Closes the reliable channels for which messages wait: some of them will never be taken.
    fn too_slow(&mut self) {
        while let Some((stream, _)) = self.line.head() {
            self.stats.dropped_slow += count(self.line.forget(stream));
            if let Some((_, association)) = &mut self.inner
                && let Ok(mut stream) = association.stream(stream)
            {
                // Refused where the association is going already.
                let _gone = stream.close();
            }
            self.negotiated.remove(&stream);
            self.closed(stream, Closing::TooSlow);
        }
    }

    /// Moves from the line what SCTP's buffer takes.
    fn flush(&mut self) {
        let mut buffered = self.buffered();
        while let Some((_, len)) = self.line.head()
            && (buffered == 0 || buffered + len <= MAX_BUFFERED)
            && let Some((stream, message)) = self.line.pop()
        {
            buffered += len;
            if self.write_message(stream, &message).is_err() {
                self.stats.dropped_closed += 1;
            }
        }
    }

    fn write_message(&mut self, stream: u16, message: &Outgoing) -> Result<(), DataError> {
        // SCTP has no empty messages: one zero byte stands for them (RFC 8831, section 6.6).
        let (bytes, ppid) = match (message.binary, message.bytes.is_empty()) {
            (true, false) => (&message.bytes[..], Ppid::Binary),
            (true, true) => (&[0][..], Ppid::BinaryEmpty),
            (false, false) => (&message.bytes[..], Ppid::String),
            (false, true) => (&[0][..], Ppid::StringEmpty),
        };
        self.write(stream, bytes, ppid)?;
        self.stats.messages_sent += 1;
        self.stats.bytes_sent += count(message.bytes.len());
        Ok(())
    }

    fn write(&mut self, stream: u16, bytes: &[u8], ppid: Ppid) -> Result<(), DataError> {
        let (_, association) = self.inner.as_mut().ok_or(DataError::NotOpen)?;
        let mut stream = association.stream(stream).map_err(|_| DataError::NotOpen)?;
        stream.write_with_ppi(bytes, ppid).map_err(|_| DataError::NotOpen)?;
        Ok(())
    }

    /// Bytes in SCTP's buffer for the reliable channels.
    fn buffered(&mut self) -> usize {
        let reliable = self.channels.iter().filter(|(_, channel)| channel.is_reliable());
        let streams: Vec<u16> = reliable.map(|(stream, _)| *stream).collect();
        streams.into_iter().map(|stream| self.buffered_of(stream)).sum()
    }

    fn buffered_of(&mut self, stream: u16) -> usize {
        let Some((_, association)) = &mut self.inner else { return 0 };
        let stream = association.stream(stream);
        stream.ok().and_then(|stream| stream.buffered_amount().ok()).unwrap_or(0)
    }

    fn lose(&mut self) {
        if !self.lost {
            self.lost = true;
            self.channels.clear();
            self.negotiated.clear();
            self.unread.clear();
            self.line = Line::default();
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

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Largest message of a peer, as `a=max-message-size` says.
pub const MAX_MESSAGE: usize = 64 * 1024;
const MAX_MESSAGE_U32: u32 = 64 * 1024;
/// Largest message to a peer: one of another peer with a stamp on it.
pub const MAX_SENT: usize = 68 * 1024;
const MAX_SENT_U32: u32 = 68 * 1024;
/// Channels of one peer.
pub const MAX_CHANNELS: usize = 64;
/// Longest label; browsers' programs use a few characters.
pub const MAX_LABEL: usize = 256;
/// A browser numbers its channels 0, 2, 4 … or 1, 3, 5 …
const MAX_STREAMS: u16 = 128;
/// Bytes of incomplete and unread messages.
const MAX_RECEIVED: u32 = 256 * 1024;
/// Bytes in SCTP's buffer for the peer: of its reliable channels, and of each other one.
const MAX_BUFFERED: usize = 128 * 1024;
/// With its headers, what fits one DTLS datagram.
const MAX_PAYLOAD: u32 = 1_100;
/// SCTP in DTLS has no addresses; the library wants one.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5_000);

#[cfg(test)]
pub(crate) mod tests;
