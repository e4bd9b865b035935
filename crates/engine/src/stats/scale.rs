//! A robust scale of residuals.

use serde::{Deserialize, Serialize};

/// Ratio of standard deviation to mean absolute deviation of a normal distribution, `√(π/2)`.
const MEAN_ABS_TO_SD: f64 = 1.2533;

/// Values from which on a deviation is clipped before it is learnt.
const CLIP_FROM: u32 = 20;

/// Clipped exponentially weighted mean of absolute deviations, in units of a standard deviation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RobustScale {
    scale: f64,
    count: u32,
}

impl RobustScale {
    /// The scale; 0 before the first value and for a constant series.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.scale
    }

    /// Number of deviations learnt.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Learns the absolute deviation `deviation`, clipped at `clip` scales, with a memory of `time_constant` values.
    pub fn learn(&mut self, deviation: f64, time_constant: f64, clip: f64) {
        self.count = self.count.saturating_add(1);
        let clipped =
            if self.count > CLIP_FROM { deviation.min(clip * self.scale.max(1e-300)) } else { deviation };
        self.scale += (MEAN_ABS_TO_SD * clipped - self.scale) / f64::from(self.count).min(time_constant);
    }

    /// Multiplies the scale, when deviations of another kind are to be learnt from now on.
    pub fn multiply(&mut self, factor: f64) {
        self.scale *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outlier_hardly_moves_the_scale() {
        let mut s = RobustScale::default();
        for i in 0..200 {
            s.learn(if i % 2 == 0 { 0.5 } else { 1.5 }, 100.0, 6.0);
        }
        let before = s.get();
        s.learn(1e12, 100.0, 6.0);
        assert!(s.get() < before * 1.1 && s.get() > before);
        assert_eq!(s.count(), 201);
    }
}
