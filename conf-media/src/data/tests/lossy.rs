//! Channels of every kind over a network that loses packets, and how they close.

use super::*;

/// Both ends and what happens between them, 10 ms a step.
pub(super) struct Link {
    pub(super) now: Instant,
    pub(super) browser: Browser,
    pub(super) server: Association,
    /// Of a hundred packets.
    pub(super) loss: usize,
    /// Messages of the browser stay under way.
    pub(super) keeps_credits: bool,
    random: Random,
    pub(super) reported: Vec<Output>,
}

impl Link {
    pub(super) fn new() -> Self {
        let now = start();
        let (browser, server) = connected(now);
        let (random, reported) = (Random(0x5EED_0007), Vec::new());
        Self { now, browser, server, loss: 0, keeps_credits: false, random, reported }
    }

    pub(super) fn step(&mut self) {
        let Self { now, browser, server, loss, keeps_credits, random, reported } = self;
        for packet in browser.poll(*now) {
            if random.below(100) >= *loss {
                server.handle(*now, packet);
            }
        }
        while let Some(output) = server.poll(*now) {
            match output {
                Output::Transmit(packet) if random.below(100) >= *loss => {
                    browser.handle(*now, packet);
                }
                Output::Transmit(_) => {}
                Output::Message { stream, mut message } => {
                    if !*keeps_credits {
                        message.credit = Credit::default();
                    }
                    reported.push(Output::Message { stream, message });
                }
                other => reported.push(other),
            }
        }
        *now += Duration::from_millis(10);
        if server.timeout().is_some_and(|at| at <= *now) {
            server.handle_timeout(*now);
        }
        browser.association.handle_timeout(*now);
    }

    pub(super) fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end {
            self.step();
        }
    }

    pub(super) fn messages(&self) -> Vec<Bytes> {
        let messages = self.reported.iter().filter_map(|output| match output {
            Output::Message { message, .. } => Some(message.bytes.clone()),
            _ => None,
        });
        messages.collect()
    }

    /// Forty numbered messages each way, one every 10 ms, and the time until all is settled.
    fn talk(&mut self, kind: u8, parameter: u32) -> [Vec<u8>; 2] {
        self.browser.open(0, kind, parameter, "a");
        self.run(1);
        self.browser.received.clear();
        self.loss = 20;
        for number in 0..40u8 {
            self.browser.send(0, &[number; 300], Ppid::Binary);
            self.server.send(self.now, 0, outgoing(&[number; 300])).unwrap();
            self.step();
        }
        self.run(120);
        self.loss = 0;
        self.browser.send(0, &[99; 300], Ppid::Binary);
        self.server.send(self.now, 0, outgoing(&[99; 300])).unwrap();
        self.run(70);
        let up = self.messages().iter().map(|bytes| bytes[0]).collect();
        let down = self.browser.received.iter().map(|(_, _, bytes)| bytes[0]).collect();
        [up, down]
    }
}

fn all() -> Vec<u8> {
    (0..40).chain([99]).collect()
}

#[test]
fn an_ordered_reliable_channel_loses_and_reorders_nothing() {
    for got in Link::new().talk(0, 0) {
        assert_eq!(got, all());
    }
}

#[test]
fn an_unordered_reliable_channel_loses_nothing_and_waits_for_nothing() {
    for mut got in Link::new().talk(0x80, 0) {
        assert_ne!(got, all(), "what came after a lost message did not wait for it");
        got.sort_unstable();
        assert_eq!(got, all());
    }
}

#[test]
fn a_channel_without_repetition_loses_some_and_goes_on() {
    for kind in [0x81, 1] {
        for got in Link::new().talk(kind, 0) {
            assert!((15..40).contains(&got.len()), "{got:?}");
            assert_eq!(got.last(), Some(&99));
            let mut once = got.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), got.len(), "nothing twice");
            assert!(kind == 0x81 || once == got, "in order");
        }
    }
}

#[test]
fn a_channel_with_a_time_limit_gives_up_on_what_is_too_old() {
    for got in Link::new().talk(0x82, 5) {
        assert!((15..41).contains(&got.len()), "{got:?}");
        assert_eq!(got.last(), Some(&99));
    }
}

#[test]
fn a_channel_that_its_peer_closes_is_gone_and_its_number_can_be_used_again() {
    let mut link = Link::new();
    for label in ["a", "b"] {
        link.browser.open(4, 0, 0, label);
        link.run(1);
        assert_eq!(&*link.server.channel(4).unwrap().label, label);
        link.server.send(link.now, 4, outgoing(b"hello")).unwrap();
        link.run(1);
        link.reported.clear();
        link.browser.association.stream(4).unwrap().close().unwrap();
        link.run(5);
        assert_eq!(link.reported, [Output::Closed { stream: 4, why: Closing::Peer }]);
        assert_eq!(link.server.send(link.now, 4, outgoing(b"x")), Err(DataError::NotOpen));
    }
    let DataStats { opened, closed, closed_slow, .. } = link.server.stats();
    assert_eq!((opened, closed, closed_slow), (2, 2, 0));
}

#[test]
fn an_agreed_channel_works_without_a_word_whoever_begins() {
    for ours_first in [true, false] {
        let mut link = Link::new();
        let channel = Channel { label: "_lossy".into(), ordered: false, repeat: Repeat::Times(0) };
        link.server.negotiate(101, channel.clone());
        link.browser.association.open_stream(101, Ppid::Binary).unwrap();
        if ours_first {
            link.server.send_to(link.now, "_lossy", outgoing(b"down")).unwrap();
            link.run(1);
        }
        link.browser.send(101, b"up", Ppid::Binary);
        link.run(1);
        assert_eq!(link.reported[0], Output::Opened { stream: 101, channel });
        assert_eq!(link.messages(), [&b"up"[..]]);
        link.server.send_to(link.now, "_lossy", outgoing(b"again")).unwrap();
        link.run(1);
        let last = link.browser.received.last().map(|(stream, _, bytes)| (*stream, &bytes[..]));
        assert_eq!(last, Some((101, &b"again"[..])));
        // One that is opened in band goes before it.
        link.browser.open(8, 0x81, 0, "_lossy");
        link.run(1);
        link.server.send_to(link.now, "_lossy", outgoing(b"in band")).unwrap();
        link.run(1);
        assert_eq!(link.browser.received.last().unwrap().0, 8);
    }
}
