//! The detector functions, and what each of them takes.

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Which side of the model is anomalous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Too high or too low.
    Both,
    /// Only too high.
    High,
    /// Only too low.
    Low,
}

/// A function without its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BaseFunction {
    /// Number of records; an empty bucket is a zero.
    Count,
    /// Number of records; an empty bucket says nothing.
    NonZeroCount,
    /// Number of different values of the field.
    DistinctCount,
    /// Geographic position.
    LatLong,
    /// Compressed size of the field's distinct strings.
    InfoContent,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Median value.
    Median,
    /// Arithmetic mean.
    Mean,
    /// Mean, minimum and maximum together.
    Metric,
    /// Population variance of the values in a bucket.
    Varp,
    /// Values that occur in few buckets, or for few members.
    Rare,
    /// Members that interact often with rare values.
    FreqRare,
    /// Sum; an empty bucket is a zero.
    Sum,
    /// Sum; an empty bucket says nothing.
    NonNullSum,
    /// Unusual second of the day.
    TimeOfDay,
    /// Unusual second of the week.
    TimeOfWeek,
}

/// Does a function take a property?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// It must be given.
    Required,
    /// It may be given.
    Optional,
    /// It must not be given.
    Never,
}

use BaseFunction as B;

impl BaseFunction {
    /// The name without side, as in `function_description` and in URLs.
    pub fn name(self) -> &'static str {
        match self {
            B::Count => "count",
            B::NonZeroCount => "non_zero_count",
            B::DistinctCount => "distinct_count",
            B::LatLong => "lat_long",
            B::InfoContent => "info_content",
            B::Min => "min",
            B::Max => "max",
            B::Median => "median",
            B::Mean => "mean",
            B::Metric => "metric",
            B::Varp => "varp",
            B::Rare => "rare",
            B::FreqRare => "freq_rare",
            B::Sum => "sum",
            B::NonNullSum => "non_null_sum",
            B::TimeOfDay => "time_of_day",
            B::TimeOfWeek => "time_of_week",
        }
    }

    /// The value of `function_description` in records.
    pub fn description(self) -> &'static str {
        match self {
            B::NonZeroCount => "count",
            B::NonNullSum => "sum",
            B::TimeOfDay | B::TimeOfWeek => "time",
            other => other.name(),
        }
    }

    fn has_sides(self) -> bool {
        matches!(
            self,
            B::Count
                | B::NonZeroCount
                | B::DistinctCount
                | B::InfoContent
                | B::Median
                | B::Mean
                | B::Varp
                | B::Sum
                | B::NonNullSum
        )
    }

    /// Does it take a `field_name`?
    pub fn field(self) -> Takes {
        match self {
            B::Count | B::NonZeroCount | B::Rare | B::FreqRare | B::TimeOfDay | B::TimeOfWeek => Takes::Never,
            _ => Takes::Required,
        }
    }

    /// Does it take a `by_field_name`?
    pub fn by(self) -> Takes {
        if matches!(self, B::Rare | B::FreqRare) { Takes::Required } else { Takes::Optional }
    }

    /// Does it take an `over_field_name`?
    pub fn over(self) -> Takes {
        match self {
            B::FreqRare => Takes::Required,
            B::NonZeroCount | B::NonNullSum => Takes::Never,
            _ => Takes::Optional,
        }
    }

    /// Is an empty bucket a value of zero?
    pub fn empty_is_zero(self) -> bool {
        matches!(self, B::Count | B::Sum)
    }

    /// Are its values whole numbers of things, never negative?
    pub fn is_count(self) -> bool {
        matches!(self, B::Count | B::NonZeroCount | B::DistinctCount)
    }

    /// Can it be forecast (outside populations)?
    pub fn can_forecast(self) -> bool {
        !matches!(self, B::LatLong | B::Rare | B::FreqRare | B::TimeOfDay | B::TimeOfWeek)
    }

    /// May conditions of custom rules only look at the time?
    pub fn conditions_time_only(self) -> bool {
        matches!(self, B::LatLong | B::Metric | B::Rare | B::FreqRare)
    }
}

/// A detector function with its side, printed and read by its name (`high_mean`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Function {
    /// What is computed.
    pub base: BaseFunction,
    /// Which side is anomalous.
    pub side: Side,
}

const NAMES: [(&str, BaseFunction); 20] = [
    ("count", B::Count),
    ("non_zero_count", B::NonZeroCount),
    ("nzc", B::NonZeroCount),
    ("distinct_count", B::DistinctCount),
    ("dc", B::DistinctCount),
    ("lat_long", B::LatLong),
    ("info_content", B::InfoContent),
    ("min", B::Min),
    ("max", B::Max),
    ("median", B::Median),
    ("mean", B::Mean),
    ("avg", B::Mean),
    ("metric", B::Metric),
    ("varp", B::Varp),
    ("rare", B::Rare),
    ("freq_rare", B::FreqRare),
    ("sum", B::Sum),
    ("non_null_sum", B::NonNullSum),
    ("time_of_day", B::TimeOfDay),
    ("time_of_week", B::TimeOfWeek),
];

impl Function {
    /// Reads a name or an alias, with or without `high_` and `low_`.
    ///
    /// # Errors
    /// When there is no such function, or it has no such side.
    pub fn parse(name: &str) -> Result<Self, Invalid> {
        let lower = name.to_ascii_lowercase();
        let (rest, side) = match (lower.strip_prefix("high_"), lower.strip_prefix("low_")) {
            (Some(rest), _) => (rest, Side::High),
            (_, Some(rest)) => (rest, Side::Low),
            _ => (lower.as_str(), Side::Both),
        };
        NAMES
            .iter()
            .find(|(known, _)| *known == rest)
            .map(|(_, base)| Self { base: *base, side })
            .filter(|function| side == Side::Both || function.base.has_sides())
            .ok_or_else(|| Invalid::argument(format!("Unknown function '{name}'")))
    }

    /// The full name, aliases resolved.
    pub fn name(self) -> String {
        let prefix = match self.side {
            Side::Both => "",
            Side::High => "high_",
            Side::Low => "low_",
        };
        format!("{prefix}{}", self.base.name())
    }
}

impl Default for Function {
    fn default() -> Self {
        Self { base: B::Metric, side: Side::Both }
    }
}

impl TryFrom<String> for Function {
    type Error = Invalid;
    fn try_from(name: String) -> Result<Self, Invalid> {
        Self::parse(&name)
    }
}

impl From<Function> for String {
    fn from(function: Function) -> Self {
        function.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_expanded() {
        for (alias, name) in
            [("nzc", "non_zero_count"), ("high_dc", "high_distinct_count"), ("low_avg", "low_mean")]
        {
            assert_eq!(Function::parse(alias).unwrap().name(), name);
        }
        for bad in ["", "mea", "high_min", "low_rare", "high_", "high_high_mean"] {
            assert_eq!(Function::parse(bad).unwrap_err().to_string(), format!("Unknown function '{bad}'"));
        }
    }
}
