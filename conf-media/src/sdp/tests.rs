//! Genuine offers of Chromium 156 and Firefox 153, and offers that nobody should send.

use super::answer::{self, Local, Sending, Use};
use super::{MAX_OFFER_BYTES, MAX_SECTIONS, Offer, SdpError, SectionKind};
use crate::codec::Codec;
use crate::command::{Encoding, Fingerprint, Kind, Label};
use crate::ice::{Candidate, Credentials};

const CHROMIUM_JOIN: &str = include_str!("../../tests/sdp/chromium_join.sdp");
const CHROMIUM_MICROPHONE: &str = include_str!("../../tests/sdp/chromium_microphone.sdp");
const CHROMIUM_CAMERA: &str = include_str!("../../tests/sdp/chromium_camera.sdp");
const CHROMIUM_SCREEN: &str = include_str!("../../tests/sdp/chromium_screen.sdp");
const CHROMIUM_CAMERA_OFF: &str = include_str!("../../tests/sdp/chromium_camera_off.sdp");
const FIREFOX_JOIN: &str = include_str!("../../tests/sdp/firefox_join.sdp");
const FIREFOX_CAMERA: &str = include_str!("../../tests/sdp/firefox_camera.sdp");
const OBS: &str = include_str!("../../tests/sdp/obs_whip.sdp");
const ALL: [&str; 7] = [
    CHROMIUM_JOIN,
    CHROMIUM_MICROPHONE,
    CHROMIUM_CAMERA,
    CHROMIUM_SCREEN,
    CHROMIUM_CAMERA_OFF,
    FIREFOX_JOIN,
    FIREFOX_CAMERA,
];
const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";

fn label(text: &str) -> Label {
    Label::new(text.as_bytes()).unwrap()
}

/// What an answer without any forwarded track does.
fn idle(offer: &Offer) -> Vec<Use> {
    let sections = offer.sections.iter();
    let uses = sections.map(|section| match section.kind {
        SectionKind::Application => Use::Data,
        _ if section.payloads().is_empty() => Use::Rejected,
        _ if section.direction.sends() => Use::Receive { prefer: None },
        _ => Use::Inactive,
    });
    uses.collect()
}

fn write(offer: &Offer, uses: &[Use]) -> String {
    let credentials = Credentials { ufrag: "ours".into(), password: "p".repeat(24) };
    let [v4, v6] = ["192.0.2.1:7882", "[2001:db8::1]:7882"].map(|it| it.parse().unwrap());
    let candidates = [Candidate::udp(v4), Candidate::udp(v6), Candidate::tcp(v4)];
    let local = Local {
        credentials: &credentials,
        fingerprint: Fingerprint([0xAB; 32]),
        candidates: &candidates,
        session: u64::MAX,
        version: 1,
    };
    answer::write(offer, &local, uses)
}

/// The lines of each media section of an answer, the session part first.
fn parts(text: &str) -> Vec<Vec<&str>> {
    let mut parts = vec![Vec::new()];
    for line in text.split_terminator("\r\n") {
        if line.starts_with("m=") {
            parts.push(Vec::new());
        }
        parts.last_mut().unwrap().push(line);
    }
    parts
}

#[test]
fn the_first_offer_of_chromium_has_three_sections_of_each_kind_and_data() {
    let offer = Offer::parse(CHROMIUM_JOIN).unwrap();
    let kinds: Vec<_> = offer.sections.iter().map(|section| section.kind).collect();
    let mut expected = vec![SectionKind::Audio; 3];
    expected.extend([SectionKind::Video; 3]);
    expected.push(SectionKind::Application);
    assert_eq!(kinds, expected);
    assert!(offer.extmap_allow_mixed);
    let video = &offer.sections[3];
    let first = &video.payloads()[0];
    assert_eq!((first.codec, first.payload_type, first.rtx), (Codec::Vp8, 96, Some(97)));
    assert!(first.nack && first.pli);
    let extensions = video.extensions();
    assert!(extensions.mid.is_some() && extensions.transport_cc.is_some());
    assert!(extensions.dependency_descriptor.is_some());
    let audio = &offer.sections[0];
    let payloads = audio.payloads();
    assert_eq!(payloads.len(), 1, "Opus and nothing else");
    assert_eq!((payloads[0].codec, payloads[0].clock_rate), (Codec::Opus, 48_000));
    assert!(audio.extensions().audio_level.is_some());
}

#[test]
fn the_rid_extension_is_accepted_on_the_placeholder_sections_of_the_first_offer() {
    let offer = Offer::parse(CHROMIUM_JOIN).unwrap();
    let text = write(&offer, &idle(&offer));
    let parts = parts(&text);
    for section in &parts[4..7] {
        let wanted = |uri: &str| section.iter().any(|line| line.ends_with(uri));
        assert!(wanted(RID), "{section:?}");
        assert!(wanted("urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"));
        assert!(wanted("urn:ietf:params:rtp-hdrext:sdes:mid"));
        assert!(wanted("transport-wide-cc-extensions-01"));
        assert!(wanted("abs-send-time"));
        assert!(wanted("urn:3gpp:video-orientation"));
        assert!(wanted("#dependency-descriptor-rtp-header-extension"));
    }
}

#[test]
fn an_unused_section_is_inactive_and_never_looks_live() {
    let offer = Offer::parse(CHROMIUM_JOIN).unwrap();
    let text = write(&offer, &idle(&offer));
    assert_eq!(text.matches("a=inactive\r\n").count(), 6);
    assert!(!text.contains("a=sendonly") && !text.contains("a=msid:"));
}

#[test]
fn every_answer_mirrors_the_sections_of_its_offer_and_can_be_read_again() {
    for text in ALL {
        let offer = Offer::parse(text).unwrap();
        let answer = write(&offer, &idle(&offer));
        assert_eq!(parts(&answer).len() - 1, offer.sections.len());
        let active = answer.replace("a=setup:passive", "a=setup:active");
        let read = Offer::parse(&active).unwrap();
        let mids = |offer: &Offer| -> Vec<_> {
            offer.sections.iter().map(|section| (section.kind, section.mid)).collect()
        };
        assert_eq!(mids(&read), mids(&offer));
        for (ours, theirs) in read.sections.iter().zip(&offer.sections) {
            assert_eq!(ours.payloads(), theirs.payloads());
            assert_eq!(ours.extensions(), theirs.extensions());
        }
        assert_eq!(read.fingerprint, Fingerprint([0xAB; 32]));
    }
}

#[test]
fn redundancy_and_telephone_codecs_are_refused() {
    for text in ALL {
        let offer = Offer::parse(text).unwrap();
        let answer = write(&offer, &idle(&offer)).to_ascii_lowercase();
        for refused in [" red/", "ulpfec", "flexfec", "pcmu", "pcma", "g722", "cn/", "telephone"] {
            assert!(!answer.contains(refused), "{refused}");
        }
        assert!(!answer.contains("goog-remb") && answer.contains("transport-cc"));
    }
}

#[test]
fn the_transport_is_ours_lite_passive_and_complete() {
    let offer = Offer::parse(CHROMIUM_JOIN).unwrap();
    let text = write(&offer, &idle(&offer));
    let parts = parts(&text);
    assert!(parts[0].contains(&"a=ice-lite"));
    assert!(parts[0].contains(&"a=group:BUNDLE 0 1 2 3 4 5 6"));
    assert!(parts[0].contains(&"a=extmap-allow-mixed"));
    for section in &parts[1..] {
        assert!(section.contains(&"a=ice-ufrag:ours") && section.contains(&"a=setup:passive"));
    }
    let candidates = [
        "a=candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::1 7882 typ host",
        "a=candidate:3 1 tcp 1520434687 192.0.2.1 7882 typ host tcptype passive",
        "a=end-of-candidates",
    ];
    for line in candidates {
        assert!(parts[1].contains(&line), "{:?}", parts[1]);
        assert_eq!(text.matches(line).count(), 1);
    }
    let data = &parts[7];
    assert!(data[0].starts_with("m=application 9 UDP/DTLS/SCTP webrtc-datachannel"));
    assert!(data.contains(&"a=sctp-port:5000") && data.contains(&"a=max-message-size:64000"));
}

#[test]
fn candidates_of_an_offer_are_not_looked_at_whatever_they_name() {
    let hidden =
        "a=candidate:1 1 udp 2113937151 6d1c9c1e-3e5c-4e59-8a5b-2f5f7a1d0b7e.local 54321 typ host";
    let nonsense = "a=candidate:nonsense";
    for line in [hidden, nonsense] {
        let text = CHROMIUM_JOIN.trim_end().to_owned() + "\r\n" + line + "\r\n";
        assert_eq!(Offer::parse(&text).unwrap(), Offer::parse(CHROMIUM_JOIN).unwrap());
    }
}

#[test]
fn a_forwarded_track_has_stream_and_track_names_and_its_sources() {
    let offer = Offer::parse(CHROMIUM_JOIN).unwrap();
    let mut uses = idle(&offer);
    uses[3] = Use::Send(Sending {
        stream: "PA_1|TR_2".into(),
        track: "TR_2".into(),
        ssrc: 7,
        rtx_ssrc: Some(8),
        cname: "c".into(),
    });
    let text = write(&offer, &uses);
    let section = &parts(&text)[4];
    for line in [
        "a=sendonly",
        "a=msid:PA_1|TR_2 TR_2",
        "a=ssrc-group:FID 7 8",
        "a=ssrc:7 cname:c",
        "a=ssrc:8 cname:c",
        "a=ssrc:7 msid:PA_1|TR_2 TR_2",
    ] {
        assert!(section.contains(&line), "{line} {section:?}");
    }
    let subscription = offer.sections[3].subscription(7, 8, "c").unwrap();
    assert_eq!((subscription.ssrc, subscription.rtx_ssrc), (7, Some(8)));
    assert_eq!(offer.sections[0].subscription(7, 8, "c").unwrap().rtx_ssrc, None, "no audio RTX");
}

#[test]
fn a_camera_of_chromium_is_three_encodings_from_quarter_to_full() {
    let offer = Offer::parse(CHROMIUM_CAMERA).unwrap();
    let camera = offer.sections.iter().find(|section| !section.simulcast.is_empty()).unwrap();
    let publication = camera.publication().unwrap();
    assert_eq!(publication.kind, Kind::Video);
    let encoding = |rid| Encoding { rid: Some(label(rid)), ssrc: None, rtx_ssrc: None };
    assert_eq!(publication.encodings, ["q", "h", "f"].map(encoding));
    assert!(publication.extensions.rid.is_some() && publication.extensions.repaired_rid.is_some());
    let text = write(&offer, &idle(&offer));
    for line in ["a=rid:q recv", "a=rid:h recv", "a=rid:f recv", "a=simulcast:recv q;h;f"] {
        assert!(text.contains(&format!("{line}\r\n")), "{line}");
    }
}

#[test]
fn encodings_named_from_full_to_quarter_are_sorted_and_others_are_kept() {
    let swapped = CHROMIUM_CAMERA.replace("send q;h;f", "send f;~h;q");
    let other = CHROMIUM_CAMERA.replace("send q;h;f", "send z;a");
    let rids = |text: &str| -> Vec<String> {
        let offer = Offer::parse(text).unwrap();
        let section = offer.sections.iter().find(|section| !section.simulcast.is_empty());
        let encodings = section.unwrap().publication().unwrap().encodings;
        encodings.iter().map(|e| e.rid.unwrap().as_str().to_owned()).collect()
    };
    assert_eq!(rids(&swapped), ["q", "h", "f"]);
    assert_eq!(rids(&other), ["z", "a"]);
}

#[test]
fn a_screen_and_a_microphone_are_bound_by_their_sources() {
    let offer = Offer::parse(CHROMIUM_SCREEN).unwrap();
    let screen = offer.sections.last().unwrap();
    let publication = screen.publication().unwrap();
    let [encoding] = publication.encodings.as_slice() else { panic!("{publication:?}") };
    assert!(encoding.rid.is_none() && encoding.ssrc.is_some() && encoding.rtx_ssrc.is_some());
    let offer = Offer::parse(CHROMIUM_MICROPHONE).unwrap();
    let microphone = offer.sections.last().unwrap();
    let publication = microphone.publication().unwrap();
    assert_eq!(publication.kind, Kind::Audio);
    assert!(publication.encodings[0].ssrc.is_some() && publication.encodings[0].rtx_ssrc.is_none());
    assert!(!microphone.msid.as_ref().unwrap().track.is_empty());
}

#[test]
fn profiles_tell_payload_types_of_one_codec_apart() {
    let offer = Offer::parse(CHROMIUM_JOIN).unwrap();
    let codecs: Vec<Codec> =
        offer.sections[3].payloads().iter().map(|payload| payload.codec).collect();
    for codec in [
        Codec::H264 { profile: 0x42e0, mode: 1 },
        Codec::H264 { profile: 0x4200, mode: 0 },
        Codec::Vp9 { profile: 0 },
        Codec::Vp9 { profile: 2 },
        Codec::Av1 { profile: 0 },
    ] {
        assert!(codecs.contains(&codec), "{codec:?}");
    }
}

#[test]
fn firefox_is_answered_too() {
    let offer = Offer::parse(FIREFOX_CAMERA).unwrap();
    let camera = offer.sections.iter().find(|section| !section.simulcast.is_empty()).unwrap();
    assert_eq!(camera.publication().unwrap().encodings.len(), 3);
    assert!(camera.extensions().rid.is_some());
    let codecs: Vec<_> = camera.payloads().iter().map(|payload| payload.codec).collect();
    assert_eq!(codecs[0], Codec::Vp8);
}

#[test]
fn a_section_without_a_codec_of_ours_has_port_zero_and_leaves_the_bundle() {
    let text = CHROMIUM_JOIN.replace("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 speex/16000");
    let offer = Offer::parse(&text).unwrap();
    let answer = write(&offer, &idle(&offer));
    let parts = parts(&answer);
    assert!(parts[0].contains(&"a=group:BUNDLE 3 4 5 6"), "{:?}", parts[0]);
    assert!(parts[1][0].starts_with("m=audio 0 UDP/TLS/RTP/SAVPF 111"));
    assert!(parts[4].iter().any(|line| line.starts_with("a=candidate:1")));
}

#[test]
fn an_offer_for_fifty_cameras_and_microphones_is_answered() {
    let (session, rest) = CHROMIUM_JOIN.split_at(CHROMIUM_JOIN.find("m=audio").unwrap());
    let template = |kind: &str, mid: usize| {
        let from = rest.find(kind).unwrap();
        let end = rest[from + 2..].find("m=audio").or_else(|| rest[from + 2..].find("m=video"));
        let section = &rest[from..from + 2 + end.unwrap()];
        let old = section.lines().find(|line| line.starts_with("a=mid:")).unwrap();
        section.replace(old, &format!("a=mid:{mid}"))
    };
    let mids: Vec<String> = (0..100).map(|mid: usize| mid.to_string()).collect();
    let mut text = session.replace("0 1 2 3 4 5 6", &mids.join(" "));
    for mid in 0..100 {
        text.push_str(&template(if mid % 2 == 0 { "m=audio" } else { "m=video" }, mid));
    }
    assert!(text.len() > 256 * 1024, "{}", text.len());
    let offer = Offer::parse(&text).unwrap();
    assert_eq!(parts(&write(&offer, &idle(&offer))).len(), 101);
}

#[test]
fn a_stopped_section_is_neither_bundled_nor_an_error() {
    let stopped = CHROMIUM_JOIN.replacen("m=video 9", "m=video 0", 1);
    let stopped = stopped.replace("BUNDLE 0 1 2 3 4 5 6", "BUNDLE 0 1 2 4 5 6");
    let offer = Offer::parse(&stopped).unwrap();
    assert!(offer.sections[3].stopped && !offer.sections[4].stopped);
    let bundle_only = CHROMIUM_JOIN.replace("m=video 9", "m=video 0");
    let bundle_only = bundle_only.replace("a=rtcp-mux", "a=bundle-only\r\na=rtcp-mux");
    let offer = Offer::parse(&bundle_only).unwrap();
    assert!(offer.sections.iter().all(|section| !section.stopped));
}

#[test]
fn a_return_or_a_zero_within_a_line_is_refused_and_so_never_in_an_answer() {
    for inside in ["\r", "\0"] {
        let offer = OBS.replace("minptime=10", &format!("minptime=10{inside}a=ice-ufrag:else"));
        let refused = SdpError::Line { line: 22, what: "line" };
        assert_eq!(Offer::parse(&offer).unwrap_err(), refused, "{inside:?}");
    }
}

#[test]
fn line_feeds_alone_end_lines_too() {
    let offer = Offer::parse(&CHROMIUM_CAMERA.replace("\r\n", "\n")).unwrap();
    assert_eq!(offer, Offer::parse(CHROMIUM_CAMERA).unwrap());
}

#[test]
fn an_offer_over_the_limits_is_refused_with_the_limit() {
    let long = format!("v=0\r\n{}", "a=x\r\n".repeat(MAX_OFFER_BYTES));
    assert_eq!(Offer::parse(&long), Err(SdpError::TooLarge { len: long.len() }));
    let wide = format!("v=0\r\n{}", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(MAX_SECTIONS + 1));
    assert_eq!(Offer::parse(&wide), Err(SdpError::TooManySections));
    let many = CHROMIUM_CAMERA.replace("a=rid:q send", &"a=rid:q send\r\n".repeat(9));
    assert_eq!(Offer::parse(&many), Err(SdpError::TooMany { what: "rid", limit: 8 }));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let without = |what: &str| -> SdpError {
        let lines = CHROMIUM_JOIN.lines().filter(|line| !line.starts_with(what));
        Offer::parse(&lines.collect::<Vec<_>>().join("\r\n")).unwrap_err()
    };
    assert_eq!(without("v="), SdpError::Version);
    assert_eq!(without("a=fingerprint"), SdpError::NoFingerprint);
    assert_eq!(without("a=ice-ufrag"), SdpError::NoIce);
    assert_eq!(without("a=ice-pwd"), SdpError::NoIce);
    assert_eq!(without("a=mid:4"), SdpError::Mid);
    assert_eq!(without("a=group"), SdpError::NotBundled);
    assert_eq!(without("a=rtcp-mux"), SdpError::NotBundled);
    assert_eq!(Offer::parse(""), Err(SdpError::Version));
    let swapped =
        |from: &str, to: &str| Offer::parse(&CHROMIUM_JOIN.replace(from, to)).unwrap_err();
    assert_eq!(swapped("actpass", "passive"), SdpError::Passive);
    assert_eq!(swapped("a=mid:4", "a=mid:3"), SdpError::Mid);
    let sha = "fingerprint:sha-256 ";
    assert_eq!(swapped(sha, "fingerprint:sha-1 "), SdpError::NoFingerprint);
    let expected = SdpError::Line { line: 14, what: "fingerprint" };
    assert_eq!(swapped(sha, "fingerprint:sha-256 +1:"), expected);
    assert_eq!(
        swapped("a=rtpmap:111 ", "a=rtpmap:x "),
        SdpError::Line { line: 25, what: "rtpmap" }
    );
}

#[test]
fn a_genuine_offer_cut_short_or_without_a_line_is_answered_or_refused() {
    for text in [CHROMIUM_CAMERA, FIREFOX_CAMERA] {
        for end in (0..text.len()).step_by(31) {
            let _read = Offer::parse(&text[..end]);
        }
        let lines: Vec<&str> = text.lines().collect();
        for skipped in (0..lines.len()).step_by(3) {
            let mut fewer = lines.clone();
            fewer.remove(skipped);
            answered_or_refused(&fewer.join("\n"));
        }
    }
}

#[test]
fn two_thousand_damaged_offers_are_answered_or_refused() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..2_000 {
        let source = if next(2) == 0 { FIREFOX_CAMERA } else { FIREFOX_JOIN };
        let mut bytes = source.as_bytes().to_vec();
        for _ in 0..=next(8) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                1 => bytes.truncate(at.max(1)),
                _ => {
                    let from = next(bytes.len());
                    let end = (from + 40).min(bytes.len());
                    let piece = bytes[from..end].to_vec();
                    bytes.splice(at.min(bytes.len())..at.min(bytes.len()), piece);
                }
            }
        }
        answered_or_refused(&String::from_utf8_lossy(&bytes));
    }
}

fn answered_or_refused(text: &str) {
    if let Ok(offer) = Offer::parse(text) {
        let answer = write(&offer, &idle(&offer));
        assert_eq!(answer.matches("\r\nm=").count(), offer.sections.len());
        assert!(!answer.contains('\n') || answer.lines().all(|line| line.len() > 1));
    }
}
