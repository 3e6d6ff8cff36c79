//! Bench group `ice`: what a connectivity check costs, from datagram to answer.

use std::net::SocketAddr;

use conf_benches::now;
use conf_media::ice::{Agent, Credentials};
use conf_media::stun::{self, Class, IntegrityKey, Role, TransactionId, Writer};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const PASSWORD: &str = "a-password-of-24-letters";

fn ice(c: &mut Criterion) {
    let mut group = c.benchmark_group("ice");
    group.throughput(Throughput::Elements(1));
    let from = SocketAddr::from(([192, 0, 2, 7], 50_000));
    let now = now();
    for (case, password) in [("answered", PASSWORD), ("refused", "another-of-24-characters")] {
        let request = check(password);
        let parameter = format!("bytes={}", request.len());
        let mut agent = Agent::new(Credentials { ufrag: "ours".into(), password: PASSWORD.into() });
        let mut out = Vec::new();
        group.bench_function(BenchmarkId::new(format!("check_{case}"), parameter), |b| {
            b.iter(|| {
                let message = stun::parse(&request).expect("a STUN message");
                agent.handle(now, from, &message, &mut out).is_ok()
            });
        });
    }
    group.finish();
}

/// A check with nomination, as Chromium sends it every few seconds.
fn check(password: &str) -> Vec<u8> {
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

criterion_group!(benches, ice);
criterion_main!(benches);
