//! The numbers that are modelled.

use serde::{Deserialize, Serialize};
use types::BaseFunction;

use super::{Extra, Moments};
use crate::model::ValueKind;

/// One number of one entity and bucket. A function has one, `metric` has three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Feature {
    Count,
    NonZeroCount,
    DistinctCount,
    Information,
    Mean,
    Median,
    Min,
    Max,
    Sum,
    NonNullSum,
    Variance,
}

impl Feature {
    /// The features of a function; none for those that have a model of their own.
    pub(crate) fn of(base: BaseFunction) -> &'static [Self] {
        match base {
            BaseFunction::Count => &[Self::Count],
            BaseFunction::NonZeroCount => &[Self::NonZeroCount],
            BaseFunction::DistinctCount => &[Self::DistinctCount],
            BaseFunction::InfoContent => &[Self::Information],
            BaseFunction::Min => &[Self::Min],
            BaseFunction::Max => &[Self::Max],
            BaseFunction::Median => &[Self::Median],
            BaseFunction::Mean => &[Self::Mean],
            BaseFunction::Metric => &[Self::Mean, Self::Min, Self::Max],
            BaseFunction::Varp => &[Self::Variance],
            BaseFunction::Sum => &[Self::Sum],
            BaseFunction::NonNullSum => &[Self::NonNullSum],
            BaseFunction::LatLong
            | BaseFunction::Rare
            | BaseFunction::FreqRare
            | BaseFunction::TimeOfDay
            | BaseFunction::TimeOfWeek => &[],
        }
    }

    /// The number; `None` when the bucket says nothing.
    pub(crate) fn value(self, moments: &Moments, extra: Option<&Extra>) -> Option<f64> {
        let has_values = moments.weight > 0.0;
        match self {
            Self::Count => Some(moments.records),
            Self::NonZeroCount => (moments.records > 0.0).then_some(moments.records),
            Self::DistinctCount => extra?.distinct(),
            Self::Information => extra?.information(),
            Self::Mean => has_values.then_some(moments.mean),
            Self::Median => extra?.median(),
            Self::Min => has_values.then_some(moments.min),
            Self::Max => has_values.then_some(moments.max),
            Self::Sum => Some(moments.sum),
            Self::NonNullSum => has_values.then_some(moments.sum),
            Self::Variance => has_values.then(|| moments.variance()),
        }
    }

    /// The value of a bucket without records, for entities that are known.
    pub(crate) fn of_empty(self) -> Option<f64> {
        matches!(self, Self::Count | Self::Sum).then_some(0.0)
    }

    pub(crate) fn kind(self) -> ValueKind {
        match self {
            Self::Count | Self::NonZeroCount | Self::DistinctCount => ValueKind::Count,
            Self::Sum | Self::NonNullSum => ValueKind::Sum,
            _ => ValueKind::Metric,
        }
    }

    /// Does it grow while the bucket fills up?
    pub(crate) fn grows_with_the_bucket(self) -> bool {
        !matches!(self, Self::Mean | Self::Median | Self::Min | Self::Max | Self::Variance)
    }

    /// `function_description` of a record, where the function does not say it (`metric`).
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            _ => "mean",
        }
    }

    /// `model_feature` of a model plot.
    pub(crate) fn plot_name(self) -> &'static str {
        match self {
            Self::Count => "'count per bucket by person'",
            Self::NonZeroCount => "'non-zero count per bucket by person'",
            Self::DistinctCount => "'unique count per bucket by person'",
            Self::Information => "'unique information content per bucket by person'",
            Self::Mean => "'arithmetic mean value by person'",
            Self::Median => "'median value by person'",
            Self::Min => "'minimum value by person'",
            Self::Max => "'maximum value by person'",
            Self::Sum => "'bucket sum by person'",
            Self::NonNullSum => "'bucket non-null sum by person'",
            Self::Variance => "'variance of values by person'",
        }
    }
}
