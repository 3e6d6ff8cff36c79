//! One worker, driven by hand on counted time.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::super::shard;
use super::*;
use crate::director::Order;
use crate::dtls::client::{Client, fragments, start};
use crate::dtls::{Backend, Dtls, DtlsError, HANDSHAKE_LIMIT};

fn worker() -> (Worker, Receiver<Order>, Receiver<Event>) {
    let (shard, orders) = shard::Handle::new("shard").unwrap();
    let (sender, events) = mpsc::channel();
    let worker = Worker {
        acceptor: Acceptor::start(Backend::Dimpl).unwrap(),
        jobs: mpsc::channel().0,
        route: Route::new(vec![shard]),
        events: Arc::new(move |event| drop(sender.send(event))),
        waiting: Arc::new(AtomicUsize::new(0)),
        peers: HashMap::new(),
        timers: BTreeSet::new(),
        half_open: 0,
        messages: VecDeque::new(),
        counters: Counters::default(),
        mirror: Arc::default(),
    };
    (worker, orders, events)
}

impl Worker {
    fn receive(&mut self, now: Instant, peer: PeerId, datagram: &[u8]) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.job(now, Job::Datagram(peer, Bytes::copy_from_slice(datagram)));
    }
}

/// Begins a handshake and goes no further.
fn half_a_hello() -> Vec<u8> {
    let hello = Client::new(start()).poll().remove(0);
    fragments(&hello, &[40]).remove(0)
}

#[test]
fn half_open_handshakes_are_bounded_and_make_room_when_they_expire() {
    let now = start();
    let (mut worker, _commands, events) = worker();
    let fragment = half_a_hello();
    let last = PeerId(MAX_HALF_OPEN as u64);
    for peer in (0..=last.0).map(PeerId) {
        worker.job(now, Job::Add(peer));
        worker.receive(now, peer, &fragment);
    }
    assert_eq!(worker.half_open, MAX_HALF_OPEN);
    assert!(worker.peers[&last].transport.is_idle(), "one more is not taken");
    let later = now + HANDSHAKE_LIMIT;
    worker.due(later);
    assert_eq!((worker.half_open, worker.timers.len()), (0, 0));
    assert_eq!(events.try_iter().count(), MAX_HALF_OPEN);
    worker.receive(later, last, &fragment);
    assert_eq!(worker.half_open, 1);
}

#[test]
fn a_peer_that_is_removed_leaves_nothing_behind() {
    let now = start();
    let (mut worker, _commands, events) = worker();
    worker.job(now, Job::Add(PeerId(1)));
    worker.receive(now, PeerId(1), &half_a_hello());
    worker.job(now, Job::Remove(PeerId(1)));
    assert_eq!((worker.half_open, worker.timers.len(), worker.peers.len()), (0, 0, 0));
    worker.receive(now, PeerId(1), &half_a_hello());
    assert_eq!(worker.peers.len(), 0, "its late datagrams make no peer");
    assert_eq!(events.try_iter().count(), 0);
}

#[test]
fn keys_go_to_the_shard_once_and_the_event_is_told() {
    let now = start();
    let (mut worker, commands, events) = worker();
    let mut client = Client::new(now);
    worker.job(now, Job::Add(PeerId(1)));
    worker.job(now, Job::Expect(PeerId(1), client.fingerprint));
    let mut keys = 0;
    for _ in 0..20 {
        for datagram in client.poll() {
            worker.receive(now, PeerId(1), &datagram);
        }
        for command in commands.try_iter() {
            match command {
                Order::Command(Command::SendDatagram { datagram, .. }) => {
                    client.handle(now, &datagram)
                }
                Order::Command(Command::SetKeys { peer: PeerId(1), .. }) => keys += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(client.connected);
    assert_eq!(keys, 1);
    assert!(matches!(events.try_recv(), Ok(Event::Connected { peer: PeerId(1), .. })));
    assert_eq!(worker.waiting.load(Ordering::Relaxed), 0);
}

/// A machine with a bug.
struct Broken;

impl Dtls for Broken {
    fn handle(&mut self, _: Instant, _: &[u8]) -> Result<(), DtlsError> {
        panic!("a bug")
    }
    fn handle_timeout(&mut self, _: Instant) -> Result<(), DtlsError> {
        Ok(())
    }
    fn send(&mut self, _: &[u8]) -> Result<(), DtlsError> {
        Ok(())
    }
    fn poll(&mut self) -> Option<crate::dtls::Output> {
        None
    }
    fn timeout(&self) -> Option<Instant> {
        None
    }
}

#[test]
fn a_panic_ends_one_peer_and_no_other() {
    let now = start();
    let (mut worker, _commands, events) = worker();
    worker.job(now, Job::Add(PeerId(1)));
    let transport = Transport::new(Box::new(Broken));
    worker.peers.insert(PeerId(2), Peer { transport, timer: None });
    worker.receive(now, PeerId(1), &half_a_hello());
    worker.receive(now, PeerId(2), b"anything");
    let failed: Vec<Event> = events.try_iter().collect();
    assert!(matches!(failed[..], [Event::Failed { peer: PeerId(2), .. }]), "{failed:?}");
    assert_eq!((worker.peers.len(), worker.half_open), (1, 1));
    assert_eq!(worker.acceptor.panics().count(), 1);
    worker.due(now + HANDSHAKE_LIMIT + Duration::from_secs(1));
    assert_eq!(worker.half_open, 0);
}

#[test]
fn whoever_asks_is_told_what_the_data_channels_of_a_peer_carried() {
    let (mut worker, _commands, events) = worker();
    worker.job(start(), Job::AskStats(PeerId(1)));
    assert!(events.try_recv().is_err(), "nobody is there");
    worker.job(start(), Job::Add(PeerId(1)));
    worker.job(start(), Job::AskStats(PeerId(1)));
    let stats = DataStats::default();
    assert_eq!(events.try_recv(), Ok(Event::DataStats { peer: PeerId(1), stats }));
}

#[test]
fn messages_wait_until_everything_else_is_done_and_keep_their_order() {
    let (mut worker, ..) = worker();
    let (jobs, queue) = mpsc::channel();
    let message = |text: &'static str| {
        let bytes = Bytes::from_static(text.as_bytes());
        Job::Data(
            PeerId(1),
            "a".into(),
            Outgoing { binary: true, bytes, credit: Default::default() },
        )
    };
    for job in [message("1"), message("2"), Job::Add(PeerId(1)), Job::Remove(PeerId(2))] {
        jobs.send(job).unwrap();
    }
    let mut order = Vec::new();
    for _ in 0..6 {
        match worker.next(&queue) {
            Ok(job @ Job::Data(..)) => worker.messages.push_back(job),
            Ok(job) => order.push(format!("{job:?}")),
            Err(_) => order.extend(worker.messages.pop_front().map(|job| format!("{job:?}"))),
        }
    }
    let kinds: Vec<_> = order.iter().map(|job| &job[..4]).collect();
    assert_eq!(kinds, ["Add(", "Remo", "Data", "Data"]);
    assert!(order[2].contains("b\"1\"") && order[3].contains("b\"2\""), "{order:?}");
}
