//! What is written can be read, by us and by the engine's own parser.

use conf_media::sdp::Offer;

use super::*;

fn local() -> Local {
    Local {
        address: "127.0.0.1:4000".parse().unwrap(),
        ufrag: "abcd".into(),
        password: "0123456789abcdef01234567".into(),
        fingerprint: conf_media::command::Fingerprint([7; 32]),
    }
}

const ALL: Terms = Terms { nack: true, twcc: true, levels: true };

#[test]
fn the_engine_reads_what_publishers_and_subscribers_offer() {
    let sources =
        vec![Source { kind: Kind::Audio, ssrc: 5 }, Source { kind: Kind::Video, ssrc: 6 }];
    let wish = Publish { local: local(), name: "p0".into(), sources, terms: ALL };
    let offer = Offer::parse(&offer_of_publisher(&wish)).unwrap();
    assert_eq!((offer.ice_ufrag.as_str(), offer.sections.len()), ("abcd", 2));
    assert!(offer.sections[1].ssrcs.iter().any(|ssrc| ssrc.ssrc == 6));
    assert!(offer.sections.iter().all(|section| section.direction.sends()));
    let wish = Subscribe { local: local(), name: "s0".into(), audio: 2, video: 1, terms: ALL };
    let offer = Offer::parse(&offer_of_subscriber(&wish)).unwrap();
    assert_eq!(offer.sections.len(), 3);
    assert!(offer.sections.iter().all(|section| !section.direction.sends()));
}

#[test]
fn terms_that_are_off_are_not_offered() {
    let off = Terms { nack: false, twcc: false, levels: false };
    let wish = Subscribe { local: local(), name: "s0".into(), audio: 1, video: 1, terms: off };
    let text = offer_of_subscriber(&wish);
    for word in ["rtx", "nack\r\n", "transport", "audio-level"] {
        assert!(!text.contains(word), "{word}");
    }
    assert!(text.contains("nack pli"));
}

#[test]
fn an_offer_of_a_server_is_read_and_answered_in_its_numbers() {
    let offer = "v=0\r\na=ice-lite\r\nm=video 9 UDP/TLS/RTP/SAVPF 100 101\r\na=mid:v1\r\n\
        a=ice-ufrag:uf\r\na=ice-pwd:pw\r\na=setup:actpass\r\na=rtpmap:100 VP8/90000\r\n\
        a=rtpmap:101 rtx/90000\r\na=fmtp:101 apt=100\r\na=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
        a=ssrc:77 cname:x\r\na=candidate:1 1 udp 2015363327 127.0.0.1 5000 typ host\r\n";
    let offer = format!("{offer}a=fingerprint:sha-256 {}\r\n", local().fingerprint);
    let remote = Remote::parse(&offer).unwrap();
    assert_eq!(remote.candidates, ["127.0.0.1:5000".parse().unwrap()]);
    let [section] = &remote.sections[..] else { panic!("{remote:?}") };
    assert_eq!((section.media, section.rtx, &section.ssrcs[..]), (Some(100), Some(101), &[77][..]));
    let answer = answer_of_subscriber(&local(), &remote, ALL);
    for line in ["a=mid:v1", "m=video 9 UDP/TLS/RTP/SAVPF 100 101", "a=extmap:9 ", "a=setup:active"]
    {
        assert!(answer.contains(line), "{line}");
    }
}

#[test]
fn a_description_that_cannot_be_used_is_refused_in_words() {
    let candidate = "a=candidate:1 1 udp 1 127.0.0.1 5000 typ host";
    for (text, words) in [
        ("v=0", "no UDP candidate"),
        (candidate, "no ice-ufrag"),
        ("m=video 0 x 0\na=mid:3", "no UDP candidate"),
        ("a=setup:active", "the server is active in DTLS, and so are we"),
        ("m=audio 9 x 1\na=rtpmap:x y", "line 2 is no valid attribute"),
    ] {
        assert_eq!(Remote::parse(text).unwrap_err().to_string(), words);
    }
    let rejected = format!("m=video 0 x 0\na=mid:3\n{candidate}");
    assert_eq!(
        Remote::parse(&rejected).unwrap_err().to_string(),
        "the server refused media section 3"
    );
}
