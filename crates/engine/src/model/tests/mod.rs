//! What a series model must do, on simulated series: stay finite, restore bit for bit, be calibrated, react.

mod calibration;
mod forms;
mod nursery;
mod periods;
mod properties;
mod reaction;

use super::{ModelConfig, Outcome, Sample, SeriesModel};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Five minutes.
const SPAN_S: i64 = 300;

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// A standard normal number by the polar method of Box and Muller.
fn normal(rng: &mut StdRng) -> f64 {
    let (u, v): (f64, f64) = (rng.random::<f64>().max(1e-300), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A Poisson number by inversion, for small means.
fn poisson(rng: &mut StdRng, mean: f64) -> f64 {
    let (limit, mut product, mut count) = ((-mean).exp(), rng.random::<f64>(), 0.0);
    while product > limit {
        product *= rng.random::<f64>();
        count += 1.0;
    }
    count
}

/// A daily pattern of amplitude one.
fn daily(bucket: i64) -> f64 {
    ((bucket * SPAN_S) as f64 / 86_400.0 * std::f64::consts::TAU).sin()
}

/// Feeds values from bucket 0 on; returns all outcomes.
fn feed(cfg: &ModelConfig, model: &mut SeriesModel, from: i64, values: &[f64]) -> Vec<Outcome> {
    let sample = |(i, v): (usize, &f64)| Sample::new((from + i as i64) * SPAN_S, *v);
    values.iter().enumerate().map(|v| model.step(cfg, &sample(v))).collect()
}
