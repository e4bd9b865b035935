//! Slope of the level, for forecasts: exponentially weighted least squares of the value without its season on time.

use serde::{Deserialize, Serialize};

/// Memory, buckets.
const MEMORY: f64 = 2000.0;

/// A slope counts if it is at least this many standard errors away from zero.
const SIGNIFICANT: f64 = 4.0;

/// Residuals of neighbouring buckets are correlated: about this many carry the information of one.
const CORRELATED: f64 = 12.0;

/// Weighted moments of (time, value); times in buckets since the first.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Trend {
    weight: f64,
    time: f64,
    value: f64,
    time_time: f64,
    time_value: f64,
    value_value: f64,
}

/// The fitted line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Line {
    /// Value at the time asked for.
    pub(super) at: f64,
    /// Slope per bucket; 0 when it is not significant.
    pub(super) slope: f64,
    /// Standard error of the slope.
    pub(super) slope_error: f64,
}

impl Trend {
    pub(super) fn learn(&mut self, time: f64, value: f64) {
        let keep = if self.weight >= MEMORY { 1.0 - 1.0 / MEMORY } else { 1.0 };
        let w = keep * self.weight + 1.0;
        let (dt, dv) = (time - self.time, value - self.value);
        let share = keep * self.weight / w;
        self.time_time = keep * self.time_time + share * dt * dt;
        self.time_value = keep * self.time_value + share * dt * dv;
        self.value_value = keep * self.value_value + share * dv * dv;
        self.time += dt / w;
        self.value += dv / w;
        self.weight = w;
    }

    pub(super) fn shift(&mut self, amount: f64) {
        self.value += amount;
    }

    /// The line at `time`; `None` before there are 50 values.
    pub(super) fn line(&self, time: f64) -> Option<Line> {
        if self.weight < 50.0 || self.time_time <= 0.0 {
            return None;
        }
        let slope = self.time_value / self.time_time;
        let rest = (self.value_value - slope * self.time_value).max(0.0);
        let freedom = (self.weight / CORRELATED - 2.0).max(1.0);
        let slope_error = (rest / self.weight * (self.weight / self.time_time) / freedom).sqrt();
        if slope.abs() < SIGNIFICANT * slope_error {
            return Some(Line { at: self.value, slope: 0.0, slope_error });
        }
        Some(Line { at: self.value + slope * (time - self.time), slope, slope_error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_found_and_noise_has_none() {
        let (mut up, mut flat) = (Trend::default(), Trend::default());
        for i in 0..3000 {
            let noise = f64::from((i * 7919) % 101) / 50.0 - 1.0;
            up.learn(f64::from(i), 3.0 + 0.05 * f64::from(i) + noise);
            flat.learn(f64::from(i), 3.0 + noise);
        }
        let line = up.line(3000.0).unwrap();
        assert!((line.slope - 0.05).abs() < 1e-3 && (line.at - 153.0).abs() < 0.5, "{line:?}");
        assert_eq!(flat.line(3000.0).unwrap().slope, 0.0);
    }
}
