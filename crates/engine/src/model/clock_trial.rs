//! Has the clock been changed? For a day, the season is compared with itself an hour earlier and later.
//!
//! A pattern that comes an hour late is too high on one flank and too low on the other: no part of a day tells it from a
//! change of level, so nothing is decided before a whole day was seen.

use super::change::GAIN;
use super::config::ModelConfig;
use super::predict::Predictor;
use serde::{Deserialize, Serialize};

/// Daylight saving moves patterns by an hour: as it is, an hour later, an hour earlier.
const SHIFTS_S: [i64; 3] = [0, 3600, -3600];

const DAY_S: i64 = 86_400;

/// Independent values that a day is taken to have at most: neighbours are correlated.
const INDEPENDENT: f64 = 48.0;

/// Mean square, in squares of the scale, that may be left when the shift is the whole truth.
const LEFT: f64 = 2.0;

/// Sums of the deviations from the season and from its shifted copies.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct ClockTrial {
    /// When the trial is decided; `None` while there is none.
    until_s: Option<i64>,
    count: u16,
    sums: [f32; 3],
    squares: [f32; 3],
}

impl ClockTrial {
    /// Begins a trial, unless there is one or a bucket is longer than the shift.
    pub(super) fn begin(&mut self, cfg: &ModelConfig, time_s: i64) {
        if self.until_s.is_none() && cfg.bucket_span_s <= SHIFTS_S[1] as f64 {
            *self = Self { until_s: Some(time_s.saturating_add(DAY_S)), ..Self::default() };
        }
    }

    /// Ends the trial without a verdict.
    pub(super) fn abandon(&mut self) {
        self.until_s = None;
    }

    /// Takes the value `x` (relative to the base) into a trial that is under way. Returns the shift, seconds, once it is
    /// certain; `scale` is that of the residuals.
    pub(super) fn step(
        &mut self,
        cfg: &ModelConfig,
        p: &Predictor,
        time_s: i64,
        x: f64,
        scale: f64,
    ) -> Option<i64> {
        let until_s = self.until_s?;
        self.count = self.count.saturating_add(1);
        for ((sum, square), shift) in self.sums.iter_mut().zip(&mut self.squares).zip(SHIFTS_S) {
            let deviation = x - p.slow_delayed(cfg, time_s, shift);
            *sum += deviation as f32;
            *square += (deviation * deviation) as f32;
        }
        if time_s < until_s {
            return None;
        }
        self.until_s = None;
        let n = f64::from(self.count);
        // A day with large gaps says too little.
        if n < 0.7 * DAY_S as f64 / cfg.bucket_span_s {
            return None;
        }
        // A level that has moved as well is no matter of the clock.
        let left = |k: usize| {
            let (sum, squares) = (f64::from(self.sums[k]), f64::from(self.squares[k]));
            ((squares - sum * sum / n) / n).max(0.0)
        };
        let noise = scale * scale;
        let best = if left(1) < left(2) { 1 } else { 2 };
        let ratio = (left(0) + 0.25 * noise) / (left(best) + 0.25 * noise).max(1e-300);
        let is_certain = n.min(INDEPENDENT) * ratio.ln() > GAIN && left(best) < LEFT * noise;
        is_certain.then_some(SHIFTS_S[best])
    }
}
