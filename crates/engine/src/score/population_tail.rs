//! The tail of a population: how far members usually are from the rest, and how likely it is to be farther.

use serde::{Deserialize, Serialize};

use crate::stats::prior_tail;

/// Bins of |z| on a logarithmic grid: `e^LOWEST · e^(WIDTH · i)`.
const BINS: usize = 160;
const LOWEST: f64 = -3.0;
const WIDTH: f64 = 0.08;
/// Weight of the prior tail, in values.
const PRIOR: f64 = 3.0;
/// Share of values in the part of the tail that is fitted.
const FITTED: f64 = 2e-3;
/// The fit needs so many values.
const FITTED_MIN: f64 = 20.0;
/// Exponents of the tail.
const KAPPA: std::ops::RangeInclusive<f64> = 2.0..=30.0;
/// Memory, in buckets.
const DECAY: f64 = 1.0 - 1.0 / 2000.0;

/// Decayed histograms of |z| of both sides. Beyond the largest part of the history the tail is a power of z, fitted by
/// Hill's estimator (1975) to the uppermost values, so that a larger deviation is always less likely.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PopulationTail {
    counts: [Vec<f32>; 2],
    total: f64,
}

impl Default for PopulationTail {
    fn default() -> Self {
        Self { counts: [vec![0.0; BINS], vec![0.0; BINS]], total: 0.0 }
    }
}

/// A tail ready for many questions in one bucket.
#[derive(Clone, Debug)]
pub(crate) struct PreparedTail {
    /// Chance of at least the lower edge of each bin.
    at_least: [Vec<f64>; 2],
    /// Edge of the fitted part, the chance of it, and the exponent beyond.
    fit: [(usize, f64); 2],
    weight: f64,
}

fn bin_of(z_abs: f64) -> usize {
    let position = (z_abs.max(1e-9).ln() - LOWEST) / WIDTH;
    (position.max(0.0) as usize).min(BINS - 1)
}

fn edge(bin: usize) -> f64 {
    (LOWEST + WIDTH * bin as f64).exp()
}

impl PopulationTail {
    /// Learns the deviation of one member with a weight of at most 1.
    pub(crate) fn add(&mut self, z: f64, weight: f64) {
        self.counts[usize::from(z < 0.0)][bin_of(z.abs())] += weight as f32;
        self.total += weight;
    }

    /// Lets the history fade by one bucket.
    pub(crate) fn fade(&mut self) {
        self.counts.iter_mut().flatten().for_each(|count| *count *= DECAY as f32);
        self.total *= DECAY;
    }

    /// Values seen, decayed.
    pub(crate) fn total(&self) -> f64 {
        self.total
    }

    /// Sums up the tails.
    pub(crate) fn prepare(&self) -> PreparedTail {
        let side = |side: usize| {
            let mut at_least = vec![0.0; BINS + 1];
            for bin in (0..BINS).rev() {
                at_least[bin] = at_least[bin + 1] + f64::from(self.counts[side][bin]);
            }
            at_least
        };
        let at_least = [side(0), side(1)];
        let fit = [self.fit(0, &at_least[0]), self.fit(1, &at_least[1])];
        PreparedTail { at_least, fit, weight: self.total }
    }

    /// Where the fitted part begins, and its exponent.
    fn fit(&self, side: usize, at_least: &[f64]) -> (usize, f64) {
        let wanted = (FITTED * at_least[0]).max(FITTED_MIN);
        let from = (0..BINS).rev().find(|bin| at_least[*bin] >= wanted).unwrap_or(0);
        let n = at_least[from];
        let logs: f64 = (from..BINS)
            .map(|bin| f64::from(self.counts[side][bin]) * WIDTH * ((bin - from) as f64 + 0.5))
            .sum();
        // Two values at an exponent of 4 stand for what is not known yet.
        let kappa = (n + 2.0) / (logs + 0.5);
        (from, kappa.clamp(*KAPPA.start(), *KAPPA.end()))
    }
}

impl PreparedTail {
    /// Two-sided chance of a deviation at least as large on the side of `z`.
    pub(crate) fn tail(&self, z: f64) -> f64 {
        let side = usize::from(z < 0.0);
        let size = z.abs();
        let (from, kappa) = self.fit[side];
        let bin = bin_of(size);
        let seen = if bin >= from && self.at_least[side][from] > 0.0 {
            self.at_least[side][from] * (size.max(edge(from)) / edge(from)).powf(-kappa)
        } else {
            let low = edge(bin);
            let share = ((size.max(low) / low).ln() / WIDTH).clamp(0.0, 1.0);
            self.at_least[side][bin] * (1.0 - share) + self.at_least[side][bin + 1] * share
        };
        ((2.0 * seen + PRIOR * prior_tail(size)) / (self.weight + PRIOR)).clamp(f64::MIN_POSITIVE, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_of_normal_values_are_calibrated_and_fall_beyond_the_record() {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        let mut normal = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
        let mut tail = PopulationTail::default();
        (0..200_000).for_each(|_| tail.add(normal(), 1.0));
        let tail = tail.prepare();
        for (z, p) in [(1.0, 0.3173), (2.0, 0.0455), (3.0, 0.0027)] {
            let ratio = tail.tail(z) / p;
            assert!((0.7..1.5).contains(&ratio), "{z}: {ratio}");
        }
        assert!(tail.tail(8.0) < 1e-5 && tail.tail(20.0) < tail.tail(10.0));
    }
}
