//! How long a subscriber is without media when its address changes, in virtual time: behind a NAT that
//! forgets, after a restart of ICE, from UDP to TCP and back; on the same shard and on another.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{clock, opus};
use conf_media::command::Command;
use conf_media::ice::Credentials;
use conf_media::stun::{Class, IntegrityKey, Role, TransactionId, Writer};
use conf_media::tcp::TcpId;
use conf_media::test_util::{Fleet, microphone, subscription};

const PASSWORD: &str = "a-password-of-22-chars";
const MILLISECOND: Duration = Duration::from_millis(1);
/// Between two packets of sound.
const SOUND: Duration = Duration::from_millis(20);

/// How a browser checks the path it uses.
#[derive(Clone, Copy)]
struct Browser {
    every: Duration,
    nominates: bool,
}

/// Nominates again and again, as long as the other end is lite.
const CHROMIUM: Browser = Browser { every: Duration::from_millis(2_500), nominates: true };
/// Only refreshes consent (RFC 7675), every 4 to 6 s.
const FIREFOX: Browser = Browser { every: Duration::from_secs(5), nominates: false };

/// A microphone on shard 0, and somebody who hears it on another one.
struct Call {
    fleet: Fleet,
    ada: usize,
    ben: usize,
    ufrag: String,
    sequence: u16,
}

impl Call {
    fn new(shards: usize) -> Self {
        let mut fleet = Fleet::new(shards, clock());
        let ada = fleet.connect(0);
        fleet.publish(ada, 1, microphone("0", 5000));
        let ben = fleet.connect(shards - 1);
        fleet.subscribe(ben, 1, subscription("3", 900));
        let mut call = Self { fleet, ada, ben, ufrag: String::new(), sequence: 0 };
        call.restart("first");
        call.check(true);
        call
    }

    fn restart(&mut self, ufrag: &str) {
        self.ufrag = ufrag.into();
        let credentials = Credentials { ufrag: ufrag.into(), password: PASSWORD.into() };
        let peer = self.fleet.id(self.ben);
        self.fleet.command(Command::RestartIce { peer, credentials }).unwrap();
    }

    fn check(&mut self, nominates: bool) {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, Class::Request, TransactionId([7; 12]))
            .username(&format!("{}:theirs", self.ufrag))
            .priority(1)
            .role(Role::Controlling { tie_breaker: 9 });
        if nominates {
            writer = writer.use_candidate();
        }
        writer.integrity(&IntegrityKey::new(PASSWORD)).fingerprint();
        self.fleet.datagram(self.ben, &out).unwrap();
    }

    /// Ada speaks for so long, while Ben's browser checks its path, first after `until_check`; the
    /// longest time in which Ben heard nothing.
    fn speak(&mut self, time: Duration, browser: Browser, until_check: Duration) -> Duration {
        let begun = self.fleet.now.mono;
        let (mut check_at, mut heard_at, mut longest) = (begun + until_check, begun, SOUND);
        let mut hold_at = begun;
        while self.fleet.now.mono < begun + time {
            if self.fleet.now.mono >= check_at {
                self.check(browser.nominates);
                check_at += browser.every;
            }
            if self.fleet.now.mono >= hold_at {
                self.fleet.check(self.ada).unwrap();
                hold_at += Duration::from_secs(2);
            }
            self.sequence = self.sequence.wrapping_add(1);
            let packet = opus(5000, self.sequence, &[]);
            self.fleet.send(self.ada, &packet).unwrap();
            if !self.fleet.received(self.ben).is_empty() {
                heard_at = self.fleet.now.mono;
            }
            longest = longest.max(self.fleet.now.mono - heard_at);
            self.fleet.pass(SOUND);
        }
        longest
    }

    fn address(&mut self, address: SocketAddr) {
        self.fleet.remote_mut(self.ben).address = address;
    }
}

/// A NAT gives Ben another address, at any moment between two of its checks.
fn rebinding(browser: Browser, shards: usize, to: usize) -> Duration {
    let mut longest = SOUND;
    let mut call = Call::new(shards);
    for part in 0..10 {
        let since_check = browser.every * part / 10;
        call.speak(browser.every * 2 + since_check + MILLISECOND, browser, Duration::ZERO);
        call.fleet.move_to(call.ben, to);
        let left = browser.every - since_check;
        longest = longest.max(call.speak(browser.every * 2, browser, left));
    }
    assert!(call.fleet.shards.iter().map(|it| it.counters().peers).sum::<u64>() == 2);
    longest
}

#[test]
fn behind_a_nat_that_forgets_media_goes_on_with_the_next_check() {
    for (browser, most) in [(CHROMIUM, 3_000), (FIREFOX, 6_000)] {
        for (shards, to) in [(1, 0), (2, 0), (3, 1)] {
            let gap = rebinding(browser, shards, to);
            assert!(gap <= Duration::from_millis(most), "{gap:?} of {shards} shards");
            assert!(gap >= browser.every / 2, "{gap:?}: the address did change");
        }
    }
}

#[test]
fn a_restart_of_ice_on_a_new_network_needs_one_check() {
    for (shards, to) in [(1, 0), (2, 0)] {
        let mut call = Call::new(shards);
        call.speak(CHROMIUM.every, CHROMIUM, Duration::ZERO);
        call.fleet.move_to(call.ben, to);
        call.restart("second");
        let gap = call.speak(CHROMIUM.every, CHROMIUM, Duration::from_millis(100));
        assert!(gap <= Duration::from_millis(140), "{gap:?}");
        let again = call.speak(Duration::from_secs(20), CHROMIUM, Duration::ZERO);
        assert_eq!(again, SOUND, "the old path is forgotten without a sound lost");
    }
}

#[test]
fn a_tcp_connection_is_a_path_like_any_other() {
    for (shards, to) in [(1, 0), (2, 0)] {
        let mut call = Call::new(shards);
        let udp = call.fleet.remote(call.ben).address;
        let before = call.speak(CHROMIUM.every, CHROMIUM, Duration::ZERO);
        assert_eq!(before, SOUND);
        for number in [1, 2] {
            // From the very port that its UDP has, and a second connection from there.
            call.fleet.move_to(call.ben, to);
            call.address(TcpId::new(number).unwrap().address(udp));
            let gap = call.speak(CHROMIUM.every * 2, CHROMIUM, Duration::from_millis(100));
            assert!(gap <= Duration::from_millis(140), "{gap:?}");
        }
        call.fleet.move_to(call.ben, shards - 1);
        call.address(udp);
        let gap = call.speak(CHROMIUM.every * 2, CHROMIUM, Duration::from_millis(100));
        assert!(gap <= Duration::from_millis(140), "{gap:?}");
    }
}
