//! One peer's transport against a client in memory: DTLS, fingerprint and data channels.

use std::time::Duration;

use sctp_proto::PayloadProtocolIdentifier as Ppid;

use super::*;
use crate::data::tests::Browser;
use crate::dtls::Backend;
use crate::dtls::client::{BACKENDS, Client, Side, Tasks, start};

struct Pair {
    now: Instant,
    client: Client,
    transport: Transport,
    tasks: Tasks,
    /// What came out besides datagrams.
    reported: Vec<Output>,
}

impl Pair {
    fn new(backend: Backend) -> Self {
        let now = start();
        let Side { dtls, tasks, .. } = Side::new(backend);
        let (client, transport) = (Client::new(now), Transport::new(dtls));
        Self { now, client, transport, tasks, reported: Vec::new() }
    }

    fn run(&mut self) {
        for _ in 0..20 {
            for datagram in self.client.poll() {
                self.transport.handle(self.now, Input::Datagram(&datagram));
            }
            self.tasks.settle();
            self.transport.handle(self.now, Input::Wake);
            while let Some(output) = self.transport.poll() {
                match output {
                    Output::Transmit(datagram) => self.client.handle(self.now, &datagram),
                    other => self.reported.push(other),
                }
            }
        }
    }

    fn expect(&mut self, fingerprint: Fingerprint) {
        self.transport.handle(self.now, Input::Expect(fingerprint));
        self.run();
    }
}

fn other_fingerprint() -> Fingerprint {
    Fingerprint([7; 32])
}

#[test]
fn keys_come_out_when_the_certificate_is_the_expected_one_in_either_order() {
    for backend in BACKENDS {
        let mut first = Pair::new(backend);
        first.expect(first.client.fingerprint);
        assert!(
            matches!(first.reported[..], [Output::Connected(_)]),
            "fingerprint, then handshake"
        );

        let mut last = Pair::new(backend);
        last.run();
        assert!(
            last.client.connected && last.reported.is_empty(),
            "no keys before the fingerprint"
        );
        assert!(last.transport.is_half_open());
        last.expect(last.client.fingerprint);
        assert!(matches!(last.reported[..], [Output::Connected(_)]), "handshake, then fingerprint");
        assert!(!last.transport.is_half_open());
    }
}

#[test]
fn after_the_handshake_little_is_kept_where_no_data_channel_opens() {
    let mut pair = Pair::new(Backend::Dimpl);
    pair.expect(pair.client.fingerprint);
    assert!(matches!(pair.reported[..], [Output::Connected(_)]));
    let transport = pair.transport;
    let kept = allocation_counter::measure(|| drop(transport)).bytes_current.abs();
    assert!(kept <= 10_500, "{kept} bytes");
}

#[test]
fn another_certificate_fails_the_peer_and_no_keys_come_out() {
    for backend in BACKENDS {
        for before in [true, false] {
            let mut pair = Pair::new(backend);
            if !before {
                pair.run();
            }
            pair.expect(other_fingerprint());
            let wanted = "the peer's certificate is not the signalled one".to_owned();
            assert_eq!(pair.reported, [Output::Failed(wanted)]);
            pair.expect(pair.client.fingerprint);
            assert_eq!(pair.reported.len(), 1, "it has failed for good");
            assert_eq!(pair.transport.timeout(), None);
        }
    }
}

#[test]
fn a_changed_fingerprint_ends_the_connection_and_the_same_one_does_not() {
    for backend in BACKENDS {
        let mut pair = Pair::new(backend);
        pair.expect(pair.client.fingerprint);
        pair.expect(pair.client.fingerprint);
        assert_eq!(pair.reported.len(), 1);
        pair.expect(other_fingerprint());
        assert!(matches!(pair.reported[..], [Output::Connected(_), Output::Failed(_)]));
    }
}

#[test]
fn a_handshake_that_never_ends_fails_after_the_limit() {
    for backend in BACKENDS {
        let mut pair = Pair::new(backend);
        assert!(pair.transport.is_idle());
        assert_eq!(pair.transport.timeout(), None, "nothing is held before the first datagram");
        let hello = pair.client.poll().remove(0);
        pair.transport.handle(pair.now, Input::Datagram(&hello[..20]));
        assert_eq!(pair.transport.timeout(), Some(pair.now + HANDSHAKE_LIMIT));
        pair.transport.handle_timeout(pair.now + HANDSHAKE_LIMIT);
        let reason = "the handshake was not finished within 30 s".to_owned();
        assert_eq!(pair.transport.poll(), Some(Output::Failed(reason)));

        let mut unsignalled = Pair::new(backend);
        unsignalled.run();
        unsignalled.transport.handle_timeout(unsignalled.now + HANDSHAKE_LIMIT);
        let reason = "no fingerprint was signalled within 30 s".to_owned();
        assert_eq!(unsignalled.transport.poll(), Some(Output::Failed(reason)));
    }
}

#[test]
fn an_offer_without_media_fails_with_its_reason() {
    for backend in BACKENDS {
        let mut pair = Pair::new(backend);
        let mut hello = pair.client.poll().remove(0);
        let at = hello.windows(4).position(|window| window == [0, 14, 0, 9]).unwrap();
        hello[at] = 0xAA;
        pair.transport.handle(pair.now, Input::Datagram(&hello));
        let reason = "the ClientHello does not offer use_srtp".to_owned();
        assert_eq!(pair.transport.poll(), Some(Output::Failed(reason)));
        assert_eq!(pair.transport.poll(), None);
    }
}

#[test]
fn a_data_channel_opens_inside_the_connection_even_if_its_first_packet_was_early() {
    for backend in BACKENDS {
        let mut pair = Pair::new(backend);
        pair.run(); // no fingerprint yet
        let mut browser = Browser::new();
        for packet in browser.poll(pair.now) {
            pair.client.dtls.send_application_data(&packet).unwrap();
        }
        pair.run();
        pair.expect(pair.client.fingerprint);
        let mut opened = false;
        for _ in 0..40 {
            for packet in std::mem::take(&mut pair.client.data) {
                browser.handle(pair.now, packet.into());
            }
            if browser.connected && !opened {
                opened = true;
                browser.open(0, 0, 0, "_reliable");
                browser.send(0, b"hello", Ppid::String);
            }
            pair.now += Duration::from_millis(100);
            browser.association.handle_timeout(pair.now);
            for packet in browser.poll(pair.now) {
                pair.client.dtls.send_application_data(&packet).unwrap();
            }
            pair.transport.handle_timeout(pair.now);
            pair.run();
        }
        let [Output::Connected(_), Output::Data(open), Output::Data(message)] = &pair.reported[..]
        else {
            panic!("{:?}", pair.reported)
        };
        assert!(matches!(open, data::Output::Opened { stream: 0, .. }));
        assert!(
            matches!(message, data::Output::Message { message, .. } if &message.bytes[..] == b"hello")
        );
    }
}

#[test]
fn a_peer_that_closes_is_reported() {
    for backend in BACKENDS {
        let mut pair = Pair::new(backend);
        pair.expect(pair.client.fingerprint);
        pair.client.dtls.close().unwrap();
        pair.run();
        let reason = "the peer closed the connection".to_owned();
        assert_eq!(pair.reported.last(), Some(&Output::Failed(reason)));
    }
}
