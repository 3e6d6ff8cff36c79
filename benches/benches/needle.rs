//! Bench group `needle`: how fast files are searched for planted canaries.

use std::hint::black_box;
use std::time::Duration;

use conf_privacy::needle::{Canary, Needles};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const BYTES: usize = 8 * 1024 * 1024;

fn needle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("needle");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group.sample_size(10);
    group.throughput(Throughput::Bytes(BYTES as u64));
    let mut state = 1_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    // Half pages of text, half noise, as in a database.
    let haystack: Vec<u8> = (0..BYTES)
        .map(|at| if at / 4_096 % 2 == 0 { b'a' + byte() % 26 } else { byte() })
        .collect();
    for count in [1, 64] {
        let canaries: Vec<_> =
            (0..count).map(|_| Canary::from_bytes(std::array::from_fn(|_| byte()))).collect();
        let needles = Needles::new(&canaries).expect("canaries are needles");
        group.bench_function(BenchmarkId::new("plain", format!("needles={count}")), |bencher| {
            bencher.iter(|| black_box(needles.search(&haystack)));
        });
        group.bench_function(BenchmarkId::new("packed", format!("needles={count}")), |bencher| {
            bencher.iter(|| black_box(needles.search_packed(&haystack)));
        });
    }
    group.finish();
}

criterion_group!(benches, needle);
criterion_main!(benches);
