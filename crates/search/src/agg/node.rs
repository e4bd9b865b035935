//! The tree of aggregators that a request becomes. Every aggregator sees rows with the bucket each belongs to (its owner),
//! finds its own buckets, and hands the rows on to those below with these as owners.

use std::fmt::Debug;

use serde_json::Value;

use super::batch::{Batch, Dictionary, DocAddress};
use super::output::{Bucket, Named, Output};
use super::pipeline::{Pipeline, apply_parents, apply_siblings};
use crate::error::{Error, Result};

/// The owner that never had a row: what empty buckets of a histogram ask their aggregations with.
pub(super) const NOBODY: u32 = u32::MAX;

/// More cells in one aggregator are refused, to keep memory bounded.
pub(super) const MAX_CELLS: usize = 20_000_000;
/// What a bucket takes beside its key while it is collected, roughly: its place in a map and in a list.
const CELL_BYTES: usize = 64;
/// What a bucket takes in an answer, roughly.
const BUCKET_BYTES: usize = 500;

/// What is looked at while collecting.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    pub(super) batch: &'a Batch,
    pub(super) dictionary: &'a Dictionary,
}

/// What is needed to answer.
pub(super) struct Finish<'a> {
    pub(super) dictionary: &'a Dictionary,
    pub(super) max_buckets: usize,
    /// Buckets answered so far.
    pub(super) buckets: usize,
    pub(super) hits: &'a mut dyn HitSource,
}

impl Finish<'_> {
    /// Counts buckets of the answer against `search.max_buckets`.
    pub(super) fn count(&mut self, buckets: usize) -> Result<()> {
        crate::guard::check()?;
        crate::guard::hold(buckets.min(self.max_buckets + 1) * BUCKET_BYTES, "<buckets>")?;
        self.buckets = self.buckets.saturating_add(buckets);
        if self.buckets > self.max_buckets {
            return Err(Error::TooManyBuckets { max: self.max_buckets });
        }
        Ok(())
    }
}

/// A document of `top_hits`.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Where it is.
    pub address: DocAddress,
    /// Its sort values; empty when it is sorted by score alone.
    pub sort: Vec<Value>,
}

/// Loads the documents of `top_hits`; the executor implements it.
pub trait HitSource {
    /// The objects of `hits.hits` for these documents: `_index`, `_id`, `_score`, `_source`, `sort`, as the body of the
    /// `top_hits` asks for them.
    ///
    /// # Errors
    /// When a document cannot be loaded.
    fn load(&mut self, body: &Value, hits: &[Hit]) -> Result<Vec<Value>>;
}

/// One aggregation at work.
pub(super) trait Aggregator: Debug + Send {
    /// Takes rows in; `owners[i]` is the bucket of `rows[i]`.
    fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()>;

    /// The answer for one owner.
    fn output(&mut self, owner: u32, finish: &mut Finish<'_>) -> Result<Output>;

    /// What buckets are ordered by: a property of this metric, or of one below a single bucket.
    fn order_value(&self, _owner: u32, _path: &[&str]) -> Option<f64> {
        None
    }
}

/// One aggregation below a bucket.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) meta: Option<Value>,
    pub(super) aggregator: Box<dyn Aggregator>,
}

/// The aggregations below a bucket.
#[derive(Debug, Default)]
pub(super) struct Children {
    pub(super) items: Vec<Child>,
    pub(super) pipelines: Vec<Pipeline>,
}

impl Children {
    pub(super) fn collect(&mut self, input: &Rows<'_>, rows: &[u32], owners: &[u32]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.items.iter_mut().try_for_each(|child| child.aggregator.collect(input, rows, owners))
    }

    pub(super) fn outputs(&mut self, owner: u32, finish: &mut Finish<'_>) -> Result<Vec<Named>> {
        let mut named = Vec::with_capacity(self.items.len());
        for child in &mut self.items {
            named.push(Named {
                name: child.name.clone(),
                kind: child.kind,
                meta: child.meta.clone(),
                output: child.aggregator.output(owner, finish)?,
            });
        }
        apply_siblings(&self.pipelines, &mut named)?;
        Ok(named)
    }

    /// The pipelines that look at the buckets one after the other.
    pub(super) fn finish_buckets(&self, buckets: &mut Vec<Bucket>) -> Result<()> {
        apply_parents(&self.pipelines, buckets)
    }

    pub(super) fn order_value(&self, owner: u32, path: &[&str]) -> Option<f64> {
        let (first, rest) = path.split_first()?;
        self.items.iter().find(|child| child.name == **first)?.aggregator.order_value(owner, rest)
    }

    /// The answer of one bucket of an aggregation that has only one.
    pub(super) fn single(&mut self, owner: u32, count: u64, finish: &mut Finish<'_>) -> Result<Output> {
        finish.count(1)?;
        Ok(Output::Single { count, subs: self.outputs(owner, finish)? })
    }
}

/// The buckets of an aggregator: a number for each pair of owner and key.
#[derive(Debug, Default)]
pub(super) struct Cells<K> {
    numbers: ahash::AHashMap<(u32, K), u32>,
    /// Owner, key and count of each bucket.
    pub(super) cells: Vec<(u32, K, u64)>,
    last: usize,
    by_owner: Option<ahash::AHashMap<u32, Vec<u32>>>,
}

impl<K: Copy + Eq + std::hash::Hash> Cells<K> {
    pub(super) fn new() -> Self {
        Self { numbers: ahash::AHashMap::new(), cells: Vec::new(), last: 0, by_owner: None }
    }

    /// Counts a document in the bucket; its number.
    pub(super) fn add(&mut self, owner: u32, key: K) -> Result<u32> {
        // Rows that follow each other are often in the same bucket.
        if let Some(cell) = self.cells.get_mut(self.last)
            && cell.0 == owner
            && cell.1 == key
        {
            cell.2 += 1;
            return Ok(self.last as u32);
        }
        let next = self.cells.len();
        let number = *self.numbers.entry((owner, key)).or_insert(next as u32);
        if number as usize == next {
            if next >= MAX_CELLS {
                return Err(Error::CircuitBreaking(format!(
                    "[request] Data too large: an aggregation would hold more than [{MAX_CELLS}] buckets"
                )));
            }
            crate::guard::hold(CELL_BYTES + size_of::<K>(), "<aggregations>")?;
            self.cells.push((owner, key, 0));
        }
        self.last = number as usize;
        self.cells[self.last].2 += 1;
        Ok(number)
    }

    /// The numbers of an owner's buckets.
    pub(super) fn of(&mut self, owner: u32) -> Vec<u32> {
        let cells = &self.cells;
        let by_owner = self.by_owner.get_or_insert_with(|| {
            let mut map: ahash::AHashMap<u32, Vec<u32>> = ahash::AHashMap::new();
            for (number, (owner, ..)) in cells.iter().enumerate() {
                map.entry(*owner).or_default().push(number as u32);
            }
            map
        });
        by_owner.get(&owner).cloned().unwrap_or_default()
    }
}

/// Counts by owner.
#[derive(Debug, Default)]
pub(super) struct Counts(Vec<u64>);

impl Counts {
    pub(super) fn add(&mut self, owner: u32) {
        *slot(&mut self.0, owner) += 1;
    }

    pub(super) fn get(&self, owner: u32) -> u64 {
        self.0.get(owner as usize).copied().unwrap_or(0)
    }
}

/// The owner's place in a list that grows as needed.
pub(super) fn slot<T: Default>(list: &mut Vec<T>, owner: u32) -> &mut T {
    let place = owner as usize;
    if place >= list.len() {
        list.resize_with(place + 1, T::default);
    }
    &mut list[place]
}
