//! How many entities are mildly unusual in an ordinary bucket of this job. Series of one job depend on each other, so
//! the spread is learnt and not taken from a binomial law.

use serde::{Deserialize, Serialize};

use super::joint::{Joint, LEVELS};
use crate::stats::negative_binomial_tail;

/// Buckets that are remembered.
const MEMORY: f64 = 500.0;
/// A share enters the history clipped at so many times the usual one (plus a few entities).
const CLIP: f64 = 5.0;

/// Mean and variance of the share of entities beyond each level.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CrowdHistory {
    buckets: f64,
    mean: [f64; LEVELS.len()],
    variance: [f64; LEVELS.len()],
}

impl CrowdHistory {
    /// Learns a bucket.
    pub(crate) fn learn(&mut self, joint: &Joint) {
        let entities = joint.entities() as f64;
        if entities < 1.0 {
            return;
        }
        self.buckets += 1.0;
        let gain = 1.0 / self.buckets.min(MEMORY);
        for (level, share) in joint.shares().into_iter().enumerate() {
            let clip = CLIP * self.mean[level].max(LEVELS[level]) + 3.0 / entities;
            let change = share.min(clip) - self.mean[level];
            self.mean[level] += gain * change;
            self.variance[level] += gain * (change * change * (1.0 - gain) - self.variance[level]);
        }
    }

    /// Chance of at least `count` of `entities` beyond a level.
    pub(crate) fn tail(&self, level: usize, count: f64, entities: f64) -> f64 {
        let mean = entities * self.mean[level].max(LEVELS[level]);
        // A short history may have seen too little spread.
        let doubt = 1.0 + 10.0 / (1.0 + self.buckets);
        let variance = (entities * entities * self.variance[level] * doubt).max(mean);
        negative_binomial_tail(count, mean, variance).at_least.clamp(f64::MIN_POSITIVE, 1.0)
    }
}
