//! Peers that send too much or take too little.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::lossy::Link;
use super::*;

#[test]
fn whoever_sends_too_fast_over_a_reliable_channel_is_slowed_down_and_loses_nothing() {
    let mut link = Link::new();
    link.browser.open(0, 0, 0, "a");
    link.run(1);
    let begin = link.now;
    for _ in 0..256 {
        link.browser.send(0, &[1; 15_000], Ppid::Binary);
    }
    while link.messages().len() < 256 {
        link.step();
        let bytes: usize = link.messages().iter().map(Bytes::len).sum();
        let seconds = (link.now - begin).as_secs_f64();
        assert!(bytes as f64 <= (1.0 + seconds) * 1_048_576.0 + 15_000.0, "{bytes} in {seconds}");
        assert!(seconds < 60.0, "{} messages", link.messages().len());
    }
    assert_eq!(link.server.stats().dropped_rate, 0);
    assert!((link.now - begin).as_secs_f64() > 2.5);
}

#[test]
fn of_a_flood_over_a_lossy_channel_what_is_too_much_is_dropped_and_counted() {
    let mut link = Link::new();
    link.browser.open(0, 0x81, 0, "a");
    link.run(1);
    for _ in 0..200 {
        for _ in 0..20 {
            link.browser.send(0, &[1; 100], Ppid::Binary);
        }
        link.step();
    }
    link.run(5);
    let stats = link.server.stats();
    assert_eq!(stats.messages_received + stats.dropped_rate, 4_000, "{stats:?}");
    assert!((1_500..2_600).contains(&stats.messages_received), "{stats:?}");
}

#[test]
fn what_is_under_way_is_bounded_and_reading_goes_on_when_it_has_arrived() {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = woken.clone();
    let mut link = Link::new();
    link.keeps_credits = true;
    link.server.ledger = Ledger::new(Some(Arc::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    })));
    link.browser.open(0, 0, 0, "a");
    link.run(1);
    for _ in 0..300 {
        link.browser.send(0, &[1; 10], Ppid::Binary);
    }
    link.run(5);
    assert_eq!(link.messages().len(), flow::MAX_MESSAGES_UNDER_WAY);
    assert_eq!(link.server.timeout().filter(|at| *at <= link.now), None, "no timer runs empty");
    let read = link.messages().len();
    link.reported.clear();
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    link.run(2);
    assert_eq!(read + link.messages().len(), 300);
}

#[test]
fn a_receiver_that_takes_nothing_loses_its_channel_and_holds_a_bounded_line() {
    let mut link = Link::new();
    link.browser.open(0, 0, 0, "a");
    link.browser.open(2, 0x81, 0, "b");
    link.run(1);
    link.reported.clear();
    link.loss = 100;
    let sent = (0..1_000).find_map(|number| {
        let refused = link.server.send(link.now, 0, outgoing(&[0; 15_000])).err();
        refused.map(|error| (number, error))
    });
    let (number, error) = sent.unwrap();
    assert!(matches!(error, DataError::Full { .. }));
    let bytes = number * 15_000;
    assert!((line::MAX_BYTES - 15_000..line::MAX_BYTES + MAX_BUFFERED).contains(&bytes));
    link.step();
    assert_eq!(link.reported, [Output::Closed { stream: 0, why: Closing::TooSlow }]);
    assert_eq!(link.server.line.bytes(), 0);
    assert_eq!(link.server.stats().closed_slow, 1);
    let lost = (0..1_000).find_map(|_| link.server.send(link.now, 2, outgoing(&[0; 1_000])).err());
    assert!(matches!(lost, Some(DataError::Full { .. })));
    assert!(link.server.channel(2).is_some(), "one that may lose messages stays open");
}

#[test]
fn a_receiver_that_stands_still_is_given_up_after_a_while_and_a_slow_one_is_not() {
    for loss in [100, 5] {
        let mut link = Link::new();
        link.browser.open(0, 0, 0, "a");
        link.run(1);
        link.loss = loss;
        for _ in 0..20 {
            link.server.send(link.now, 0, outgoing(&[0; 15_000])).unwrap();
        }
        link.run(line::PATIENCE.as_secs() - 1);
        assert!(link.server.channel(0).is_some());
        link.loss = loss / 100 * 100;
        link.run(3);
        assert_eq!(link.server.channel(0).is_some(), loss < 100);
    }
}

#[test]
fn senders_wait_for_a_receiver_only_when_much_waits_for_it() {
    let mut link = Link::new();
    link.browser.open(0, 0, 0, "a");
    link.run(1);
    link.loss = 100;
    let ledger = Ledger::new(None);
    let mut sent = 0;
    while ledger.has_room() && sent < line::MAX_BYTES {
        let bytes = Bytes::from_static(&[0; 15_000]);
        let credit = ledger.credit(bytes.len());
        link.server.send(link.now, 0, Outgoing { binary: true, bytes, credit }).unwrap();
        sent += 15_000;
    }
    let most = line::FREE_BYTES + MAX_BUFFERED + flow::MAX_BYTES_UNDER_WAY;
    assert!((line::FREE_BYTES..=most + 15_000).contains(&sent), "{sent}");
    drop(link);
    assert!(ledger.has_room(), "a receiver that goes holds up nobody");
}
