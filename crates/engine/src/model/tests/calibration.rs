//! Over clean series few buckets are surprising, and about as many as the probability says.

use super::{daily, feed, normal, poisson, rng};
use crate::model::{ModelConfig, SeriesModel, Side, ValueKind, severity};
use rand::{Rng, rngs::StdRng};

/// Four weeks of five-minute buckets.
const BUCKETS: i64 = 8064;

/// Buckets that are not counted: cold start and the learning of the season.
const LEARNING: usize = 900;

struct Clean {
    name: &'static str,
    kind: ValueKind,
    value: fn(&mut StdRng, i64) -> f64,
}

const FAMILIES: [Clean; 6] = [
    Clean { name: "normal", kind: ValueKind::Metric, value: |r, _| 50.0 + 5.0 * normal(r) },
    Clean { name: "lognormal", kind: ValueKind::Metric, value: |r, _| (1.0 + 0.5 * normal(r)).exp() },
    Clean { name: "uniform", kind: ValueKind::Metric, value: |r, _| r.random() },
    Clean { name: "poisson", kind: ValueKind::Count, value: |r, _| poisson(r, 4.0) },
    Clean { name: "sparse", kind: ValueKind::Count, value: |r, _| poisson(r, 0.05) },
    Clean {
        name: "seasonal",
        kind: ValueKind::Metric,
        value: |r, b| 100.0 + 30.0 * daily(b) + 3.0 * normal(r),
    },
];

#[test]
fn clean_series_are_quiet_and_probabilities_mean_what_they_say() {
    for family in &FAMILIES {
        let cfg = ModelConfig::new(super::SPAN_S as f64, family.kind, Side::Both);
        let (mut counted, mut below, mut major, mut critical) = (0.0, [0.0; 3], 0, 0);
        const SERIES: u64 = 3;
        for seed in 0..SERIES {
            let mut r = rng(seed);
            let values: Vec<f64> = (0..BUCKETS).map(|b| (family.value)(&mut r, b)).collect();
            for o in feed(&cfg, &mut SeriesModel::new(&cfg), 0, &values).iter().skip(LEARNING) {
                counted += 1.0;
                for (share, limit) in below.iter_mut().zip([1e-1, 1e-2, 1e-3]) {
                    *share += f64::from(u8::from(o.probability < limit));
                }
                major += u32::from(severity(o.score) >= 50.0);
                critical += u32::from(severity(o.score) >= 75.0);
            }
        }
        let shares = below.map(|b| b / counted);
        println!("{}: {shares:.5?} major {major} critical {critical}", family.name);
        assert!((0.02..0.2).contains(&shares[0]), "{}: p < 0.1 in {}", family.name, shares[0]);
        assert!((1e-3..3e-2).contains(&shares[1]), "{}: p < 0.01 in {}", family.name, shares[1]);
        assert!(shares[2] < 4e-3, "{}: p < 0.001 in {}", family.name, shares[2]);
        assert!(2 * major <= 9 * SERIES as u32, "{}: {major} scores of 50", family.name);
        assert_eq!(critical, 0, "{}", family.name);
    }
}

#[test]
fn intervals_hold_about_as_much_as_they_say() {
    for family in &FAMILIES[..4] {
        let cfg = ModelConfig::new(super::SPAN_S as f64, family.kind, Side::Both);
        let mut r = rng(7);
        let values: Vec<f64> = (0..BUCKETS).map(|b| (family.value)(&mut r, b)).collect();
        let outcomes = feed(&cfg, &mut SeriesModel::new(&cfg), 0, &values);
        let inside =
            outcomes.iter().zip(&values).skip(LEARNING).filter(|(o, v)| (o.lower..=o.upper).contains(v));
        let share = inside.count() as f64 / (values.len() - LEARNING) as f64;
        assert!((0.91..0.99).contains(&share), "{}: {share}", family.name);
    }
}
