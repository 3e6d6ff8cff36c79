//! Vectors of RFC 3711 and RFC 7714; order, repetition, limits, forgery.

use super::derive::{Session, Sessions, apply_counter_mode, counter_mode};
use super::protection::Identity;
use super::sources::{RtcpWindow, RtpWindow, Sources};
use super::*;

const PROFILES: [Profile; 3] =
    [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::AesCm128HmacSha1_80];

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

fn bits(hex: &str) -> u128 {
    u128::from_str_radix(hex, 16).unwrap()
}

fn master(profile: Profile) -> MasterKey {
    let count = |len: usize| (0u8..).take(len).collect();
    MasterKey { key: count(profile.key_len()), salt: count(profile.salt_len()) }
}

fn pair(profile: Profile) -> (Sealer, Opener) {
    let master = master(profile);
    (Sealer::new(profile, &master).unwrap(), Opener::new(profile, &master).unwrap())
}

fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 1, 2]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(b"payload of a packet");
    packet
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut compound = vec![0x80, 200, 0, 6];
    compound.extend(ssrc.to_be_bytes());
    compound.extend([7; 20]);
    compound
}

fn seal_rtp(sealer: &mut Sealer, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + 16, 0xee);
    let len = sealer.seal_rtp(&mut buffer, packet.len())?;
    buffer.truncate(len);
    Ok(buffer)
}

fn seal_rtcp(sealer: &mut Sealer, compound: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = compound.to_vec();
    buffer.resize(compound.len() + 20, 0xee);
    let len = sealer.seal_rtcp(&mut buffer, compound.len())?;
    buffer.truncate(len);
    Ok(buffer)
}

fn open_rtp(opener: &mut Opener, sealed: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = sealed.to_vec();
    let len = opener.open_rtp(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

fn open_rtcp(opener: &mut Opener, sealed: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = sealed.to_vec();
    let len = opener.open_rtcp(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

/// RFC 7714, sections 16 and 17: session keys are given, not master keys.
fn gcm_sample(profile: Profile) -> (Sealer, Opener) {
    let session = || Session {
        key: (0u8..).take(profile.key_len()).collect(),
        authentication: [0; 20],
        salt: bits("517569642070726f2071756f"),
    };
    let sessions = Sessions { rtp: session(), rtcp: session() };
    let sealer = Sealer::from_sessions(profile, &sessions).unwrap();
    (sealer, Opener::from_sessions(profile, &sessions).unwrap())
}

#[test]
fn rtp_is_sealed_and_opened_as_in_rfc_7714_section_16() {
    let plain = bytes(
        "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573",
    );
    for (profile, sealed) in [
        (
            Profile::AeadAes128Gcm,
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            Profile::AeadAes256Gcm,
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ] {
        let (mut sealer, mut opener) = gcm_sample(profile);
        assert_eq!(hex::encode(seal_rtp(&mut sealer, &plain).unwrap()), sealed);
        assert_eq!(open_rtp(&mut opener, &bytes(sealed)).unwrap(), plain);
    }
}

#[test]
fn rtcp_is_sealed_and_opened_as_in_rfc_7714_section_17() {
    let plain = bytes(
        "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    );
    for (profile, sealed) in [
        (
            Profile::AeadAes128Gcm,
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
        ),
        (
            Profile::AeadAes256Gcm,
            "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
        ),
    ] {
        let (mut sealer, mut opener) = gcm_sample(profile);
        for _ in 0..0x5d4 {
            seal_rtcp(&mut sealer, &plain).unwrap();
        }
        assert_eq!(hex::encode(seal_rtcp(&mut sealer, &plain).unwrap()), sealed);
        assert_eq!(open_rtcp(&mut opener, &bytes(sealed)).unwrap(), plain);
    }
}

#[test]
fn rtcp_that_is_only_authenticated_is_refused() {
    let tagged = bytes(
        "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef841dd9683dd78ec92ae58790125f62b3000005d4",
    );
    let (_, mut opener) = gcm_sample(Profile::AeadAes128Gcm);
    assert_eq!(open_rtcp(&mut opener, &tagged), Err(SrtpError::Unencrypted));
}

#[test]
fn the_key_stream_is_that_of_rfc_3711_appendix_b_2() {
    let key = counter_mode(&bytes("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
    let block = Identity { ssrc: 0, index: 0 }.block(bits("f0f1f2f3f4f5f6f7f8f9fafbfcfd"));
    let mut stream = vec![0; 16 * 0xff02];
    apply_counter_mode(&key, block, &mut stream).unwrap();
    assert_eq!(
        hex::encode(&stream[..48]),
        "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0"
    );
    assert_eq!(
        hex::encode(&stream[16 * 0xfeff..]),
        "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae6a2cc3787889374fbeb4c81b17ba6c44"
    );
}

#[test]
fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
    let master = MasterKey {
        key: bytes("e1f97a0d3e018be0d64fa32c06de4139"),
        salt: bytes("0ec675ad498afeebb6960b3aabe6"),
    };
    let session = Sessions::derive(Profile::AesCm128HmacSha1_80, &master).unwrap().rtp;
    assert_eq!(session.key, bytes("c61e7a93744f39ee10734afe3ff7a087"));
    assert_eq!(session.salt, bits("30cbbc08863d8c85d49db34a9ae1"));
    assert_eq!(hex::encode(session.authentication), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
}

#[test]
fn the_exporter_gives_client_key_server_key_client_salt_server_salt() {
    for profile in PROFILES {
        let (key, salt) = (profile.key_len(), profile.salt_len());
        let mut material = vec![1; key];
        material.extend(vec![2; key]);
        material.extend(vec![3; salt]);
        material.extend(vec![4; salt]);
        let server = Keys::from_exporter(profile, &material, true).unwrap();
        assert_eq!(server.local, MasterKey { key: vec![2; key], salt: vec![4; salt] });
        assert_eq!(server.remote, MasterKey { key: vec![1; key], salt: vec![3; salt] });
        let client = Keys::from_exporter(profile, &material, false).unwrap();
        assert_eq!((client.local, client.remote), (server.remote, server.local));
        let error = SrtpError::KeyMaterial { len: material.len() - 1, needed: material.len() };
        assert_eq!(Keys::from_exporter(profile, &material[1..], true), Err(error));
        assert_eq!(Profile::from_dtls(profile.to_dtls()), Some(profile));
    }
    assert_eq!(Profile::from_dtls(0x0002), None);
}

#[test]
fn keys_of_another_profile_are_refused() {
    let short = master(Profile::AeadAes128Gcm);
    let error = Sealer::new(Profile::AeadAes256Gcm, &short).unwrap_err();
    assert_eq!(error, SrtpError::KeyMaterial { len: 16, needed: 32 });
    let error = Opener::new(Profile::AesCm128HmacSha1_80, &short).unwrap_err();
    assert_eq!(error, SrtpError::KeyMaterial { len: 12, needed: 14 });
}

#[test]
fn header_sources_and_extensions_stay_readable_and_the_payload_does_not() {
    let mut packet = bytes("b2600001000000010000000a0000000b0000000cbede0001101122aa");
    packet.extend([0x55; 40]);
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        let sealed = seal_rtp(&mut sealer, &packet).unwrap();
        assert_eq!(sealed.len(), packet.len() + profile.rtp_tag_len());
        assert_eq!(sealed[..28], packet[..28]);
        assert_ne!(sealed[28..68], packet[28..68]);
        assert_eq!(open_rtp(&mut opener, &sealed).unwrap(), packet);
    }
}

#[test]
fn rounds_are_counted_over_lost_and_late_packets_on_both_sides() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        for number in (30_000u32..230_000).step_by(997) {
            for number in [number + 3, number, number + 1] {
                let packet = rtp(9, u16::try_from(number & 0xffff).unwrap());
                let sealed = seal_rtp(&mut sealer, &packet).unwrap();
                if number % 3 != 0 {
                    assert_eq!(open_rtp(&mut opener, &sealed).unwrap(), packet, "{number}");
                }
            }
        }
    }
}

#[test]
fn a_sequence_number_means_the_index_nearest_to_the_highest() {
    for (highest, sequence, index) in [
        (0x0_0005, 0x0006, Ok(0x0_0006)),
        (0x0_0005, 0x8005, Ok(0x0_8005)),
        (0x0_0005, 0x8006, Err(SrtpError::TooOld { window: RTP_WINDOW })),
        (0x0_ffff, 0x0000, Ok(0x1_0000)),
        (0x0_ffff, 0x7ffe, Ok(0x1_7ffe)),
        (0x0_ffff, 0x7fff, Ok(0x0_7fff)),
        (0x1_0000, 0xffff, Ok(0x0_ffff)),
        (0x3_8000, 0x0000, Ok(0x3_0000)),
        (0x3_7fff, 0xffff, Ok(0x3_ffff)),
        (0xffff_ffff_ffff, 0x0000, Err(SrtpError::Exhausted)),
    ] {
        assert_eq!(RtpWindow::new(highest).estimate(sequence), index, "{highest:x} {sequence:x}");
    }
}

#[test]
fn repeated_packets_are_refused_as_far_back_as_the_window_and_older_ones_beyond() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        let sealed: Vec<_> =
            (0..2_000).map(|number| seal_rtp(&mut sealer, &rtp(9, number)).unwrap()).collect();
        for packet in sealed.iter().step_by(2) {
            open_rtp(&mut opener, packet).unwrap();
        }
        for (number, packet) in sealed.iter().enumerate() {
            let expected = match number {
                ..=974 => Some(SrtpError::TooOld { window: 1_024 }),
                _ if number % 2 == 0 => Some(SrtpError::Repeated),
                _ => None,
            };
            assert_eq!(open_rtp(&mut opener, packet).err(), expected, "{number}");
            assert!(open_rtp(&mut opener, packet).is_err(), "{number}");
        }
    }
}

#[test]
fn a_window_remembers_exactly_its_size_over_any_jump() {
    let mut window = RtcpWindow::new(1_000);
    for jump in [1, 2, 63, 64, 65, 127, 128, 129, 5_000] {
        let highest = 1_000_000 + jump;
        let mut window_at = window.clone();
        window_at.accept(1_000_000);
        window_at.accept(highest);
        for behind in 0..RTCP_WINDOW {
            let index = highest - behind;
            let used = index == highest || index == 1_000_000;
            let expected = if used { Err(SrtpError::Repeated) } else { Ok(()) };
            assert_eq!(window_at.check(index), expected, "jump {jump}, {behind} behind");
        }
        let beyond = window_at.check(highest - RTCP_WINDOW);
        assert_eq!(beyond, Err(SrtpError::TooOld { window: 128 }));
    }
    window.accept(1_001);
    assert_eq!(window.check(1_000), Err(SrtpError::Repeated));
}

#[test]
fn repeated_compounds_are_refused() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        let sealed: Vec<_> = (0..300).map(|_| seal_rtcp(&mut sealer, &rtcp(9)).unwrap()).collect();
        assert_eq!(sealed[0].len(), rtcp(9).len() + profile.rtcp_overhead());
        for packet in &sealed {
            assert_eq!(open_rtcp(&mut opener, packet).unwrap(), rtcp(9));
            assert_eq!(open_rtcp(&mut opener, packet), Err(SrtpError::Repeated));
        }
        assert_eq!(open_rtcp(&mut opener, &sealed[0]), Err(SrtpError::TooOld { window: 128 }));
    }
}

#[test]
fn the_same_sequence_number_is_never_sealed_twice() {
    for profile in PROFILES {
        let (mut sealer, _) = pair(profile);
        seal_rtp(&mut sealer, &rtp(9, 5)).unwrap();
        assert_eq!(seal_rtp(&mut sealer, &rtp(9, 5)), Err(SrtpError::Repeated));
        seal_rtp(&mut sealer, &rtp(8, 5)).unwrap();
        seal_rtp(&mut sealer, &rtp(9, 4)).unwrap();
        seal_rtp(&mut sealer, &rtp(9, 3_000)).unwrap();
        assert_eq!(seal_rtp(&mut sealer, &rtp(9, 6)), Err(SrtpError::TooOld { window: 1_024 }));
    }
}

#[test]
fn a_flipped_bit_is_refused_and_does_not_use_the_index_up() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        let sealed = seal_rtp(&mut sealer, &rtp(9, 5)).unwrap();
        let sealed_rtcp = seal_rtcp(&mut sealer, &rtcp(9)).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(open_rtp(&mut opener, &forged).is_err(), "bit {bit}");
        }
        for bit in 0..sealed_rtcp.len() * 8 {
            let mut forged = sealed_rtcp.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(open_rtcp(&mut opener, &forged).is_err(), "bit {bit}");
        }
        assert_eq!(open_rtp(&mut opener, &sealed).unwrap(), rtp(9, 5));
        assert_eq!(open_rtcp(&mut opener, &sealed_rtcp).unwrap(), rtcp(9));
    }
}

#[test]
fn forged_packets_take_no_place_and_a_source_too_many_is_refused() {
    let profile = Profile::AeadAes128Gcm;
    let (mut sealer, mut opener) = pair(profile);
    let (mut other, _) = gcm_sample(profile);
    for ssrc in 0..1_024 {
        let forged = seal_rtp(&mut other, &rtp(ssrc, 1)).unwrap();
        assert_eq!(open_rtp(&mut opener, &forged), Err(SrtpError::Unauthentic));
        let forged = seal_rtcp(&mut other, &rtcp(ssrc)).unwrap();
        assert_eq!(open_rtcp(&mut opener, &forged), Err(SrtpError::Unauthentic));
    }
    let (mut more, _) = pair(profile);
    let over = seal_rtp(&mut more, &rtp(5_000, 1)).unwrap();
    let over_rtcp = seal_rtcp(&mut more, &rtcp(5_000)).unwrap();
    for ssrc in 1_000..2_024 {
        let sealed = seal_rtp(&mut sealer, &rtp(ssrc, 1)).unwrap();
        open_rtp(&mut opener, &sealed).unwrap();
        let sealed = seal_rtcp(&mut sealer, &rtcp(ssrc)).unwrap();
        open_rtcp(&mut opener, &sealed).unwrap();
    }
    let full = SrtpError::TooManySources { limit: 1_024 };
    assert!(seal_rtp(&mut sealer, &rtp(5_000, 1)).is_ok(), "our own are ours to choose");
    assert!(seal_rtcp(&mut sealer, &rtcp(5_000)).is_ok());
    assert_eq!(open_rtp(&mut opener, &over), Err(full));
    assert_eq!(open_rtcp(&mut opener, &over_rtcp), Err(full));
    let sealed = seal_rtp(&mut sealer, &rtp(1_000, 2)).unwrap();
    open_rtp(&mut opener, &sealed).unwrap();
}

#[test]
fn a_repeated_packet_is_sealed_alike_and_nothing_else_is() {
    for profile in PROFILES {
        let (mut sealer, _) = pair(profile);
        let sealed = seal_rtp(&mut sealer, &rtp(7, 1)).unwrap();
        let again = |sealer: &mut Sealer, packet: &[u8]| {
            let mut buffer = packet.to_vec();
            buffer.resize(packet.len() + 32, 0);
            let len = sealer.seal_rtp_again(&mut buffer, packet.len())?;
            buffer.truncate(len);
            Ok::<_, SrtpError>(buffer)
        };
        assert_eq!(again(&mut sealer, &rtp(7, 1)), Ok(sealed));
        assert!(again(&mut sealer, &rtp(7, 2)).is_err(), "never sealed before");
        assert!(again(&mut sealer, &rtp(8, 1)).is_err(), "another source");
    }
}

#[test]
fn sources_are_found_in_any_order() {
    let mut sources = Sources::new(100);
    for step in 0..100u32 {
        sources.insert(step.wrapping_mul(0x9e37_79b1), step);
    }
    for step in 0..100u32 {
        let found = sources.find(step.wrapping_mul(0x9e37_79b1)).unwrap().copied();
        assert_eq!(found, Some(step));
    }
}

#[test]
fn a_buffer_without_room_for_the_tag_is_refused_unchanged() {
    let (mut sealer, _) = pair(Profile::AeadAes128Gcm);
    let mut buffer = rtp(9, 5);
    let len = buffer.len();
    let error = SrtpError::NoRoom { room: len, needed: len + 16 };
    assert_eq!(sealer.seal_rtp(&mut buffer, len), Err(error));
    assert_eq!(buffer, rtp(9, 5));
    let error = SrtpError::NoRoom { room: len, needed: usize::MAX };
    assert_eq!(sealer.seal_rtcp(&mut buffer, usize::MAX), Err(error));
}

#[test]
fn no_packet_makes_opening_or_sealing_panic() {
    let mut random = 0x0123_4567_89ab_cdef_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 33).unwrap()
    };
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        for round in 0..20_000u16 {
            let mut packet = if round % 2 == 0 {
                seal_rtp(&mut sealer, &rtp(9, round)).unwrap()
            } else {
                seal_rtcp(&mut sealer, &rtcp(9)).unwrap()
            };
            for _ in 0..=next() % 3 {
                let at = next() % packet.len();
                packet[at] = next().to_le_bytes()[0];
            }
            packet.truncate(packet.len() - (next() % 4) * (next() % packet.len()) / 3);
            let mut copy = packet.clone();
            let _ = opener.open_rtp(&mut copy);
            let _ = opener.open_rtcp(&mut packet.clone());
            let len = next() % (packet.len() + 2);
            let (mut sealer, _) = pair(profile);
            let _ = sealer.seal_rtp(&mut packet, len);
            let _ = sealer.seal_rtcp(&mut packet, len);
        }
    }
}

#[test]
fn nothing_prints_a_key() {
    for profile in PROFILES {
        let keys = Keys { profile, local: master(profile), remote: master(profile) };
        let (sealer, opener) = pair(profile);
        let text = format!("{keys:?} {sealer:?} {opener:?}");
        assert!(!text.contains("1, 2") && !text.contains("0102"), "{text}");
    }
}
