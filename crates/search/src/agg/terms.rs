//! `terms`: exact counts, since there is one shard only.

use std::cmp::Ordering;

use ahash::AHashSet;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::batch::{ColumnKind, Dictionary, Values};
use super::node::{Aggregator, Cells, Children, Finish, NOBODY, Rows};
use super::order::Order;
use super::output::{Bucket, Output, double_text, number};
use super::source::{Print, Source};
use crate::error::Result;

/// Which terms become buckets.
#[derive(Debug)]
pub(super) enum Choice {
    /// Those that fit an expression.
    Pattern(Regex),
    /// Those in a list.
    List(AHashSet<String>),
    /// Every n-th part of all terms, by a hash.
    Partition(u64, u64),
}

impl Choice {
    fn takes(&self, term: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.is_match(term),
            Self::List(list) => list.contains(term),
            Self::Partition(partition, of) => u64::from(crc32fast::hash(term.as_bytes())) % of == *partition,
        }
    }
}

/// Counts the documents of each value.
#[derive(Debug)]
pub(super) struct TermsAggregator {
    pub(super) source: Source,
    pub(super) kind: ColumnKind,
    pub(super) size: usize,
    pub(super) min_doc_count: u64,
    pub(super) order: Vec<Order>,
    pub(super) include: Option<Choice>,
    pub(super) exclude: Option<Choice>,
    /// The key that rows without a value have.
    pub(super) missing: Option<u64>,
    pub(super) show_error: bool,
    pub(super) children: Children,
    pub(super) cells: Cells<u64>,
    /// Whether each term of the dictionary is chosen; filled as terms come.
    pub(super) chosen: Vec<Option<bool>>,
}

impl TermsAggregator {
    fn text(&self, key: u64, dictionary: &Dictionary) -> String {
        match self.kind {
            ColumnKind::Term => dictionary.term(key as u32).to_owned(),
            ColumnKind::Double => double_text(f64::from_bits(key)),
            _ => match &self.source.print {
                Print::Plain => key.cast_signed().to_string(),
                print => print.text(key.cast_signed() as f64).unwrap_or_default(),
            },
        }
    }

    fn is_chosen(&mut self, key: u64, dictionary: &Dictionary) -> bool {
        if self.include.is_none() && self.exclude.is_none() {
            return true;
        }
        let decide = |this: &Self| {
            let text = this.text(key, dictionary);
            this.include.as_ref().is_none_or(|choice| choice.takes(&text))
                && !this.exclude.as_ref().is_some_and(|choice| choice.takes(&text))
        };
        if self.kind != ColumnKind::Term {
            return decide(self);
        }
        let place = key as usize;
        if place >= self.chosen.len() {
            self.chosen.resize(dictionary.len().max(place + 1), None);
        }
        if self.chosen[place].is_none() {
            self.chosen[place] = Some(decide(self));
        }
        self.chosen[place] == Some(true)
    }

    fn compare_keys(&self, a: u64, b: u64, dictionary: &Dictionary) -> Ordering {
        match self.kind {
            ColumnKind::Term => dictionary.term(a as u32).cmp(dictionary.term(b as u32)),
            ColumnKind::Double => f64::from_bits(a).total_cmp(&f64::from_bits(b)),
            _ => a.cast_signed().cmp(&b.cast_signed()),
        }
    }

    fn head(&self, key: u64, dictionary: &Dictionary) -> Map<String, Value> {
        let value = match self.kind {
            ColumnKind::Term => json!(dictionary.term(key as u32)),
            ColumnKind::Double => number(f64::from_bits(key)),
            _ => json!(key.cast_signed()),
        };
        let mut head = Map::from_iter([("key".to_owned(), value)]);
        if self.kind == ColumnKind::Int {
            let text = self.source.print.entry(key.cast_signed() as f64);
            head.extend(text.map(|text| ("key_as_string".to_owned(), text)));
        }
        head
    }
}

impl Aggregator for TermsAggregator {
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        let mut kept = Vec::with_capacity(rows.len());
        let mut buckets = Vec::with_capacity(rows.len());
        let column = self.source.column(input.batch);
        let mut keys: Vec<u64> = Vec::new();
        for (row, owner) in rows.iter().zip(owners) {
            keys.clear();
            if let Some(column) = column {
                let range = column.range(*row);
                match column.values() {
                    Values::Int(values) => {
                        keys.extend(values[range].iter().map(|value| value.cast_unsigned()))
                    }
                    Values::Double(values) => {
                        keys.extend(values[range].iter().map(|value| (value + 0.0).to_bits()))
                    }
                    Values::Term(values) => keys.extend(values[range].iter().map(|term| u64::from(*term))),
                    Values::Geo(_) => {}
                }
            }
            if keys.is_empty() {
                keys.extend(self.missing);
            }
            // The values of a row are sorted: the same ones stand side by side.
            keys.dedup();
            for key in &keys {
                if self.is_chosen(*key, input.dictionary) {
                    buckets.push(self.cells.add(*owner, *key)?);
                    kept.push(*row);
                }
            }
        }
        self.children.collect(input, &kept, &buckets)
    }

    fn output(&mut self, owner: u32, finish: &mut Finish<'_>) -> Result<Output> {
        let dictionary = finish.dictionary;
        let mut found = self.cells.of(owner);
        if self.min_doc_count == 0 && owner != NOBODY {
            // Values that only other buckets have are shown empty.
            let mut own: AHashSet<u64> =
                found.iter().map(|bucket| self.cells.cells[*bucket as usize].1).collect();
            for place in 0..self.cells.cells.len() {
                let key = self.cells.cells[place].1;
                if own.insert(key) {
                    found.push(self.cells.cells.len() as u32);
                    self.cells.cells.push((owner, key, 0));
                }
            }
        }
        let cell = |bucket: u32| self.cells.cells[bucket as usize];
        found.retain(|bucket| cell(*bucket).2 >= self.min_doc_count);
        // Terms that are too rare are not among the others.
        let all: u64 = found.iter().map(|bucket| cell(*bucket).2).sum();
        let compare = |a: &u32, b: &u32| {
            let (x, y) = (cell(*a), cell(*b));
            Order::compare(&self.order, &self.children, (*a, x.2), (*b, y.2), || {
                self.compare_keys(x.1, y.1, dictionary)
            })
        };
        if found.len() > self.size && self.size > 0 {
            found.select_nth_unstable_by(self.size - 1, compare);
            found.truncate(self.size);
        }
        found.sort_unstable_by(compare);
        finish.count(found.len())?;
        let shown: u64 = found.iter().map(|bucket| cell(*bucket).2).sum();
        let mut buckets = Vec::with_capacity(found.len());
        for bucket in found {
            let (_, key, count) = self.cells.cells[bucket as usize];
            let extra = if self.show_error { json!({"doc_count_error_upper_bound": 0}) } else { json!({}) };
            buckets.push(Bucket {
                name: self.text(key, dictionary),
                head: self.head(key, dictionary),
                count,
                extra: extra.as_object().cloned().unwrap_or_default(),
                subs: self.children.outputs(bucket, finish)?,
            });
        }
        self.children.finish_buckets(&mut buckets)?;
        let mut head = Map::new();
        head.insert("doc_count_error_upper_bound".to_owned(), json!(0));
        head.insert("sum_other_doc_count".to_owned(), json!(all - shown));
        Ok(Output::Multi { head, buckets, keyed: false, tail: Map::new() })
    }
}
