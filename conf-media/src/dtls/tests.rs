//! The handshake against a client in memory, on counted time.
#![allow(clippy::cast_possible_truncation, reason = "small numbers, in tests")]

use std::time::Duration;

use super::client::{BACKENDS, Client, Random, Side, fragments, start};
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
    for backend in BACKENDS {
        let now = start();
        let (mut client, mut server) = (Client::new(now), Side::new(backend));
        let reported = client.exchange(now, &mut server);
        assert!(client.connected);
        assert_eq!(client.seen, Some(server.acceptor.fingerprint()));
        let [Output::Connected { keys, fingerprint }] = &reported[..] else {
            panic!("{backend:?}: {reported:?}")
        };
        assert_eq!(*fingerprint, client.fingerprint);
        let (profile, material) = client.material.unwrap();
        assert_eq!(profile, Profile::AeadAes256Gcm);
        assert_eq!(keys.profile, profile);
        let (ours, theirs) = (&keys.local, &keys.remote);
        let wire: Vec<u8> = [&theirs.key[..], &ours.key, &theirs.salt, &ours.salt].concat();
        assert_eq!(wire, material);
    }
}

#[test]
fn a_hello_in_two_datagrams_is_taken_in_either_order_and_with_repetitions() {
    for (backend, order) in BACKENDS.into_iter().flat_map(|backend| {
        [&[0, 1][..], &[1, 0], &[0, 0, 1], &[1, 1, 1, 0]].map(|order| (backend, order))
    }) {
        let now = start();
        let (mut client, mut server) = (Client::new(now), Side::new(backend));
        let parts = fragments(&client.poll().remove(0), &[50]);
        for &part in order {
            server.dtls.handle(now, &parts[part]).unwrap();
        }
        for output in server.poll() {
            let Output::Transmit(datagram) = output else { panic!() };
            client.handle(now, &datagram);
        }
        let reported = client.exchange(now, &mut server);
        assert!(matches!(reported[..], [Output::Connected { .. }]), "{backend:?} {order:?}");
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
        for backend in BACKENDS {
            let answer = server_hello(&mut Side::new(backend), &datagram);
            let chosen = [0, 14, 0, 5, 0, 2, 0, number, 0];
            assert!(answer.windows(9).any(|window| window == chosen), "{backend:?}: {wanted:?}");
        }
    }
}

/// The datagram that begins with the ServerHello; a cookie that is asked for is brought back.
fn server_hello(server: &mut Side, hello: &[u8]) -> Bytes {
    server.dtls.handle(start(), hello).unwrap();
    let Some(Output::Transmit(answer)) = server.poll().into_iter().next() else { panic!() };
    if answer[13] != HELLO_VERIFY_REQUEST {
        return answer;
    }
    let cookie = &answer[27..28 + usize::from(answer[27])];
    server.dtls.handle(start(), &with_cookie(hello, cookie)).unwrap();
    let Some(Output::Transmit(answer)) = server.poll().into_iter().next() else { panic!() };
    answer
}

/// The same hello as the second message, with a cookie (and its length) in place of none.
fn with_cookie(hello: &[u8], cookie: &[u8]) -> Vec<u8> {
    let at = 25 + 34 + 1; // behind version, random and an empty session id
    let mut body = hello[25..at].to_vec();
    body.extend(cookie);
    body.extend(&hello[at + 1..]);
    wire::record(wire::CLIENT_HELLO, 1, &body, &[0, 0, 0, 0, 0, 1])
}

const HELLO_VERIFY_REQUEST: u8 = 3;

#[test]
fn a_second_hello_that_offers_less_than_the_first_is_refused() {
    let mut server = Side::new(Backend::WebrtcDtls);
    server.dtls.handle(start(), &offering([2, 1, 5])).unwrap(); // as a stranger on the way may do
    let Some(Output::Transmit(asked)) = server.poll().into_iter().next() else { panic!() };
    let second = with_cookie(&offering([1, 8, 7]), &asked[27..]);
    assert_eq!(server.dtls.handle(start(), &second), Err(DtlsError::Downgraded));
    assert_eq!(server.poll(), []);
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
        for backend in BACKENDS {
            let mut server = Side::new(backend);
            let refused = server.dtls.handle(start(), &datagram);
            assert_eq!(refused, Err(DtlsError::Hello(error.clone())));
            assert_eq!((server.poll(), server.dtls.timeout()), (vec![], None));
        }
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

/// Lets both live through `limit` in small steps, until the server has reported something.
fn live(
    client: &mut Client,
    server: &mut Side,
    limit: Duration,
    mut arrives: impl FnMut(&[u8]) -> bool,
) -> Vec<Output> {
    let (begin, step) = (start(), Duration::from_millis(50));
    let mut now = begin;
    let mut reported = Vec::new();
    while now < begin + limit && (reported.is_empty() || !client.connected) {
        reported.extend(client.exchange_over(now, server, &mut arrives));
        now += step;
        client.dtls.handle_timeout(now).unwrap();
        server.elapse(now, step);
    }
    reported
}

#[test]
fn a_handshake_survives_the_loss_of_any_one_datagram() {
    for backend in BACKENDS {
        for lost in 0..12 {
            let (mut client, mut server) = (Client::new(start()), Side::new(backend));
            let mut count = 0;
            let reported = live(&mut client, &mut server, Duration::from_secs(10), |_| {
                count += 1;
                count - 1 != lost
            });
            assert!(client.connected, "{backend:?} without datagram {lost}");
            assert!(matches!(reported[..], [Output::Connected { .. }]), "{backend:?} {lost}");
        }
    }
}

/// The client doubles its pause each time. The second backend needs one round trip more, and with
/// one of these networks its last flight can be lost when the client's next try is past the limit:
/// how many datagrams there are depends on the length of signatures, which is random.
#[test]
fn a_handshake_succeeds_over_a_network_that_loses_every_fifth_datagram() {
    for (backend, late) in BACKENDS.into_iter().zip([0, 1]) {
        let connects = |seed: &u64| {
            let mut random = Random(seed * 0x9E37_79B9);
            let (mut client, mut server) = (Client::new(start()), Side::new(backend));
            live(&mut client, &mut server, Duration::from_secs(28), |_| random.below(5) > 0);
            client.connected
        };
        let failed: Vec<u64> = (1..20).filter(|seed| !connects(seed)).collect();
        assert!(failed.len() <= late, "{backend:?}, seeds {failed:?}");
    }
}

#[test]
fn a_peer_that_falls_silent_is_given_up_within_the_limit() {
    for backend in BACKENDS {
        let begin = start();
        let (mut client, mut server) = (Client::new(begin), Side::new(backend));
        server.dtls.handle(begin, &client.poll()[0]).unwrap();
        let step = Duration::from_millis(500);
        let ended = (1..70).any(|turn| {
            server.tasks.elapse(step);
            let due = server.dtls.timeout().is_some_and(|at| at <= begin + step * turn);
            let failed = due && server.dtls.handle_timeout(begin + step * turn).is_err();
            failed || server.poll().iter().any(|output| matches!(output, Output::Failed(_)))
        });
        assert!(ended, "{backend:?} is never given up");
        assert_eq!((server.dtls.timeout(), server.poll()), (None, vec![]));
    }
}

#[test]
fn data_goes_both_ways_and_a_close_is_reported() {
    for backend in BACKENDS {
        let now = start();
        let (mut client, mut server) = (Client::new(now), Side::new(backend));
        assert_eq!(server.dtls.send(b"early"), Err(DtlsError::NotConnected));
        client.exchange(now, &mut server);
        client.dtls.send_application_data(b"ping").unwrap();
        server.dtls.send(b"pong").unwrap();
        let expected = [Output::Data(Bytes::from_static(b"ping"))];
        assert_eq!(client.exchange(now, &mut server), expected, "{backend:?}");
        assert_eq!(client.data, [b"pong"]);
        let limit = server.dtls.send(&[0; 1_400]).unwrap_err();
        assert_eq!(limit, DtlsError::TooLarge { len: 1_400, limit: 1_150 });
        client.dtls.close().unwrap();
        assert_eq!(client.exchange(now, &mut server), [Output::Closed], "{backend:?}");
        assert_eq!(server.dtls.send(b"late"), Err(DtlsError::NotConnected));
    }
}

#[test]
fn a_panic_of_the_second_backend_ends_one_peer_and_is_counted() {
    let now = start();
    let side = Side::new(Backend::WebrtcDtls);
    let engine = side.engine();
    for rounds in [1, 20] {
        // In the middle of the handshake, and when it is done.
        let mut client = Client::new(now);
        let mut broken = engine.accept(Arc::new(|| {}), side.acceptor.panics().clone());
        for _ in 0..rounds {
            for datagram in client.poll() {
                broken.handle(now, &datagram).unwrap();
            }
            side.tasks.settle();
            while let Some(output) = broken.poll() {
                if let Output::Transmit(datagram) = output {
                    client.handle(now, &datagram);
                }
            }
        }
        assert_eq!(client.connected, rounds > 1);
        broken.plant_panic();
        let (mut other, mut good) = (Client::new(now), side.another());
        other.exchange(now, &mut good);
        assert!(other.connected, "another peer has nothing of it");
        let last = std::iter::from_fn(|| broken.poll()).last();
        assert_eq!(last, Some(Output::Failed(DtlsError::Panicked)));
    }
    assert_eq!(side.acceptor.panics().count(), 2);
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
    for backend in BACKENDS {
        let mut random = Random(0x5EED_0002);
        let side = Side::new(backend);
        for _ in 0..60 {
            damaged_handshake(&mut side.another(), &mut random);
        }
        assert_eq!(side.acceptor.panics().count(), 0);
    }
}

fn damaged_handshake(server: &mut Side, random: &mut Random) {
    let now = start();
    let mut client = Client::new(now);
    for _ in 0..6 {
        for mut datagram in client.poll() {
            if random.below(3) == 0 {
                let at = random.below(datagram.len());
                datagram[at] ^= 1 << random.below(8);
            }
            let _ = server.dtls.handle(now, &datagram);
        }
        for output in server.poll() {
            if let Output::Transmit(datagram) = output {
                let _ = client.dtls.handle_packet(&datagram); // may give up, as it should
            }
        }
    }
}
