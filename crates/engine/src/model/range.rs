//! Smallest and largest of a number of values, and how far a value lies outside.

use super::config::Tuning;
use super::views::Surprise;
use crate::stats::fast_ln;
use serde::{Deserialize, Serialize};

/// Half the range of normal values is about this many scales; a record that is smaller says that little was seen.
const RECORD_SCALES: f64 = 3.0;

/// A record of so many scales is that of a constant with rare other values: exceeding it says less, and nothing from twice
/// as many on.
const CALM_SCALES: f64 = 100.0;

/// Doublings beyond which more say nothing more.
const MOST_DOUBLINGS: f64 = 5.0;

/// Smallest and largest of a number of values.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Range {
    lowest: f64,
    highest: f64,
    count: u32,
}

impl Range {
    pub(super) fn learn(&mut self, x: f64) {
        if self.count == 0 {
            (self.lowest, self.highest) = (x, x);
        }
        self.count = self.count.saturating_add(1);
        self.lowest = self.lowest.min(x);
        self.highest = self.highest.max(x);
    }

    /// Smallest and largest value; zeros of nothing.
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.lowest, self.highest)
    }

    /// How far `x` lies outside, on a logarithmic scale; nothing before there are enough values.
    pub(super) fn excess(&self, enough: f64, x: f64, floor: f64) -> Surprise {
        let out = if x > self.highest { x - self.highest } else { (x - self.lowest).min(0.0) };
        if out == 0.0 || f64::from(self.count) <= enough {
            return Surprise::default();
        }
        let range = (self.highest - self.lowest).max(floor);
        Surprise::without_place(out, 3.0 * (1.0 + 10.0 * out.abs() / range).log10())
    }

    /// By how many doublings a residual exceeds the record of its side: a share of the largest value, half the range of all
    /// values, three times their usual size `scale`, or `least`. 0 before there are enough values.
    pub(super) fn doublings(&self, t: &Tuning, enough: f64, residual: f64, scale: f64, least: f64) -> f64 {
        let count = f64::from(self.count);
        if count <= enough {
            return 0.0;
        }
        let ripe = ((count - enough) / t.record_ripe).min(1.0);
        let seen = 0.5 * (self.highest - self.lowest);
        let calm = (2.0 - seen / (CALM_SCALES * scale).max(1e-250)).clamp(0.0, 1.0);
        // A side that was never seen is taken to reach as far as the middle between both.
        let own = t.record_own * if residual > 0.0 { self.highest } else { -self.lowest };
        let record = seen.max(own).max(RECORD_SCALES * scale).max(least);
        let times = residual.abs() / record.max(1e-250);
        if times > 1.0 {
            ripe * calm * (fast_ln(times) * std::f64::consts::LOG2_E).min(MOST_DOUBLINGS)
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doublings_count_from_the_record_and_end() {
        let t = Tuning { record_ripe: 0.1, ..Tuning::default() };
        let mut range = Range::default();
        assert_eq!(range.doublings(&t, 0.0, 100.0, 1.0, 0.0), 0.0);
        for x in [-4.0, 1.0, 6.0] {
            range.learn(x);
        }
        assert_eq!(range.doublings(&t, 3.0, 100.0, 1.0, 0.0), 0.0);
        assert_eq!(range.doublings(&t, 2.0, 5.0, 1.0, 0.0), 0.0);
        assert!((range.doublings(&t, 2.0, -20.0, 1.0, 0.0) - 2.0).abs() < 1e-6);
        assert!((range.doublings(&t, 2.0, 24.0, 1.0, 12.0) - 1.0).abs() < 1e-6);
        assert_eq!(range.doublings(&t, 2.0, 1e30, 1.0, 0.0), MOST_DOUBLINGS);
    }
}
