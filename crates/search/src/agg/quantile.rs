//! `percentiles`, `percentile_ranks`, `median_absolute_deviation`, `cardinality`: exact, over all values of a bucket.

use ahash::AHashSet;
use serde_json::{Map, Value, json};

use super::batch::Values;
use super::node::{Aggregator, Finish, Rows, slot};
use super::output::{Output, double_text, number};
use super::source::Source;
use crate::error::{Error, Result};

/// More values in one aggregation are refused, to keep memory bounded (half a gibibyte).
const MAX_VALUES: usize = 64 << 20;

/// What is answered about the values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Question {
    /// The values below which so many per cent lie.
    Percentiles(Vec<f64>),
    /// How many per cent lie at or below these values.
    Ranks(Vec<f64>),
    /// The median distance from the median.
    MedianDeviation,
}

/// Keeps every value.
#[derive(Debug)]
pub(super) struct QuantileAggregator {
    pub(super) source: Source,
    pub(super) question: Question,
    pub(super) keyed: bool,
    pub(super) owners: Vec<Vec<f64>>,
    pub(super) held: usize,
}

impl QuantileAggregator {
    fn sorted(&self, owner: u32) -> Vec<f64> {
        let mut values = self.owners.get(owner as usize).cloned().unwrap_or_default();
        values.sort_unstable_by(f64::total_cmp);
        values
    }
}

impl Aggregator for QuantileAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        crate::guard::hold(rows.len() * size_of::<f64>(), "<percentiles>")?;
        let (lists, held) = (&mut self.owners, &mut self.held);
        self.source.numbers(input.batch, rows, |place, value| {
            slot(lists, owners[place]).push(value);
            *held += 1;
        });
        if *held > MAX_VALUES {
            return Err(Error::CircuitBreaking(format!(
                "[request] Data too large: percentiles would hold more than [{MAX_VALUES}] values"
            )));
        }
        Ok(())
    }

    fn output(&mut self, owner: u32, _: &mut Finish<'_>) -> Result<Output> {
        let values = self.sorted(owner);
        let pairs: Vec<(f64, f64)> = match &self.question {
            Question::MedianDeviation => return Ok(Output::metric(median_deviation(&values))),
            Question::Percentiles(percents) => {
                percents.iter().map(|p| (*p, quantile(&values, p / 100.0))).collect()
            }
            Question::Ranks(wanted) => wanted.iter().map(|v| (*v, rank(&values, *v))).collect(),
        };
        let values = if self.keyed {
            let mut map = Map::new();
            for (key, value) in pairs {
                map.insert(double_text(key), number(value));
                let text = self.source.print.entry(value);
                map.extend(text.map(|text| (format!("{}_as_string", double_text(key)), text)));
            }
            Value::Object(map)
        } else {
            pairs.into_iter().map(|(key, value)| json!({"key": key, "value": number(value)})).collect()
        };
        Ok(Output::Metric(Map::from_iter([("values".to_owned(), values)])))
    }

    fn order_value(&self, owner: u32, path: &[&str]) -> Option<f64> {
        let values = self.sorted(owner);
        match (&self.question, path) {
            (Question::MedianDeviation, []) => Some(median_deviation(&values).unwrap_or(f64::NAN)),
            (Question::Percentiles(_), [percent]) => {
                Some(quantile(&values, percent.parse::<f64>().ok()? / 100.0))
            }
            (Question::Ranks(_), [value]) => Some(rank(&values, value.parse().ok()?)),
            _ => None,
        }
    }
}

/// The value at a share of the way through the sorted values, between two neighbours in proportion.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    if low == high { low } else { low + (high - low) * place.fract() }
}

fn rank(sorted: &[f64], value: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    100.0 * sorted.partition_point(|v| *v <= value) as f64 / sorted.len() as f64
}

fn median_deviation(sorted: &[f64]) -> Option<f64> {
    if sorted.is_empty() {
        return None;
    }
    let median = quantile(sorted, 0.5);
    let mut deviations: Vec<f64> = sorted.iter().map(|value| (value - median).abs()).collect();
    deviations.sort_unstable_by(f64::total_cmp);
    Some(quantile(&deviations, 0.5))
}

/// `cardinality`: how many different values.
#[derive(Debug)]
pub(super) struct CardinalityAggregator {
    pub(super) source: Source,
    pub(super) owners: Vec<AHashSet<u64>>,
}

impl Aggregator for CardinalityAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        let sets = &mut self.owners;
        match self.source.column(input.batch).map(|column| (column, column.values())) {
            Some((column, Values::Term(values))) => {
                let missing = self.source.missing.map(|term| term as u64);
                for (row, owner) in rows.iter().zip(owners) {
                    let (set, range) = (slot(sets, *owner), column.range(*row));
                    if range.is_empty() {
                        set.extend(missing);
                    }
                    set.extend(values[range].iter().map(|term| u64::from(*term)));
                }
            }
            Some((column, Values::Int(values))) if self.source.missing.is_none() => {
                for (row, owner) in rows.iter().zip(owners) {
                    slot(sets, *owner)
                        .extend(values[column.range(*row)].iter().map(|value| value.cast_unsigned()));
                }
            }
            Some((column, Values::Geo(values))) => {
                for (row, owner) in rows.iter().zip(owners) {
                    let points = values[column.range(*row)].iter();
                    slot(sets, *owner)
                        .extend(points.map(|(lat, lon)| lat.to_bits().rotate_left(7) ^ lon.to_bits()));
                }
            }
            _ => self.source.numbers(input.batch, rows, |place, value| {
                // Both zeros are one value.
                slot(sets, owners[place]).insert((value + 0.0).to_bits());
            }),
        }
        Ok(())
    }

    fn output(&mut self, owner: u32, _: &mut Finish<'_>) -> Result<Output> {
        let count = self.owners.get(owner as usize).map_or(0, |set| set.len());
        Ok(Output::Metric(Map::from_iter([("value".to_owned(), json!(count))])))
    }

    fn order_value(&self, owner: u32, path: &[&str]) -> Option<f64> {
        matches!(path, [] | ["value"])
            .then(|| self.owners.get(owner as usize).map_or(0, |set| set.len()) as f64)
    }
}
