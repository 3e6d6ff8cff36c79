//! Bench group `forward`: from a batch of sealed datagrams to the sealed datagrams of all
//! subscribers, without sockets.

use std::cell::RefCell;
use std::time::Duration;

use conf_benches::{Stream, call};
use conf_media::command::Kind;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Datagrams of one call of the kernel.
const BATCH: usize = 16;

fn forward(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("forward");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    for (case, kind) in [("one_publisher_audio", Kind::Audio), ("one_publisher_video", Kind::Video)]
    {
        for subscribers in [1, 10, 100] {
            group.throughput(Throughput::Elements((BATCH * subscribers) as u64));
            let id = BenchmarkId::new(case, format!("subscribers={subscribers}"));
            let (lab, publisher) = call(kind, subscribers);
            let from = lab.remote(publisher).address;
            let lab = RefCell::new(lab);
            let mut stream = Stream::new(kind);
            group.bench_function(id, |bencher| {
                bencher.iter_batched(
                    || stream.batch(&mut lab.borrow_mut(), publisher, BATCH),
                    |batch| lab.borrow_mut().run_batch(from, &batch),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
