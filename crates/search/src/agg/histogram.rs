//! `date_histogram` and `histogram`.

use dates::Rounding;
use serde_json::{Map, Value, json};

use super::batch::Values;
use super::node::{Aggregator, Cells, Children, Finish, NOBODY, Rows};
use super::order::Order;
use super::output::{Bucket, Output, double_text, number};
use super::source::Source;
use crate::error::Result;

/// How values become keys. Keys are whole numbers: times, or multiples of the interval.
#[derive(Debug)]
pub(super) enum Grid {
    Date(Rounding),
    Number { interval: f64, offset: f64 },
}

impl Grid {
    fn key(&mut self, value: f64) -> i64 {
        match self {
            Self::Date(rounding) => rounding.round(value as i64),
            Self::Number { interval, offset } => ((value - *offset) / *interval).floor() as i64,
        }
    }

    fn next(&self, key: i64) -> i64 {
        match self {
            Self::Date(rounding) => rounding.next(key),
            Self::Number { .. } => key.saturating_add(1),
        }
    }

    fn value(&self, key: i64) -> f64 {
        match self {
            Self::Date(_) => key as f64,
            Self::Number { interval, offset } => key as f64 * interval + offset,
        }
    }
}

/// Counts the documents of each interval.
#[derive(Debug)]
pub(super) struct HistogramAggregator {
    pub(super) source: Source,
    pub(super) grid: Grid,
    pub(super) keyed: bool,
    pub(super) min_doc_count: u64,
    pub(super) order: Vec<Order>,
    /// Empty buckets reach at least from here to there.
    pub(super) extended: Option<(f64, f64)>,
    /// No buckets outside.
    pub(super) hard: Option<(f64, f64)>,
    pub(super) children: Children,
    pub(super) cells: Cells<i64>,
}

impl HistogramAggregator {
    fn inside(&self, value: f64) -> bool {
        self.hard.is_none_or(|(min, max)| value >= min && value <= max)
    }

    /// Keys and cells in order, empty ones between them included when they are wanted.
    fn rows(&mut self, owner: u32, finish: &mut Finish<'_>) -> Result<Vec<(i64, Option<u32>, u64)>> {
        let mut found: Vec<(i64, Option<u32>, u64)> = self
            .cells
            .of(owner)
            .into_iter()
            .map(|bucket| {
                (self.cells.cells[bucket as usize].1, Some(bucket), self.cells.cells[bucket as usize].2)
            })
            .collect();
        found.sort_unstable_by_key(|(key, ..)| *key);
        if self.min_doc_count > 0 {
            found.retain(|(.., count)| *count >= self.min_doc_count);
            finish.count(found.len())?;
            return Ok(found);
        }
        let bounds = self.extended.map(|(min, max)| (self.grid.key(min), self.grid.key(max)));
        let ends = found.first().zip(found.last()).map(|(first, last)| (first.0, last.0));
        let (first, last) = match (ends, bounds) {
            (None, None) => return Ok(found),
            (Some((first, last)), Some((min, max))) => (first.min(min), last.max(max)),
            (Some(both), None) | (None, Some(both)) => both,
        };
        let mut filled = Vec::with_capacity(found.len());
        let mut present = found.into_iter().peekable();
        let mut key = first;
        while key <= last {
            finish.count(1)?;
            filled.push(present.next_if(|(own, ..)| *own == key).unwrap_or((key, None, 0)));
            let next = self.grid.next(key);
            if next <= key {
                break;
            }
            key = next;
        }
        Ok(filled)
    }

    fn head(&self, key: i64) -> (String, Map<String, Value>) {
        let value = self.grid.value(key);
        let mut head = Map::new();
        let text = self.source.print.text(value);
        let name = text.clone().unwrap_or_else(|| double_text(value));
        if let Some(text) = text {
            head.insert("key_as_string".to_owned(), json!(text));
        }
        let key = if matches!(self.grid, Grid::Date(_)) { json!(key) } else { number(value) };
        head.insert("key".to_owned(), key);
        (name, head)
    }
}

impl Aggregator for HistogramAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        let mut kept = Vec::with_capacity(rows.len());
        let mut buckets = Vec::with_capacity(rows.len());
        // Times beyond 2^53 do not survive as floating-point numbers, so whole numbers take their own way.
        match (&mut self.grid, self.source.column(input.batch).map(|c| (c, c.values()))) {
            (Grid::Date(rounding), Some((column, Values::Int(values)))) => {
                let missing = self.source.missing.map(|value| [value as i64]);
                for (row, owner) in rows.iter().zip(owners) {
                    let own = &values[column.range(*row)];
                    let own = if own.is_empty() { missing.as_ref().map_or(own, |one| one) } else { own };
                    let mut last = None;
                    for value in own {
                        if self.hard.is_some_and(|(min, max)| (*value as f64) < min || *value as f64 > max) {
                            continue;
                        }
                        let key = rounding.round(*value);
                        if last != Some(key) {
                            buckets.push(self.cells.add(*owner, key)?);
                            kept.push(*row);
                            last = Some(key);
                        }
                    }
                }
            }
            _ => {
                let mut pairs: Vec<(usize, f64)> = Vec::with_capacity(rows.len());
                self.source.numbers(input.batch, rows, |place, value| pairs.push((place, value)));
                let mut last = None;
                for (place, value) in pairs {
                    let key = self.grid.key(value);
                    if last != Some((place, key)) && self.inside(value) {
                        buckets.push(self.cells.add(owners[place], key)?);
                        kept.push(rows[place]);
                        last = Some((place, key));
                    }
                }
            }
        }
        self.children.collect(input, &kept, &buckets)
    }

    fn output(&mut self, owner: u32, finish: &mut Finish<'_>) -> Result<Output> {
        let mut rows = self.rows(owner, finish)?;
        if !self.order.is_empty() {
            rows.sort_by(|a, b| {
                let bucket = |row: &(i64, Option<u32>, u64)| (row.1.unwrap_or(NOBODY), row.2);
                Order::compare(&self.order, &self.children, bucket(a), bucket(b), || a.0.cmp(&b.0))
            });
        }
        let mut buckets = Vec::with_capacity(rows.len());
        for (key, bucket, count) in rows {
            let (name, head) = self.head(key);
            let subs = self.children.outputs(bucket.unwrap_or(NOBODY), finish)?;
            buckets.push(Bucket { name, head, count, extra: Map::new(), subs });
        }
        self.children.finish_buckets(&mut buckets)?;
        Ok(Output::Multi { head: Map::new(), buckets, keyed: self.keyed, tail: Map::new() })
    }
}
