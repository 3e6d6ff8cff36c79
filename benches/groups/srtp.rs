//! Group `srtp`: what protection costs a packet, in place, keys and state included.

use conf_media::srtp::{MasterKey, Opener, Profile, Sealer};

use crate::Work::Bytes;
use crate::{Case, Operation};

const PROFILES: [(&str, Profile); 3] = [
    ("gcm128", Profile::AeadAes128Gcm),
    ("gcm256", Profile::AeadAes256Gcm),
    ("cm80", Profile::AesCm128HmacSha1_80),
];
/// Bytes of a packet before it is sealed.
const SIZES: [usize; 3] = [100, 500, 1_200];
const KEYS: [u32; 3] = [1, 100, 2_000];

/// One source's packets, each with the next sequence number.
struct Seal {
    sealer: Sealer,
    len: usize,
    buffer: Vec<u8>,
    sequence: u16,
}

impl Seal {
    fn new(profile: Profile, number: u32, len: usize) -> Self {
        let sealer = Sealer::new(profile, &master(profile, number)).expect("fitting keys");
        let mut buffer = vec![0x90, 0x60, 0, 0, 0, 1, 0x5f, 0x90, 0, 0, 0x12, 0x34];
        buffer.extend([0xbe, 0xde, 0, 1, 0x31, 0, 7, 0]);
        buffer.resize(len + profile.rtp_tag_len(), 0xa5);
        Self { sealer, len, buffer, sequence: 0 }
    }
}

impl Operation for Seal {
    fn run(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        if let Some(field) = self.buffer.get_mut(2..4) {
            field.copy_from_slice(&self.sequence.to_be_bytes());
        }
        self.sealer.seal_rtp(&mut self.buffer, self.len).expect("a new number");
    }
}

/// Packets of one source are opened, in order.
struct Open {
    seal: Seal,
    opener: Opener,
    /// The last is the next.
    sealed: Vec<Vec<u8>>,
}

impl Operation for Open {
    fn prepare(&mut self, runs: usize) {
        let seal = &mut self.seal;
        let mut next = || {
            seal.run();
            seal.buffer.clone()
        };
        self.sealed = (0..runs).map(|_| next()).collect();
        self.sealed.reverse();
    }

    fn run(&mut self) {
        if let Some(mut packet) = self.sealed.pop() {
            self.opener.open_rtp(&mut packet).expect("a new, authentic packet");
        }
    }
}

/// Each packet for another subscriber, with another key.
struct Many {
    seals: Vec<Seal>,
    next: usize,
}

impl Operation for Many {
    fn run(&mut self) {
        if let Some(seal) = self.seals.get_mut(self.next) {
            seal.run();
        }
        self.next = (self.next + 1) % self.seals.len();
    }
}

fn master(profile: Profile, number: u32) -> MasterKey {
    let mut key = vec![7; profile.key_len() - 4];
    key.extend(number.to_be_bytes());
    MasterKey { key, salt: vec![9; profile.salt_len()] }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, profile) in PROFILES {
        for len in SIZES {
            let work = Bytes(len as u64);
            let seal = format!("seal/{name}/bytes={len}");
            cases.push(Case::timed(seal, work, move || Seal::new(profile, 0, len)));
            let open = format!("open/{name}/bytes={len}");
            cases.push(Case::timed(open, work, move || {
                let opener = Opener::new(profile, &master(profile, 0)).expect("fitting keys");
                Open { seal: Seal::new(profile, 0, len), opener, sealed: Vec::new() }
            }));
        }
    }
    for keys in KEYS {
        let name = format!("seal_many_keys/gcm128/keys={keys}");
        cases.push(Case::timed(name, Bytes(1_200), move || {
            let begun = |number| {
                let mut seal = Seal::new(Profile::AeadAes128Gcm, number, 1_200);
                seal.run();
                seal
            };
            Many { seals: (0..keys).map(begun).collect(), next: 0 }
        }));
    }
    cases
}
