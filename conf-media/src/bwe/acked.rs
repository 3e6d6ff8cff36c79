//! The rate at which packets arrive.
//!
//! Bytes of windows of the receiver's time, each a sample of the rate; the estimate follows samples
//! that are near it more than those that are far away (a Bayesian average).

use std::time::Duration;

/// The rate of what arrives.
#[derive(Debug, Default)]
pub(super) struct Acked {
    began: Option<Duration>,
    bytes: usize,
    /// In kbit/s, with its variance.
    estimate: Option<(f64, f64)>,
}

impl Acked {
    /// Bits per second.
    pub(super) fn rate(&self) -> Option<u64> {
        self.estimate.map(|(rate, _)| whole(rate * 1_000.0))
    }

    pub(super) fn packet(&mut self, arrived: Duration, bytes: usize) {
        let began = *self.began.get_or_insert(arrived);
        let passed = arrived.saturating_sub(began);
        let window = if self.estimate.is_none() { FIRST_WINDOW } else { WINDOW };
        if passed >= window {
            // Of a pause only the end is looked at: nothing was sent in the rest.
            if passed < window * 8 {
                self.sample(passed);
            }
            self.began = Some(arrived);
            self.bytes = 0;
        }
        self.bytes += bytes;
    }

    fn sample(&mut self, passed: Duration) {
        let bits = f64::from(u32::try_from(self.bytes).unwrap_or(u32::MAX)) * 8.0;
        let sample = bits / passed.as_secs_f64() / 1_000.0;
        let Some((estimate, variance)) = self.estimate else {
            self.estimate = Some((sample, FIRST_VARIANCE));
            return;
        };
        // Less is believed slower than more: an application that pauses makes no path narrow.
        let scale = if sample < estimate { 20.0 } else { 10.0 };
        let off = scale * (estimate - sample).abs() / (estimate + sample.min(estimate)).max(1.0);
        let of_sample = off * off;
        let predicted = variance + 5.0;
        let sum = of_sample + predicted;
        let mean = (of_sample * estimate + predicted * sample) / sum;
        self.estimate = Some((mean.max(0.0), of_sample * predicted / sum));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn whole(bits: f64) -> u64 {
    bits as u64
}

const FIRST_WINDOW: Duration = Duration::from_millis(500);
const WINDOW: Duration = Duration::from_millis(150);
const FIRST_VARIANCE: f64 = 50.0;
