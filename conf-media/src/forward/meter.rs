//! How many bits each layer of an encoding takes, and how many pictures it has.

use std::time::{Duration, Instant};

use crate::codec::Picture;
use crate::codec::dependency::Layer;

/// The layers of one encoding, measured as they arrive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    began: Option<Instant>,
    window: Cells,
    /// Bits and pictures per second, smoothed.
    rates: Cells,
    windows: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cells {
    bits: [[f32; LAYERS]; LAYERS],
    /// Of the lowest spatial layer.
    pictures: [f32; LAYERS],
}

impl Meter {
    /// A packet of `bytes` came.
    pub(crate) fn record(&mut self, now: Instant, picture: &Picture, bytes: usize) {
        let began = *self.began.get_or_insert(now);
        let passed = now.saturating_duration_since(began);
        if passed >= WINDOW {
            self.close(now, passed);
        }
        let layer = picture.layer();
        let (spatial, temporal) = (usize::from(layer.spatial), usize::from(layer.temporal));
        let row = self.window.bits.get_mut(spatial.min(LAYERS - 1));
        if let Some(cell) = row.and_then(|row| row.get_mut(temporal.min(LAYERS - 1))) {
            *cell += f32::from(u16::try_from(bytes).unwrap_or(u16::MAX)) * 8.0;
        }
        if picture.start
            && spatial == 0
            && let Some(cell) = self.window.pictures.get_mut(temporal.min(LAYERS - 1))
        {
            *cell += 1.0;
        }
    }

    fn close(&mut self, now: Instant, passed: Duration) {
        let seconds = passed.as_secs_f32();
        // After a pause, what was before says nothing.
        let fresh = self.windows == 0 || passed > WINDOW * 4;
        let weight = if fresh { 1.0 } else { WEIGHT };
        let window = std::mem::take(&mut self.window);
        let rates = self.rates.bits.iter_mut().flatten().zip(window.bits.iter().flatten());
        let pictures = self.rates.pictures.iter_mut().zip(&window.pictures);
        for (rate, amount) in rates.chain(pictures) {
            *rate += weight * (amount / seconds - *rate);
        }
        self.windows = self.windows.saturating_add(1);
        self.began = Some(now);
    }

    /// It was measured for a while.
    pub(crate) fn is_ready(&self) -> bool {
        self.windows > 0
    }

    /// The highest layers that came lately.
    pub(crate) fn top(&self) -> Layer {
        let mut top = Layer::default();
        for (spatial, row) in (0u8..).zip(&self.rates.bits) {
            for (temporal, &bits) in (0u8..).zip(row) {
                if bits >= LEAST {
                    top.spatial = top.spatial.max(spatial);
                    top.temporal = top.temporal.max(temporal);
                }
            }
        }
        top
    }

    /// Bits per second of everything within `layer`.
    pub(crate) fn rate(&self, layer: Layer) -> f32 {
        let rows = self.rates.bits.iter().take(usize::from(layer.spatial).saturating_add(1));
        let cells =
            rows.flat_map(|row| row.iter().take(usize::from(layer.temporal).saturating_add(1)));
        cells.sum()
    }

    /// Pictures per second of everything within the temporal layer.
    pub(crate) fn pictures(&self, temporal: u8) -> f32 {
        self.rates.pictures.iter().take(usize::from(temporal).saturating_add(1)).sum()
    }
}

/// Spatial or temporal layers that are told apart.
const LAYERS: usize = 4;
const WINDOW: Duration = Duration::from_millis(500);
/// Of the newest window.
const WEIGHT: f32 = 0.4;
/// Bits per second below which a layer has stopped.
const LEAST: f32 = 500.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    fn picture(temporal: u8) -> Picture {
        Picture { start: true, temporal: Some(temporal), ..Picture::default() }
    }

    #[test]
    fn bits_and_pictures_are_told_by_layer() {
        let mut now = test_clock().mono;
        let mut meter = Meter::default();
        assert!(!meter.is_ready());
        for frame in 0..90u32 {
            let (temporal, bytes) = if frame % 2 == 0 { (0, 1_000) } else { (1, 500) };
            meter.record(now, &picture(temporal), bytes);
            now += Duration::from_millis(1000) / 30;
        }
        let (base, all) = (Layer::default(), Layer::ALL);
        assert!(meter.is_ready());
        assert_eq!(meter.top(), Layer { spatial: 0, temporal: 1 });
        assert!((115_000.0..130_000.0).contains(&meter.rate(base)), "{}", meter.rate(base));
        assert!((170_000.0..190_000.0).contains(&meter.rate(all)), "{}", meter.rate(all));
        assert!((14.0..16.0).contains(&meter.pictures(0)) && meter.pictures(9) > 28.0);
    }
}
