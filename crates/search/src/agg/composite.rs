//! `composite`: every combination of keys, page by page.

use std::cmp::Ordering;

use dates::Rounding;
use serde_json::{Map, Value, json};

use super::batch::{ColumnKind, Dictionary, Values};
use super::node::{Aggregator, Children, Finish, Rows};
use super::output::{Bucket, Output, number};
use super::source::{Print, Source};
use crate::error::{Error, Result};

/// More combinations are refused, to keep memory bounded.
const MAX_COMBINATIONS: usize = 10_000_000;

/// One part of the key.
#[derive(Debug)]
pub(super) struct KeySource {
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) kind: ColumnKind,
    pub(super) grid: KeyGrid,
    pub(super) descending: bool,
    pub(super) missing_bucket: bool,
    /// Do rows without a value come first? `None`: as the smallest value.
    pub(super) missing_first: Option<bool>,
    /// Are dates printed in a format of their own?
    pub(super) formatted: bool,
}

/// How values become parts of keys.
#[derive(Debug)]
pub(super) enum KeyGrid {
    Terms,
    Date(Rounding),
    Number(f64),
}

/// A part of a key: nothing, or bits as [`ColumnKind`] has them.
type Part = Option<u64>;

/// Counts the documents of each combination.
#[derive(Debug)]
pub(super) struct CompositeAggregator {
    pub(super) sources: Vec<KeySource>,
    pub(super) size: usize,
    /// Only combinations behind this one are answered.
    pub(super) after: Option<Vec<Value>>,
    pub(super) children: Children,
    pub(super) numbers: ahash::AHashMap<Box<[Part]>, u32>,
    pub(super) cells: Vec<(Box<[Part]>, u64)>,
}

impl KeySource {
    fn parts(&mut self, input: &Rows<'_>, row: u32, parts: &mut Vec<Part>) {
        parts.clear();
        if let Some(column) = self.source.column(input.batch) {
            let range = column.range(row);
            match (&mut self.grid, column.values()) {
                (KeyGrid::Date(rounding), Values::Int(values)) => {
                    parts.extend(values[range].iter().map(|v| Some(rounding.round(*v).cast_unsigned())));
                }
                (KeyGrid::Number(interval), Values::Int(values)) => {
                    let key = |v: f64| ((v / *interval).floor() * *interval).to_bits();
                    parts.extend(values[range].iter().map(|v| Some(key(*v as f64))));
                }
                (KeyGrid::Number(interval), Values::Double(values)) => {
                    let key = |v: f64| ((v / *interval).floor() * *interval + 0.0).to_bits();
                    parts.extend(values[range].iter().map(|v| Some(key(*v))));
                }
                (KeyGrid::Terms, Values::Int(values)) => {
                    parts.extend(values[range].iter().map(|v| Some(v.cast_unsigned())));
                }
                (KeyGrid::Terms, Values::Double(values)) => {
                    parts.extend(values[range].iter().map(|v| Some((v + 0.0).to_bits())));
                }
                (_, Values::Term(values)) => parts.extend(values[range].iter().map(|v| Some(u64::from(*v)))),
                _ => {}
            }
            parts.dedup();
        }
        if parts.is_empty() && self.missing_bucket {
            parts.push(None);
        }
    }

    fn is_double(&self) -> bool {
        matches!(self.grid, KeyGrid::Number(_)) || self.kind == ColumnKind::Double
    }

    fn value(&self, part: Part, dictionary: &Dictionary) -> Value {
        match part {
            None => Value::Null,
            Some(bits) if self.kind == ColumnKind::Term => json!(dictionary.term(bits as u32)),
            Some(bits) if self.is_double() => number(f64::from_bits(bits)),
            Some(bits) => match (&self.source.print, self.formatted) {
                (Print::Boolean, _) => json!(bits != 0),
                (print, true) => print.entry(bits.cast_signed() as f64).unwrap_or(Value::Null),
                _ => json!(bits.cast_signed()),
            },
        }
    }

    /// Compares two values as this part of the key orders them.
    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        let missing = |null: Ordering| match self.missing_first {
            None if self.descending => null.reverse(),
            Some(false) => null.reverse(),
            _ => null,
        };
        let ordering = match (a, b) {
            (Value::Null, Value::Null) => return Ordering::Equal,
            (Value::Null, _) => return missing(Ordering::Less),
            (_, Value::Null) => return missing(Ordering::Greater),
            (Value::String(x), Value::String(y)) => x.cmp(y),
            (Value::Bool(x), Value::Bool(y)) => x.cmp(y),
            _ => match (a.as_i64(), b.as_i64()) {
                (Some(x), Some(y)) => x.cmp(&y),
                _ => a.as_f64().unwrap_or(f64::NAN).total_cmp(&b.as_f64().unwrap_or(f64::NAN)),
            },
        };
        if self.descending { ordering.reverse() } else { ordering }
    }
}

impl CompositeAggregator {
    fn compare(&self, a: &[Value], b: &[Value]) -> Ordering {
        self.sources
            .iter()
            .zip(a.iter().zip(b))
            .map(|(source, (x, y))| source.compare(x, y))
            .find(|ordering| *ordering != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    }

    /// The part of the key that a value of `after_key` is compared as: formatted dates by their time.
    fn comparable(&self, parts: &[Part], dictionary: &Dictionary) -> Vec<Value> {
        self.sources
            .iter()
            .zip(parts)
            .map(|(source, part)| match part {
                Some(bits) if source.formatted => json!(bits.cast_signed()),
                part => source.value(*part, dictionary),
            })
            .collect()
    }
}

impl Aggregator for CompositeAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], _: &[u32]) -> Result<()> {
        let mut kept = Vec::with_capacity(rows.len());
        let mut buckets = Vec::with_capacity(rows.len());
        let mut lists: Vec<Vec<Part>> = vec![Vec::new(); self.sources.len()];
        let mut key: Vec<Part> = Vec::new();
        for row in rows {
            for (source, list) in self.sources.iter_mut().zip(&mut lists) {
                source.parts(input, *row, list);
            }
            let combinations: usize = lists.iter().map(Vec::len).product();
            for mut combination in 0..combinations {
                key.clear();
                for list in &lists {
                    key.push(list[combination % list.len()]);
                    combination /= list.len();
                }
                let number = match self.numbers.get(key.as_slice()) {
                    Some(number) => *number,
                    None => {
                        let number = self.cells.len() as u32;
                        if self.cells.len() >= MAX_COMBINATIONS {
                            return Err(Error::CircuitBreaking(format!(
                                "[request] Data too large: a composite aggregation would hold more than \
                                 [{MAX_COMBINATIONS}] buckets"
                            )));
                        }
                        self.numbers.insert(key.as_slice().into(), number);
                        self.cells.push((key.as_slice().into(), 0));
                        number
                    }
                };
                self.cells[number as usize].1 += 1;
                kept.push(*row);
                buckets.push(number);
            }
        }
        self.children.collect(input, &kept, &buckets)
    }

    fn output(&mut self, _: u32, finish: &mut Finish<'_>) -> Result<Output> {
        let dictionary = finish.dictionary;
        let mut found: Vec<(Vec<Value>, u32)> = (0..self.cells.len())
            .map(|place| (self.comparable(&self.cells[place].0, dictionary), place as u32))
            .filter(|(key, _)| {
                self.after.as_ref().is_none_or(|after| self.compare(key, after) == Ordering::Greater)
            })
            .collect();
        // A page is small beside all combinations: only its own are put in order.
        if found.len() > self.size {
            found.select_nth_unstable_by(self.size - 1, |a, b| self.compare(&a.0, &b.0));
            found.truncate(self.size);
        }
        found.sort_by(|a, b| self.compare(&a.0, &b.0));
        finish.count(found.len())?;
        let mut buckets = Vec::with_capacity(found.len());
        for (_, bucket) in found {
            let (parts, count) = self.cells[bucket as usize].clone();
            let key: Map<String, Value> = self
                .sources
                .iter()
                .zip(&parts)
                .map(|(source, part)| (source.name.clone(), source.value(*part, dictionary)))
                .collect();
            let key = Value::Object(key);
            let head = Map::from_iter([("key".to_owned(), key)]);
            let subs = self.children.outputs(bucket, finish)?;
            buckets.push(Bucket { name: String::new(), head, count, extra: Map::new(), subs });
        }
        let after = buckets.last().and_then(|bucket| bucket.head.get("key").cloned());
        self.children.finish_buckets(&mut buckets)?;
        let head = after.map(|key| ("after_key".to_owned(), key)).into_iter().collect();
        Ok(Output::Multi { head, buckets, keyed: false, tail: Map::new() })
    }
}
