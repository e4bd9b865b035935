//! The views: residuals looked at from several sides, each with its own scale and its own history, by which a
//! residual is judged.

use super::config::ModelConfig;
use crate::stats::{Histograms, RobustScale, fast_ln, log_position, prior_tail};
use serde::{Deserialize, Serialize};

/// Residual of slow prediction and fast correction.
pub(super) const SPIKE: usize = 0;
/// Residual of the slow prediction.
pub(super) const CONTEXT: usize = 1;
/// Mean of the last 12 slow residuals.
pub(super) const WINDOW_1: usize = 2;
/// Mean of the last 24 slow residuals.
pub(super) const WINDOW_2: usize = 3;
/// Logarithm of the mean size of the last 12 fast residuals.
pub(super) const ACTIVITY: usize = 4;
/// Difference to the previous value.
pub(super) const STEP: usize = 5;
/// Distance of the recent shape to the nearest one known.
pub(super) const SHAPE: usize = 6;
/// Views that have a history.
pub(super) const CALIBRATED: usize = 7;
/// Excess over the range of all values so far; has no history of its own.
pub(super) const RANGE: usize = 7;
/// Length of a run of hardly changed values; its history is of another kind, as is that of the next.
pub(super) const STUCK: usize = 8;
/// Distance to where values have been, inside their range.
pub(super) const MIDDLE: usize = 9;
/// All views.
pub(super) const VIEWS: usize = 10;

/// Residuals seen before a view's scale is trusted.
const SCALE_FROM: u32 = 10;

/// How surprising one residual is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Surprise {
    /// Standardised residual.
    pub(super) z: f64,
    /// Its place in the histogram.
    pub(super) position: f64,
    /// `−log10 p`.
    pub(super) bits: f64,
}

impl Surprise {
    /// Surprise of a view whose history is of another kind, or that has none: `z` only tells the side.
    pub(super) fn without_place(z: f64, bits: f64) -> Self {
        Self { z, position: 0.0, bits }
    }
}

/// What the calibrated views are asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) residuals: [f64; CALIBRATED],
    /// Least scales.
    pub(super) floors: [f64; CALIBRATED],
    /// Only the first so many have something to say.
    pub(super) views: usize,
}

/// Scales and histories of all calibrated views.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Views {
    scales: [RobustScale; CALIBRATED],
    histograms: Histograms,
}

impl Views {
    pub(super) fn new() -> Self {
        Self { scales: [RobustScale::default(); CALIBRATED], histograms: Histograms::new(CALIBRATED) }
    }

    /// The view's scale.
    pub(super) fn scale(&self, view: usize) -> f64 {
        self.scales[view].get()
    }

    /// Judges the residuals by the views' past: prior tail, own history, and a power law beyond its record. `prior` is the
    /// chance of the spike and of the context before anything was seen, when there is a better one than the t-like tail.
    ///
    /// All views at once, stage by stage: each stage waits long for its divisions and logarithms, which overlap so.
    pub(super) fn judge(
        &self,
        cfg: &ModelConfig,
        asked: &Asked,
        prior: Option<f64>,
    ) -> [Surprise; CALIBRATED] {
        let t = &cfg.tuning;
        let mut out = [Surprise::default(); CALIBRATED];
        for (view, s) in out.iter_mut().enumerate() {
            let scale = self.scales[view].get().max(asked.floors[view]).max(1e-250);
            s.z = (asked.residuals[view] / scale).clamp(-1e9, 1e9);
        }
        for s in &mut out {
            s.position = log_position(s.z.abs());
        }
        let mut chances = [1.0; CALIBRATED];
        for (view, p) in chances.iter_mut().enumerate() {
            let s = &out[view];
            let seen = self.histograms.tail(&cfg.tails, view, s.z < 0.0, s.position, t.other_side);
            let prior = prior.filter(|_| view == SPIKE || view == CONTEXT);
            let prior = prior.unwrap_or_else(|| prior_tail(s.z.abs()));
            *p = (t.prior * prior + seen) / (t.prior + self.histograms.weight(view));
        }
        for (view, s) in out.iter_mut().enumerate() {
            s.bits = -fast_ln(chances[view].clamp(1e-300, 1.0)) * std::f64::consts::LOG10_E;
            if self.scales[view].count() < SCALE_FROM || view >= asked.views {
                *s = Surprise::default();
            }
        }
        out
    }

    /// Learns what was judged.
    pub(super) fn learn(&mut self, cfg: &ModelConfig, asked: &Asked, judged: &[Surprise; CALIBRATED]) {
        for (view, s) in judged[..asked.views].iter().enumerate() {
            self.histograms.add(view, s.z < 0.0, s.position);
            self.scales[view].learn(
                asked.residuals[view].abs(),
                cfg.tuning.scale_memory,
                cfg.tuning.clip * 1.5,
            );
        }
    }

    /// Residual (not standardised) that is exceeded on one side by the share `share` of all values.
    pub(super) fn quantile(&self, view: usize, negative: bool, share: f64, floor: f64) -> f64 {
        self.histograms.quantile(view, negative, share) * self.scales[view].get().max(floor)
    }

    /// Multiplies the scales of slow residuals, after the slow prediction has changed.
    pub(super) fn rescale(&mut self, factor: f64) {
        for view in [CONTEXT, WINDOW_1, WINDOW_2] {
            self.scales[view].multiply(factor);
        }
    }

    /// Multiplies the scales of all residuals, after their variance has changed.
    pub(super) fn rescale_all(&mut self, factor: f64) {
        for view in [SPIKE, CONTEXT, WINDOW_1, WINDOW_2, STEP] {
            self.scales[view].multiply(factor);
        }
    }

    /// Whether residuals near zero are rarer than a single mode would have them.
    pub(super) fn has_empty_middle(&self, view: usize) -> bool {
        const NEAR: f64 = 0.37;
        let weight = self.histograms.weight(view);
        weight >= 200.0 && self.histograms.below(view, log_position(NEAR)) < 0.08 * weight
    }

    /// The history of one view alone.
    pub(super) fn history(&self, view: usize) -> Histograms {
        self.histograms.of_view(view)
    }

    pub(super) fn prefetch(&self) {
        self.histograms.prefetch();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.histograms.memory_bytes()
    }
}
