//! Who speaks: the levels that microphones send along, smoothed and held.
//!
//! Each audio packet carries its level in -dBov: 0 is full scale, 127 silence. Words have gaps, so
//! a speaker counts as speaking until the level was low for [`HOLD`]; reports are spaced so that a
//! meeting of fifty people costs the control plane little.
//!
//! Source: RFC 6464, section 3.

use std::time::{Duration, Instant};

/// The level of one audio track.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    /// Smoothed, in dB below full scale.
    below_full: f32,
    loud_at: Option<Instant>,
    speaking: bool,
    reported: Loudness,
    report_from: Option<Instant>,
    pending: Option<Loudness>,
}

/// How loud a track is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Loudness {
    /// 0 silence to 1 full scale, linear.
    pub level: f32,
    /// Speaking, or within a pause between words.
    pub speaking: bool,
}

impl Speaker {
    /// A silent track.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self {
            below_full: SILENCE,
            loud_at: None,
            speaking: false,
            reported: Loudness { level: 0.0, speaking: false },
            report_from: None,
            pending: None,
        }
    }

    /// A packet came with this header-extension value.
    pub(crate) fn handle(&mut self, now: Instant, extension: &[u8]) {
        let Some(first) = extension.first() else { return };
        let below_full = f32::from(first & 0x7f);
        let weight = if below_full < self.below_full { ATTACK } else { RELEASE };
        self.below_full += (below_full - self.below_full) * weight;
        if self.below_full <= SPEAKING {
            self.loud_at = Some(now);
        }
        self.judge(now);
    }

    /// Time passed: without packets (discontinuous transmission) a track falls silent here.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.loud_at.is_some_and(|at| now >= at + HOLD) {
            self.loud_at = None;
            self.below_full = SILENCE;
        }
        self.judge(now);
    }

    /// What to report; call until `None`.
    pub(crate) fn poll(&mut self) -> Option<Loudness> {
        let loudness = self.pending.take()?;
        self.reported = loudness;
        Some(loudness)
    }

    /// When to call [`Speaker::handle_timeout`]; `None` while the track is silent and that is told.
    #[must_use]
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let untold = self.speaking != self.reported.speaking;
        let report = self.report_from.filter(|_| untold && self.pending.is_none());
        self.loud_at.map(|at| at + HOLD).into_iter().chain(report).min()
    }

    fn judge(&mut self, now: Instant) {
        self.speaking = self.loud_at.is_some_and(|at| now < at + HOLD);
        if self.report_from.is_some_and(|from| now < from) {
            return;
        }
        let level = if self.below_full >= FLOOR { 0.0 } else { linear(self.below_full) };
        let loudness = Loudness { level, speaking: self.speaking };
        if loudness.speaking != self.reported.speaking
            || (loudness.level - self.reported.level).abs() >= STEP
        {
            self.pending = Some(loudness);
            self.report_from = Some(now + SPACING);
        }
    }
}

impl Default for Speaker {
    fn default() -> Self {
        Self::new()
    }
}

fn linear(below_full: f32) -> f32 {
    10f32.powf(-below_full / 20.0)
}

/// A pause between words is no end of speech.
pub(crate) const HOLD: Duration = Duration::from_millis(600);
/// At most one report of a track in this time.
pub(crate) const SPACING: Duration = Duration::from_millis(300);
pub(crate) const SILENCE: f32 = 127.0;
/// Louder than this is speech; what a headset picks up of a quiet room is at 50 to 70.
pub(crate) const SPEAKING: f32 = 40.0;
const FLOOR: f32 = 60.0;
/// Share of a louder and of a quieter packet (20 ms) in the smoothed level.
const ATTACK: f32 = 0.4;
const RELEASE: f32 = 0.08;
/// A smaller change of the linear level is not worth a report.
const STEP: f32 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    const PACKET: Duration = Duration::from_millis(20);

    /// Feeds packets of one level and counts the reports.
    fn feed(speaker: &mut Speaker, at: &mut Instant, level: u8, packets: u32) -> Vec<Loudness> {
        let mut reports = Vec::new();
        for _ in 0..packets {
            *at += PACKET;
            speaker.handle(*at, &[level]);
            reports.extend(speaker.poll());
        }
        reports
    }

    #[test]
    fn a_word_is_heard_at_once_and_reports_are_spaced() {
        let (mut speaker, mut at) = (Speaker::new(), test_clock().mono);
        assert!(feed(&mut speaker, &mut at, 127, 50).is_empty());
        let reports = feed(&mut speaker, &mut at, 20, 50);
        assert!(reports.iter().any(|report| report.speaking));
        assert!(reports.len() <= 4, "{} reports in a second", reports.len());
    }

    #[test]
    fn a_pause_between_words_does_not_end_the_speech() {
        let (mut speaker, mut at) = (Speaker::new(), test_clock().mono);
        feed(&mut speaker, &mut at, 20, 50);
        let pause = feed(&mut speaker, &mut at, 127, 15);
        assert!(pause.iter().all(|report| report.speaking));
        let silence = feed(&mut speaker, &mut at, 127, 100);
        assert!(silence.iter().any(|report| !report.speaking));
    }

    #[test]
    fn a_track_without_packets_falls_silent() {
        let (mut speaker, mut at) = (Speaker::new(), test_clock().mono);
        feed(&mut speaker, &mut at, 20, 50);
        let due = speaker.timeout().expect("somebody speaks");
        speaker.handle_timeout(due.max(at + SPACING));
        assert_eq!(speaker.poll(), Some(Loudness { level: 0.0, speaking: false }));
        assert_eq!(speaker.timeout(), None);
    }

    #[test]
    fn silence_that_falls_between_two_reports_is_told_later() {
        let (mut speaker, mut at) = (Speaker::new(), test_clock().mono);
        feed(&mut speaker, &mut at, 20, 50);
        let end = at + HOLD;
        at = end - SPACING / 2;
        speaker.handle(at, &[127]);
        assert!(speaker.poll().is_some_and(|report| report.speaking), "quieter, still a word");
        let mut told = Vec::new();
        while let Some(due) = speaker.timeout().filter(|due| *due < end + SPACING * 2) {
            speaker.handle_timeout(due);
            told.extend(speaker.poll());
        }
        assert_eq!(told, [Loudness { level: 0.0, speaking: false }], "no packet came any more");
    }

    #[test]
    fn an_empty_extension_is_ignored() {
        let mut speaker = Speaker::new();
        speaker.handle(test_clock().mono, &[]);
        assert_eq!(speaker.poll(), None);
    }
}
