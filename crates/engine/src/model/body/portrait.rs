//! What a grown model tells of itself to newcomers of its kind.

use super::super::config::ModelConfig;
use super::super::crowd::{GROWN_S, SHAPE_BINS};
use super::super::views::{CONTEXT, SPIKE};
use super::{Body, LONG};
use crate::stats::{BIN_WIDTH, Histograms, fast_ln};

/// Buckets that a series must have seen.
const GROWN_BUCKETS: u32 = 100;

/// Time without a value after which a series is no sibling any more.
const GONE_S: i64 = 86_400;

/// Residuals count clipped at this many scales for the correlation of neighbours.
const CLIP: f64 = 4.0;

/// A grown series, as far as it may resemble others.
#[derive(Clone, Debug)]
pub(in crate::model) struct Portrait {
    /// Mean of what is expected over a period.
    pub(in crate::model) level: f64,
    /// Scale of slow residuals.
    pub(in crate::model) scale: f64,
    pub(in crate::model) strength: f64,
    /// Period of the season in use, seconds; 0 without one.
    pub(in crate::model) period_s: i64,
    /// Deviations from the level over the period, and their root mean square.
    pub(in crate::model) pattern: Vec<f32>,
    pub(in crate::model) amplitude: f64,
    /// Histories of spike and context, and by how many bins they move to be in units of the scale.
    pub(in crate::model) histories: [Histograms; 2],
    pub(in crate::model) shift: [f64; 2],
    /// How far slow residuals reach on each side since the season was found, scales.
    pub(in crate::model) reach: [f64; 2],
    /// Sums of products of neighbouring residuals, and of their squares.
    pub(in crate::model) neighbours: f64,
    pub(in crate::model) squares: f64,
}

impl Body {
    /// Whether a season is in use.
    pub(in crate::model) fn has_season(&self) -> bool {
        self.season_s != 0
    }

    /// The portrait; `None` of a series that is not grown, has gone, or hardly varies.
    pub(in crate::model) fn portrait(&self, cfg: &ModelConfig, now_s: i64) -> Option<Portrait> {
        let (old, gone) = (now_s.saturating_sub(self.first_s), now_s.saturating_sub(self.last_s));
        if old < GROWN_S || gone > GONE_S || self.age() < GROWN_BUCKETS {
            return None;
        }
        let value = self.predictor.base + self.predictor.mean();
        let scale = self.views.scale(CONTEXT);
        // Counts that are nearly always zero say little of each other.
        let is_sparse = self.predictor.whole_numbers && scale < 1.0;
        if is_sparse || scale <= 1e-9 * value.abs() || !scale.is_finite() {
            return None;
        }
        let now = self.predictor.expect(cfg, now_s);
        // Cycles are a series' own: siblings need not have their phase.
        let (mut level, mut amplitude) = (now.slow - now.cyclic, 0.0);
        let mut pattern = Vec::new();
        if now.period_s > 0 {
            let period = now.period_s as f64;
            let bins = ((period / cfg.bucket_span_s).round() as usize).clamp(1, SHAPE_BINS);
            let start = now_s - now_s.rem_euclid(now.period_s);
            let at = |bin: usize| start + (bin as f64 / bins as f64 * period).round() as i64;
            let seasonal = |time_s: i64| {
                let e = self.predictor.expect(cfg, time_s);
                e.slow - e.cyclic
            };
            let slow: Vec<f64> = (0..bins).map(|bin| seasonal(at(bin))).collect();
            level = slow.iter().sum::<f64>() / bins as f64;
            amplitude = (slow.iter().map(|v| (v - level) * (v - level)).sum::<f64>() / bins as f64).sqrt();
            pattern = slow.iter().map(|v| (v - level) as f32).collect();
        }
        let floor = self.floor(cfg, value);
        let shift = [SPIKE, CONTEXT].map(|view| {
            let scale = self.views.scale(view).max(1e-250);
            (fast_ln(scale.max(floor) / scale) / BIN_WIDTH).min(100.0)
        });
        let (mut neighbours, mut squares) = (0.0, 0.0);
        for at in 1..LONG {
            let of = |at: usize| f64::from(self.residuals[at]).clamp(-CLIP * scale, CLIP * scale) / scale;
            neighbours += of(at - 1) * of(at);
            squares += 0.5 * (of(at - 1) * of(at - 1) + of(at) * of(at));
        }
        let (lowest, highest) = self.residual_range.ends();
        Some(Portrait {
            reach: [highest / scale, -lowest / scale],
            level: self.predictor.base + level,
            scale,
            strength: now.strength,
            period_s: now.period_s,
            pattern,
            amplitude,
            histories: [self.views.history(SPIKE), self.views.history(CONTEXT)],
            shift,
            neighbours,
            squares,
        })
    }
}
