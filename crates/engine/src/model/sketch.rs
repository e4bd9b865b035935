//! The smallest model: a level, a scale, and the history of residuals on both sides. It sees what no season explains,
//! and nothing that only a window or a season shows. When there is room again, a larger model learns beside it and takes over
//! once it knows enough.

use super::body::{Body, probability};
use super::config::{ModelConfig, Side, ValueKind};
use super::outcome::{Outcome, Prediction, Sample};
use super::range::Range;
use super::verdict::{Refractory, join};
use super::views::{CONTEXT, RANGE, SPIKE, VIEWS};
use crate::stats::{Histograms, RobustScale, fast_ln, log_position, negative_binomial_tail, prior_tail};
use serde::{Deserialize, Serialize};

/// Samples before which every score is zero.
const COLD: f64 = 20.0;
/// Residuals seen before the scale is trusted.
const SCALE_FROM: u32 = 10;
/// Counts expected to be at least this large need no count distribution.
const SMALL_COUNT: f64 = 30.0;

/// Buckets after which a larger model takes over: by then it knows as many as the level remembers.
const RIPE: u32 = 300;

/// The larger model that will take over.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Heir {
    None,
    /// It begins with the next sample.
    Due,
    Learning(Box<Body>),
}

/// What a larger model knows of a series when it becomes a sketch.
#[derive(Clone, Debug)]
pub(super) struct Essence {
    pub(super) level: f64,
    pub(super) scale: RobustScale,
    pub(super) histogram: Histograms,
    pub(super) refractory: Refractory,
    pub(super) last_s: i64,
    pub(super) count: u32,
    pub(super) whole_numbers: bool,
    /// Range of the values less `base`.
    pub(super) range: Range,
    pub(super) base: f64,
}

/// State of the smallest model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sketch {
    level: f64,
    scale: RobustScale,
    histogram: Histograms,
    refractory: Refractory,
    last_s: i64,
    range: Range,
    base: f64,
    count: u32,
    whole_numbers: bool,
    heir: Heir,
}

impl Sketch {
    pub(super) fn new(value: f64) -> Self {
        Self::of(Essence {
            level: value,
            scale: RobustScale::default(),
            histogram: Histograms::new(1),
            refractory: Refractory::new(),
            last_s: i64::MIN,
            count: 0,
            whole_numbers: true,
            range: Range::default(),
            base: value,
        })
    }

    pub(super) fn of(essence: Essence) -> Self {
        let Essence { level, scale, histogram, refractory, last_s, count, whole_numbers, range, base } =
            essence;
        let heir = Heir::None;
        Self { level, scale, histogram, refractory, last_s, range, base, count, whole_numbers, heir }
    }

    /// Lets a compact model learn beside the sketch.
    pub(super) fn raise_heir(&mut self) {
        if matches!(self.heir, Heir::None) {
            self.heir = Heir::Due;
        }
    }

    pub(super) fn drop_heir(&mut self) {
        self.heir = Heir::None;
    }

    pub(super) fn has_heir(&self) -> bool {
        !matches!(self.heir, Heir::None)
    }

    /// The larger model, once it knows enough.
    pub(super) fn take_ripe_heir(&mut self) -> Option<Box<Body>> {
        match std::mem::replace(&mut self.heir, Heir::None) {
            Heir::Learning(body) if body.age() >= RIPE => Some(body),
            heir => {
                self.heir = heir;
                None
            }
        }
    }

    pub(super) fn shift_time(&mut self, cfg: &ModelConfig, seconds: i64) {
        if let Heir::Learning(body) = &mut self.heir {
            body.shift_time(cfg, seconds);
        }
    }

    pub(super) fn age(&self) -> u32 {
        self.count
    }

    pub(super) fn last_time_s(&self) -> i64 {
        self.last_s
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let of_heir = match &self.heir {
            Heir::Learning(body) => body.memory_bytes(),
            Heir::None | Heir::Due => 0,
        };
        size_of::<Self>() + self.histogram.memory_bytes() + of_heir
    }

    /// Level, and the interval that holds 95 % of values if they are normal.
    pub(super) fn predict(&self, cfg: &ModelConfig) -> Prediction {
        let reach = 1.96 * self.scale.get();
        let lowest = if cfg.kind == ValueKind::Count { 0.0 } else { f64::NEG_INFINITY };
        Prediction {
            typical: self.level.max(lowest),
            lower: (self.level - reach).max(lowest),
            upper: self.level + reach,
        }
    }

    /// Judges and learns one clean sample.
    pub(super) fn step(&mut self, cfg: &ModelConfig, sample: &Sample) -> Outcome {
        let prediction = self.predict(cfg);
        let t = &cfg.tuning;
        self.whole_numbers &= sample.value.fract() == 0.0 && sample.value.abs() <= 1e9;
        let residual = sample.value - self.level;
        let floor = (1e-9 * sample.value.abs().max(self.level.abs())).max(1e-250);
        let scale = self.scale.get().max(if self.whole_numbers { floor.max(1.0) } else { floor });
        let z = (residual / scale).clamp(-1e9, 1e9);
        let position = log_position(z.abs());
        let n = f64::from(self.count) + 1.0;
        let warmth = ((n - COLD) / (t.warm - COLD)).clamp(0.0, 1.0);
        let counts = match cfg.side {
            Side::Both => true,
            Side::High => z > 0.0,
            Side::Low => z < 0.0,
        };
        let relative = sample.value - self.base;
        let mut bits = [0.0; VIEWS];
        if counts && warmth > 0.0 {
            let seen = self.histogram.tail(&cfg.tails, 0, z < 0.0, position, t.other_side);
            let prior = self.count_prior(cfg, sample.value).unwrap_or_else(|| prior_tail(z.abs()));
            let p = (t.prior * prior + seen) / (t.prior + self.histogram.weight(0));
            let own = -fast_ln(p.clamp(1e-300, 1.0)) * std::f64::consts::LOG10_E;
            // Without a season and a correction, spike and context are the same.
            (bits[SPIKE], bits[CONTEXT]) = (own, own);
            bits[RANGE] = self.range.excess(t.warm, relative, scale).bits;
        }
        self.range.learn(relative);
        let joined = join(cfg, &bits, 0.0).all;
        let raw = (joined + cfg.rate_shift).max(0.0) * warmth;
        let score = self.refractory.step(cfg, raw, self.buckets_since_last(cfg, sample.time_s));
        self.last_s = sample.time_s;
        self.learn(cfg, residual, scale, z, position);
        self.teach_heir(cfg, sample);
        Outcome {
            score,
            raw_score: raw,
            probability: probability(joined * warmth),
            single_bucket: joined * warmth,
            is_high: sample.value > prediction.typical,
            anomaly_length: 1,
            high_variance_penalty: (scale / (scale + prediction.typical.abs())).clamp(0.0, 1.0),
            ..Outcome::quiet(prediction)
        }
    }

    fn learn(&mut self, cfg: &ModelConfig, residual: f64, scale: f64, z: f64, position: f64) {
        let t = &cfg.tuning;
        self.count = self.count.saturating_add(1);
        let n = f64::from(self.count);
        if self.scale.count() >= SCALE_FROM {
            self.histogram.add(0, z < 0.0, position);
        }
        if self.count > 1 {
            self.scale.learn(residual.abs(), t.scale_memory, t.clip * 1.5);
        }
        let clip = if n > COLD { t.clip * scale } else { f64::INFINITY };
        self.level += residual.clamp(-clip, clip) / n.min(t.level_memory);
    }

    fn teach_heir(&mut self, cfg: &ModelConfig, sample: &Sample) {
        if matches!(self.heir, Heir::Due) {
            let mut body = Box::new(Body::new(cfg, sample.time_s, sample.value));
            body.set_compact(true);
            self.heir = Heir::Learning(body);
        }
        if let Heir::Learning(body) = &mut self.heir {
            body.step(cfg, sample);
        }
    }

    /// Chance of a small count as extreme as `value`.
    fn count_prior(&self, cfg: &ModelConfig, value: f64) -> Option<f64> {
        let mean = self.level.max(0.05);
        if cfg.kind != ValueKind::Count || mean > SMALL_COUNT {
            return None;
        }
        let tail = negative_binomial_tail(value, mean, self.scale.get().powi(2).max(mean));
        let one_side = if value > mean { tail.at_least } else { tail.at_most };
        Some((2.0 * one_side).clamp(1e-12, 1.0))
    }

    fn buckets_since_last(&self, cfg: &ModelConfig, time_s: i64) -> f64 {
        if self.last_s == i64::MIN {
            return 1.0;
        }
        (time_s.saturating_sub(self.last_s) as f64 / cfg.bucket_span_s).clamp(1.0, 1e6)
    }
}
