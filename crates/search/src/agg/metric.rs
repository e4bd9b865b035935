//! `min`, `max`, `avg`, `sum`, `value_count`, `stats`, `extended_stats`, `weighted_avg`.

use serde_json::{Map, Value, json};

use super::node::{Aggregator, Finish, Rows, slot};
use super::output::{Output, number};
use super::source::Source;
use crate::error::Result;

/// Which of the moments are answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    Min,
    Max,
    Avg,
    Sum,
    Count,
    Stats,
    /// With the width of the bounds in standard deviations.
    Extended(f64),
}

/// Sums of one owner. Sums are compensated (Kahan), so that the order of rows hardly matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub(super) count: u64,
    pub(super) sum: f64,
    lost: f64,
    squares: f64,
    squares_lost: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            count: 0,
            sum: 0.0,
            lost: 0.0,
            squares: 0.0,
            squares_lost: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Moments {
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1;
        kahan(&mut self.sum, &mut self.lost, value);
        kahan(&mut self.squares, &mut self.squares_lost, value * value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    fn avg(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// Population and sampling variance; never negative, whatever rounding did.
    fn variances(&self) -> (f64, f64) {
        let n = self.count as f64;
        let deviations = (self.squares - self.sum * self.sum / n).max(0.0);
        (deviations / n, if self.count > 1 { deviations / (n - 1.0) } else { f64::NAN })
    }

    /// A number by the name it has in answers; not a number for an empty mean, infinite for an empty minimum.
    fn property(&self, name: &str, sigma: f64) -> Option<f64> {
        let (population, sampling) = self.variances();
        let avg = self.avg();
        Some(match name {
            "count" => self.count as f64,
            "min" => self.min,
            "max" => self.max,
            "avg" => avg,
            "sum" => self.sum,
            "sum_of_squares" => self.squares,
            "variance" | "variance_population" => population,
            "variance_sampling" => sampling,
            "std_deviation" | "std_deviation_population" => population.sqrt(),
            "std_deviation_sampling" => sampling.sqrt(),
            "std_upper" => avg + sigma * population.sqrt(),
            "std_lower" => avg - sigma * population.sqrt(),
            _ => return None,
        })
    }

    /// The JSON of `stats`.
    pub(super) fn stats(&self) -> Map<String, Value> {
        let some = |value: f64| if self.count == 0 { Value::Null } else { number(value) };
        let mut map = Map::new();
        map.insert("count".to_owned(), json!(self.count));
        map.insert("min".to_owned(), some(self.min));
        map.insert("max".to_owned(), some(self.max));
        map.insert("avg".to_owned(), some(self.avg()));
        map.insert("sum".to_owned(), number(self.sum));
        map
    }

    fn extended(&self, sigma: f64) -> Map<String, Value> {
        let mut map = self.stats();
        // One value alone has no sampling variance; Elasticsearch says so in a word.
        let some = |value: f64| match (self.count, value.is_nan()) {
            (0, _) => Value::Null,
            (_, true) => json!("NaN"),
            _ => number(value),
        };
        for name in [
            "sum_of_squares",
            "variance",
            "variance_population",
            "variance_sampling",
            "std_deviation",
            "std_deviation_population",
            "std_deviation_sampling",
        ] {
            map.insert(name.to_owned(), some(self.property(name, sigma).unwrap_or(f64::NAN)));
        }
        let (population, sampling) = self.variances();
        let upper = |deviation: f64| some(self.avg() + sigma * deviation);
        let lower = |deviation: f64| some(self.avg() - sigma * deviation);
        let (population, sampling) = (population.sqrt(), sampling.sqrt());
        map.insert(
            "std_deviation_bounds".to_owned(),
            json!({
                "upper": upper(population), "lower": lower(population),
                "upper_population": upper(population), "lower_population": lower(population),
                "upper_sampling": upper(sampling), "lower_sampling": lower(sampling),
            }),
        );
        map
    }
}

#[inline]
fn kahan(sum: &mut f64, lost: &mut f64, value: f64) {
    let corrected = value - *lost;
    let updated = *sum + corrected;
    *lost = if updated.is_finite() { (updated - *sum) - corrected } else { 0.0 };
    *sum = updated;
}

/// The moments of each owner's values.
#[derive(Debug)]
pub(super) struct MomentsAggregator {
    pub(super) source: Source,
    pub(super) shape: Shape,
    pub(super) owners: Vec<Moments>,
}

impl MomentsAggregator {
    fn of(&self, owner: u32) -> Moments {
        self.owners.get(owner as usize).copied().unwrap_or_default()
    }
}

impl Aggregator for MomentsAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        let moments = &mut self.owners;
        self.source.numbers(input.batch, rows, |place, value| slot(moments, owners[place]).add(value));
        Ok(())
    }

    fn output(&mut self, owner: u32, _: &mut Finish<'_>) -> Result<Output> {
        let moments = self.of(owner);
        let print = &self.source.print;
        let value = match self.shape {
            Shape::Count => {
                return Ok(Output::Metric(Map::from_iter([("value".to_owned(), json!(moments.count))])));
            }
            Shape::Stats | Shape::Extended(_) => {
                let mut map = match self.shape {
                    Shape::Extended(sigma) => moments.extended(sigma),
                    _ => moments.stats(),
                };
                if moments.count > 0 {
                    for name in ["min", "max", "avg", "sum"] {
                        let value = moments.property(name, 0.0).unwrap_or(f64::NAN);
                        map.extend(print.entry(value).map(|text| (format!("{name}_as_string"), text)));
                    }
                }
                return Ok(Output::Metric(map));
            }
            Shape::Sum => Some(moments.sum),
            _ if moments.count == 0 => None,
            Shape::Min => Some(moments.min),
            Shape::Max => Some(moments.max),
            Shape::Avg => Some(moments.avg()),
        };
        let mut map = Map::from_iter([("value".to_owned(), value.map_or(Value::Null, number))]);
        if self.shape != Shape::Sum || moments.count > 0 {
            map.extend(value.and_then(|v| print.entry(v)).map(|text| ("value_as_string".to_owned(), text)));
        }
        Ok(Output::Metric(map))
    }

    fn order_value(&self, owner: u32, path: &[&str]) -> Option<f64> {
        let moments = self.of(owner);
        match (self.shape, path) {
            (Shape::Stats | Shape::Extended(_), [name]) => {
                let sigma = if let Shape::Extended(sigma) = self.shape { sigma } else { 0.0 };
                moments.property(name, sigma)
            }
            (Shape::Stats | Shape::Extended(_), _) => None,
            (_, [] | ["value"]) => match self.shape {
                Shape::Min => Some(moments.min),
                Shape::Max => Some(moments.max),
                Shape::Avg => Some(moments.avg()),
                Shape::Sum => Some(moments.sum),
                _ => Some(moments.count as f64),
            },
            _ => None,
        }
    }
}

/// `weighted_avg`: Σ value·weight / Σ weight, over rows that have one weight.
#[derive(Debug)]
pub(super) struct WeightedAggregator {
    pub(super) value: Source,
    pub(super) weight: Source,
    /// Σ value·weight, Σ weight.
    pub(super) owners: Vec<(f64, f64)>,
}

impl Aggregator for WeightedAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        let mut weights: Vec<Option<f64>> = vec![None; rows.len()];
        self.weight.numbers(input.batch, rows, |place, weight| weights[place] = Some(weight));
        let sums = &mut self.owners;
        self.value.numbers(input.batch, rows, |place, value| {
            if let Some(weight) = weights[place] {
                let sum = slot(sums, owners[place]);
                sum.0 += value * weight;
                sum.1 += weight;
            }
        });
        Ok(())
    }

    fn output(&mut self, owner: u32, _: &mut Finish<'_>) -> Result<Output> {
        Ok(Output::metric(self.order_value(owner, &[]).filter(|value| value.is_finite())))
    }

    fn order_value(&self, owner: u32, _: &[&str]) -> Option<f64> {
        let (sum, weight) = self.owners.get(owner as usize).copied().unwrap_or_default();
        Some(sum / weight)
    }
}
