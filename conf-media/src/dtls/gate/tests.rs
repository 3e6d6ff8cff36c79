//! What passes the gate, what does not, and that the backend stands what passes.
#![allow(clippy::cast_possible_truncation, reason = "small numbers, in tests")]

use std::io::BufReader;
use std::panic::catch_unwind;

use webrtc_dtls::record_layer::RecordLayer;

use super::super::client::{BACKENDS, Client, Random, Side, fragments, start};
use super::super::{Backend, HelloError, Output};
use super::*;
use crate::srtp::Profile;

/// As the browsers of the end-to-end tests sent them: Debian's Chromium 156 and Firefox 153 ESR.
const CHROMIUM: [&[u8]; 2] = [
    include_bytes!("../../../../fuzz/corpus/gate/chromium-hello-1"),
    include_bytes!("../../../../fuzz/corpus/gate/chromium-hello-2"),
];
const FIREFOX: [&[u8]; 2] = [
    include_bytes!("../../../../fuzz/corpus/gate/firefox-hello-1"),
    include_bytes!("../../../../fuzz/corpus/gate/firefox-hello-2"),
];

/// All datagrams of a client in a whole handshake.
fn flights(backend: Backend) -> Vec<Vec<u8>> {
    let now = start();
    let (mut client, mut server) = (Client::new(now), Side::new(backend));
    let mut sent = Vec::new();
    for _ in 0..6 {
        for datagram in client.poll() {
            server.dtls.handle(now, &datagram).unwrap();
            sent.push(datagram);
        }
        for output in server.poll() {
            if let Output::Transmit(datagram) = output {
                client.handle(now, &datagram);
            }
        }
    }
    assert!(client.connected);
    sent
}

/// A gate that a ClientHello has passed.
fn open() -> Gate {
    let mut gate = Gate::new();
    let hello = Client::new(start()).poll().remove(0);
    assert!(gate.push(&hello).unwrap().hello.is_some());
    gate
}

/// One message in one record.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    record(kind, 2, body, &[0; 6])
}

fn sealed(content_type: u8, epoch: u16, len: usize) -> Vec<u8> {
    let body = vec![0; len];
    let header = Record { content_type, version: DTLS_1_2, epoch, sequence: &[1; 6], body: &body };
    header.write(None)
}

#[test]
fn the_hellos_of_both_browsers_pass_in_either_order_although_they_come_in_two_pieces() {
    for [first, second] in [CHROMIUM, FIREFOX] {
        for order in [[first, second], [second, first]] {
            let mut gate = Gate::new();
            assert_eq!(gate.push(order[0]), Ok(Passed::default()));
            let passed = gate.push(order[1]).unwrap();
            let hello = passed.hello.expect("whole");
            assert_eq!(hello.profile, Profile::AeadAes256Gcm);
            assert_eq!(passed.datagrams, [hello.record], "one record of our making");
        }
    }
}

#[test]
fn a_whole_handshake_passes_and_arrives_renumbered_without_gaps() {
    for backend in BACKENDS {
        let mut gate = Gate::new();
        let mut numbers = Vec::new();
        for datagram in flights(backend) {
            let passed = gate.push(&datagram).unwrap().datagrams.concat();
            let mut rest = Bytes(&passed);
            while let Some(record) = Record::read(&mut rest).filter(|record| record.epoch == 0) {
                numbers.push(u64::from(*record.sequence.last().unwrap()));
            }
        }
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
        assert!(numbers.len() >= 5, "hello, certificate, key exchange, verify, change of cipher");
    }
}

#[test]
fn nothing_passes_before_a_hello_and_nothing_is_kept_of_it() {
    let mut gate = Gate::new();
    for datagram in flights(Backend::Dimpl).into_iter().skip(1) {
        assert_eq!(gate.push(&datagram), Ok(Passed::default()));
    }
    assert!(gate.messages.is_empty() && gate.hello.is_empty());
}

#[test]
fn malformed_messages_end_the_handshake_with_a_reason() {
    let point = |len: u8| [&[len][..], &vec![4; len.into()]].concat();
    let cases: [(u8, &[u8], &str); 12] = [
        (CLIENT_KEY_EXCHANGE, &[], "key exchange"),
        (CLIENT_KEY_EXCHANGE, &[0], "key exchange"),
        (CLIENT_KEY_EXCHANGE, &[32], "key exchange"),
        (CLIENT_KEY_EXCHANGE, &point(64), "key exchange"),
        (CLIENT_KEY_EXCHANGE, &[&point(65)[..], &[0]].concat(), "key exchange"),
        (CERTIFICATE, &[], "certificate"),
        (CERTIFICATE, &[0, 0, 0], "certificate"),
        (CERTIFICATE, &[0, 0, 6, 0xFF, 0xFF, 0xFF, 1, 2, 3], "certificate"),
        (CERTIFICATE, &[0xFF, 0xFF, 0xFF, 0, 0, 1, 1], "certificate"),
        (
            CERTIFICATE,
            &[0, 0, 20, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1],
            "certificate",
        ),
        (CERTIFICATE_VERIFY, &[4, 3, 0, 9, 1], "certificate verify"),
        (CERTIFICATE_VERIFY, &[4, 3, 0, 0], "certificate verify"),
    ];
    for (kind, body, what) in cases {
        let refused = open().push(&message(kind, body));
        assert_eq!(refused, Err(DtlsError::Malformed { what }), "{kind} {body:?}");
    }
    for len in [32, 65, 97] {
        let passed = open().push(&message(CLIENT_KEY_EXCHANGE, &point(len))).unwrap();
        assert_eq!(passed.datagrams.len(), 1, "a point of {len} bytes");
    }
}

#[test]
fn checks_are_made_on_the_whole_message_however_it_is_cut() {
    let body = [0, 0, 6, 0xFF, 0xFF, 0xFF, 1, 2, 3];
    let mut gate = open();
    let parts = fragments(&message(CERTIFICATE, &body), &[3, 5]);
    assert_eq!(gate.push(&parts[2]), Ok(Passed::default()));
    assert_eq!(gate.push(&parts[0]), Ok(Passed::default()));
    assert_eq!(gate.push(&parts[1]), Err(DtlsError::Malformed { what: "certificate" }));
}

#[test]
fn what_is_claimed_is_bounded_before_room_is_made_for_it() {
    let mut claim = message(CERTIFICATE, &[0; 9]);
    claim[14..17].copy_from_slice(&[0xFF; 3]);
    let limit = MAX_CERTIFICATE;
    assert_eq!(open().push(&claim), Err(DtlsError::TooMuch { len: 0xFF_FFFF, limit }));
    let mut hello = Client::new(start()).poll().remove(0);
    hello[14..17].copy_from_slice(&[0xFF; 3]);
    let too_large = HelloError::TooLarge { len: 0xFF_FFFF, limit: 8_192 };
    assert_eq!(Gate::new().push(&hello), Err(DtlsError::Hello(too_large)));
}

#[test]
fn repetitions_without_end_are_bounded() {
    let mut gate = open();
    let verify = message(CERTIFICATE_VERIFY, &[&[4, 3, 2, 0][..], &[1; 512]].concat());
    let passed = (0..1_000).take_while(|_| gate.push(&verify).is_ok()).count();
    assert!((100..128).contains(&passed), "{passed}: 64 KiB in all");
    let mut gate = open();
    let change = record_of(CHANGE_CIPHER_SPEC, &[1]);
    let passed = (0..1_000).take_while(|_| gate.push(&change).is_ok()).count();
    assert_eq!(passed, MAX_OTHERS);
    let mut gate = open();
    for number in 0..100u16 {
        let start = record(CERTIFICATE, number, &[0; 100], &[0; 6]);
        gate.push(&fragments(&start, &[10])[0]).unwrap();
        assert!(gate.messages.open_len() <= MAX_OPEN);
    }
}

fn record_of(content_type: u8, body: &[u8]) -> Vec<u8> {
    Record { content_type, version: DTLS_1_2, epoch: 0, sequence: &[0; 6], body }.write(None)
}

#[test]
fn what_no_server_expects_is_dropped() {
    let unexpected = [
        message(2, &[0; 40]),  // ServerHello
        message(12, &[0; 40]), // ServerKeyExchange
        message(14, &[]),      // ServerHelloDone
        message(20, &[0; 12]), // Finished in the clear
        record_of(APPLICATION_DATA, b"data"),
        record_of(CHANGE_CIPHER_SPEC, &[2]),
        record_of(ALERT, &[2]),
        record_of(99, &[1]),
        sealed(CHANGE_CIPHER_SPEC, 1, 1),
        sealed(ALERT, 1, SEALED_ALERT - 1),
        sealed(HANDSHAKE, 1, SEALED_FINISHED + 1),
        sealed(APPLICATION_DATA, 1, SEALED), // the backend subtracts more than there is
        sealed(APPLICATION_DATA, 2, 100),
    ];
    for datagram in unexpected {
        assert_eq!(open().push(&datagram), Ok(Passed::default()), "{datagram:?}");
    }
    let mut old = sealed(APPLICATION_DATA, 1, 100);
    old[1..3].copy_from_slice(&[3, 3]);
    assert_eq!(open().push(&old), Ok(Passed::default()), "TLS is not DTLS");
}

#[test]
fn after_the_handshake_only_what_is_encrypted_passes() {
    let mut gate = open();
    gate.done();
    for datagram in [
        record_of(ALERT, &[1, 0]), // anybody could send this
        record_of(CHANGE_CIPHER_SPEC, &[1]),
        message(CLIENT_KEY_EXCHANGE, &[]),
        Client::new(start()).poll().remove(0),
    ] {
        assert_eq!(gate.push(&datagram), Ok(Passed::default()));
    }
    let repeated = Passed { repeats: true, ..Passed::default() };
    assert_eq!(gate.push(&sealed(HANDSHAKE, 1, SEALED_FINISHED)), Ok(repeated));
    for _ in 0..1_000 {
        let data = sealed(APPLICATION_DATA, 1, 900);
        assert_eq!(gate.push(&data).unwrap().datagrams, [data], "as often as it comes");
    }
}

#[test]
fn the_backend_stands_whatever_passes() {
    let mut good = flights(Backend::WebrtcDtls);
    good.extend(CHROMIUM.iter().chain(&FIREFOX).map(|bytes| bytes.to_vec()));
    let hello = Client::new(start()).poll().remove(0);
    let mut random = Random(0x5EED_0004);
    let mut seen = 0;
    for _ in 0..40_000 {
        let mut gate = Gate::new();
        if random.below(2) == 0 {
            gate.push(&hello).unwrap();
        }
        for _ in 0..2 {
            let mut datagram = good[random.below(good.len())].clone();
            for _ in 0..random.below(4) {
                let at = random.below(datagram.len());
                datagram[at] = random.next() as u8;
            }
            if random.below(4) == 0 {
                datagram.truncate(random.below(datagram.len()));
            }
            let Ok(passed) = gate.push(&datagram) else { break };
            for datagram in passed.datagrams {
                assert!(datagram.len() <= MAX_DATAGRAM);
                let mut rest = Bytes(&datagram);
                while let Some(record) = Record::read(&mut rest).filter(|it| it.epoch == 0) {
                    seen += 1;
                    let bytes = record.write(None);
                    let read = || drop(RecordLayer::unmarshal(&mut BufReader::new(&bytes[..])));
                    assert!(catch_unwind(read).is_ok(), "{bytes:?}");
                }
            }
        }
    }
    assert!(seen > 10_000, "{seen} records reach the backend");
}

#[test]
fn without_the_gate_the_backend_would_panic() {
    let hello = message(CLIENT_KEY_EXCHANGE, &[]);
    let read = || drop(RecordLayer::unmarshal(&mut BufReader::new(&hello[..])));
    assert!(catch_unwind(read).is_err(), "fixed upstream: is the gate still needed?");
}
