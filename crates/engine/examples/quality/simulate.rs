//! Simulated series: repeatable noise, clean families, and a way to run a model over them.

use engine::model::{ModelConfig, Outcome, Sample, SeriesModel, Side, Tuning, ValueKind};
use std::sync::OnceLock;

/// A quarter of an hour, seconds.
pub(crate) const SPAN_S: i64 = 900;
/// Buckets of a day.
pub(crate) const DAY: i64 = 86_400 / SPAN_S;

/// Repeatable noise (xorshift64*, Vigna 2016).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        let mut noise = Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| {
            noise.uniform();
        });
        noise
    }

    /// In (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Standard normal (Box & Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A Poisson number; by inversion for small means, by the normal law for large ones.
    pub(crate) fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0.0);
        while product > limit {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }

    /// A gamma number of whole shape and scale one.
    pub(crate) fn gamma(&mut self, shape: u32) -> f64 {
        (0..shape).map(|_| -self.uniform().ln()).sum()
    }
}

/// A daily pattern of amplitude one.
pub(crate) fn daily(bucket: i64) -> f64 {
    (bucket as f64 / DAY as f64 * std::f64::consts::TAU).sin()
}

/// A working week: one from Monday to Friday, less at the weekend.
pub(crate) fn weekly(bucket: i64) -> f64 {
    if bucket.div_euclid(DAY).rem_euclid(7) < 5 { 1.0 } else { 0.4 }
}

/// Clean series of one kind.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: ValueKind,
    /// Value of a bucket; the last number is the value before.
    pub(crate) value: fn(&mut Noise, i64, f64) -> f64,
}

/// All kinds that the calibration is held against.
pub(crate) const FAMILIES: [Family; 12] = [
    Family { name: "normal", kind: ValueKind::Metric, value: |r, _, _| 50.0 + 5.0 * r.normal() },
    Family { name: "log-normal", kind: ValueKind::Metric, value: |r, _, _| (1.0 + 0.5 * r.normal()).exp() },
    Family { name: "gamma", kind: ValueKind::Metric, value: |r, _, _| r.gamma(3) },
    Family { name: "uniform", kind: ValueKind::Metric, value: |r, _, _| r.uniform() },
    Family {
        name: "two modes",
        kind: ValueKind::Metric,
        value: |r, _, _| if r.uniform() < 0.5 { 10.0 + r.normal() } else { 30.0 + r.normal() },
    },
    Family {
        name: "autoregressive",
        kind: ValueKind::Metric,
        value: |r, _, last| 10.0 + 0.7 * (last - 10.0) + r.normal(),
    },
    Family { name: "Poisson, mean 4", kind: ValueKind::Count, value: |r, _, _| r.poisson(4.0) },
    Family { name: "Poisson, mean 0.05", kind: ValueKind::Count, value: |r, _, _| r.poisson(0.05) },
    Family {
        name: "negative binomial",
        kind: ValueKind::Count,
        value: |r, _, _| {
            let mean = 4.0 * r.gamma(2);
            r.poisson(mean)
        },
    },
    Family {
        name: "daily pattern",
        kind: ValueKind::Metric,
        value: |r, b, _| 100.0 + 30.0 * daily(b) + 3.0 * r.normal(),
    },
    Family {
        name: "daily and weekly counts",
        kind: ValueKind::Count,
        value: |r, b, _| r.poisson(60.0 * weekly(b) * (1.0 + 0.6 * daily(b))),
    },
    Family {
        name: "noise by the hour",
        kind: ValueKind::Metric,
        value: |r, b, _| 100.0 + 30.0 * daily(b) + (3.0 + 2.0 * daily(b)) * r.normal(),
    },
];

impl Family {
    pub(crate) fn values(&self, seed: u64, buckets: i64) -> Vec<f64> {
        let mut noise = Noise::new(seed);
        let mut last = 0.0;
        let next = |bucket| {
            last = (self.value)(&mut noise, bucket, last);
            last
        };
        (0..buckets).map(next).collect()
    }
}

/// Other constants than the product has, for experiments.
pub(crate) static TUNING: OnceLock<Tuning> = OnceLock::new();

/// The configuration that the product has.
pub(crate) fn config(kind: ValueKind) -> ModelConfig {
    ModelConfig::with_tuning(SPAN_S as f64, kind, Side::Both, TUNING.get().cloned().unwrap_or_default())
}

/// Verdicts on the values of consecutive buckets; a bucket without a value has none.
pub(crate) fn run(config: &ModelConfig, values: impl Iterator<Item = Option<f64>>) -> Vec<Option<Outcome>> {
    let mut model = SeriesModel::new(config);
    let judge = |(bucket, value): (usize, Option<f64>)| {
        value.map(|value| model.step(config, &Sample::new(bucket as i64 * SPAN_S, value)))
    };
    values.enumerate().map(judge).collect()
}
