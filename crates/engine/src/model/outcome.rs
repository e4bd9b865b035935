//! What goes into a series model and what comes out.

use serde::{Deserialize, Serialize};

/// One bucket's value of one series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Start of the bucket, epoch seconds.
    pub time_s: i64,
    /// The statistic; a value that is not finite is neither scored nor learnt.
    pub value: f64,
    /// Number of records behind the statistic, 1 when unknown. A bucket with fewer records than usual is judged less
    /// strictly if [`super::ModelConfig::sample_weighted`] is set.
    pub weight: f64,
    /// Whether the model may learn from the value; false for custom rules that skip the model update.
    pub learn: bool,
}

impl Sample {
    /// A sample of unknown record number that is learnt.
    #[must_use]
    pub fn new(time_s: i64, value: f64) -> Self {
        Self { time_s, value, weight: 1.0, learn: true }
    }
}

/// What the model expects of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prediction {
    /// The most plausible value.
    pub typical: f64,
    /// Lower end of the interval that holds 95 % of values.
    pub lower: f64,
    /// Upper end of that interval.
    pub upper: f64,
}

/// A lasting change that the model has accepted and adapted to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// All values moved by this much.
    LevelShift { magnitude: f64 },
    /// The seasonal pattern is multiplied by this factor.
    Scale { factor: f64 },
    /// The standard deviation of the residuals is multiplied by this factor.
    Variance { factor: f64 },
    /// The seasonal pattern comes later by this many seconds (daylight saving).
    TimeShift { seconds: i64 },
    /// A season of this period is used from now on.
    SeasonFound { period_s: i64 },
    /// The season of this period does not pay any more.
    SeasonLost { period_s: i64 },
}

/// The verdict on one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Joined surprise S, at least 0, after the refractory rule; [`severity`] maps it to 0..100.
    pub score: f64,
    /// The same before the refractory rule.
    pub raw_score: f64,
    /// Chance, in `(0, 1]`, that a bucket of this series is at least as surprising.
    pub probability: f64,
    /// Surprise of the views of the bucket alone, on the scale of S before the rate per day.
    pub single_bucket: f64,
    /// Surprise of the views of a window of buckets, on the same scale.
    pub multi_bucket: f64,
    /// The most plausible value before the sample was seen.
    pub typical: f64,
    /// Lower end of the 95 % interval.
    pub lower: f64,
    /// Upper end of the 95 % interval.
    pub upper: f64,
    /// Whether the value is above the typical one.
    pub is_high: bool,
    /// Number of consecutive buckets, this one included, that were beyond two scales on the same side.
    pub anomaly_length: u32,
    /// Whether the residuals have more than one mode.
    pub multimodal: bool,
    /// Share, 0..1, by which a large scale of the residuals (relative to the size of the values) lessened the surprise.
    pub high_variance_penalty: f64,
    /// Share, 0..1, by which too few records in the bucket lessened the surprise.
    pub incomplete_bucket_penalty: f64,
    /// A lasting change accepted with this sample.
    pub change: Option<Change>,
}

impl Outcome {
    /// The verdict on a value of which nothing can be said.
    #[must_use]
    pub fn quiet(p: Prediction) -> Self {
        Self {
            score: 0.0,
            raw_score: 0.0,
            probability: 1.0,
            single_bucket: 0.0,
            multi_bucket: 0.0,
            typical: p.typical,
            lower: p.lower,
            upper: p.upper,
            is_high: false,
            anomaly_length: 0,
            multimodal: false,
            high_variance_penalty: 0.0,
            incomplete_bucket_penalty: 0.0,
            change: None,
        }
    }
}

/// Maps a surprise S to 0..100: 50 at 6.5, 75 at 13, monotone, the same for all series. Quiet buckets do not get 0, since
/// the rate per day alone gives them a surprise; the scale of scores takes that off.
#[must_use]
pub fn severity(score: f64) -> f64 {
    100.0 * (1.0 - (-score.max(0.0) / 6.5).exp2())
}

#[cfg(test)]
mod tests {
    use super::severity;

    #[test]
    fn severity_has_its_anchors_and_rises() {
        assert_eq!(severity(-1.0), 0.0);
        assert!((severity(6.5) - 50.0).abs() < 1e-9 && (severity(13.0) - 75.0).abs() < 1e-9);
        assert!(severity(1e9) <= 100.0);
        let mut last = -1.0;
        for i in 0..400 {
            let v = severity(f64::from(i) * 0.05);
            assert!(v > last);
            last = v;
        }
    }
}
