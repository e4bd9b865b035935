//! Tests for lasting changes after a run of one-sided surprises: level shift and scaling of the pattern, each against "no
//! change" by the Bayesian information criterion (Schwarz 1978).

use ndarray::Array1;

use super::config::ModelConfig;
use super::outcome::Change;
use super::predict::Predictor;

/// Most recent values that a test looks at.
pub(super) const RECENT: usize = 24;

/// Length of the run at which the tests are made, and made again after as many buckets.
const RUN: u32 = 24;

/// Least gain of the criterion: odds of about e^10 for the change.
pub(super) const GAIN: f64 = 20.0;

/// The recent values of a series: `(time, value relative to the base)`, oldest first.
pub(super) type Recent<'a> = &'a [(i64, f64)];

/// A residual over this many scales begins a run.
pub(super) const RUN_SCALES: f64 = 2.0;

/// Residuals over this many scales on the same side keep it up.
pub(super) const STAYS_SCALES: f64 = 0.5;

/// Whether a run of this length is due for a test.
pub(super) fn is_due(run: u32) -> bool {
    run >= RUN && run.is_multiple_of(RUN)
}

/// The change that explains the recent values, if there is one. `scale` is that of ordinary noise.
pub(super) fn test(cfg: &ModelConfig, p: &Predictor, recent: Recent<'_>, scale: f64) -> Option<Change> {
    let n = recent.len() as f64;
    let values: Array1<f64> = recent.iter().map(|(_, x)| *x).collect();
    let criterion = |rest: &Array1<f64>, parameters: f64| {
        n * (rest.dot(rest) / n + 0.25 * scale * scale).ln() + parameters * n.ln()
    };
    let usual: Array1<f64> = recent.iter().map(|(t, _)| p.expect(cfg, *t).slow).collect();
    let deviation = &values - &usual;
    let mean = deviation.sum() / n;
    let mut best = (criterion(&deviation, 0.0) - GAIN, None);
    let mut offer = |value: f64, change: Change| {
        if value < best.0 {
            best = (value, Some(change));
        }
    };
    offer(criterion(&(&deviation - mean), 1.0), Change::LevelShift { magnitude: mean });
    if p.expect(cfg, recent[recent.len() - 1].0).pattern_s > 0 {
        // The factor of least squares between what was seen and what was expected, both with the base put back.
        let (seen, pattern) = (&values + p.base, &usual + p.base);
        let factor = seen.dot(&pattern) / pattern.dot(&pattern);
        if factor.is_finite() && (0.1..10.0).contains(&factor) {
            // It rewrites the pattern, so it must beat the others clearly.
            let value = criterion(&(seen - pattern * factor), 2.0) + 10.0;
            offer(value, Change::Scale { factor });
        }
    }
    best.1
}

/// Applies an accepted change to the prediction.
pub(super) fn apply(cfg: &ModelConfig, p: &mut Predictor, change: Change) {
    match change {
        Change::LevelShift { magnitude } => p.shift_level(magnitude),
        Change::Scale { factor } => p.multiply(factor),
        Change::TimeShift { seconds } => p.shift_time(cfg, seconds),
        Change::Variance { .. } | Change::SeasonFound { .. } | Change::SeasonLost { .. } => {}
    }
}
