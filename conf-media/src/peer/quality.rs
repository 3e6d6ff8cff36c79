//! How good the connection of a peer is, from what both sides report.
//!
//! Nothing is measured for it and no timer runs: it is judged when reports pass, at most every
//! [`EVERY`]. What counts is the worse one of both directions, as loss before repair and as the time
//! of a round trip. The score follows the E-model's idea (ITU-T G.107): delay costs little until a
//! conversation suffers from it, loss costs more; 100 is the best.

use std::time::{Duration, Instant};

/// Loss and delay of one peer since it was last judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Judge {
    since: Option<Instant>,
    /// Reports on what the peer sends, and on what it is sent: sum of their losses in 1/256.
    up: Losses,
    down: Losses,
    round_trip: Option<Duration>,
    told: Option<Quality>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    sum: u32,
    count: u32,
}

impl Losses {
    /// Percent.
    fn mean(self) -> f32 {
        let [sum, count] = [self.sum, self.count].map(|it| u16::try_from(it).unwrap_or(u16::MAX));
        if count == 0 { 0.0 } else { f32::from(sum) / f32::from(count) / 2.56 }
    }
}

/// How good a connection is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// 0 to 100.
    pub score: f32,
    /// In words.
    pub grade: Grade,
}

/// The score in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Below 60: pictures stop, words are lost.
    Poor,
    /// Below 80: it can be noticed.
    Good,
    /// Nothing can be noticed.
    Excellent,
}

impl Quality {
    /// From percent of loss and the time of a round trip; `held`: something is not sent because the
    /// network does not take it.
    fn of(loss: f32, round_trip: Option<Duration>, held: bool) -> Self {
        // Half of the way, and what a receiver waits to even out the rest.
        let delay = round_trip.unwrap_or_default().as_secs_f32() * 500.0 + 40.0;
        let slow = if delay < 160.0 { delay / 40.0 } else { (delay - 120.0) / 10.0 };
        let score = (100.0 - slow - loss * 2.5).clamp(0.0, 100.0);
        let score = if held { score.min(50.0) } else { score };
        let grade = match score {
            80.0.. => Grade::Excellent,
            60.0.. => Grade::Good,
            _ => Grade::Poor,
        };
        Self { score, grade }
    }
}

impl Judge {
    /// We report on a source of the peer.
    pub(crate) fn sends(&mut self, fraction_lost: u8) {
        self.up.sum = self.up.sum.saturating_add(u32::from(fraction_lost));
        self.up.count = self.up.count.saturating_add(1);
    }

    /// The peer reports on a source of ours.
    pub(crate) fn receives(&mut self, fraction_lost: u8, round_trip: Option<Duration>) {
        self.down.sum = self.down.sum.saturating_add(u32::from(fraction_lost));
        self.down.count = self.down.count.saturating_add(1);
        self.round_trip = round_trip.or(self.round_trip);
    }

    /// The quality, if it is time to judge and it is another one than was told.
    pub(crate) fn judge(&mut self, now: Instant, held: bool) -> Option<Quality> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) < EVERY {
            return None;
        }
        let loss = self.up.mean().max(self.down.mean());
        let quality = Quality::of(loss, self.round_trip, held);
        (self.since, self.up, self.down) = (Some(now), Losses::default(), Losses::default());
        let news = self.told.is_none_or(|told| told.grade != quality.grade);
        if news {
            self.told = Some(quality);
        }
        news.then_some(quality)
    }
}

/// Short enough to follow a network, long enough for some losses.
const EVERY: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    fn grade(loss: f32, milliseconds: u64) -> Grade {
        Quality::of(loss, Some(Duration::from_millis(milliseconds)), false).grade
    }

    #[test]
    fn loss_and_delay_make_a_connection_good_or_poor() {
        assert_eq!(grade(0.0, 30), Grade::Excellent);
        assert_eq!(grade(4.0, 100), Grade::Excellent);
        assert_eq!(grade(8.0, 100), Grade::Good);
        assert_eq!(grade(20.0, 100), Grade::Poor);
        assert_eq!(grade(0.0, 700), Grade::Good);
        assert_eq!(grade(0.0, 1_500), Grade::Poor);
        assert_eq!(Quality::of(0.0, None, true).grade, Grade::Poor);
    }

    #[test]
    fn it_is_told_when_it_changes_and_the_worse_direction_counts() {
        let start = test_clock().mono;
        let mut judge = Judge::default();
        let mut told = Vec::new();
        for second in 0..30u32 {
            let now = start + Duration::from_secs(1) * second;
            judge.receives(0, Some(Duration::from_millis(50)));
            judge.sends(if (10..20).contains(&second) { 64 } else { 0 });
            told.extend(judge.judge(now, false).map(|quality| (second, quality.grade)));
        }
        let grades: Vec<Grade> = told.iter().map(|told| told.1).collect();
        assert_eq!(grades, [Grade::Excellent, Grade::Poor, Grade::Excellent], "{told:?}");
    }
}
