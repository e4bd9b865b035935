//! `filter`, `filters`, `missing`, `global`, `sampler`, `nested`, `reverse_nested`, `range`, `date_range`.

use serde_json::{Map, Value, json};

use super::node::{Aggregator, Children, Counts, Finish, MAX_CELLS, Rows};
use super::output::{Bucket, Output, double_text, number};
use super::source::Source;
use crate::error::{Error, Result};

/// Which rows one bucket takes.
#[derive(Debug)]
pub(super) enum Gate {
    /// All: `global`, `sampler`.
    All,
    /// Those of a mask of the scope.
    Mask { scope: usize, mask: usize },
    /// Those without a value.
    Missing(Source),
    /// The nested objects of each row.
    Nested { scope: usize },
    /// The object or document around each nested object, in each of the scopes on the way out.
    Reverse { scopes: Vec<usize> },
    /// Nothing: the path is not mapped.
    Never,
}

/// One bucket.
#[derive(Debug)]
pub(super) struct SingleAggregator {
    pub(super) gate: Gate,
    pub(super) children: Children,
    pub(super) counts: Counts,
}

impl SingleAggregator {
    fn select(&self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let keep = |test: &dyn Fn(u32) -> bool| {
            rows.iter().zip(owners).filter(|(row, _)| test(**row)).map(|(row, owner)| (*row, *owner)).unzip()
        };
        match &self.gate {
            Gate::All => (rows.to_vec(), owners.to_vec()),
            Gate::Never => (Vec::new(), Vec::new()),
            Gate::Mask { scope, mask } => {
                let mask = &input.batch.scopes[*scope].masks[*mask];
                keep(&|row| mask[row as usize])
            }
            Gate::Missing(source) => match source.column(input.batch) {
                None => (rows.to_vec(), owners.to_vec()),
                Some(column) => keep(&|row| column.range(row).is_empty()),
            },
            Gate::Nested { scope } => {
                let parents = &input.batch.scopes[*scope].parents;
                let mut found = (Vec::new(), Vec::new());
                for (row, owner) in rows.iter().zip(owners) {
                    let first = parents.partition_point(|parent| parent < row);
                    let count = parents[first..].iter().take_while(|parent| *parent == row).count();
                    found.0.extend(first as u32..(first + count) as u32);
                    found.1.extend(std::iter::repeat_n(*owner, count));
                }
                found
            }
            Gate::Reverse { scopes } => {
                let outer = |row: u32| {
                    scopes.iter().fold(row, |row, scope| input.batch.scopes[*scope].parents[row as usize])
                };
                let mut pairs: Vec<(u32, u32)> =
                    rows.iter().zip(owners).map(|(row, owner)| (outer(*row), *owner)).collect();
                pairs.sort_unstable();
                pairs.dedup();
                pairs.into_iter().unzip()
            }
        }
    }
}

impl Aggregator for SingleAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        let (rows, owners) = self.select(input, rows, owners);
        owners.iter().for_each(|owner| self.counts.add(*owner));
        self.children.collect(input, &rows, &owners)
    }

    fn output(&mut self, owner: u32, finish: &mut Finish<'_>) -> Result<Output> {
        self.children.single(owner, self.counts.get(owner), finish)
    }

    fn order_value(&self, owner: u32, path: &[&str]) -> Option<f64> {
        match path {
            [] | ["_count" | "doc_count"] => Some(self.counts.get(owner) as f64),
            path => self.children.order_value(owner, path),
        }
    }
}

/// Which rows each of several buckets takes.
#[derive(Debug)]
pub(super) enum Gates {
    /// A mask of the scope for each; the last bucket may be for the rows of none.
    Masks { scope: usize, masks: Vec<usize>, other: bool },
    /// From (inside) to (outside).
    Ranges(Source, Vec<(f64, f64)>),
}

/// A fixed number of buckets.
#[derive(Debug)]
pub(super) struct FixedAggregator {
    pub(super) gates: Gates,
    /// Name and head of each bucket.
    pub(super) heads: Vec<(String, Map<String, Value>)>,
    pub(super) keyed: bool,
    pub(super) children: Children,
    pub(super) counts: Counts,
}

impl Aggregator for FixedAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        let width = self.heads.len() as u32;
        let cells = owners.iter().max().map_or(0, |owner| (*owner as usize + 1) * self.heads.len());
        if cells > MAX_CELLS {
            return Err(Error::CircuitBreaking(format!(
                "[request] Data too large: an aggregation would hold more than [{MAX_CELLS}] buckets"
            )));
        }
        let mut kept = Vec::new();
        let mut buckets = Vec::new();
        match &self.gates {
            Gates::Masks { scope, masks, other } => {
                for (row, owner) in rows.iter().zip(owners) {
                    let before = kept.len();
                    for (place, mask) in masks.iter().enumerate() {
                        if input.batch.scopes[*scope].masks[*mask][*row as usize] {
                            kept.push(*row);
                            buckets.push(owner * width + place as u32);
                        }
                    }
                    if *other && kept.len() == before {
                        kept.push(*row);
                        buckets.push(owner * width + width - 1);
                    }
                }
            }
            Gates::Ranges(source, ranges) => {
                let mut last = usize::MAX;
                let mut seen: Vec<u32> = Vec::new();
                source.numbers(input.batch, rows, |place, value| {
                    if place != last {
                        seen.clear();
                        last = place;
                    }
                    for (number, (from, to)) in ranges.iter().enumerate() {
                        let number = number as u32;
                        // A document counts once in a range, however many of its values lie there.
                        if value >= *from && value < *to && !seen.contains(&number) {
                            seen.push(number);
                            kept.push(rows[place]);
                            buckets.push(owners[place] * width + number);
                        }
                    }
                });
            }
        }
        buckets.iter().for_each(|bucket| self.counts.add(*bucket));
        self.children.collect(input, &kept, &buckets)
    }

    fn output(&mut self, owner: u32, finish: &mut Finish<'_>) -> Result<Output> {
        let width = self.heads.len() as u32;
        finish.count(self.heads.len())?;
        let mut buckets = Vec::with_capacity(self.heads.len());
        for (place, (name, head)) in self.heads.clone().into_iter().enumerate() {
            let bucket = owner.saturating_mul(width).saturating_add(place as u32);
            let (count, subs) = (self.counts.get(bucket), self.children.outputs(bucket, finish)?);
            buckets.push(Bucket { name, head, count, extra: Map::new(), subs });
        }
        self.children.finish_buckets(&mut buckets)?;
        Ok(Output::Multi { head: Map::new(), buckets, keyed: self.keyed, tail: Map::new() })
    }
}

/// Name and head of a range's bucket: `*-50.0`.
pub(super) fn range_head(
    key: Option<String>,
    (from, to): (f64, f64),
    source: &Source,
    keyed: bool,
) -> (String, Map<String, Value>) {
    let text = |bound: f64| match source.print.text(bound) {
        _ if bound.is_infinite() => "*".to_owned(),
        Some(text) => text,
        None => double_text(bound),
    };
    let name = key.unwrap_or_else(|| format!("{}-{}", text(from), text(to)));
    let mut head = Map::new();
    if !keyed {
        head.insert("key".to_owned(), json!(name));
    }
    for (label, bound) in [("from", from), ("to", to)] {
        if bound.is_finite() {
            head.insert(label.to_owned(), number(bound));
            head.extend(source.print.entry(bound).map(|text| (format!("{label}_as_string"), text)));
        }
    }
    (name, head)
}
