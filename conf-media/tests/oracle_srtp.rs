//! Our SRTP against an independent implementation: each opens what the other seals.

#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use conf_media::srtp::{MasterKey, Opener, Profile, Sealer, SrtpError};
use webrtc_srtp::context::Context;
use webrtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use webrtc_srtp::protection_profile::ProtectionProfile;

const PROFILES: [(Profile, ProtectionProfile); 3] = [
    (Profile::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (Profile::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
    (Profile::AesCm128HmacSha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
];

fn master(profile: Profile) -> MasterKey {
    let numbers = |len: usize, step: u8| (0u8..).take(len).map(|n| n.wrapping_mul(step)).collect();
    MasterKey { key: numbers(profile.key_len(), 37), salt: numbers(profile.salt_len(), 91) }
}

fn oracle(profile: Profile, theirs: ProtectionProfile) -> Context {
    let MasterKey { key, salt } = master(profile);
    let windows = (srtp_replay_protection(1_024), srtcp_replay_protection(128));
    Context::new(&key, &salt, theirs, Some(windows.0), Some(windows.1)).unwrap()
}

/// Every shape of header: contributing sources, header extension, padding, marker.
fn rtp(number: u32) -> Vec<u8> {
    let sequence = u16::try_from(number & 0xffff).unwrap();
    let (sources, extension) = (number % 3, number % 2);
    let first = 0x80 | u8::try_from(sources | (extension << 4)).unwrap();
    let mut packet = vec![first, if number.is_multiple_of(5) { 0xe0 } else { 0x60 }];
    packet.extend(sequence.to_be_bytes());
    packet.extend(number.wrapping_mul(3_000).to_be_bytes());
    packet.extend((0x1234_0000 | (number % 2)).to_be_bytes());
    for source in 0..sources {
        packet.extend(source.to_be_bytes());
    }
    if extension == 1 {
        packet.extend([0xbe, 0xde, 0, 1, 0x10, 0x7f, 0, 0]);
    }
    let len = usize::try_from(number % 1_200).unwrap();
    packet.extend((0u8..=255).cycle().take(len));
    packet
}

/// A sender report with its source description.
fn rtcp(number: u32) -> Vec<u8> {
    let mut compound = vec![0x80, 200, 0, 6, 0x12, 0x34, 0, 0];
    for word in 0..5u32 {
        compound.extend((number + word).to_be_bytes());
    }
    compound.extend([0x81, 202, 0, 2, 0x12, 0x34, 0, 0, 1, 1, b'x', 0]);
    compound
}

fn seal(packet: &[u8], seal: impl FnOnce(&mut [u8], usize) -> Result<usize, SrtpError>) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + 20, 0);
    let len = seal(&mut buffer, packet.len()).unwrap();
    buffer.truncate(len);
    buffer
}

/// Twice around the sequence numbers, with neighbours swapped, also across the wrap.
fn numbers() -> impl Iterator<Item = u32> {
    (20_000u32..150_000).filter(|number| number % 211 < 7 || (number + 40) & 0xffff < 80).map(
        |number| match number % 7 {
            1 => number + 1,
            2 => number - 1,
            _ => number,
        },
    )
}

#[test]
fn each_side_opens_the_rtp_that_the_other_seals_across_sequence_wraps() {
    for (profile, theirs) in PROFILES {
        let mut sealer = Sealer::new(profile, &master(profile)).unwrap();
        let mut opener = Opener::new(profile, &master(profile)).unwrap();
        let (mut their_sealer, mut their_opener) =
            (oracle(profile, theirs), oracle(profile, theirs));
        for number in numbers() {
            let packet = rtp(number);
            let ours = seal(&packet, |buffer, len| sealer.seal_rtp(buffer, len));
            assert_eq!(their_opener.decrypt_rtp(&ours).unwrap(), packet, "{profile:?} {number}");
            let sealed = their_sealer.encrypt_rtp(&packet).unwrap();
            assert_eq!(ours, sealed, "{profile:?} {number}: byte for byte");
            let mut opened = sealed.to_vec();
            let len = opener.open_rtp(&mut opened).unwrap();
            assert_eq!(opened[..len], packet, "{profile:?} {number}");
        }
    }
}

#[test]
fn each_side_opens_the_rtcp_that_the_other_seals() {
    for (profile, theirs) in PROFILES {
        let mut sealer = Sealer::new(profile, &master(profile)).unwrap();
        let mut opener = Opener::new(profile, &master(profile)).unwrap();
        let (mut their_sealer, mut their_opener) =
            (oracle(profile, theirs), oracle(profile, theirs));
        for number in 0..500 {
            let compound = rtcp(number);
            let ours = seal(&compound, |buffer, len| sealer.seal_rtcp(buffer, len));
            assert_eq!(their_opener.decrypt_rtcp(&ours).unwrap(), compound, "{profile:?} {number}");
            let mut opened = their_sealer.encrypt_rtcp(&compound).unwrap().to_vec();
            let len = opener.open_rtcp(&mut opened).unwrap();
            assert_eq!(opened[..len], compound, "{profile:?} {number}");
        }
    }
}

#[test]
fn a_flipped_bit_of_theirs_is_refused_by_us_and_ours_by_them() {
    for (profile, theirs) in PROFILES {
        let packet = rtp(20_301);
        let mut sealer = Sealer::new(profile, &master(profile)).unwrap();
        let mut opener = Opener::new(profile, &master(profile)).unwrap();
        let (mut their_sealer, mut their_opener) =
            (oracle(profile, theirs), oracle(profile, theirs));
        let ours = seal(&packet, |buffer, len| sealer.seal_rtp(buffer, len));
        let sealed = their_sealer.encrypt_rtp(&packet).unwrap();
        for at in 32..sealed.len() {
            let (mut to_us, mut to_them) = (sealed.to_vec(), ours.clone());
            to_us[at] ^= 0x10;
            to_them[at] ^= 0x10;
            assert_eq!(opener.open_rtp(&mut to_us), Err(SrtpError::Unauthentic));
            assert!(their_opener.decrypt_rtp(&to_them).is_err());
        }
        assert!(opener.open_rtp(&mut sealed.to_vec()).is_ok());
        assert!(their_opener.decrypt_rtp(&ours).is_ok());
    }
}

#[test]
fn a_replayed_packet_of_theirs_is_refused() {
    for (profile, theirs) in PROFILES {
        let mut opener = Opener::new(profile, &master(profile)).unwrap();
        let mut their_sealer = oracle(profile, theirs);
        let sealed = their_sealer.encrypt_rtp(&rtp(20_301)).unwrap();
        let compound = their_sealer.encrypt_rtcp(&rtcp(1)).unwrap();
        assert!(opener.open_rtp(&mut sealed.to_vec()).is_ok());
        assert!(opener.open_rtcp(&mut compound.to_vec()).is_ok());
        assert_eq!(opener.open_rtp(&mut sealed.to_vec()), Err(SrtpError::Repeated));
        assert_eq!(opener.open_rtcp(&mut compound.to_vec()), Err(SrtpError::Repeated));
    }
}
