//! How often one client, and all together, may ask for something.
//!
//! Clients (addresses, or an address with the account it asks for) are hashed with a key of this
//! process into a table of fixed size; none is stored, so none can be logged, and strangers cannot
//! make the table grow. An account is never limited by itself: then anybody could lock its owner
//! out. When all together ask too much, only clients that asked lately are refused: a flood from
//! some does not lock out the others.

use std::hash::{Hash, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use conf_core::TokenBucket;

use super::client;

/// How much is taken at once, and how often one more after that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    burst: u32,
    interval: Duration,
}

/// What one client may ask, and all together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    client: Rate,
    all: Rate,
}

/// New participants. A school class behind one address joins at once; after that one each half
/// second.
pub(crate) const JOINS: Rates = Rates {
    client: Rate { burst: 120, interval: Duration::from_millis(500) },
    all: Rate { burst: 2_000, interval: Duration::from_millis(5) },
};

/// Websockets and new tokens. The largest meeting, all of it behind one address, comes back with
/// both websockets at once when its line was cut: nobody may be lost by waiting longer than the
/// grace.
pub(crate) const CONNECTIONS: Rates = Rates {
    client: Rate { burst: 1_000, interval: Duration::from_millis(20) },
    all: Rate { burst: 16_000, interval: Duration::from_millis(1) },
};

/// Offers over WHIP and WHEP. An audience of thousands may come from one address, such as that of a
/// gateway.
pub(crate) const SESSIONS: Rates = Rates {
    client: Rate { burst: 4_000, interval: Duration::from_millis(1) },
    all: Rate { burst: 16_000, interval: Duration::from_micros(250) },
};

/// Passwords and one-time links tried from one address. A class behind one address signs in at
/// once.
pub(crate) const SIGN_INS: Rates = Rates {
    client: Rate { burst: 120, interval: Duration::from_secs(1) },
    all: Rate { burst: 2_000, interval: Duration::from_millis(5) },
};

/// Passwords tried from one address for one account.
pub(crate) const GUESSES: Rates =
    Rates { client: Rate { burst: 10, interval: Duration::from_secs(10) }, all: SIGN_INS.all };

/// Token buckets by client, and one for all.
#[derive(Debug)]
pub(crate) struct Throttle {
    key: RandomState,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    all: TokenBucket,
    clients: Vec<TokenBucket>,
}

impl Throttle {
    /// Nobody asked yet.
    pub(crate) fn new(rates: Rates) -> Self {
        let bucket = |rate: Rate| TokenBucket::new(rate.burst, rate.interval);
        let clients = vec![bucket(rates.client); CLIENTS];
        let buckets = Buckets { all: bucket(rates.all), clients };
        Self { key: RandomState::new(), buckets: Mutex::new(buckets) }
    }

    /// Takes one request of an address.
    ///
    /// # Errors
    /// How long to wait until the next one is taken.
    pub(crate) fn take(&self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        self.take_of(now, client::network(address))
    }

    /// Takes one request of an address that is about something, such as an account.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) fn take_about(
        &self,
        now: Instant,
        address: IpAddr,
        about: &str,
    ) -> Result<(), Duration> {
        self.take_of(now, (client::network(address), about))
    }

    fn take_of(&self, now: Instant, client: impl Hash) -> Result<(), Duration> {
        let index = client::slot(&self.key, client, CLIENTS);
        let Ok(mut buckets) = self.buckets.lock() else { return Ok(()) };
        let Buckets { all, clients } = &mut *buckets;
        let Some(own) = clients.get_mut(index) else { return Ok(()) };
        own.check(now)?;
        if !own.is_full(now) {
            all.check(now)?;
        }
        own.take(now)?;
        let _beyond_all = all.take(now);
        Ok(())
    }
}

const CLIENTS: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn start() -> (Throttle, Instant) {
        let now = crate::clock::mono();
        (Throttle::new(JOINS), now)
    }

    #[test]
    fn an_address_that_asks_too_often_waits_and_others_do_not() {
        let (throttle, now) = start();
        for _ in 0..JOINS.client.burst {
            throttle.take(now, address(1)).unwrap();
        }
        assert_eq!(throttle.take(now, address(1)), Err(JOINS.client.interval));
        throttle.take(now, address(2)).unwrap();
        throttle.take(now + JOINS.client.interval, address(1)).unwrap();
    }

    #[test]
    fn a_flood_from_many_addresses_refuses_the_flooders_only() {
        let (throttle, now) = start();
        let mut refused = 0;
        for round in 0..60 {
            for last in 1..=100 {
                refused += u32::from(throttle.take(now, address(last)).is_err());
                assert!(round > 0 || refused == 0);
            }
        }
        assert!(refused > 3_000, "{refused}");
        throttle.take(now, IpAddr::from([198, 51, 100, 1])).unwrap();
    }

    #[test]
    fn the_largest_meeting_behind_one_address_comes_back_at_once() {
        let now = crate::clock::mono();
        let throttle = Throttle::new(CONNECTIONS);
        for _ in 0..1_000 {
            throttle.take(now, address(1)).unwrap();
        }
        assert!(throttle.take(now, address(1)).is_err());
    }

    #[test]
    fn one_household_of_ipv6_is_one_address() {
        let (throttle, now) = start();
        let host = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, n]);
        for n in 0..u16::try_from(JOINS.client.burst).unwrap() {
            throttle.take(now, host(n)).unwrap();
        }
        assert!(throttle.take(now, host(9_999)).is_err());
        throttle.take(now, IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])).unwrap();
    }

    #[test]
    fn guesses_from_elsewhere_do_not_lock_the_owner_of_an_account_out() {
        let now = crate::clock::mono();
        let throttle = Throttle::new(GUESSES);
        for _ in 0..GUESSES.client.burst {
            throttle.take_about(now, address(1), "ada@example.org").unwrap();
        }
        throttle.take_about(now, address(1), "ada@example.org").unwrap_err();
        throttle.take_about(now, address(1), "bob@example.org").unwrap();
        throttle.take_about(now, address(2), "ada@example.org").unwrap();
    }
}
