//! Snapshots of a peer, in the words of W3C webrtc-stats.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::call;
use conf_media::command::{Command, Event, PeerId, TrackId};
use conf_media::rtcp::{ReportBlock, write};
use conf_media::rtp::Header;
use conf_media::stats::Measure;
use conf_media::stats::report::{DtlsState, PeerStats};
use conf_media::test_util::{Lab, Outgoing, vp8};

fn stats(lab: &mut Lab, peer: usize) -> PeerStats {
    lab.events.clear();
    let peer = lab.id(peer);
    lab.command(Command::AskStats { peer }).unwrap();
    lab.pass(Duration::from_millis(10), true);
    let answer = lab.events.iter().find_map(|event| match event {
        Event::Stats { peer: of, stats } if *of == peer => Some((**stats).clone()),
        _ => None,
    });
    answer.unwrap()
}

/// Ten pictures of two packets of 1,000 bytes; the second of the third is lost.
fn send_pictures(lab: &mut Lab, ada: usize) {
    for number in 0..20u16 {
        if number == 5 {
            continue;
        }
        let picture = number / 2;
        let header = Header {
            marker: number % 2 == 1,
            payload_type: 96,
            sequence: number,
            timestamp: u32::from(picture) * 3_600,
            ssrc: 6000,
        };
        let payload = &vp8(picture, picture % 5 == 0, number % 2 == 0, 1_000);
        lab.send(ada, &Outgoing { header, extensions: &[(1, b"1")], payload }).unwrap();
        lab.pass(Duration::from_millis(20), true);
    }
    lab.pass(Duration::from_secs(1), true);
}

#[test]
fn a_publisher_is_described_as_inbound() {
    let (mut lab, ada, _bob, _) = call();
    let before = stats(&mut lab, ada);
    assert_eq!((before.inbound_rtp[0].packets_received, before.outbound_rtp.len()), (0, 0));
    send_pictures(&mut lab, ada);
    let stats = stats(&mut lab, ada);
    let [inbound] = &stats.inbound_rtp[..] else { panic!("{stats:?}") };
    assert_eq!((inbound.track_identifier, inbound.ssrc), (1, Some(6000)));
    assert_eq!((inbound.packets_received, inbound.packets_lost), (19, 1));
    assert_eq!(inbound.bytes_received, 19_000);
    assert_eq!((inbound.frames_received, inbound.key_frames_received), (9, 2));
    assert!(inbound.nack_count >= 1 && inbound.jitter < 0.05, "{inbound:?}");
    let transport = &stats.transport;
    assert!(transport.packets_received >= 19 && transport.bytes_received > 19_000);
    assert_eq!(transport.dtls_state, DtlsState::Connected);
    assert!(transport.srtp_cipher.unwrap().starts_with("AE"));
    let pair = stats.candidate_pair.unwrap();
    assert_eq!((pair.protocol, pair.ip_version), ("udp", 4));
}

#[test]
fn a_subscriber_is_described_as_outbound_with_what_it_reports() {
    let (mut lab, ada, bob, _) = call();
    send_pictures(&mut lab, ada);
    let received = lab.received(bob);
    let first = received[0].view.sequence;
    let block = ReportBlock {
        ssrc: 900,
        fraction_lost: 64,
        cumulative_lost: 3,
        highest: u32::from(first),
        jitter: 900,
        last_sr: 0,
        delay: 0,
    };
    let mut compound = Vec::new();
    write::receiver_report(&mut compound, 1, &[block]);
    write::nack(&mut compound, 1, 900, &[first.wrapping_add(1)]);
    write::pli(&mut compound, 1, 900);
    lab.send_rtcp(bob, &compound).unwrap();
    let stats_now = stats(&mut lab, bob);
    let [outbound] = &stats_now.outbound_rtp[..] else { panic!("{stats_now:?}") };
    assert_eq!((outbound.ssrc, outbound.active, outbound.encoding_index), (900, true, Some(0)));
    assert_eq!((outbound.packets_sent, outbound.bytes_sent), (19, 19_000));
    assert_eq!(
        (outbound.retransmitted_packets_sent, outbound.retransmitted_bytes_sent),
        (1, 1_000)
    );
    assert_eq!((outbound.nack_count, outbound.pli_count, outbound.fir_count), (1, 1, 0));
    let remote = outbound.remote.unwrap();
    assert_eq!((remote.fraction_lost, remote.packets_lost, remote.jitter), (0.25, 3, 0.01));
    assert_eq!(remote.round_trip_time, None, "it has named none of our reports");
    let sent = (stats_now.transport.packets_sent, stats_now.transport.bytes_sent);
    assert_eq!(sent, (20, 20_000));
    lab.command(Command::Unsubscribe { track: TrackId(1), peer: lab.id(bob) }).unwrap();
    let after = stats(&mut lab, bob);
    assert!(after.outbound_rtp.is_empty());
    assert_eq!((after.transport.packets_sent, after.transport.bytes_sent), sent, "totals stay");
    let counters = lab.shard.counters();
    let histogram = |measure: Measure| counters.histograms[measure as usize];
    assert_eq!(histogram(Measure::LossOut).count(), 1);
    assert_eq!(histogram(Measure::LossOut).sum, 250_000);
    assert_eq!(histogram(Measure::JitterOut).sum, 10_000);
    assert!(histogram(Measure::LossIn).count() >= 1);
}

#[test]
fn serialised_the_words_are_those_of_the_standard_and_nothing_names_an_address() {
    let (mut lab, ada, bob, _) = call();
    send_pictures(&mut lab, ada);
    let mut words = Vec::new();
    for peer in [ada, bob] {
        let json = serde_json::to_value(stats(&mut lab, peer)).unwrap();
        words.push(json.to_string());
        for key in ["timestamp", "transport", "candidatePair", "inboundRtp", "outboundRtp"] {
            assert!(json.get(key).is_some(), "{key}");
        }
    }
    for key in ["packetsReceived", "keyFramesReceived", "nackCount", "dtlsState", "srtpCipher"] {
        assert!(words[0].contains(key), "{key}");
    }
    for key in ["retransmittedPacketsSent", "pliCount", "bytesSent", "\"kind\":\"video\""] {
        assert!(words[1].contains(key), "{key}");
    }
    assert!(!words.concat().contains("127.") && !words.concat().contains("10.0"));
}

#[test]
fn an_unknown_peer_has_no_statistics() {
    let (mut lab, ..) = call();
    assert!(lab.command(Command::AskStats { peer: PeerId(99) }).is_err());
}
