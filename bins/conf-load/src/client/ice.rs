//! The controlling agent of one client: one candidate on each side, so one pair.
//!
//! A check with USE-CANDIDATE is repeated until it is answered: with one pair there is nothing to
//! choose, and servers that do not lead (ICE-lite or controlled) take the nomination at once. Then
//! the path is checked again every few seconds (consent). Checks of the server are answered.
//! Sources: RFC 8445 (sections 7 and 8), RFC 7675 (consent), RFC 8489.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conf_media::stun::{self, Class, IntegrityKey, Role, TransactionId, Writer};

/// Ufrags and passwords of both sides.
#[derive(Clone)]
pub(super) struct Sides {
    pub(super) local: (String, String),
    pub(super) remote: (String, String),
}

/// One path.
pub(super) struct Ice {
    /// Of our checks: theirs, a colon, ours.
    username: String,
    /// Of our checks: the server's password.
    theirs: IntegrityKey,
    /// Of its checks: our password.
    ours: IntegrityKey,
    transaction: TransactionId,
    valid: bool,
    /// Of the last answer.
    answered: Instant,
    due: Instant,
}

/// What a datagram was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The path works from now on.
    Valid,
    /// A check of the server: an answer is in the buffer.
    Answer,
    /// Nothing to do.
    Nothing,
}

impl Ice {
    /// `seed` makes transaction ids; the first check is due at once.
    pub(super) fn new(sides: &Sides, seed: u64, now: Instant) -> Self {
        let (local, remote) = (&sides.local, &sides.remote);
        let mut transaction = [0; 12];
        for (byte, value) in transaction.iter_mut().zip(seed.to_be_bytes()) {
            *byte = value;
        }
        Self {
            username: format!("{}:{}", remote.0, local.0),
            theirs: IntegrityKey::new(&remote.1),
            ours: IntegrityKey::new(&local.1),
            transaction: TransactionId(transaction),
            valid: false,
            answered: now,
            due: now,
        }
    }

    /// A STUN datagram came from `from`; an answer to it is written to `out`.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        (from, datagram): (SocketAddr, &[u8]),
        out: &mut Vec<u8>,
    ) -> Heard {
        let Ok(message) = stun::parse(datagram) else { return Heard::Nothing };
        match message.class() {
            Class::Success if message.transaction() == self.transaction => {
                if message.verify(&self.theirs).is_err() {
                    return Heard::Nothing;
                }
                self.answered = now;
                self.due = now + CONSENT;
                if self.valid { Heard::Nothing } else { self.now_valid() }
            }
            Class::Request if message.verify(&self.ours).is_ok() => {
                Writer::new(out, Class::Success, message.transaction())
                    .xor_mapped_address(from)
                    .integrity(&self.ours)
                    .fingerprint();
                Heard::Answer
            }
            _ => Heard::Nothing,
        }
    }

    /// Writes the check that is due, if one is.
    ///
    /// `Err` holds how long the server has not answered: the path is dead.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<bool, Duration> {
        if now < self.due {
            return Ok(false);
        }
        let silent = now.saturating_duration_since(self.answered);
        if silent > if self.valid { DEAD } else { LONGEST } {
            return Err(silent);
        }
        self.due = now + REPEAT;
        if self.valid && silent < CONSENT + REPEAT {
            self.next_transaction();
        }
        Writer::new(out, Class::Request, self.transaction)
            .username(&self.username)
            .priority(PRIORITY)
            .role(Role::Controlling { tie_breaker: TIE_BREAKER })
            .use_candidate()
            .integrity(&self.theirs)
            .fingerprint();
        Ok(true)
    }

    /// When the next check is due.
    pub(super) fn timeout(&self) -> Instant {
        self.due
    }

    fn now_valid(&mut self) -> Heard {
        self.valid = true;
        Heard::Valid
    }

    fn next_transaction(&mut self) {
        if let Some(counter) = self.transaction.0.last_chunk_mut::<4>() {
            *counter = u32::from_be_bytes(*counter).wrapping_add(1).to_be_bytes();
        }
    }
}

/// A check that is not answered is repeated after this long (RFC 8445, section 14.3: the least).
const REPEAT: Duration = Duration::from_millis(50);
/// RFC 7675, section 5.1: about every 5 s, varied.
const CONSENT: Duration = Duration::from_secs(4);
/// RFC 7675, section 5.1.
const DEAD: Duration = Duration::from_secs(30);
/// A server that answers no check at all.
const LONGEST: Duration = Duration::from_secs(10);
/// Of a peer-reflexive candidate (RFC 8445, section 7.1.1).
const PRIORITY: u32 = 1_862_270_975;
const TIE_BREAKER: u64 = 0x636f_6e66_6c6f_6164;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn sides() -> Sides {
        let side = |ufrag: &str| (ufrag.to_owned(), format!("{ufrag}0123456789abcdef0123"));
        Sides { local: side("ours"), remote: side("theirs") }
    }

    fn from() -> SocketAddr {
        "127.0.0.1:9".parse().unwrap()
    }

    /// The server's answer to `check`.
    fn answer(check: &[u8], password: &str) -> Vec<u8> {
        let request = stun::parse(check).unwrap();
        assert_eq!(request.username(), Some("theirs:ours"));
        assert!(request.use_candidate());
        let key = IntegrityKey::new(password);
        let mut out = Vec::new();
        Writer::new(&mut out, Class::Success, request.transaction())
            .xor_mapped_address(from())
            .integrity(&key)
            .fingerprint();
        out
    }

    #[test]
    fn a_check_is_repeated_until_it_is_answered_by_who_knows_the_password() {
        let now = clock::now();
        let mut ice = Ice::new(&sides(), 1, now);
        let (mut check, mut out) = (Vec::new(), Vec::new());
        assert_eq!(ice.handle_timeout(now, &mut check), Ok(true));
        assert_eq!(ice.handle_timeout(now, &mut check), Ok(false));
        let forged = answer(&check, "wrong");
        assert_eq!(ice.handle(now, (from(), &forged), &mut out), Heard::Nothing);
        let later = now + REPEAT;
        assert_eq!(ice.handle_timeout(later, &mut check), Ok(true));
        let good = answer(&check, &sides().remote.1);
        assert_eq!(ice.handle(later, (from(), &good), &mut out), Heard::Valid);
        assert_eq!(ice.timeout(), later + CONSENT);
        assert_eq!(ice.handle(later, (from(), &good), &mut out), Heard::Nothing);
    }

    #[test]
    fn a_path_that_stays_silent_is_given_up() {
        let now = clock::now();
        let mut ice = Ice::new(&sides(), 1, now);
        let mut check = Vec::new();
        assert_eq!(ice.handle_timeout(now + LONGEST, &mut check), Ok(true));
        let silent = LONGEST + REPEAT;
        assert_eq!(ice.handle_timeout(now + silent, &mut check), Err(silent));
    }

    #[test]
    fn a_check_of_the_server_is_answered() {
        let now = clock::now();
        let mut ice = Ice::new(&sides(), 1, now);
        let (mut check, mut out) = (Vec::new(), Vec::new());
        let key = IntegrityKey::new(&sides().local.1);
        Writer::new(&mut check, Class::Request, TransactionId([3; 12]))
            .username("ours:theirs")
            .integrity(&key)
            .fingerprint();
        assert_eq!(ice.handle(now, (from(), &check), &mut out), Heard::Answer);
        let answer = stun::parse(&out).unwrap();
        answer.verify(&key).unwrap();
        assert_eq!(answer.mapped_address(), Some(from()));
    }
}
