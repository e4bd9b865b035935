//! How the size of residuals depends on the hour of the day: noise that is small at night and large by day is judged by
//! what is usual for the hour.

use super::config::ModelConfig;
use crate::stats::fast_ln;
use serde::{Deserialize, Serialize};

const HOURS: usize = 24;
const HOUR_S: i64 = 3600;

/// Ratios are learnt up to this one: a spike says little about the noise.
const CLIP: f64 = 4.0;

/// Days over which ratios are averaged at most.
const MEMORY_DAYS: f64 = 60.0;

/// Largest factor, and the inverse of the least.
const MOST: f64 = 2.5;

/// Ratios are kept in this unit, up to just below [`CLIP`].
const UNIT: f64 = 1.0 / 16_384.0;

/// Mean size of the residuals of each hour of the day, as a share of the usual size, and what follows from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Phase {
    ratio: [u16; HOURS],
    seen: [u16; HOURS],
    /// The factor of the present hour: it changes little within one.
    factor: f32,
    hour: u8,
}

impl Phase {
    pub(super) fn new() -> Self {
        Self { ratio: [(1.0 / UNIT) as u16; HOURS], seen: [0; HOURS], factor: 1.0, hour: u8::MAX }
    }

    /// What residuals at this time are divided by, within 0.4 to 2.5.
    pub(super) fn factor(&mut self, cfg: &ModelConfig, time_s: i64) -> f64 {
        let hour = hour(time_s);
        if usize::from(self.hour) != hour {
            self.hour = hour as u8;
            let beside = self.shrunk(cfg, (hour + 1) % HOURS) + self.shrunk(cfg, (hour + HOURS - 1) % HOURS);
            let smooth = (0.5 * self.shrunk(cfg, hour) + 0.25 * beside).clamp(1.0 / MOST, MOST);
            self.factor = (cfg.tuning.phase * fast_ln(smooth)).exp() as f32;
        }
        f64::from(self.factor)
    }

    /// The ratio of an hour, drawn towards one while little was seen.
    fn shrunk(&self, cfg: &ModelConfig, hour: usize) -> f64 {
        let prior = 10.0 + cfg.tuning.phase_days * per_hour(cfg);
        let seen = f64::from(self.seen[hour]);
        (prior + seen * f64::from(self.ratio[hour]) * UNIT) / (prior + seen)
    }

    /// Learns the size of a residual, as a share of the usual one.
    pub(super) fn learn(&mut self, cfg: &ModelConfig, time_s: i64, ratio: f64) {
        let hour = hour(time_s);
        let most = (MEMORY_DAYS * per_hour(cfg)).min(60_000.0) as u16;
        self.seen[hour] = self.seen[hour].saturating_add(1).min(most);
        let mean = f64::from(self.ratio[hour]);
        let target = ratio.clamp(0.0, CLIP) / UNIT;
        self.ratio[hour] = (mean + (target - mean) / f64::from(self.seen[hour])).round() as u16;
    }
}

fn hour(time_s: i64) -> usize {
    (time_s.div_euclid(HOUR_S)).rem_euclid(HOURS as i64) as usize
}

/// Buckets in an hour, at least one.
fn per_hour(cfg: &ModelConfig) -> f64 {
    (HOUR_S as f64 / cfg.bucket_span_s).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Side, ValueKind};

    #[test]
    fn loud_hours_get_a_large_factor_in_time_and_spikes_none() {
        let cfg = ModelConfig::new(300.0, ValueKind::Metric, Side::Both);
        let mut phase = Phase::new();
        let mut factors = Vec::new();
        for bucket in 0..288 * 40 {
            let time = bucket * 300;
            factors.push(phase.factor(&cfg, time));
            let loud = (8..16).contains(&hour(time));
            let ratio = if bucket % 1000 == 3 {
                1e9
            } else if loud {
                2.0
            } else {
                0.5
            };
            phase.learn(&cfg, time, ratio);
        }
        let at = |day: usize, hour: usize| factors[day * 288 + hour * 12 + 6];
        assert!((0.9..1.1).contains(&at(0, 12)), "{}", at(0, 12));
        assert!(at(2, 12) < at(10, 12) && at(10, 12) < at(39, 12));
        assert!((1.1..1.2).contains(&at(39, 12)), "{}", at(39, 12));
        assert!((0.83..0.93).contains(&at(39, 2)), "{}", at(39, 2));
    }

    #[test]
    fn any_ratio_leaves_a_sane_factor() {
        for span in [1.0, 300.0, 86_400.0] {
            let cfg = ModelConfig::new(span, ValueKind::Metric, Side::Both);
            for ratio in [0.0, 1e300, f64::INFINITY] {
                let mut phase = Phase::new();
                for bucket in 0..100_000_i64 {
                    phase.learn(&cfg, bucket * span as i64 - 40_000_000, ratio);
                }
                let factor = phase.factor(&cfg, i64::MIN);
                assert!((0.4..=2.5).contains(&factor), "{span} {ratio} {factor}");
            }
        }
    }
}
