//! One peer's checks against the agent.

use super::*;
use crate::stun::{self, TransactionId};

const PASSWORD: &str = "a-password-of-22-chars";
const RENEWED: &str = "b-password-of-22-chars";

fn credentials(ufrag: &str, password: &str) -> Credentials {
    Credentials { ufrag: ufrag.into(), password: password.into() }
}

fn start() -> Now {
    #[expect(clippy::disallowed_methods, reason = "an origin for simulated time")]
    Now { mono: Instant::now(), wall: jiff::Timestamp::UNIX_EPOCH }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

struct Check<'a> {
    username: &'a str,
    password: &'a str,
    role: Role,
    nominates: bool,
}

const CHECK: Check<'_> = Check {
    username: "ours:theirs",
    password: PASSWORD,
    role: Role::Controlling { tie_breaker: 1 },
    nominates: false,
};
const NOMINATION: Check<'_> = Check { nominates: true, ..CHECK };

impl Check<'_> {
    fn datagram(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, Class::Request, TransactionId([7; 12]))
            .username(self.username)
            .priority(1)
            .role(self.role);
        if self.nominates {
            writer = writer.use_candidate();
        }
        writer.integrity(&IntegrityKey::new(self.password)).fingerprint();
        out
    }

    fn send(&self, agent: &mut Agent, now: Now, from: SocketAddr) -> Result<Handled, IceError> {
        let mut out = Vec::new();
        let datagram = self.datagram();
        let handled = agent.handle(now, from, &stun::parse(&datagram).unwrap(), &mut out);
        if handled.is_err() {
            assert!(out.len() <= datagram.len(), "a refusal is no amplifier");
        }
        handled
    }

    fn refusal(&self, agent: &mut Agent, now: Now) -> (Option<IceError>, Option<u16>) {
        let mut out = Vec::new();
        let datagram = self.datagram();
        let handled = agent.handle(now, at(1), &stun::parse(&datagram).unwrap(), &mut out);
        (handled.err(), stun::parse(&out).ok().and_then(|answer| answer.error_code()))
    }
}

fn agent() -> Agent {
    Agent::new(credentials("ours", PASSWORD))
}

#[test]
fn a_check_is_answered_with_the_address_it_came_from() {
    let mut out = Vec::new();
    let datagram = CHECK.datagram();
    agent().handle(start(), at(1), &stun::parse(&datagram).unwrap(), &mut out).unwrap();
    let answer = stun::parse(&out).unwrap();
    assert_eq!(answer.class(), Class::Success);
    assert_eq!(answer.transaction(), TransactionId([7; 12]));
    assert_eq!(answer.mapped_address(), Some(at(1)));
    assert!(answer.has_fingerprint());
    assert_eq!(answer.verify(&IntegrityKey::new(PASSWORD)), Ok(()));
}

#[test]
fn the_first_address_is_used_until_another_is_nominated() {
    let (mut agent, now) = (agent(), start());
    assert_eq!(agent.address(), None);
    let first = CHECK.send(&mut agent, now, at(1)).unwrap();
    assert_eq!(first, Handled { selected: Some(at(1)), new_path: true });
    let second = CHECK.send(&mut agent, now, at(2)).unwrap();
    assert_eq!(second, Handled { selected: None, new_path: true });
    assert_eq!(agent.address(), Some(at(1)));
    let nominated = NOMINATION.send(&mut agent, now, at(2)).unwrap();
    assert_eq!(nominated, Handled { selected: Some(at(2)), new_path: false });
    CHECK.send(&mut agent, now, at(1)).unwrap();
    CHECK.send(&mut agent, now, at(3)).unwrap();
    assert_eq!(agent.address(), Some(at(2)));
    assert!(agent.is_valid(at(1)) && !agent.is_valid(at(4)));
}

#[test]
fn unauthenticated_checks_change_nothing_and_are_told_so() {
    let (mut agent, now) = (agent(), start());
    let wrong = Check { password: RENEWED, ..NOMINATION };
    assert_eq!(wrong.refusal(&mut agent, now), (Some(IceError::WrongPassword), Some(401)));
    for username in ["other:theirs", "ours", "ours2:theirs", ":", ""] {
        let unknown = Check { username, ..NOMINATION };
        assert_eq!(unknown.refusal(&mut agent, now), (Some(IceError::UnknownUser), Some(401)));
    }
    assert_eq!(agent.address(), None);
    assert!(!agent.is_valid(at(1)));
    assert_eq!((agent.poll(), agent.timeout()), (None, None));
}

#[test]
fn checks_without_name_or_integrity_are_bad_requests() {
    let (mut agent, mut request, mut out) = (agent(), Vec::new(), Vec::new());
    Writer::new(&mut request, Class::Request, TransactionId([7; 12])).username("ours:x").finish();
    let handled = agent.handle(start(), at(1), &stun::parse(&request).unwrap(), &mut out);
    assert_eq!(handled, Err(IceError::Incomplete));
    assert_eq!(stun::parse(&out).unwrap().error_code(), Some(400));
    assert!(out.len() <= request.len());
    Writer::new(&mut request, Class::Request, TransactionId([7; 12])).finish();
    let handled = agent.handle(start(), at(1), &stun::parse(&request).unwrap(), &mut out);
    assert_eq!((handled, out.len()), (Err(IceError::Incomplete), 0));
}

#[test]
fn answers_and_indications_get_no_answer() {
    let (mut agent, mut message, mut out) = (agent(), Vec::new(), vec![1]);
    for class in [Class::Success, Class::Error, Class::Indication] {
        Writer::new(&mut message, class, TransactionId([7; 12]))
            .username("ours:theirs")
            .integrity(&IntegrityKey::new(PASSWORD))
            .fingerprint();
        let handled = agent.handle(start(), at(1), &stun::parse(&message).unwrap(), &mut out);
        assert_eq!((handled, out.len()), (Err(IceError::NotARequest), 0));
    }
    assert_eq!(agent.address(), None);
}

#[test]
fn a_peer_in_our_own_role_is_told_of_the_conflict() {
    let mut agent = agent();
    let check = Check { role: Role::Controlled { tie_breaker: u64::MAX }, ..NOMINATION };
    assert_eq!(check.refusal(&mut agent, start()), (Some(IceError::RoleConflict), Some(487)));
    assert_eq!(agent.address(), None);
}

#[test]
fn attributes_not_understood_are_named_in_the_refusal() {
    let (mut agent, mut request, mut out) = (agent(), CHECK.datagram(), Vec::new());
    // XOR-RELAYED-ADDRESS's type in place of PRIORITY's, then the integrity made anew.
    request.truncate(request.len() - 32);
    let at_priority = request.windows(4).position(|w| w == [0, 0x24, 0, 4]).unwrap();
    request[at_priority + 1] = 0x16;
    let mut signed = Vec::new();
    let key = IntegrityKey::new(PASSWORD);
    Writer::new(&mut signed, Class::Request, TransactionId([7; 12])).finish();
    signed.extend_from_slice(&request[20..]);
    Writer::resume(&mut signed, TransactionId([7; 12])).integrity(&key).fingerprint();
    let handled = agent.handle(start(), at(1), &stun::parse(&signed).unwrap(), &mut out);
    assert_eq!(handled, Err(IceError::UnknownAttributes { count: 1 }));
    let answer = stun::parse(&out).unwrap();
    assert_eq!(answer.error_code(), Some(420));
    assert_eq!(answer.verify(&key), Ok(()));
    assert!(out.windows(6).any(|w| w == [0, 0x0a, 0, 2, 0, 0x16]));
    assert_eq!(agent.address(), None);
}

#[test]
fn sending_stops_fifteen_seconds_after_the_last_check_and_starts_with_the_next() {
    let (mut agent, now) = (agent(), start());
    NOMINATION.send(&mut agent, now, at(1)).unwrap();
    let last = now.later(Duration::from_secs(5));
    CHECK.send(&mut agent, last, at(1)).unwrap();
    assert_eq!(agent.timeout(), Some(last.mono + CONSENT));
    agent.handle_timeout(last.later(CONSENT - Duration::from_millis(1)));
    assert_eq!((agent.address(), agent.poll()), (Some(at(1)), None));
    agent.handle_timeout(last.later(CONSENT));
    assert_eq!(agent.address(), None);
    assert_eq!(agent.poll(), Some(Event::Forgotten { address: at(1) }));
    assert_eq!(agent.poll(), Some(Event::Disconnected));
    assert_eq!((agent.poll(), agent.timeout()), (None, None));
    agent.handle_timeout(last.later(CONSENT * 2));
    assert_eq!(agent.poll(), None, "said once");
    let again = CHECK.send(&mut agent, last.later(CONSENT * 3), at(2)).unwrap();
    assert_eq!(again, Handled { selected: Some(at(2)), new_path: true });
    assert_eq!(agent.poll(), Some(Event::Reconnected));
}

#[test]
fn an_address_that_still_has_checks_takes_over_from_one_that_has_none() {
    let (mut agent, now) = (agent(), start());
    NOMINATION.send(&mut agent, now, at(1)).unwrap();
    CHECK.send(&mut agent, now.later(Duration::from_secs(9)), at(2)).unwrap();
    agent.handle_timeout(now.later(CONSENT));
    assert_eq!(agent.address(), Some(at(2)));
    assert_eq!(agent.poll(), Some(Event::Forgotten { address: at(1) }));
    assert_eq!(agent.poll(), None);
}

#[test]
fn an_address_that_changed_on_its_way_takes_over_without_a_nomination() {
    let (mut agent, now) = (agent(), start());
    NOMINATION.send(&mut agent, now, at(1)).unwrap();
    let early = CHECK.send(&mut agent, now.later(LEFT - Duration::from_millis(1)), at(2)).unwrap();
    assert_eq!(early.selected, None, "one that is kept as a spare");
    let late = CHECK.send(&mut agent, now.later(LEFT), at(3)).unwrap();
    assert_eq!(late.selected, Some(at(3)));
    let back = NOMINATION.send(&mut agent, now.later(LEFT), at(1)).unwrap();
    assert_eq!(back.selected, Some(at(1)), "what is nominated counts");
}

#[test]
fn the_old_credentials_end_with_the_first_check_that_carries_the_new() {
    let (mut agent, now) = (agent(), start());
    NOMINATION.send(&mut agent, now, at(1)).unwrap();
    agent.restart(credentials("renewed", RENEWED));
    assert_eq!(agent.ufrags().collect::<Vec<_>>(), ["renewed", "ours"]);
    CHECK.send(&mut agent, now, at(1)).unwrap();
    let renewed = Check { username: "renewed:theirs", password: RENEWED, ..CHECK };
    let crossed = Check { username: "renewed:theirs", ..CHECK };
    assert_eq!(crossed.send(&mut agent, now, at(2)), Err(IceError::WrongPassword));
    assert_eq!(agent.ufrags().count(), 2);
    renewed.send(&mut agent, now, at(2)).unwrap();
    assert_eq!(agent.ufrags().collect::<Vec<_>>(), ["renewed"]);
    assert_eq!(CHECK.send(&mut agent, now, at(1)), Err(IceError::UnknownUser));
    assert_eq!(agent.address(), Some(at(1)), "until the new path is nominated");
    Check { nominates: true, ..renewed }.send(&mut agent, now, at(2)).unwrap();
    assert_eq!(agent.address(), Some(at(2)));
}

#[test]
fn credentials_that_were_never_used_end_with_a_second_restart() {
    let (mut agent, now) = (agent(), start());
    NOMINATION.send(&mut agent, now, at(1)).unwrap();
    agent.restart(credentials("skipped", RENEWED));
    agent.restart(credentials("renewed", RENEWED));
    assert_eq!(agent.ufrags().collect::<Vec<_>>(), ["renewed", "ours"]);
    CHECK.send(&mut agent, now, at(1)).unwrap();
    let skipped = Check { username: "skipped:theirs", password: RENEWED, ..CHECK };
    assert_eq!(skipped.send(&mut agent, now, at(2)), Err(IceError::UnknownUser));
}

#[test]
fn a_ninth_address_pushes_out_the_one_unchecked_for_longest_but_not_the_selected() {
    let (mut agent, now) = (agent(), start());
    for step in 0..1_000 {
        let later = now.later(Duration::from_millis(u64::from(step)));
        CHECK.send(&mut agent, later, at(step)).unwrap();
        assert!(agent.paths.len() <= MAX_PATHS);
    }
    assert_eq!(agent.address(), Some(at(0)));
    assert!(agent.is_valid(at(0)) && !agent.is_valid(at(992)) && agent.is_valid(at(993)));
    assert_eq!(agent.poll(), Some(Event::Forgotten { address: at(1) }));
}

#[test]
fn nothing_prints_an_address_or_a_secret() {
    let (mut agent, now) = (agent(), start());
    let handled = CHECK.send(&mut agent, now, at(1)).unwrap();
    agent.handle_timeout(now.later(CONSENT));
    let datagram = CHECK.datagram();
    let message = stun::parse(&datagram).unwrap();
    let text = format!("{agent:?} {handled:?} {message:?} {:?}", agent.poll());
    for secret in ["192", "ours", "theirs", PASSWORD] {
        assert!(!text.contains(secret), "{text}");
    }
}
