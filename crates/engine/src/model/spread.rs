//! Test for a lasting change of variance: the size of the residuals of about a day against that of all before, by the
//! Bayesian information criterion of two normal laws.

use super::change::GAIN;
use super::config::ModelConfig;
use super::outcome::Change;
use crate::stats::fast_ln;
use serde::{Deserialize, Serialize};

/// Independent residuals that the recent size is taken to rest on: neighbours are correlated, tails heavier than normal.
const INDEPENDENT: f64 = 48.0;

/// Buckets in a row that must all speak for the change.
const RUN: u8 = 24;

/// Memory of the usual size, buckets.
const USUAL_MEMORY: f64 = 2000.0;

/// Sizes are clipped at this many usual ones: a few spikes are no change of variance.
const CLIP: f32 = 4.0;

/// In the run that decides, they are clipped less: its mean is the new size.
const RUN_CLIP: f32 = 16.0;

/// Ratios whose gain is below the one that is asked for: no need to work it out.
const UNDECIDED: std::ops::Range<f64> = 0.56..1.5;

/// Sizes of residuals, recent and usual, since the last change.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Spread {
    recent: f32,
    usual: f32,
    count: u32,
    run: u8,
    /// Sum of the sizes of the run.
    run_sum: f32,
}

impl Spread {
    /// Buckets of the recent past: a day, so that quiet nights and busy days are not taken for changes.
    fn memory(cfg: &ModelConfig) -> f64 {
        (86_400.0 / cfg.bucket_span_s).max(48.0)
    }

    /// Learns the size of a residual; `least` is the least size that means something. Returns a change once it is
    /// certain, and begins anew from there.
    pub(super) fn learn(
        &mut self,
        cfg: &ModelConfig,
        size: f64,
        least: f64,
        may_decide: bool,
    ) -> Option<Change> {
        let memory = Self::memory(cfg);
        self.count = self.count.saturating_add(1);
        let n = f64::from(self.count);
        let size = size.min(1e30) as f32;
        let clipped = if n > 50.0 { size.min(CLIP * self.usual) } else { size };
        self.recent += (clipped - self.recent) / n.min(memory) as f32;
        self.usual += (clipped - self.usual) / n.min(USUAL_MEMORY) as f32;
        let factor = f64::from(self.recent) / f64::from(self.usual).max(1e-250);
        let is_due = may_decide && n >= 3.0 * memory && f64::from(self.usual.min(self.recent)) > least;
        if !is_due || UNDECIDED.contains(&factor) || Self::gain(factor) < GAIN {
            (self.run, self.run_sum) = (0, 0.0);
            return None;
        }
        self.run += 1;
        self.run_sum += size.min(RUN_CLIP * self.usual);
        if self.run < RUN {
            return None;
        }
        let now = (self.run_sum / f32::from(RUN)).max(least as f32);
        let factor = f64::from(now / self.usual);
        *self = Self { recent: now, usual: now, count: memory as u32, run: 0, run_sum: 0.0 };
        // Both sizes must say the same, or the run was by chance of the other kind.
        if Self::gain(factor) < GAIN {
            return None;
        }
        Some(Change::Variance { factor })
    }

    /// Gain of the criterion when the deviation of the recent residuals is `factor` times the usual one.
    fn gain(factor: f64) -> f64 {
        let ratio = (factor * factor).max(1e-12);
        INDEPENDENT * (ratio - 1.0 - fast_ln(ratio)) - fast_ln(INDEPENDENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Side, ValueKind};

    fn changes(sizes: impl Iterator<Item = f64>) -> Vec<(usize, f64)> {
        let cfg = ModelConfig::new(300.0, ValueKind::Metric, Side::Both);
        let mut spread = Spread::default();
        let told = sizes.enumerate().filter_map(|(at, size)| match spread.learn(&cfg, size, 0.0, true) {
            Some(Change::Variance { factor }) => Some((at, factor)),
            _ => None,
        });
        told.collect()
    }

    #[test]
    fn a_lasting_change_is_told_once_and_spikes_are_none() {
        let usual = |at: usize| 0.5 + (at % 7) as f64 / 6.0;
        let told = changes((0..6000).map(|at| if at < 2000 { usual(at) } else { 3.0 * usual(at) }));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!((2024..2400).contains(&told[0].0) && (2.5..3.5).contains(&told[0].1), "{told:?}");
        let calmer = changes((0..6000).map(|at| if at < 2000 { usual(at) } else { 0.3 * usual(at) }));
        assert!(calmer.len() == 1 && (0.25..0.4).contains(&calmer[0].1), "{calmer:?}");
        assert!(changes((0..6000).map(|at| if at % 100 == 50 { 1e6 } else { usual(at) })).is_empty());
    }

    #[test]
    fn what_is_left_undecided_would_not_be_accepted() {
        for factor in [UNDECIDED.start, 0.8, 1.0, 1.2, UNDECIDED.end] {
            assert!(Spread::gain(factor) < GAIN, "{factor}");
        }
    }

    #[test]
    fn quiet_nights_are_no_changes() {
        let sizes = (0..6000).map(|at| if at % 288 < 100 { 0.3 } else { 1.0 });
        assert!(changes(sizes).is_empty());
    }
}
