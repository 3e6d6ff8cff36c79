//! Group `stun`: reading, verifying and writing of a connectivity check.

use std::hint::black_box;
use std::net::SocketAddr;

use conf_media::stun::{self, Class, IntegrityKey, Role, TransactionId, Writer};

use crate::Case;
use crate::Work::Items;

pub(super) const PASSWORD: &str = "a-password-of-24-letters";

/// A check with nomination, as Chromium sends it every few seconds.
pub(super) fn check(password: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out, Class::Request, TransactionId([3; 12]))
        .username("ours:theirs")
        .role(Role::Controlling { tie_breaker: 0x0123_4567_89ab_cdef })
        .use_candidate()
        .priority(1_853_824_767)
        .integrity(&IntegrityKey::new(password))
        .fingerprint();
    out
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::gated("binding/parse", Items(1), || {
            let request = check(PASSWORD);
            move || {
                let message = stun::parse(black_box(&request)).expect("a STUN message");
                black_box(message.local_ufrag());
            }
        }),
        Case::timed("binding/verify", Items(1), || {
            let (request, key) = (check(PASSWORD), IntegrityKey::new(PASSWORD));
            move || {
                let message = stun::parse(black_box(&request)).expect("a STUN message");
                message.verify(&key).expect("our password");
            }
        }),
        Case::timed("binding/write", Items(1), || {
            let (mut out, key) = (Vec::with_capacity(200), IntegrityKey::new(PASSWORD));
            let from = SocketAddr::from(([192, 0, 2, 7], 50_000));
            move || {
                out.clear();
                Writer::new(&mut out, Class::Success, TransactionId([3; 12]))
                    .xor_mapped_address(from)
                    .integrity(&key)
                    .fingerprint();
                black_box(&out);
            }
        }),
    ]
}
