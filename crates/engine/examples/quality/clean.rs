//! Calibration on clean series: are the probabilities uniform, and how many buckets are alarms?

use super::simulate::{DAY, Family, config, run};
use engine::model::severity;

/// Days of each series that are not counted: cold start and the learning of the season.
pub(crate) const LEARNING_DAYS: i64 = 9;

/// Probabilities at which tails are counted.
pub(crate) const TAILS: [f64; 3] = [1e-2, 1e-3, 1e-4];

/// What a family's clean series showed.
pub(crate) struct Calibration {
    /// Largest distance between the share of probabilities below a value and that value, over `(0, 1/2)`: above, one bucket is
    /// as usual as the next, and their order means nothing.
    pub(crate) distance: f64,
    /// Share of buckets with a probability of at most each of [`TAILS`].
    pub(crate) tails: [f64; 3],
    /// Buckets of score 50 and 75 or more, for each series and month of 30 days.
    pub(crate) alarms: [f64; 2],
}

/// Runs `series` clean series of `days` days.
pub(crate) fn calibrate(family: &Family, series: u64, days: i64) -> Calibration {
    let config = config(family.kind);
    let mut probabilities: Vec<f64> = Vec::new();
    let mut alarms = [0.0; 2];
    for seed in 0..series {
        let values = family.values(seed, days * DAY);
        let outcomes = run(&config, values.into_iter().map(Some));
        for outcome in outcomes.iter().flatten().skip((LEARNING_DAYS * DAY) as usize) {
            probabilities.push(outcome.probability);
            for (count, score) in alarms.iter_mut().zip([50.0, 75.0]) {
                *count += f64::from(u8::from(severity_of(outcome.score) >= score));
            }
        }
    }
    probabilities.sort_unstable_by(f64::total_cmp);
    let n = probabilities.len() as f64;
    let share = |limit: f64| probabilities.partition_point(|p| *p <= limit) as f64 / n;
    let distance = (1..500).map(|i| f64::from(i) / 1000.0).map(|p| (share(p) - p).abs()).fold(0.0, f64::max);
    let months = series as f64 * (days - LEARNING_DAYS) as f64 / 30.0;
    Calibration { distance, tails: TAILS.map(share), alarms: alarms.map(|count| count / months) }
}

/// Score of a surprise as records have it: 50 at 6.5, and from there on half of what is missing to 100 with each 0.8.
pub(crate) fn severity_of(surprise: f64) -> f64 {
    if surprise < 6.5 { severity(surprise) } else { 100.0 - 50.0 * (-(surprise - 6.5) / 0.8).exp2() }
}
