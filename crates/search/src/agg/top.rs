//! `top_hits`, `top_metrics`, `geo_bounds`, `geo_centroid`.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::batch::{Dictionary, DocAddress, Values};
use super::node::{Aggregator, Finish, Hit, Rows, slot};
use super::output::{Output, number};
use super::source::{Print, Source};
use crate::error::Result;

/// One rule of a sort.
#[derive(Debug)]
pub(super) struct SortBy {
    /// `None` for `_score` and `_doc`: the order of the documents.
    pub(super) source: Option<Source>,
    pub(super) descending: bool,
    pub(super) missing_first: bool,
}

/// A value to sort by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
    Missing,
    Int(i64),
    Double(f64),
    Term(u32),
}

impl SortBy {
    /// The smallest value of a row, or the largest where they descend.
    fn key(&self, input: &Rows<'_>, row: u32) -> Key {
        let Some(column) = self.source.as_ref().and_then(|source| source.column(input.batch)) else {
            return Key::Missing;
        };
        let range = column.range(row);
        if range.is_empty() {
            return Key::Missing;
        }
        let at = if self.descending { range.end - 1 } else { range.start };
        match column.values() {
            Values::Int(values) => Key::Int(values[at]),
            Values::Double(values) => Key::Double(values[at]),
            Values::Term(values) => Key::Term(values[at]),
            Values::Geo(_) => Key::Missing,
        }
    }

    fn compare(&self, a: Key, b: Key, dictionary: &Dictionary) -> Ordering {
        let missing = if self.missing_first { Ordering::Less } else { Ordering::Greater };
        let ordering = match (a, b) {
            (Key::Missing, Key::Missing) => return Ordering::Equal,
            (Key::Missing, _) => return missing,
            (_, Key::Missing) => return missing.reverse(),
            (Key::Int(x), Key::Int(y)) => x.cmp(&y),
            (Key::Double(x), Key::Double(y)) => x.total_cmp(&y),
            (Key::Term(x), Key::Term(y)) => dictionary.term(x).cmp(dictionary.term(y)),
            _ => Ordering::Equal,
        };
        if self.descending { ordering.reverse() } else { ordering }
    }

    fn value(key: Key, dictionary: &Dictionary) -> Value {
        match key {
            Key::Missing => Value::Null,
            Key::Int(value) => json!(value),
            Key::Double(value) => number(value),
            Key::Term(term) => json!(dictionary.term(term)),
        }
    }
}

/// A kept document.
#[derive(Clone, Debug)]
struct Kept {
    keys: Vec<Key>,
    address: DocAddress,
    metrics: Vec<Value>,
}

/// The first documents of each bucket.
#[derive(Debug, Default)]
pub(super) struct Best {
    total: u64,
    kept: Vec<Kept>,
}

/// `top_hits` and `top_metrics`.
#[derive(Debug)]
pub(super) struct TopAggregator {
    pub(super) sort: Vec<SortBy>,
    pub(super) from: usize,
    pub(super) size: usize,
    /// The body of a `top_hits`.
    pub(super) body: Value,
    /// The metrics of a `top_metrics`; `None` for a `top_hits`.
    pub(super) metrics: Option<Vec<(String, Source)>>,
    /// The scopes on the way from a row to its document.
    pub(super) outwards: Vec<usize>,
    pub(super) owners: Vec<Best>,
}

impl TopAggregator {
    fn compare(&self, a: &Kept, b: &Kept, dictionary: &Dictionary) -> Ordering {
        self.sort
            .iter()
            .zip(a.keys.iter().zip(&b.keys))
            .map(|(sort, (x, y))| sort.compare(*x, *y, dictionary))
            .find(|ordering| *ordering != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
            .then(a.address.cmp(&b.address))
    }
}

impl Aggregator for TopAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        let most = self.from + self.size;
        for (row, owner) in rows.iter().zip(owners) {
            let document = self
                .outwards
                .iter()
                .fold(*row, |row, scope| input.batch.scopes[*scope].parents[row as usize]);
            let address = input.batch.scopes[0].documents[document as usize];
            let keys = self.sort.iter().map(|sort| sort.key(input, *row)).collect();
            let mut candidate = Kept { keys, address, metrics: Vec::new() };
            let mut best = std::mem::take(slot(&mut self.owners, *owner));
            best.total += 1;
            let place = best.kept.partition_point(|kept| {
                self.compare(kept, &candidate, input.dictionary) != Ordering::Greater
            });
            if place < most {
                if let Some(metrics) = &self.metrics {
                    candidate.metrics =
                        metrics.iter().map(|(_, source)| metric(source, input, *row)).collect();
                }
                best.kept.insert(place, candidate);
                best.kept.truncate(most);
            }
            *slot(&mut self.owners, *owner) = best;
        }
        Ok(())
    }

    fn output(&mut self, owner: u32, finish: &mut Finish<'_>) -> Result<Output> {
        let empty = Best::default();
        let best = self.owners.get(owner as usize).unwrap_or(&empty);
        let values = |kept: &Kept| -> Vec<Value> {
            kept.keys.iter().map(|key| SortBy::value(*key, finish.dictionary)).collect()
        };
        if let Some(metrics) = &self.metrics {
            let top: Vec<Value> = best
                .kept
                .iter()
                .map(|kept| {
                    let values_of: Map<String, Value> = metrics
                        .iter()
                        .map(|(name, _)| name.clone())
                        .zip(kept.metrics.iter().cloned())
                        .collect();
                    json!({"sort": values(kept), "metrics": values_of})
                })
                .collect();
            return Ok(Output::Metric(Map::from_iter([("top".to_owned(), Value::Array(top))])));
        }
        let by_score = self.sort.is_empty();
        let hits: Vec<Hit> = best
            .kept
            .iter()
            .skip(self.from)
            .map(|kept| Hit { address: kept.address, sort: if by_score { Vec::new() } else { values(kept) } })
            .collect();
        let max_score = if by_score && !hits.is_empty() { json!(1.0) } else { Value::Null };
        let loaded = finish.hits.load(&self.body, &hits)?;
        let hits =
            json!({"total": {"value": best.total, "relation": "eq"}, "max_score": max_score, "hits": loaded});
        Ok(Output::Metric(Map::from_iter([("hits".to_owned(), hits)])))
    }

    /// A `top_metrics` is ordered by the metric of its first document.
    fn order_value(&self, owner: u32, path: &[&str]) -> Option<f64> {
        let metrics = self.metrics.as_ref()?;
        let place = match path {
            [] if metrics.len() == 1 => 0,
            [name] => metrics.iter().position(|(own, _)| own == name)?,
            _ => return None,
        };
        let first = self.owners.get(owner as usize).and_then(|best| best.kept.first());
        Some(first.and_then(|kept| kept.metrics[place].as_f64()).unwrap_or(f64::NAN))
    }
}

/// The first value of a row, as a `top_metrics` shows it.
fn metric(source: &Source, input: &Rows<'_>, row: u32) -> Value {
    let Some(column) = source.column(input.batch) else { return Value::Null };
    let Some(at) = column.range(row).next() else { return Value::Null };
    match column.values() {
        Values::Int(values) => match &source.print {
            print @ Print::Date(..) => print.entry(values[at] as f64).unwrap_or(Value::Null),
            Print::Boolean => json!(values[at] != 0),
            Print::Plain => json!(values[at]),
        },
        Values::Double(values) => number(values[at]),
        Values::Term(values) => json!(input.dictionary.term(values[at])),
        Values::Geo(values) => json!({"lat": values[at].0, "lon": values[at].1}),
    }
}

/// The box and the centre of the points of each bucket.
#[derive(Debug)]
pub(super) struct GeoAggregator {
    pub(super) source: Source,
    /// The centre, or the box?
    pub(super) centroid: bool,
    /// May the box cross the date line, where it is narrower so?
    pub(super) wrap_longitude: bool,
    pub(super) owners: Vec<Points>,
}

/// Points summed up, in degrees.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Points {
    count: u64,
    sum: (f64, f64),
    /// Top and bottom.
    latitudes: Option<(f64, f64)>,
    /// Left and right of the points west of Greenwich, and of those east of it.
    west: Option<(f64, f64)>,
    east: Option<(f64, f64)>,
}

fn widen(range: &mut Option<(f64, f64)>, value: f64) {
    let (low, high) = range.unwrap_or((value, value));
    *range = Some((low.min(value), high.max(value)));
}

impl Points {
    fn push(&mut self, lat: f64, lon: f64) {
        widen(&mut self.latitudes, lat);
        widen(if lon < 0.0 { &mut self.west } else { &mut self.east }, lon);
        self.count += 1;
        self.sum = (self.sum.0 + lat, self.sum.1 + lon);
    }

    /// Left and right side of the box; the left one lies east of the right one when it crosses the date line.
    fn longitudes(&self, wrap: bool) -> Option<(f64, f64)> {
        let (Some((west, west_end)), Some((east, east_end))) = (self.west, self.east) else {
            return self.west.or(self.east);
        };
        let (width, wrapped) = (east_end - west, 360.0 - east + west_end);
        Some(if wrap && wrapped < width { (east, west_end) } else { (west, east_end) })
    }
}

impl Aggregator for GeoAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        let Some(column) = self.source.column(input.batch) else { return Ok(()) };
        let Values::Geo(values) = column.values() else { return Ok(()) };
        for (row, owner) in rows.iter().zip(owners) {
            for (lat, lon) in &values[column.range(*row)] {
                slot(&mut self.owners, *owner).push(*lat, *lon);
            }
        }
        Ok(())
    }

    fn output(&mut self, owner: u32, _: &mut Finish<'_>) -> Result<Output> {
        let points = self.owners.get(owner as usize).copied().unwrap_or_default();
        let n = points.count as f64;
        let (bottom, top) = points.latitudes.unwrap_or_default();
        let (left, right) = points.longitudes(self.wrap_longitude).unwrap_or_default();
        let body = match (self.centroid, points.count) {
            (true, 0) => json!({"count": 0}),
            (true, count) => {
                json!({"location": {"lat": points.sum.0 / n, "lon": points.sum.1 / n}, "count": count})
            }
            (false, 0) => json!({}),
            (false, _) => json!({"bounds": {
                "top_left": {"lat": top, "lon": left}, "bottom_right": {"lat": bottom, "lon": right}}}),
        };
        Ok(Output::Metric(body.as_object().cloned().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::Points;

    #[test]
    fn boxes_cross_the_date_line_where_that_is_narrower() {
        let mut points = Points::default();
        assert_eq!(points.longitudes(true), None);
        points.push(1.0, 170.0);
        points.push(-1.0, 160.0);
        assert_eq!(points.longitudes(true), Some((160.0, 170.0)));
        points.push(0.0, -175.0);
        assert_eq!(points.longitudes(true), Some((160.0, -175.0)));
        assert_eq!(points.longitudes(false), Some((-175.0, 170.0)));
        points.push(0.0, 0.0);
        assert_eq!(points.longitudes(true), Some((0.0, -175.0)));
        assert_eq!(points.latitudes, Some((-1.0, 1.0)));
    }
}
