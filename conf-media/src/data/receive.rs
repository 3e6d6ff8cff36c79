//! What comes from the peer: events of the association, channels that open, messages.
//!
//! A message is read only when its sender may send it: what is not read stays in SCTP's receive
//! window. Only from channels that may lose messages is everything read, and what is too much
//! dropped.

use std::time::Instant;

use bytes::Bytes;
use sctp_proto::{Event, PayloadProtocolIdentifier as Ppid, StreamEvent};

use super::channel::{Channel, Closing, Message, Output};
use super::{Association, MAX_CHANNELS, count, dcep};

impl Association {
    pub(super) fn take_events(&mut self, now: Instant) {
        loop {
            let Some((_, association)) = &mut self.inner else { return };
            while association.accept_stream().is_some() {} // its Readable event follows
            match association.poll() {
                None => return,
                Some(Event::Stream(StreamEvent::Readable { id } | StreamEvent::Opened { id })) => {
                    self.read(now, id);
                }
                Some(Event::Stream(StreamEvent::Finished { id })) => {
                    self.unread.remove(&id);
                    self.closed(id, Closing::Peer);
                }
                Some(Event::HandshakeFailed { .. } | Event::AssociationLost { .. }) => self.lose(),
                Some(_) => {}
            }
        }
    }

    /// Where reading stopped, it goes on if the peer may send again.
    pub(super) fn read_on(&mut self, now: Instant) {
        if self.unread.is_empty() || !self.may_read(now) {
            return;
        }
        for stream in std::mem::take(&mut self.unread) {
            self.read(now, stream);
        }
    }

    fn may_read(&mut self, now: Instant) -> bool {
        self.allowance.is_left(now) && self.ledger.has_room()
    }

    fn read(&mut self, now: Instant, stream: u16) {
        self.open_negotiated(stream);
        loop {
            let reliable = self.channels.get(&stream).is_some_and(Channel::is_reliable);
            if reliable && !self.may_read(now) {
                self.unread.insert(stream);
                return;
            }
            let Some((ppid, bytes)) = self.next_message(stream) else { return };
            match ppid {
                Ppid::Dcep => self.control(stream, &bytes),
                Ppid::String | Ppid::Binary => self.received(now, stream, ppid, bytes),
                Ppid::StringEmpty | Ppid::BinaryEmpty => {
                    self.received(now, stream, ppid, Bytes::new());
                }
                Ppid::Unknown => {}
            }
        }
    }

    fn received(&mut self, now: Instant, stream: u16, ppid: Ppid, bytes: Bytes) {
        let may = self.may_read(now);
        let Some(channel) = self.channels.get(&stream) else { return };
        if !may && !channel.is_reliable() {
            self.stats.dropped_rate += 1;
            return;
        }
        self.allowance.take(bytes.len());
        self.stats.messages_received += 1;
        self.stats.bytes_received += count(bytes.len());
        let message = Message {
            label: channel.label.clone(),
            reliable: channel.is_reliable(),
            binary: matches!(ppid, Ppid::Binary | Ppid::BinaryEmpty),
            credit: self.ledger.credit(bytes.len()),
            bytes,
        };
        self.outputs.push_back(Output::Message { stream, message });
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
        let Some(channel) = dcep::read_open(message) else { return };
        let agreed = self.negotiated.remove(&stream).is_some();
        if !agreed && (self.channels.len() >= MAX_CHANNELS || self.channels.contains_key(&stream)) {
            return;
        }
        if self.set_up(stream, &channel) && self.write(stream, &dcep::ACK, Ppid::Dcep).is_ok() {
            self.opened(stream, channel);
        }
    }

    /// An agreed channel begins with the first message in either direction.
    pub(super) fn open_negotiated(&mut self, stream: u16) {
        if self.channels.contains_key(&stream) {
            return;
        }
        let Some(channel) = self.negotiated.get(&stream).cloned() else { return };
        let Some((_, association)) = &mut self.inner else { return };
        // It may exist: then the peer was first.
        let _ours = association.open_stream(stream, Ppid::Binary).is_ok();
        if self.set_up(stream, &channel) {
            self.opened(stream, channel);
        }
    }

    fn set_up(&mut self, stream: u16, channel: &Channel) -> bool {
        let Some((_, association)) = &mut self.inner else { return false };
        let Ok(mut handle) = association.stream(stream) else { return false };
        let (kind, parameter) = channel.repeat.parameters();
        handle.set_reliability_params(!channel.ordered, kind, parameter).is_ok()
    }

    fn opened(&mut self, stream: u16, channel: Channel) {
        self.channels.insert(stream, channel.clone());
        self.stats.opened += 1;
        self.outputs.push_back(Output::Opened { stream, channel });
    }
}
