//! Group `data`: a message over a data channel to one receiver, both sides of SCTP, without DTLS.
//!
//! The receiver acknowledges as a browser does; half of the time is its side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use conf_media::data::{Association, Credit, Outgoing, Output};
use sctp_proto::{
    ClientConfig, DatagramEvent, Endpoint, Event, Payload, PayloadProtocolIdentifier as Ppid,
    StreamEvent,
};

use crate::Work::Bytes as Count;
use crate::{Case, Operation, now};

struct Channel {
    now: Instant,
    endpoint: Endpoint,
    client: sctp_proto::Association,
    server: Association,
    message: Outgoing,
    received: usize,
}

impl Channel {
    fn new(kind: u8, len: usize) -> Self {
        let mut endpoint = Endpoint::new(Arc::default(), None);
        let peer = ([127, 0, 0, 1], 5000).into();
        let opened = endpoint.connect(ClientConfig::new(), peer);
        let (_, client) = opened.expect("a fresh endpoint connects");
        let bytes = Bytes::from(vec![7; len]);
        let message = Outgoing { binary: true, bytes, credit: Credit::default() };
        let (now, server) = (now().mono, Association::new());
        let mut channel = Self { now, endpoint, client, server, message, received: 0 };
        channel.exchange();
        let mut open = vec![3, kind, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0];
        open.push(b'a');
        let stream = channel.client.open_stream(0, Ppid::Dcep);
        let mut stream = stream.expect("the association is there");
        stream.write_with_ppi(&open, Ppid::Dcep).expect("a short message");
        channel.exchange();
        assert!(channel.server.channel(0).is_some(), "the channel is open");
        channel
    }

    /// Packets go both ways until nothing more comes.
    fn exchange(&mut self) {
        let peer = ([127, 0, 0, 1], 5000).into();
        loop {
            let mut silent = true;
            while let Some(transmit) = self.client.poll_transmit(self.now) {
                if let Payload::RawEncode(packets) = transmit.payload {
                    silent = false;
                    packets.into_iter().for_each(|packet| self.server.handle(self.now, packet));
                }
            }
            while let Some(output) = self.server.poll(self.now) {
                let Output::Transmit(packet) = output else { continue };
                silent = false;
                let event = self.endpoint.handle(self.now, peer, None, None, packet);
                if let Some((_, DatagramEvent::AssociationEvent(event))) = event {
                    self.client.handle_event(event);
                }
            }
            self.read();
            if silent {
                return;
            }
        }
    }

    fn read(&mut self) {
        while let Some(event) = self.client.poll() {
            let Event::Stream(StreamEvent::Readable { id }) = event else { continue };
            let Ok(mut stream) = self.client.stream(id) else { continue };
            while let Ok(Some(chunks)) = stream.read_sctp() {
                self.received += chunks.len();
            }
        }
    }
}

impl Operation for Channel {
    fn run(&mut self) {
        let before = self.received;
        let sent = self.server.send_to(self.now, "a", self.message.clone());
        sent.expect("a channel that takes it");
        for _ in 0..4 {
            self.exchange();
            if self.received > before {
                break;
            }
            self.later();
        }
        assert!(self.received > before, "the message has arrived");
        self.later();
    }
}

impl Channel {
    /// Acknowledgements may wait for 200 ms.
    fn later(&mut self) {
        self.now += Duration::from_millis(250);
        self.server.handle_timeout(self.now);
        self.client.handle_timeout(self.now);
        self.exchange();
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for len in [100, 1_000, 15_000] {
        let work = Count(len);
        let len = usize::try_from(len).unwrap_or_default();
        let message = move |kind| move || Channel::new(kind, len);
        cases.push(Case::timed(format!("message/reliable/bytes={len}"), work, message(0)));
        cases.push(Case::timed(format!("message/lossy/bytes={len}"), work, message(0x81)));
    }
    cases
}
