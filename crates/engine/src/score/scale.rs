//! The scale of scores: from a surprise S to 0–100, the same for all jobs of one bucket span and for all time, so that
//! a score means a rate of false alarms per day and needs no hindsight.

use crate::model::severity;

/// S at which a score is 50.
const MAJOR: f64 = 6.5;
/// Spans above an hour are judged like an hour: the scale per day was measured up to there.
const SPAN_MAX_S: f64 = 3600.0;
/// Exponent by which quiet buckets are pressed towards 0, below the score of 50.
const QUIET_POWER: i32 = 5;
/// Score from which on a record is written.
const RECORD_SCORE_MIN: f64 = 2.0;
/// From a score of 50 on, what is missing to 100 halves with each such step of S. Chosen with the planted series in view: so that
/// deviations of eight standard deviations score 90, while about a third of a clean bucket for each series and month comes
/// beyond 75 (`docs/quality.md`).
const MAJOR_STEP: f64 = 0.8;
/// What `quiet` is for buckets of half an hour.
const HALF_HOUR_QUIET: f64 = 3.182;
/// Weight of the number of series against a single record.
const CROWD_WEIGHT: f64 = 0.25;

/// The scale for one bucket span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Surprise of a bucket in which nothing is unusual.
    quiet: f64,
    /// Taken off for spans above an hour.
    long_span: f64,
    /// Surprise of the lowest score that is written.
    record_min: f64,
}

impl Scale {
    pub(crate) fn new(span_s: i64) -> Self {
        let rate = |span: f64| 4.0 - 1.2 * ((86_400.0 / span).log10() - 1.0);
        let span = (span_s as f64).max(1.0);
        let quiet = rate(span.min(SPAN_MAX_S)).max(0.0);
        let mut scale = Self { quiet, long_span: rate(span) - rate(span.min(SPAN_MAX_S)), record_min: 0.0 };
        let pressed = -6.5 * (1.0 - RECORD_SCORE_MIN / 100.0).log2() / MAJOR;
        let share = pressed.powf(1.0 / f64::from(QUIET_POWER));
        scale.record_min = quiet + share * (MAJOR - quiet) + scale.long_span;
        scale
    }

    /// The surprise of a probability.
    pub(crate) fn surprise(&self, probability: f64) -> f64 {
        self.quiet + self.long_span - probability.clamp(f64::MIN_POSITIVE, 1.0).log10()
    }

    /// The probability of a surprise, in (0, 1].
    pub(crate) fn probability(&self, surprise: f64) -> f64 {
        10f64.powf((self.quiet + self.long_span - surprise).min(0.0)).max(f64::MIN_POSITIVE)
    }

    /// The surprise of something rare: of seeing a value that is seen so rarely. With buckets of half an hour a chance
    /// of one in 950 is critical, one in 130 is major; with shorter ones, of which a day has more, it takes more. Buckets
    /// of rare values are few, so that the scale can be steeper than that of series.
    pub(crate) fn rare_surprise(&self, probability: f64) -> f64 {
        let orders = -probability.clamp(f64::MIN_POSITIVE, 1.0).log10();
        let rated = (orders + 0.25 * (self.quiet - HALF_HOUR_QUIET)).max(0.0);
        let rare = 2.0 * MAJOR * (rated / 2.98).powi(2);
        // Joined to the scale below, so that a certain event is a quiet one.
        let own = if rare >= MAJOR {
            MAJOR + (rare - MAJOR) * MAJOR_STEP / MAJOR
        } else {
            self.quiet + rare / MAJOR * (MAJOR - self.quiet)
        };
        own + self.long_span
    }

    /// The surprise of several things that point the same way: a norm between the greatest and the sum.
    pub(crate) fn join(&self, surprises: &[f64]) -> f64 {
        let base = self.quiet + self.long_span;
        let powers: f64 = surprises.iter().map(|surprise| (surprise - base).max(0.0).powi(4)).sum();
        base + powers.powf(0.25)
    }

    /// Score of a surprise, 0–100.
    pub(crate) fn score(&self, surprise: f64) -> f64 {
        let surprise = surprise - self.long_span;
        if surprise >= MAJOR {
            return 100.0 - 50.0 * (-(surprise - MAJOR) / MAJOR_STEP).exp2();
        }
        let share = ((surprise - self.quiet) / (MAJOR - self.quiet)).clamp(0.0, 1.0);
        severity(MAJOR * share.powi(QUIET_POWER))
    }

    /// What is taken off a record's surprise among so many series.
    pub(crate) fn crowd_discount(&self, series: usize) -> f64 {
        CROWD_WEIGHT * (series.max(1) as f64).log10()
    }

    /// Can a surprise become a record?
    pub(crate) fn is_worth_a_record(&self, surprise: f64) -> bool {
        surprise >= self.record_min
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_monotone_with_fixed_anchors() {
        for span in [60, 300, 900, 3600, 86_400] {
            let scale = Scale::new(span);
            let mut last = -1.0;
            for step in 0..400 {
                let score = scale.score(f64::from(step) * 0.1);
                assert!(score >= last && score <= 100.0, "span {span}");
                last = score;
            }
            assert!((scale.score(6.5 + scale.long_span) - 50.0).abs() < 1e-9);
            assert!(scale.score(scale.surprise(1.0)) < 1e-9);
            assert!(scale.score(scale.surprise(0.1)) < 6.0);
            assert!((scale.score(scale.record_min) - RECORD_SCORE_MIN).abs() < 1e-6);
            assert!((scale.probability(scale.surprise(1e-9)) / 1e-9 - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_first_of_its_kind_after_a_long_time_is_critical() {
        let scale = Scale::new(900);
        assert!(scale.score(scale.rare_surprise(0.25 / 500.0)) > 75.0);
        assert!(scale.score(scale.rare_surprise(0.05)) < 10.0);
    }
}
