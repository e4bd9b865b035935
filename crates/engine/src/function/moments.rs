//! Sums over the values of one bucket.

use serde::{Deserialize, Serialize};

use crate::Numbers;

/// Values beyond this are cut off, so that sums of squares stay finite.
const LARGEST: f64 = 1e150;

/// Weighted count, sum, mean, spread and extremes. Welford's update (1962), weighted as by West (1979).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moments {
    /// Records, by weight.
    pub(crate) records: f64,
    /// Records with a value, by weight.
    pub(crate) weight: f64,
    pub(crate) sum: f64,
    pub(crate) mean: f64,
    squares: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            records: 0.0,
            weight: 0.0,
            sum: 0.0,
            mean: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Moments {
    /// Counts a record.
    pub(crate) fn count(&mut self, weight: f64) {
        self.records += weight;
    }

    /// Adds a finite value.
    pub(crate) fn add(&mut self, value: f64, weight: f64) {
        let value = value.clamp(-LARGEST, LARGEST);
        self.records += weight;
        self.weight += weight;
        self.sum += value;
        let change = value - self.mean;
        self.mean += change * weight / self.weight;
        self.squares += weight * change * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds values of which only the sums are known; the spread is lost. The mean is the weighted one of both parts (Chan,
    /// Golub and LeVeque 1979, eq. 2.1a), which for the first part is its own.
    pub(crate) fn add_many(&mut self, values: &Numbers) {
        if values.count == 0 {
            return;
        }
        let (count, sum) = (values.count as f64, values.sum.clamp(-LARGEST, LARGEST));
        self.records += count;
        self.weight += count;
        self.sum += sum;
        self.mean += (sum - count * self.mean) / self.weight;
        self.min = self.min.min(values.min.clamp(-LARGEST, LARGEST));
        self.max = self.max.max(values.max.clamp(-LARGEST, LARGEST));
    }

    /// Population variance; 0 for one value.
    pub(crate) fn variance(&self) -> f64 {
        if self.weight > 0.0 { (self.squares / self.weight).clamp(0.0, f64::MAX) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_values() {
        let mut m = Moments::default();
        for v in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
            m.add(v, 1.0);
        }
        assert_eq!((m.mean, m.sum, m.min, m.max), (5.0, 40.0, 2.0, 9.0));
        assert!((m.variance() - 4.0).abs() < 1e-12);
    }

    #[test]
    fn sums_of_parts_are_those_of_the_values() {
        let (mut parts, mut whole) = (Moments::default(), Moments::default());
        for part in [[2.0, 4.0, 4.5], [-5.0, 7.0, 9.0]] {
            part.iter().for_each(|v| whole.add(*v, 1.0));
            let (min, max) = part.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
            parts.add_many(&Numbers { count: 3, sum: part.iter().sum(), min, max });
        }
        parts.add_many(&Numbers { count: 0, sum: 0.0, min: 0.0, max: 0.0 });
        assert_eq!((parts.sum, parts.weight, parts.records), (whole.sum, whole.weight, whole.records));
        assert_eq!((parts.min, parts.max), (-5.0, 9.0));
        assert!((parts.mean - whole.mean).abs() < 1e-12);
    }

    #[test]
    fn huge_values_stay_finite() {
        let mut m = Moments::default();
        for v in [1e308, -1e308, 1e308] {
            m.add(v, 1.0);
        }
        assert!(m.mean.is_finite() && m.sum.is_finite() && m.variance().is_finite());
    }
}
