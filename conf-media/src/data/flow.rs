//! How much a peer may send: so many messages and bytes a second, and so much under way at a time.
//!
//! What it sends over a reliable channel above that is not read, so it fills SCTP's receive window
//! and the peer's program sees its `bufferedAmount` grow. What is *under way* was read and has not
//! reached the send buffer of every receiver yet, so a server that is busy, or a receiver that is
//! slow, slows the sender down instead of filling memory.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::dtls::Wake;

/// A message's part of what its sender has under way; over when the last clone is gone.
#[derive(Clone, Default)]
pub struct Credit(
    #[expect(dead_code, reason = "what counts is how long it lives")] Option<Arc<Share>>,
);

struct Share {
    len: usize,
    ledger: Ledger,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.ledger.release(self.len);
    }
}

/// Credits are about time, not about what a message says: all are equal.
impl PartialEq for Credit {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Credit {}

impl fmt::Debug for Credit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credit(…)")
    }
}

/// What a sender has under way.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Account>);

#[derive(Default)]
struct Account {
    bytes: AtomicUsize,
    messages: AtomicUsize,
    stalled: AtomicBool,
    wake: Option<Wake>,
}

impl Ledger {
    pub(super) fn new(wake: Option<Wake>) -> Self {
        Self(Arc::new(Account { wake, ..Account::default() }))
    }

    /// Whether another message may be read. If not, the owner is woken when one may.
    pub(super) fn has_room(&self) -> bool {
        if self.room() {
            return true;
        }
        self.0.stalled.store(true, Ordering::SeqCst);
        self.room() // some may have been released in between
    }

    fn room(&self) -> bool {
        self.0.bytes.load(Ordering::SeqCst) < MAX_BYTES_UNDER_WAY
            && self.0.messages.load(Ordering::SeqCst) < MAX_MESSAGES_UNDER_WAY
    }

    pub(super) fn credit(&self, len: usize) -> Credit {
        self.0.bytes.fetch_add(len, Ordering::SeqCst);
        self.0.messages.fetch_add(1, Ordering::SeqCst);
        Credit(Some(Arc::new(Share { len, ledger: self.clone() })))
    }

    fn release(&self, len: usize) {
        self.0.bytes.fetch_sub(len, Ordering::SeqCst);
        self.0.messages.fetch_sub(1, Ordering::SeqCst);
        if self.0.stalled.swap(false, Ordering::SeqCst)
            && let Some(wake) = &self.0.wake
        {
            wake();
        }
    }
}

/// Messages and bytes a second, with some at once.
pub(super) struct Allowance {
    messages: Bucket,
    bytes: Bucket,
}

impl Allowance {
    pub(super) fn new() -> Self {
        Self {
            messages: Bucket::new(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE),
            bytes: Bucket::new(BYTES_PER_SECOND, BYTES_AT_ONCE),
        }
    }

    /// Whether another message may be read now.
    pub(super) fn is_left(&mut self, now: Instant) -> bool {
        self.messages.fill(now);
        self.bytes.fill(now);
        self.messages.level > 0 && self.bytes.level > 0
    }

    /// Takes one message; its bytes may be owed.
    pub(super) fn take(&mut self, len: usize) {
        self.messages.take(1);
        self.bytes.take(len);
    }

    /// When something will be left again; `None` if something is.
    pub(super) fn left_at(&self) -> Option<Instant> {
        self.messages.left_at().max(self.bytes.left_at())
    }
}

/// Levels are in millionths, so that a microsecond adds a whole number.
struct Bucket {
    per_second: i64,
    most: i64,
    level: i64,
    filled: Option<Instant>,
}

impl Bucket {
    fn new(per_second: i64, at_once: i64) -> Self {
        let most = at_once * MILLION;
        Self { per_second, most, level: most, filled: None }
    }

    fn fill(&mut self, now: Instant) {
        let filled = *self.filled.get_or_insert(now);
        let micros = now.saturating_duration_since(filled).as_micros();
        let Ok(micros) = i64::try_from(micros) else { return };
        self.level =
            self.level.saturating_add(micros.saturating_mul(self.per_second)).min(self.most);
        self.filled = Some(filled.max(now));
    }

    fn take(&mut self, amount: usize) {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        self.level = self.level.saturating_sub(amount.saturating_mul(MILLION));
    }

    fn left_at(&self) -> Option<Instant> {
        let owed = u64::try_from(-self.level).ok()?;
        let wait = owed / self.per_second.unsigned_abs() + 1;
        Some(self.filled? + Duration::from_micros(wait))
    }
}

const MILLION: i64 = 1_000_000;
/// Pointers, games and the like send 60 a second.
pub(super) const MESSAGES_PER_SECOND: i64 = 500;
pub(super) const MESSAGES_AT_ONCE: i64 = 1_000;
/// Everybody else in the meeting receives as much.
pub(super) const BYTES_PER_SECOND: i64 = 1024 * 1024;
pub(super) const BYTES_AT_ONCE: i64 = 1024 * 1024;
/// Of one sender, between its association and those of its receivers.
pub(super) const MAX_BYTES_UNDER_WAY: usize = 256 * 1024;
pub(super) const MAX_MESSAGES_UNDER_WAY: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtls::client::start;

    #[test]
    fn an_allowance_lets_its_rate_through_and_says_when_it_goes_on() {
        let mut now = start();
        let mut allowance = Allowance::new();
        let mut taken = 0_i64;
        let end = now + Duration::from_secs(10);
        while now < end {
            if allowance.is_left(now) {
                assert_eq!(allowance.left_at(), None);
                allowance.take(15_000);
                taken += 15_000;
            } else {
                now = allowance.left_at().unwrap();
            }
        }
        let due = BYTES_AT_ONCE + 10 * BYTES_PER_SECOND;
        assert!((due - 15_000..due + 30_000).contains(&taken), "{taken} of {due}");
    }

    #[test]
    fn whoever_has_too_much_under_way_is_woken_when_it_has_arrived() {
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        let wake: Wake = Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let ledger = Ledger::new(Some(wake));
        let mut credits: Vec<_> = (0..MAX_MESSAGES_UNDER_WAY).map(|_| ledger.credit(10)).collect();
        assert!(!ledger.has_room());
        let clone = credits.pop();
        let last = clone.clone();
        drop(clone);
        assert_eq!(woken.load(Ordering::SeqCst), 0, "a clone is under way");
        drop(last);
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        assert!(ledger.has_room());
        drop(credits);
        assert_eq!(woken.load(Ordering::SeqCst), 1, "nobody waits any more");
        let large = ledger.credit(MAX_BYTES_UNDER_WAY);
        assert!(!ledger.has_room());
        drop(large);
        assert!(ledger.has_room());
    }
}
