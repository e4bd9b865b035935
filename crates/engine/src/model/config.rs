//! What all series of one detector share; kept outside the series so that each stays small.

use super::crowd::Crowd;
use super::season::SeasonGrid;
use crate::stats::TailTable;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What kind of statistic a series holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueKind {
    /// A measured value: mean, min, max, median, variance, information content.
    Metric,
    /// A whole number of things, never below zero, for which zero is a value: count, distinct count.
    Count,
    /// A total of measured values, for which zero means that there was nothing.
    Sum,
}

/// On which side of the expectation a value can be anomalous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// Either.
    Both,
    /// Above only (`high_*` functions).
    High,
    /// Below only (`low_*` functions).
    Low,
}

/// Constants of the model, one set for all series and data. The defaults were chosen on labelled series
/// (`docs/engine.md`); perturbing them is for experiments.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tuning {
    /// Residuals are learnt up to this many scales.
    pub clip: f64,
    /// Length (buckets) of a one-sided run that doubles the clip.
    pub run: f64,
    /// Memory of the level, buckets.
    pub level_memory: f64,
    /// Memory of scales, buckets.
    pub scale_memory: f64,
    /// Memory of the fast correction, buckets.
    pub fast_memory: f64,
    /// Least gain of a seasonal bin.
    pub season_gain: f64,
    /// A season is used when its error is below this share of the level's.
    pub season_pays: f64,
    /// A week is used when its error is below this share of the day's.
    pub week_pays: f64,
    /// Power of the hours' relative noise by which residuals of a season are judged; 0 for one noise at all hours.
    pub phase: f64,
    /// Days after which an hour's own noise counts half.
    pub phase_days: f64,
    /// Days for which a change of level must have lasted before a season is changed by it.
    pub change_days: f64,
    /// Bins of a day and of a week at most.
    pub day_bins: u16,
    /// Bins of a week at most.
    pub week_bins: u16,
    /// Least scale, as a share of the long-run standard deviation.
    pub floor_sd: f64,
    /// Days before a series without a season is tested for lasting changes.
    pub settled: f64,
    /// Weight of the prior tail, buckets.
    pub prior: f64,
    /// Exponent of the tail beyond the record.
    pub kappa: f64,
    /// Share with which the other side's history counts.
    pub other_side: f64,
    /// Buckets after which scores are undamped.
    pub warm: f64,
    /// Prototypes of the shape view.
    pub prototypes: u16,
    /// Weights of the views: spike, context, window 1, window 2, activity, step, shape, range.
    pub weights: [f64; 8],
    /// Weight of runs of nearly unchanged values.
    pub stuck: f64,
    /// Share of the usual step by which a value of a run may differ from its first.
    pub stuck_tolerance: f64,
    /// Weight of places inside the range where the series has hardly ever been.
    pub middle: f64,
    /// Share of all values to which the distance is taken.
    pub middle_share: f64,
    /// Least distance that means something, cells of the grid.
    pub middle_floor: f64,
    /// Periods of a season before the range of its residuals means something.
    pub range_periods: f64,
    /// Share with which the range of a season's residuals counts.
    pub range_residual: f64,
    /// Surprise added to an anomaly for each doubling by which a residual exceeds the records of the past.
    pub record_weight: f64,
    /// Surprise from which on records add to it; in full one above.
    pub record_from: f64,
    /// Buckets over which the record of residuals comes to be trusted.
    pub record_ripe: f64,
    /// Share of the largest residual of the same side that counts as its record.
    pub record_own: f64,
    /// Exponent of the norm that joins the views.
    pub norm: f64,
    /// Change of the views' weights by the strength of the season: spike, context, step.
    pub gating: [f64; 3],
    /// Orders of magnitude of the rate per day taken off for each order of buckets per day.
    pub rate: f64,
    /// Half-life of the refractory rule, in units of 300 s.
    pub refractory: f64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            clip: 4.0,
            run: 24.0,
            level_memory: 300.0,
            scale_memory: 2000.0,
            fast_memory: 4.0,
            season_gain: 0.06,
            season_pays: 0.8,
            week_pays: 0.9,
            phase: 0.25,
            phase_days: 7.0,
            change_days: 1.0,
            day_bins: 288,
            week_bins: 336,
            floor_sd: 0.2,
            settled: 3.0,
            prior: 50.0,
            kappa: 5.0,
            other_side: 0.5,
            warm: 50.0,
            prototypes: 32,
            weights: [0.85, 0.8, 1.0, 1.1, 1.25, 0.8, 0.6, 1.9],
            stuck: 0.6,
            stuck_tolerance: 0.2,
            middle: 0.7,
            middle_share: 0.01,
            middle_floor: 0.5,
            range_periods: 2.0,
            range_residual: 1.0,
            record_weight: 1.5,
            record_from: 4.5,
            record_own: 0.7,
            record_ripe: 150.0,
            norm: 2.25,
            gating: [0.5, 1.0, 1.0],
            rate: 1.2,
            refractory: 150.0,
        }
    }
}

/// Configuration shared by all series of one detector, with the tables derived from it.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// Bucket span, seconds.
    pub bucket_span_s: f64,
    /// Kind of value.
    pub kind: ValueKind,
    /// Side on which values can be anomalous.
    pub side: Side,
    /// Whether a bucket of few records is judged less strictly (means, medians, extremes of many records).
    pub sample_weighted: bool,
    pub(super) tuning: Tuning,
    pub(super) tails: TailTable,
    pub(super) day: Option<SeasonGrid>,
    pub(super) week: Option<SeasonGrid>,
    /// Taken off S for the rate per day.
    pub(super) rate_shift: f64,
    /// Half-life of the refractory rule, buckets.
    pub(super) refractory_buckets: f64,
    /// What newcomers may take over from their siblings.
    pub(super) crowd: Option<Arc<Crowd>>,
}

impl ModelConfig {
    /// Configuration with the default constants. A bucket span below one second counts as one second.
    #[must_use]
    pub fn new(bucket_span_s: f64, kind: ValueKind, side: Side) -> Self {
        Self::with_tuning(bucket_span_s, kind, side, Tuning::default())
    }

    /// Configuration with other constants, for experiments.
    #[must_use]
    pub fn with_tuning(bucket_span_s: f64, kind: ValueKind, side: Side, tuning: Tuning) -> Self {
        let span = if bucket_span_s.is_finite() { bucket_span_s.max(1.0) } else { 1.0 };
        Self {
            bucket_span_s: span,
            kind,
            side,
            sample_weighted: kind == ValueKind::Metric,
            tails: TailTable::new(tuning.kappa),
            day: SeasonGrid::new(86_400, span, tuning.day_bins),
            week: SeasonGrid::new(604_800, span, tuning.week_bins),
            // A p of 1e-4 is an event a week at one minute and one in 14 months at one hour.
            rate_shift: 4.0 - tuning.rate * ((86_400.0 / span).log10() - 1.0),
            refractory_buckets: (tuning.refractory * 300.0 / span).max(super::verdict::HOLD),
            crowd: None,
            tuning,
        }
    }

    /// What series that begin from now on may take over from their siblings; nothing without.
    pub fn set_crowd(&mut self, crowd: Option<Arc<Crowd>>) {
        self.crowd = crowd;
    }
}
