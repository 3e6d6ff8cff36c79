//! The handshake against a client in memory, on counted time.
#![allow(clippy::cast_possible_truncation, reason = "small numbers, in tests")]

use std::time::Duration;

use super::client::{Client, Random, fragments, server, start};
use super::hello::{Hello, Reader};
use super::*;
use crate::srtp::Profile;

const OFFERED: [u8; 13] = [0, 14, 0, 9, 0, 6, 0, 8, 0, 7, 0, 1, 0];

/// The client's first datagram.
fn hello() -> Vec<u8> {
    Client::new(start()).poll().remove(0)
}

/// The same hello with other profiles in `use_srtp`.
fn offering(profiles: [u16; 3]) -> Vec<u8> {
    let mut hello = hello();
    let at = hello.windows(OFFERED.len()).position(|window| window == OFFERED).unwrap();
    for (place, profile) in hello[at + 6..at + 12].chunks_mut(2).zip(profiles) {
        place.copy_from_slice(&profile.to_be_bytes());
    }
    hello
}

fn read(datagram: &[u8]) -> Result<Option<Hello>, HelloError> {
    Reader::default().push(datagram)
}

#[test]
fn both_sides_have_the_same_keys_and_know_each_others_certificate() {
    let now = start();
    let (mut client, mut server) = (Client::new(now), server());
    let expected = server_fingerprint(&server);
    let reported = client.exchange(now, &mut server);
    assert!(client.connected);
    assert_eq!(client.seen, Some(expected));
    let [Output::Connected { keys, fingerprint }] = &reported[..] else { panic!("{reported:?}") };
    assert_eq!(*fingerprint, client.fingerprint);
    let (profile, material) = client.material.unwrap();
    assert_eq!(profile, Profile::AeadAes256Gcm);
    assert_eq!(keys.profile, profile);
    let wire: Vec<u8> =
        [&keys.remote.key[..], &keys.local.key, &keys.remote.salt, &keys.local.salt].concat();
    assert_eq!(wire, material);
}

fn server_fingerprint(server: &dimpl::Server) -> Fingerprint {
    server.certificate().fingerprint()
}

#[test]
fn a_hello_in_two_datagrams_is_taken_in_either_order_and_with_repetitions() {
    let now = start();
    for order in [&[0, 1][..], &[1, 0], &[0, 0, 1], &[1, 1, 1, 0]] {
        let (mut client, mut server) = (Client::new(now), server());
        let parts = fragments(&client.poll().remove(0), &[50]);
        for &part in order {
            server.handle(now, &parts[part]).unwrap();
        }
        for output in std::iter::from_fn(|| server.poll()) {
            let Output::Transmit(datagram) = output else { panic!() };
            client.handle(now, &datagram);
        }
        let reported = client.exchange(now, &mut server);
        assert!(matches!(reported[..], [Output::Connected { .. }]), "{order:?}");
    }
}

#[test]
fn overlapping_fragments_make_one_hello_and_missing_bytes_make_none() {
    let whole = hello();
    let mut reader = Reader::default();
    let early = fragments(&whole, &[50, 70]);
    let late = fragments(&whole, &[40, 80]);
    assert_eq!(reader.push(&early[0]), Ok(None));
    assert_eq!(reader.push(&late[2]), Ok(None));
    assert_eq!(reader.push(&early[0]), Ok(None));
    let complete = reader.push(&late[1]).unwrap().expect("covered by overlapping fragments");
    assert_eq!(complete.record[25..], whole[25..]);
}

#[test]
fn gcm_is_chosen_wherever_it_is_offered_and_cm_only_otherwise() {
    let chromium = [1, 8, 7];
    for (offer, wanted, number) in [
        (chromium, Profile::AeadAes256Gcm, 8),
        ([1, 7, 2], Profile::AeadAes128Gcm, 7),
        ([2, 1, 5], Profile::AesCm128HmacSha1_80, 1),
    ] {
        let datagram = offering(offer);
        let read = read(&datagram).unwrap().unwrap();
        assert_eq!((read.profile, &read.profiles[..]), (wanted, &offer[..]));
        let mut server = server();
        server.handle(start(), &datagram).unwrap();
        let Some(Output::Transmit(answer)) = server.poll() else { panic!() };
        let chosen = [0, 14, 0, 5, 0, 2, 0, number, 0];
        assert!(answer.windows(9).any(|window| window == chosen), "{wanted:?} in the ServerHello");
    }
}

#[test]
fn an_offer_that_cannot_lead_to_media_is_refused_before_any_state() {
    let cases: [(&[u8], &[u8], HelloError); 4] = [
        (&OFFERED, &[0, 14, 0, 9, 0, 6, 0, 2, 0, 5, 0, 6, 0], HelloError::NoCommonProfile),
        (&OFFERED[..4], &[0xAA, 0xAA, 0, 9], HelloError::NoUseSrtp),
        (&[0, 23, 0, 0], &[0xAA, 0xAA, 0, 0], HelloError::NoExtendedMasterSecret),
        (&OFFERED[..6], &[0, 14, 0, 9, 0, 8], HelloError::Malformed { what: "use_srtp" }),
    ];
    for (from, to, error) in cases {
        let mut datagram = hello();
        let at = datagram.windows(from.len()).position(|window| window == from).unwrap();
        datagram[at..at + to.len()].copy_from_slice(to);
        let mut server = server();
        assert_eq!(server.handle(start(), &datagram), Err(DtlsError::Hello(error)));
        assert_eq!((server.poll(), server.timeout()), (None, None));
    }
    let mut old = hello();
    old[25..27].copy_from_slice(&[0xFE, 0xFF]);
    assert_eq!(read(&old), Err(HelloError::NoVersion));
}

#[test]
fn a_hello_over_the_bounds_is_refused() {
    let mut large = fragments(&hello(), &[10]).remove(0);
    large[14..17].copy_from_slice(&[1, 0, 0]);
    assert_eq!(read(&large), Err(HelloError::TooLarge { len: 65_536, limit: 8_192 }));
    let cuts: Vec<usize> = (1..30).collect();
    let mut reader = Reader::default();
    let crumbs = fragments(&hello(), &cuts);
    let refused = crumbs.iter().find_map(|crumb| reader.push(crumb).err());
    assert_eq!(refused, Some(HelloError::TooManyFragments { limit: 16 }));
}

#[test]
fn a_lost_flight_is_sent_again() {
    let mut now = start();
    let (mut client, mut server) = (Client::new(now), server());
    server.handle(now, &client.poll()[0]).unwrap();
    let lost = std::iter::from_fn(|| server.poll()).count();
    assert!(lost > 0);
    now = server.timeout().unwrap() + Duration::from_millis(1);
    server.handle_timeout(now).unwrap();
    for output in std::iter::from_fn(|| server.poll()) {
        let Output::Transmit(datagram) = output else { panic!() };
        client.handle(now, &datagram);
    }
    assert!(matches!(client.exchange(now, &mut server)[..], [Output::Connected { .. }]));
}

#[test]
fn a_peer_that_falls_silent_is_given_up_within_the_limit() {
    let begin = start();
    let (mut client, mut server) = (Client::new(begin), server());
    server.handle(begin, &client.poll()[0]).unwrap();
    for _ in 0..100 {
        while server.poll().is_some() {}
        let Some(at) = server.timeout() else { panic!("no timer and no end") };
        assert!(at <= begin + HANDSHAKE_LIMIT + Duration::from_secs(1));
        if server.handle_timeout(at).is_err() {
            assert_eq!(server.timeout(), None);
            return;
        }
    }
    panic!("never given up");
}

#[test]
fn data_goes_both_ways_and_a_close_is_reported() {
    let now = start();
    let (mut client, mut server) = (Client::new(now), server());
    assert_eq!(server.send(b"early"), Err(DtlsError::NotConnected));
    client.exchange(now, &mut server);
    client.dtls.send_application_data(b"ping").unwrap();
    server.send(b"pong").unwrap();
    assert_eq!(client.exchange(now, &mut server), [Output::Data(Bytes::from_static(b"ping"))]);
    assert_eq!(client.data, [b"pong"]);
    let limit = server.send(&[0; 1_400]).unwrap_err();
    assert_eq!(limit, DtlsError::TooLarge { len: 1_400, limit: 1_150 });
    client.dtls.close().unwrap();
    assert_eq!(client.exchange(now, &mut server), [Output::Closed]);
    assert_eq!(server.send(b"late"), Err(DtlsError::NotConnected));
}

#[test]
fn garbage_never_panics() {
    let mut random = Random(0x5EED_0001);
    let good = hello();
    for round in 0..20_000 {
        let mut bytes = if round % 2 == 0 {
            let len = random.below(200);
            (0..len).map(|_| random.next() as u8).collect()
        } else {
            good.clone()
        };
        for _ in 0..random.below(4) {
            if !bytes.is_empty() {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            }
        }
        bytes.truncate(bytes.len() - random.below(bytes.len() / 8 + 1));
        let mut reader = Reader::default();
        let _ = reader.push(&bytes);
        let _ = reader.push(&good);
    }
}

#[test]
fn damaged_flights_never_panic_the_server() {
    let mut random = Random(0x5EED_0002);
    for _ in 0..60 {
        let now = start();
        let (mut client, mut server) = (Client::new(now), server());
        for _ in 0..6 {
            for mut datagram in client.poll() {
                if random.below(3) == 0 {
                    let at = random.below(datagram.len());
                    datagram[at] ^= 1 << random.below(8);
                }
                let _ = server.handle(now, &datagram);
            }
            while let Some(output) = server.poll() {
                if let Output::Transmit(datagram) = output {
                    let _ = client.dtls.handle_packet(&datagram); // it may give up, as it should
                }
            }
        }
    }
}
