//! A rule of erasure: what starts the term, how long it is, how long the erasure may take, and how
//! it is done (DIN EN ISO/IEC 27555: one rule for each kind of data).

use std::fmt;
use std::str::FromStr;

use jiff::Span;

/// When a kind of data goes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What starts the term.
    pub start: Start,
    /// How long it may still be used.
    pub period: Period,
    /// How long the erasure itself may take.
    pub slack: Period,
    /// How it is erased, one step after the other.
    pub action: Vec<Action>,
    /// What may keep it longer (Article 17(3)): a kind of hold.
    pub unless: Option<String>,
    /// What happens with it until the term is over.
    pub meanwhile: Option<Meanwhile>,
}

/// What starts the term of erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// It came to be.
    Collection,
    /// The connection it belongs to is closed.
    ConnectionEnd,
    /// The participant is no longer present.
    Departure,
    /// The meeting ended.
    MeetingEnd,
    /// The browser tab was closed, or the person left the meeting in it.
    TabClosed,
    /// The person takes it back.
    Withdrawal,
    /// The account was closed.
    RelationEnd,
    /// The matter it belongs to is done.
    ProcessEnd,
    /// Who made it erased it, or that person's account was closed.
    ErasedByInitiatorOrRelationEnd,
    /// The year in which something else happened is over.
    YearEndAfter(Box<Self>),
}

/// A length of time as the law counts it: `P3D`, `PT60S`, `P8Y` (ISO 8601).
#[derive(Clone, Copy)]
pub struct Period(Span);

/// How data is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Given back to the memory.
    Drop,
    /// Overwritten where it is stored.
    SecureDelete,
    /// The key that opens it is destroyed.
    CryptoShred,
    /// The file with all of its time is removed.
    UnlinkSegment,
    /// The key of its day is destroyed.
    ShredDayKey,
}

/// What happens with data until its term is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// It is stored and not used (Article 18).
    Restrict,
}

impl Start {
    /// Reads `meeting_end` or `year_end_after:process_end`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        if let Some(after) = word.strip_prefix("year_end_after:") {
            let after = STARTS.iter().find(|(name, _)| *name == after)?.1.clone();
            return Some(Self::YearEndAfter(Box::new(after)));
        }
        STARTS.iter().find(|(name, _)| *name == word).map(|(_, start)| start.clone())
    }

    /// All words that are understood, for a message.
    #[must_use]
    pub fn words() -> String {
        let words: Vec<_> = STARTS.iter().map(|(name, _)| *name).collect();
        format!("{}; or year_end_after: with one of these", words.join(", "))
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::YearEndAfter(after) = self {
            return write!(f, "year_end_after:{after}");
        }
        let word = STARTS.iter().find(|(_, start)| start == self).map_or("", |(name, _)| *name);
        f.write_str(word)
    }
}

impl Action {
    /// Reads one step, `secure_delete`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        ACTIONS.iter().find(|(name, _)| *name == word).map(|(_, action)| *action)
    }

    /// All words that are understood, for a message.
    #[must_use]
    pub fn words() -> String {
        let words: Vec<_> = ACTIONS.iter().map(|(name, _)| *name).collect();
        format!("{}; several joined by +", words.join(", "))
    }
}

impl Period {
    /// No time at all.
    #[must_use]
    pub fn zero() -> Self {
        Self(Span::new())
    }

    /// Whether it is no time at all.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Its parts that are not zero, largest first: `[(8, Unit::Year)]`.
    #[must_use]
    pub fn parts(self) -> Vec<(u64, Unit)> {
        let span = self.0;
        let parts = [
            (i64::from(span.get_years()), Unit::Year),
            (i64::from(span.get_months()), Unit::Month),
            (i64::from(span.get_weeks()), Unit::Week),
            (i64::from(span.get_days()), Unit::Day),
            (i64::from(span.get_hours()), Unit::Hour),
            (span.get_minutes(), Unit::Minute),
            (span.get_seconds(), Unit::Second),
        ];
        parts
            .into_iter()
            .filter(|(count, _)| *count != 0)
            .map(|(count, unit)| (count.unsigned_abs(), unit))
            .collect()
    }

    /// How long it is about, in seconds, to compare two: a month has 30 days, a year 365.
    #[must_use]
    pub fn seconds(self) -> u64 {
        let seconds = |(count, unit): (u64, Unit)| {
            count.saturating_mul(match unit {
                Unit::Year => 365 * DAY,
                Unit::Month => 30 * DAY,
                Unit::Week => 7 * DAY,
                Unit::Day => DAY,
                Unit::Hour => 3_600,
                Unit::Minute => 60,
                Unit::Second => 1,
            })
        };
        self.parts().into_iter().map(seconds).fold(0, u64::saturating_add)
    }

    /// The length of time itself, for reckoning with dates.
    #[must_use]
    pub const fn span(self) -> Span {
        self.0
    }
}

/// What a length of time is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// As the calendar has them.
    Year,
    /// As the calendar has them.
    Month,
    /// Seven days.
    Week,
    /// As the calendar has them.
    Day,
    /// Sixty minutes.
    Hour,
    /// Sixty seconds.
    Minute,
    /// The unit of time.
    Second,
}

/// No length of time that can be a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a length of time like PT60S, P3D or P8Y")]
pub struct PeriodError;

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        // jiff also reads "3 days"; the policy has one way to write it.
        let span: Span = text.parse().map_err(|_| PeriodError)?;
        let whole = span.get_milliseconds() == 0
            && span.get_microseconds() == 0
            && span.get_nanoseconds() == 0;
        (text.starts_with('P') && whole && !span.is_negative())
            .then_some(Self(span))
            .ok_or(PeriodError)
    }
}

impl PartialEq for Period {
    fn eq(&self, other: &Self) -> bool {
        self.0.fieldwise() == other.0.fieldwise()
    }
}

impl Eq for Period {}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const DAY: u64 = 86_400;

const STARTS: &[(&str, Start)] = &[
    ("collection", Start::Collection),
    ("connection_end", Start::ConnectionEnd),
    ("departure", Start::Departure),
    ("meeting_end", Start::MeetingEnd),
    ("tab_closed", Start::TabClosed),
    ("withdrawal", Start::Withdrawal),
    ("relation_end", Start::RelationEnd),
    ("process_end", Start::ProcessEnd),
    ("erased_by_initiator_or_relation_end", Start::ErasedByInitiatorOrRelationEnd),
];

const ACTIONS: &[(&str, Action)] = &[
    ("drop", Action::Drop),
    ("secure_delete", Action::SecureDelete),
    ("crypto_shred", Action::CryptoShred),
    ("unlink_segment", Action::UnlinkSegment),
    ("shred_day_key", Action::ShredDayKey),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_what_iso_8601_and_the_law_count() {
        let read = |text: &str| text.parse::<Period>();
        assert_eq!(read("P8Y").unwrap().parts(), [(8, Unit::Year)]);
        assert_eq!(read("P1DT90S").unwrap().parts(), [(1, Unit::Day), (90, Unit::Second)]);
        assert!(read("PT0S").unwrap().is_zero() && read("PT0S").unwrap() == Period::zero());
        assert_ne!(read("PT24H").unwrap(), read("P1D").unwrap());
        assert_eq!(read("PT24H").unwrap().seconds(), read("P1D").unwrap().seconds());
        for refused in ["", "3 days", "-P1D", "P", "PT0.5S", "60", "P1D2"] {
            assert_eq!(read(refused), Err(PeriodError), "{refused}");
        }
    }

    #[test]
    fn what_starts_a_term_reads_back_as_it_was_written() {
        for word in ["meeting_end", "year_end_after:process_end", "withdrawal"] {
            assert_eq!(Start::from_word(word).unwrap().to_string(), word);
        }
        for refused in ["end", "", "year_end_after:", "year_end_after:year_end_after:process_end"] {
            assert_eq!(Start::from_word(refused), None, "{refused}");
        }
    }
}
