//! How often one address, and all together, may ask for something.
//!
//! Addresses are hashed with a key of this process into a table of fixed size; none is stored, so
//! none can be logged, and strangers cannot make the table grow. IPv6 counts by /64, the size of
//! one household. When all together ask too much, only addresses that asked within the last minute
//! are refused: a flood from some does not lock out the others.

use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::client;

/// How much is taken at once, and how often one more after that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    burst: u32,
    interval: Duration,
}

/// What one address may ask, and all together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    address: Rate,
    all: Rate,
}

/// New participants. A school class behind one address joins at once; after that one each half
/// second.
pub(crate) const JOINS: Rates = Rates {
    address: Rate { burst: 120, interval: Duration::from_millis(500) },
    all: Rate { burst: 2_000, interval: Duration::from_millis(5) },
};

/// Websockets and new tokens. The largest meeting, all of it behind one address, comes back with
/// both websockets at once when its line was cut: nobody may be lost by waiting longer than the
/// grace.
pub(crate) const CONNECTIONS: Rates = Rates {
    address: Rate { burst: 1_000, interval: Duration::from_millis(20) },
    all: Rate { burst: 16_000, interval: Duration::from_millis(1) },
};

/// Token buckets by address, and one for all.
#[derive(Debug)]
pub(crate) struct Throttle {
    rates: Rates,
    key: RandomState,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    begin: Instant,
    all: Bucket,
    addresses: Vec<Bucket>,
}

/// When a bucket will be full again, as time since the start. 0: it is full.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_at: Duration,
}

impl Throttle {
    /// Nobody asked yet.
    pub(crate) fn new(now: Instant, rates: Rates) -> Self {
        let addresses = vec![Bucket::default(); ADDRESSES];
        let buckets = Buckets { begin: now, all: Bucket::default(), addresses };
        Self { rates, key: RandomState::new(), buckets: Mutex::new(buckets) }
    }

    /// Takes one request.
    ///
    /// # Errors
    /// How long to wait until the next one is taken.
    pub(crate) fn take(&self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        let index = client::slot(&self.key, address, ADDRESSES);
        let Ok(mut buckets) = self.buckets.lock() else { return Ok(()) };
        let now = now.saturating_duration_since(buckets.begin);
        let Buckets { all, addresses, .. } = &mut *buckets;
        let Some(own) = addresses.get_mut(index) else { return Ok(()) };
        let recently = own.full_at > now;
        own.wait(now, self.rates.address)?;
        if recently {
            all.wait(now, self.rates.all)?;
        }
        own.put(now, self.rates.address);
        all.put(now, self.rates.all);
        Ok(())
    }
}

impl Bucket {
    fn wait(self, now: Duration, Rate { burst, interval }: Rate) -> Result<(), Duration> {
        let debt = self.full_at.saturating_sub(now) + interval;
        match debt.checked_sub(interval * burst) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(()),
        }
    }

    fn put(&mut self, now: Duration, rate: Rate) {
        self.full_at = self.full_at.max(now) + rate.interval;
    }
}

const ADDRESSES: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn start() -> (Throttle, Instant) {
        let now = crate::clock::mono();
        (Throttle::new(now, JOINS), now)
    }

    #[test]
    fn an_address_that_asks_too_often_waits_and_others_do_not() {
        let (throttle, now) = start();
        for _ in 0..JOINS.address.burst {
            throttle.take(now, address(1)).unwrap();
        }
        assert_eq!(throttle.take(now, address(1)), Err(JOINS.address.interval));
        throttle.take(now, address(2)).unwrap();
        throttle.take(now + JOINS.address.interval, address(1)).unwrap();
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
        let throttle = Throttle::new(now, CONNECTIONS);
        for _ in 0..1_000 {
            throttle.take(now, address(1)).unwrap();
        }
        assert!(throttle.take(now, address(1)).is_err());
    }

    #[test]
    fn one_household_of_ipv6_is_one_address() {
        let (throttle, now) = start();
        let host = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, n]);
        for n in 0..u16::try_from(JOINS.address.burst).unwrap() {
            throttle.take(now, host(n)).unwrap();
        }
        assert!(throttle.take(now, host(9_999)).is_err());
        throttle.take(now, IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])).unwrap();
    }
}
