//! Runs, the arena and what waits in it.

use super::*;

fn to(slot: u32) -> Destination {
    Destination { slot, address: SocketAddr::from(([10, 0, 0, slot.to_be_bytes()[3]], 1000)) }
}

#[test]
fn datagrams_of_one_size_for_one_peer_make_one_run_even_when_others_are_between() {
    let mut batch = TxBatch::new();
    for n in 0..3u8 {
        assert!(batch.push(to(1), &[n; 100]));
        assert!(batch.push(to(2), &[n; 50]));
    }
    let runs: Vec<_> = batch.runs().map(|run| (run.to(), run.segments())).collect();
    assert_eq!(runs, [(to(1).address, 3), (to(2).address, 3)]);
    let order: Vec<u8> = batch.iter().map(|(_, datagram)| datagram[0]).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_shorter_datagram_ends_a_run_and_a_longer_one_starts_the_next() {
    let mut batch = TxBatch::new();
    for len in [100, 100, 60, 60, 100] {
        batch.push(to(1), &vec![0; len]);
    }
    let runs: Vec<_> = batch.runs().map(|run| (run.segment_size(), run.segments())).collect();
    assert_eq!(runs, [(100, 3), (60, 1), (100, 1)]);
}

#[test]
fn a_writer_that_gives_up_leaves_nothing() {
    let mut batch = TxBatch::new();
    assert!(!batch.write(to(1), 100, |_| None));
    assert!(batch.is_empty());
    assert_eq!(batch.bytes_used(), 0);
}

#[test]
fn the_arena_stops_at_its_wall() {
    let mut batch = TxBatch::new();
    let big = vec![0; 60_000];
    while batch.push(to(1), &big) {}
    assert!(batch.bytes_used() <= TxBatch::MAX_BYTES);
    batch.clear();
    assert!(batch.push(to(1), &[1]));
    assert_eq!(batch.iter().count(), 1);
}

#[test]
fn a_run_stays_open_until_its_last_datagram_is_there() {
    let mut batch = TxBatch::new();
    let write = |batch: &mut TxBatch, slot, len: usize, more| {
        assert!(batch.write_open(to(slot), 2_000, more, |_| Some(len)));
    };
    write(&mut batch, 1, 100, true);
    write(&mut batch, 2, 100, true);
    write(&mut batch, 1, 100, false);
    assert!(batch.is_open(), "the other one's picture is not complete");
    write(&mut batch, 2, 90, true);
    assert!(!batch.is_open(), "nothing may follow a shorter one");
    assert_eq!(batch.runs().len(), 2);
}

#[test]
fn a_run_that_breaks_leaves_nothing_open() {
    let mut batch = TxBatch::new();
    for (len, more) in [(100, true), (101, true), (101, false)] {
        batch.write_open(to(1), 2_000, more, |_| Some(len));
    }
    assert!(!batch.is_open());
    let runs: Vec<_> = batch.runs().map(|run| (run.segment_size(), run.segments())).collect();
    assert_eq!(runs, [(100, 1), (101, 2)]);
    batch.write_open(to(1), 2_000, true, |_| Some(100));
    batch.clear();
    assert!(!batch.is_open());
}

#[test]
fn a_run_of_sixty_four_waits_for_nothing() {
    let mut batch = TxBatch::new();
    for _ in 0..TxBatch::RUN_SEGMENTS {
        batch.write_open(to(1), 100, true, |_| Some(100));
    }
    assert!(!batch.is_open());
    assert_eq!(batch.runs().len(), 1);
}

#[test]
fn what_is_put_first_leaves_first_in_runs_of_its_own() {
    let (mut batch, mut urgent) = (TxBatch::new(), TxBatch::new());
    batch.write_open(to(1), 100, true, |buffer| {
        buffer.fill(1);
        Some(100)
    });
    urgent.push(to(1), &[2; 100]);
    urgent.push(to(2), &[3; 100]);
    assert_eq!(batch.put_first(&urgent), 0);
    batch.push(to(1), &[4; 100]);
    assert_eq!((batch.runs().len(), batch.is_open()), (4, false));
    let all: Vec<u8> = batch.iter().map(|(_, datagram)| datagram[0]).collect();
    assert_eq!(all, [2, 3, 1, 4]);
}

#[test]
fn memory_that_a_burst_took_is_given_back_when_it_is_long_over() {
    let mut batch = TxBatch::new();
    let big = vec![0; 60_000];
    (0..200).for_each(|_| assert!(batch.push(to(1), &big)));
    let grown = batch.arena.len();
    for _ in 0..8 * LOOK_AFTER {
        batch.push(to(1), &[0; 100]);
        batch.clear();
    }
    assert!(grown > 12 << 20 && batch.arena.len() == TxBatch::LEAST_BYTES);
    assert!(batch.push(to(1), &big), "and it grows again");
}

#[test]
fn memory_that_every_second_needs_is_kept() {
    let mut batch = TxBatch::new();
    let big = vec![0; 60_000];
    for round in 0..3 * LOOK_AFTER {
        if round % 1_000 == 0 {
            (0..100).for_each(|_| assert!(batch.push(to(1), &big)));
        }
        batch.clear();
    }
    assert!(batch.arena.len() > 5 << 20);
}
