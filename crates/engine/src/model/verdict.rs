//! From the views' surprises to one: a soft norm, a rate per day instead of per bucket, and the refractory rule.

use super::config::ModelConfig;
use super::views::{ACTIVITY, CONTEXT, MIDDLE, RANGE, SHAPE, SPIKE, STEP, STUCK, VIEWS, WINDOW_1, WINDOW_2};
use serde::{Deserialize, Serialize};

/// Buckets after an event in which nothing weaker counts.
pub(super) const HOLD: f64 = 5.0;

/// Surprise from which on a bucket is an event for the refractory rule.
const EVENT: f64 = 5.0;

/// The strongest event counts at most this much against later ones.
const EVENT_CAP: f64 = 10.0;

/// Half-life, in buckets, of the strength that a later bucket must exceed to be a new event.
const SHADOW_HALF_LIFE: f64 = 8.0;

/// Below this no result is ever written, so that nobody asks for the parts of the surprise (`score/scale.rs`: at least 1.45 for
/// any bucket span).
const TOLD: f64 = 1.4;

/// Surprises joined, before the rate per day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Joined {
    pub(super) all: f64,
    pub(super) single: f64,
    pub(super) multi: f64,
}

/// Joins the surprises of all views. `strength` is that of the season: with a strong season the context counts more,
/// spike and step less.
pub(super) fn join(cfg: &ModelConfig, surprise: &[f64; VIEWS], strength: f64) -> Joined {
    let t = &cfg.tuning;
    let mut powers = [0.0; VIEWS];
    for (view, power) in powers.iter_mut().enumerate() {
        let gate = match view {
            SPIKE => 1.0 - t.gating[0] * strength,
            CONTEXT => 1.0 + t.gating[1] * strength,
            STEP => 1.0 - t.gating[2] * strength,
            _ => 1.0,
        };
        let weight = match view {
            MIDDLE => t.middle,
            STUCK => t.stuck,
            RANGE => t.weights[7],
            _ => t.weights[view],
        };
        *power = power_of((weight * gate * surprise[view]).max(0.0), t.norm);
    }
    let single = powers[SPIKE] + powers[CONTEXT] + powers[STEP] + powers[RANGE] + powers[MIDDLE];
    let multi = powers[WINDOW_1] + powers[WINDOW_2] + powers[ACTIVITY] + powers[SHAPE] + powers[STUCK];
    let root = |v: f64| if v > 0.0 { v.powf(1.0 / t.norm) } else { 0.0 };
    let all = root(single + multi);
    if all < TOLD {
        return Joined { all, single: 0.0, multi: 0.0 };
    }
    Joined { all, single: root(single), multi: root(multi) }
}

/// The views' tails are cautious: a hundred times the usual size is little more surprising than ten times. What is an
/// anomaly already counts more for each doubling by which it exceeds the series' records.
pub(super) fn emphasise(cfg: &ModelConfig, s: f64, doublings: f64) -> f64 {
    let t = &cfg.tuning;
    s + (s - t.record_from).clamp(0.0, 1.0) * t.record_weight * doublings
}

fn power_of(v: f64, exponent: f64) -> f64 {
    // The usual exponent needs no logarithm.
    if exponent == 2.25 { v * v * v.sqrt().sqrt() } else { v.powf(exponent) }
}

/// Memory of the last events: one event raises one alarm, not one for every bucket of its aftermath.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Refractory {
    strength: f64,
    age: f64,
    shadow: f64,
}

impl Refractory {
    pub(super) fn new() -> Self {
        Self { strength: 0.0, age: 1e9, shadow: 0.0 }
    }

    /// Passes, or lessens, the surprise `s` of a bucket that comes `buckets` after the last one.
    pub(super) fn step(&mut self, cfg: &ModelConfig, s: f64, buckets: f64) -> f64 {
        self.age = (self.age + buckets).min(1e9);
        let halvings = (self.age - HOLD).max(0.0) / cfg.refractory_buckets;
        let decay = if halvings > 64.0 { 0.0 } else { (-halvings).exp2() };
        self.shadow *= if buckets == 1.0 { SHADOW_STEP } else { (-buckets / SHADOW_HALF_LIFE).exp2() };
        let needed = (self.strength.min(EVENT_CAP) * decay).max(self.shadow);
        let passes = s > needed;
        let score = if passes { s } else { (s * (1.0 - 0.1 * decay) - 2.0 * decay).max(0.0) };
        self.shadow = self.shadow.max(s);
        if passes && s > EVENT {
            self.strength = s;
            self.age = 0.0;
        }
        score
    }
}

/// `2^(−1/8)`, the decay of the shadow in one bucket.
const SHADOW_STEP: f64 = 0.917_004_043_204_671_2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Side, ValueKind};

    fn cfg() -> ModelConfig {
        ModelConfig::new(300.0, ValueKind::Metric, Side::Both)
    }

    #[test]
    fn joined_lies_between_maximum_and_sum() {
        let s = [2.0; VIEWS];
        let j = join(&cfg(), &s, 0.0);
        assert!(j.all > 2.0 * 1.9 && j.all < 2.0 * cfg().tuning.weights.iter().sum::<f64>());
        assert!(j.single <= j.all && j.multi <= j.all);
        assert_eq!(join(&cfg(), &[0.0; VIEWS], 1.0).all, 0.0);
    }

    #[test]
    fn an_event_silences_its_aftermath_but_not_a_stronger_one() {
        let mut r = Refractory::new();
        assert_eq!(r.step(&cfg(), 9.0, 1.0), 9.0);
        assert!(r.step(&cfg(), 8.0, 1.0) < 6.0);
        assert_eq!(r.step(&cfg(), 12.0, 1.0), 12.0);
        assert_eq!(r.step(&cfg(), 9.0, 10_000.0), 9.0);
    }
}
