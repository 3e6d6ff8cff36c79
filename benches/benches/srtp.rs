//! Bench group `srtp`: what protection costs a packet, in place, keys and state included.

use conf_benches::rtp_packet;
use conf_media::srtp::{MasterKey, Opener, Profile, Sealer};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const PROFILES: [(&str, Profile); 3] = [
    ("gcm128", Profile::AeadAes128Gcm),
    ("gcm256", Profile::AeadAes256Gcm),
    ("cm80", Profile::AesCm128HmacSha1_80),
];

fn srtp(c: &mut Criterion) {
    let mut group = c.benchmark_group("srtp");
    for (name, profile) in PROFILES {
        for len in [120, 1_200] {
            group.throughput(Throughput::Bytes(len as u64));
            let parameter = format!("bytes={len}");
            group.bench_function(BenchmarkId::new(format!("seal/{name}"), &parameter), |b| {
                let mut packets = Packets::new(profile, len);
                b.iter(|| packets.seal_next());
            });
            group.bench_function(BenchmarkId::new(format!("open/{name}"), &parameter), |b| {
                let mut packets = Packets::new(profile, len);
                let mut opener = Opener::new(profile, &master(profile)).expect("fitting keys");
                b.iter_batched_ref(
                    || packets.sealed_next(),
                    |packet| opener.open_rtp(packet).expect("a new, authentic packet"),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

/// One source's packets, each with the next sequence number.
struct Packets {
    sealer: Sealer,
    plain: Vec<u8>,
    buffer: Vec<u8>,
    sequence: u16,
}

impl Packets {
    fn new(profile: Profile, len: usize) -> Self {
        let plain = rtp_packet(0x1234_5678, 0, len);
        let mut buffer = plain.clone();
        buffer.resize(len + profile.rtp_tag_len(), 0);
        let sealer = Sealer::new(profile, &master(profile)).expect("fitting keys");
        Self { sealer, plain, buffer, sequence: 0 }
    }

    /// Seals what is in the buffer under a new sequence number.
    fn seal_next(&mut self) -> usize {
        let [high, low] = self.sequence.to_be_bytes();
        if let Some(field) = self.buffer.get_mut(2..4) {
            field.copy_from_slice(&[high, low]);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.sealer.seal_rtp(&mut self.buffer, self.plain.len()).expect("a new index")
    }

    fn sealed_next(&mut self) -> Vec<u8> {
        if let Some(packet) = self.buffer.get_mut(..self.plain.len()) {
            packet.copy_from_slice(&self.plain);
        }
        self.seal_next();
        self.buffer.clone()
    }
}

fn master(profile: Profile) -> MasterKey {
    MasterKey { key: vec![7; profile.key_len()], salt: vec![9; profile.salt_len()] }
}

criterion_group!(benches, srtp);
criterion_main!(benches);
