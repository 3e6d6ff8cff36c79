//! Conditions and steps in words, as command lines and scenario files say them.
//!
//! Conditions are `key=value`, separated by commas; what is not named stays as it was:
//!
//! | key | value | example |
//! |---|---|---|
//! | `delay`, `jitter` | a time: `us`, `ms`, `s` | `delay=40ms,jitter=5ms` |
//! | `loss`, `duplicate` | a share | `loss=1%` |
//! | `burst` | share / packets in a row on average, or `none` | `burst=2%/10` |
//! | `reorder` | share / longest extra delay, or `none` | `reorder=1%/20ms` |
//! | `rate` | bits per second with `k`, `M`, `G`, or `none` | `rate=500k` |
//! | `queue` | bytes with `k`, `M` | `queue=64k` |
//! | `path` | no value; steps only: another path from here on | `path,delay=80ms` |
//!
//! A step is a time since the beginning, a colon, and what changes then: `10s:rate=500k`.

use std::time::Duration;

use super::link::{Burst, Conditions, Plan, Reorder, Step};

/// Why words are not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// No such key.
    #[error(
        "{word:?} is no condition; known are delay, jitter, loss, burst, reorder, duplicate, rate \
         and queue, each with a value, and path in a step"
    )]
    Key {
        /// As given.
        word: String,
    },
    /// A value that its key does not take.
    #[error("{key}={value}: must be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// As given.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A step without its time.
    #[error(
        "step {text:?}: must be a time of at most {MOST_HOURS} h and a change, as 10s:rate=500k"
    )]
    Step {
        /// As given.
        text: String,
    },
    /// Steps that go back in time.
    #[error("step {text:?} comes before the one in front of it")]
    Order {
        /// As given.
        text: String,
    },
    /// Too many of them.
    #[error("more than {MOST_STEPS} steps")]
    TooMany,
}

impl Conditions {
    /// These conditions with what `text` changes; and whether it names another path.
    ///
    /// # Errors
    /// [`SpecError`] names the key and what it takes.
    pub fn changed(self, text: &str) -> Result<(Self, bool), SpecError> {
        let (mut conditions, mut other_path) = (self, false);
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                Some((key, value)) => conditions.set(key.trim(), value.trim())?,
                None if word == "path" => other_path = true,
                None => return Err(SpecError::Key { word: word.into() }),
            }
        }
        Ok((conditions, other_path))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), SpecError> {
        match key {
            "delay" => self.delay = some("delay", value, time_of, TIME)?,
            "jitter" => self.jitter = some("jitter", value, time_of, TIME)?,
            "loss" => self.loss = some("loss", value, share, SHARE)?,
            "duplicate" => self.duplicate = some("duplicate", value, share, SHARE)?,
            "burst" => self.burst = unless_none("burst", value, burst, BURST)?,
            "reorder" => self.reorder = unless_none("reorder", value, reorder, REORDER)?,
            "rate" => self.rate = unless_none("rate", value, rate, RATE)?,
            "queue" => self.queue = some("queue", value, bytes, BYTES)?,
            _ => return Err(SpecError::Key { word: key.into() }),
        }
        Ok(())
    }
}

impl Plan {
    /// A plan from the conditions at the beginning and the steps that follow.
    ///
    /// # Errors
    /// [`SpecError`] names what is not understood.
    pub fn read<'a>(
        first: &str,
        steps: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, SpecError> {
        let (mut conditions, _) = Conditions::default().changed(first)?;
        let mut plan = Self::of(conditions);
        for text in steps {
            let wrong = || SpecError::Step { text: text.into() };
            let (at, change) = text.split_once(':').ok_or_else(wrong)?;
            let longest = Duration::from_secs(3_600 * u64::from(MOST_HOURS));
            let at = time_of(at.trim()).filter(|at| *at <= longest).ok_or_else(wrong)?;
            if plan.steps.last().is_some_and(|before| before.at > at) {
                return Err(SpecError::Order { text: text.into() });
            }
            if plan.steps.len() >= MOST_STEPS {
                return Err(SpecError::TooMany);
            }
            let other_path;
            (conditions, other_path) = conditions.changed(change)?;
            plan.steps.push(Step { at, conditions, other_path });
        }
        Ok(plan)
    }
}

type Expected = &'static str;

fn some<T>(
    key: &'static str,
    value: &str,
    read: fn(&str) -> Option<T>,
    expected: Expected,
) -> Result<T, SpecError> {
    read(value).ok_or_else(|| SpecError::Value { key, value: value.into(), expected })
}

fn unless_none<T>(
    key: &'static str,
    value: &str,
    read: fn(&str) -> Option<T>,
    expected: Expected,
) -> Result<Option<T>, SpecError> {
    if value == "none" { Ok(None) } else { some(key, value, read, expected).map(Some) }
}

/// A number and its unit.
fn number(value: &str) -> Option<(f64, &str)> {
    let end = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    Some((number.parse().ok()?, unit))
}

/// A time of at most a day in words: `250us`, `40ms`, `1.5s`.
#[must_use]
pub fn time_of(value: &str) -> Option<Duration> {
    let seconds = match number(value)? {
        (number, "us") => number / 1e6,
        (number, "ms") => number / 1e3,
        (number, "s") => number,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok().filter(|time| *time <= LONGEST)
}

fn share(value: &str) -> Option<f64> {
    let share = match number(value)? {
        (number, "%") => number / 100.0,
        (number, "") => number,
        _ => return None,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

fn scaled(value: &str) -> Option<u64> {
    let (number, factor) = match number(value)? {
        (number, "") => (number, 1.0),
        (number, "k") => (number, 1e3),
        (number, "M") => (number, 1e6),
        (number, "G") => (number, 1e9),
        _ => return None,
    };
    let whole = Some((number * factor).round()).filter(|whole| *whole <= 1e10)?;
    // A number below 10^10 is printed as it is.
    format!("{whole}").parse().ok()
}

fn rate(value: &str) -> Option<u64> {
    scaled(value).filter(|rate| *rate >= 1_000)
}

fn bytes(value: &str) -> Option<usize> {
    scaled(value).and_then(|bytes| usize::try_from(bytes).ok()).filter(|bytes| *bytes <= 1 << 30)
}

fn burst(value: &str) -> Option<Burst> {
    let (part, length) = value.split_once('/')?;
    let (length, unit) = number(length)?;
    let share = share(part).filter(|share| *share < 1.0)?;
    (unit.is_empty() && (1.0..=1e6).contains(&length)).then_some(Burst { share, length })
}

fn reorder(value: &str) -> Option<Reorder> {
    let (part, by) = value.split_once('/')?;
    Some(Reorder { share: share(part)?, by: time_of(by)? })
}

const TIME: Expected = "a time of at most a day, as 250us, 40ms or 1.5s";
const SHARE: Expected = "a share from 0 to 1, as 1% or 0.01";
const BURST: Expected = "none, or share/packets in a row, as 2%/10";
const REORDER: Expected = "none, or share/extra delay, as 1%/20ms";
const RATE: Expected = "none, or bits per second from 1k to 10G, as 500k or 2M";
const BYTES: Expected = "bytes, at most 1 GiB, as 64k";
const LONGEST: Duration = Duration::from_secs(86_400);
const MOST_HOURS: u16 = 24;
const MOST_STEPS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Conditions::default().changed(text).unwrap_err().to_string()
    }

    #[test]
    fn conditions_are_read_and_what_is_not_named_stays() {
        let text = "delay=40ms, jitter=1.5ms,loss=1%,burst=2%/10,reorder=0.01/20ms,\
            duplicate=0.1%,rate=2.5M,queue=64k";
        let (all, _) = Conditions::default().changed(text).unwrap();
        assert_eq!((all.delay, all.jitter.as_micros()), (Duration::from_millis(40), 1_500));
        assert_eq!((all.loss, all.burst), (0.01, Some(Burst { share: 0.02, length: 10.0 })));
        assert_eq!(all.reorder, Some(Reorder { share: 0.01, by: Duration::from_millis(20) }));
        assert_eq!((all.duplicate, all.rate, all.queue), (0.001, Some(2_500_000), 64_000));
        let (then, path) = all.changed("path,rate=none,burst=none").unwrap();
        assert!(path);
        assert_eq!(then, Conditions { rate: None, burst: None, ..all });
    }

    #[test]
    fn steps_add_up_and_keep_their_order() {
        let plan = Plan::read("rate=2M", ["10s:rate=500k", "20s:delay=80ms,path"]).unwrap();
        let last = plan.steps[1];
        assert_eq!((last.at, last.other_path), (Duration::from_secs(20), true));
        assert_eq!(last.conditions.rate, Some(500_000));
        let error = |steps: &[&str]| Plan::read("", steps.iter().copied()).unwrap_err().to_string();
        assert!(error(&["2s:loss=1%", "1s:loss=0"]).starts_with("step \"1s:loss=0\" comes before"));
        assert!(error(&["loss=1%"]).starts_with("step \"loss=1%\": must be a time"));
        assert!(error(&["25h:loss=1%"]).starts_with("step"));
    }

    #[test]
    fn wrong_values_are_refused_by_name_with_what_is_right() {
        assert_eq!(refused("loss=101%"), "loss=101%: must be a share from 0 to 1, as 1% or 0.01");
        assert_eq!(refused("loss=NaN"), "loss=NaN: must be a share from 0 to 1, as 1% or 0.01");
        assert!(refused("rate=0").ends_with("bits per second from 1k to 10G, as 500k or 2M"));
        assert!(refused("delay=40").contains("a time of at most a day"));
        assert!(refused("delay=-1s").contains("a time"));
        assert!(refused("delay=99999999999999999999s").contains("a time"));
        assert!(refused("burst=1%").contains("share/packets"));
        assert!(refused("speed=1").starts_with("\"speed\" is no condition; known are delay"));
        assert!(refused("fast").starts_with("\"fast\" is no condition"));
        assert!(refused("queue=2G").contains("at most 1 GiB"));
    }
}
