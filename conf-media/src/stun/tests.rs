//! Vectors of RFC 5769 and RFC 2202; what is refused.

use super::*;

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// RFC 5769, section 2.1.
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
/// RFC 5769, section 2.2.
const RESPONSE_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
/// RFC 5769, section 2.3.
const RESPONSE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

fn transaction() -> TransactionId {
    TransactionId(bytes("b7e7a701bc34d686fa87dfae").try_into().unwrap())
}

#[test]
fn the_sample_request_of_rfc_5769_is_read_and_verified() {
    let datagram = bytes(REQUEST);
    let message = parse(&datagram).unwrap();
    assert_eq!(message.class(), Class::Request);
    assert_eq!(message.transaction(), transaction());
    assert_eq!(message.username(), Some("evtj:h6vY"));
    assert_eq!(message.local_ufrag(), Some("evtj"));
    assert_eq!(message.priority(), Some(0x6e00_01ff));
    assert_eq!(message.role(), Some(Role::Controlled { tie_breaker: 0x932f_f9b1_5126_3b36 }));
    assert!(message.has_fingerprint() && !message.use_candidate());
    assert_eq!(message.unknown_attributes(), &[] as &[u16]);
    assert_eq!(message.verify(&IntegrityKey::new(PASSWORD)), Ok(()));
    let wrong = IntegrityKey::new("VOkJxbRl1RmTxUk/WvJxBT");
    assert_eq!(message.verify(&wrong), Err(StunError::WrongIntegrity));
}

#[test]
fn the_sample_responses_of_rfc_5769_are_read_and_verified() {
    for (hex, address) in [
        (RESPONSE_V4, "192.0.2.1:32853"),
        (RESPONSE_V6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ] {
        let datagram = bytes(hex);
        let message = parse(&datagram).unwrap();
        assert_eq!(message.class(), Class::Success);
        assert_eq!(message.mapped_address(), Some(address.parse().unwrap()));
        assert_eq!(message.verify(&IntegrityKey::new(PASSWORD)), Ok(()));
    }
}

#[test]
fn hmac_sha1_gives_the_tags_of_rfc_2202() {
    for (key, data, tag) in [
        (vec![0x0b; 20], b"Hi There".to_vec(), "b617318655057264e28bc0b6fb378c8ef146be00"),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?".to_vec(),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
        (vec![0xaa; 20], vec![0xdd; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
        (
            vec![0xaa; 80],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112",
        ),
    ] {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
        assert_eq!(hex::encode(hmac::sign(&key, &data)), tag);
    }
}

#[test]
fn the_fingerprint_is_the_crc_of_the_standard() {
    assert_eq!(fingerprint(b"123456789"), 0xcbf4_3926 ^ 0x5354_554e);
}

#[test]
fn what_is_written_is_read_back() {
    let key = IntegrityKey::new(PASSWORD);
    let mut out = vec![1, 2, 3];
    Writer::new(&mut out, Class::Request, transaction())
        .username("local:remote")
        .priority(1_853_824_767)
        .role(Role::Controlling { tie_breaker: 7 })
        .use_candidate()
        .integrity(&key)
        .fingerprint();
    let message = parse(&out).unwrap();
    assert_eq!(message.class(), Class::Request);
    assert_eq!(message.local_ufrag(), Some("local"));
    assert_eq!(message.priority(), Some(1_853_824_767));
    assert_eq!(message.role(), Some(Role::Controlling { tie_breaker: 7 }));
    assert!(message.use_candidate() && message.has_fingerprint());
    assert_eq!(message.verify(&key), Ok(()));
}

#[test]
fn error_answers_carry_their_code_and_the_attributes_not_understood() {
    let mut out = Vec::new();
    for code in [400, 401, 420, 487] {
        Writer::new(&mut out, Class::Error, transaction())
            .error_code(code)
            .unknown_attributes(&[0x0026, 0x7fff, 0x0003])
            .fingerprint();
        let message = parse(&out).unwrap();
        assert_eq!((message.class(), message.error_code()), (Class::Error, Some(code)));
        assert!(out.windows(10).any(|w| w == [0, 0x0a, 0, 6, 0, 0x26, 0x7f, 0xff, 0, 3]));
    }
}

#[test]
fn both_sample_addresses_are_written_as_rfc_5769_has_them() {
    for hex in [RESPONSE_V4, RESPONSE_V6] {
        let sample = bytes(hex);
        let address = parse(&sample).unwrap().mapped_address().unwrap();
        let mut out = Vec::new();
        Writer::new(&mut out, Class::Success, transaction()).xor_mapped_address(address).finish();
        assert!(sample.windows(out.len() - 20).any(|window| window == &out[20..]));
    }
    let mapped = "[::ffff:192.0.2.1]:32853".parse().unwrap();
    let mut out = Vec::new();
    Writer::new(&mut out, Class::Success, transaction()).xor_mapped_address(mapped).finish();
    assert_eq!(parse(&out).unwrap().mapped_address(), Some("192.0.2.1:32853".parse().unwrap()));
}

#[test]
fn a_changed_bit_anywhere_is_noticed() {
    let key = IntegrityKey::new(PASSWORD);
    let sample = bytes(REQUEST);
    for bit in 0..sample.len() * 8 {
        let mut datagram = sample.clone();
        datagram[bit / 8] ^= 1 << (bit % 8);
        let accepted = parse(&datagram)
            .is_ok_and(|message| message.has_fingerprint() && message.verify(&key).is_ok());
        assert!(!accepted, "bit {bit}");
    }
}

#[test]
fn attributes_after_the_integrity_do_not_count() {
    let key = IntegrityKey::new(PASSWORD);
    let mut out = Vec::new();
    Writer::new(&mut out, Class::Request, transaction())
        .username("local:remote")
        .integrity(&key)
        .use_candidate()
        .fingerprint();
    let message = parse(&out).unwrap();
    assert!(!message.use_candidate());
    assert_eq!(message.verify(&key), Ok(()));
}

#[test]
fn attributes_that_must_be_understood_are_named_and_others_skipped() {
    let mut out = bytes("000100142112a442b7e7a701bc34d686fa87dfae");
    out.extend(bytes("7f000001aabbccdd"));
    out.extend(bytes("c0570004000003e7"));
    out.extend(bytes("00030000"));
    assert_eq!(parse(&out).unwrap().unknown_attributes(), [0x7f00, 0x0003]);
}

#[test]
fn malformed_messages_are_refused_with_the_reason() {
    let header = "2112a442b7e7a701bc34d686fa87dfae";
    for (hex, error) in [
        (String::new(), StunError::Short { len: 0 }),
        (format!("00010000{}", &header[..30]), StunError::Short { len: 19 }),
        (format!("40010000{header}"), StunError::NotStun),
        ("000100002112a443b7e7a701bc34d686fa87dfae".into(), StunError::NotStun),
        (format!("00010008{header}00060000"), StunError::Length { claimed: 8, present: 4 }),
        (format!("00010003{header}000600"), StunError::Length { claimed: 3, present: 3 }),
        (format!("00030000{header}"), StunError::Method { method: 3 }),
        (format!("00010004{header}00060005"), StunError::Truncated { kind: 6 }),
        (format!("00010008{header}002400030a0b0c00"), StunError::Malformed { kind: 0x24 }),
        (format!("00010008{header}00060001ff000000"), StunError::Malformed { kind: 6 }),
        (format!("01010008{header}0020000400010203"), StunError::Malformed { kind: 0x20 }),
        (format!("01110008{header}0009000400000264"), StunError::Malformed { kind: 9 }),
        (format!("00010008{header}8028000400000000"), StunError::WrongFingerprint),
    ] {
        assert_eq!(parse(&bytes(&hex)).err(), Some(error), "{hex}");
    }
}

#[test]
fn no_bytes_make_the_parser_panic() {
    let samples = [REQUEST, RESPONSE_V4, RESPONSE_V6].map(bytes);
    let key = IntegrityKey::new(PASSWORD);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 33).unwrap()
    };
    for round in 0..100_000 {
        let mut datagram = samples[round % samples.len()].clone();
        for _ in 0..=next() % 4 {
            let at = next() % datagram.len();
            datagram[at] = next().to_le_bytes()[0];
        }
        let len = datagram.len() - (next() % 3) * (next() % datagram.len()) / 2;
        datagram.truncate(len);
        if next() % 2 == 0 && len >= HEADER {
            let claimed = u16::try_from(len - HEADER).unwrap();
            datagram[2..4].copy_from_slice(&claimed.to_be_bytes());
        }
        if let Ok(message) = parse(&datagram) {
            let _ = message.verify(&key);
        }
    }
}
