//! The door of the aggregations: a request tied to a mapping, fed with batches, asked for its answer.

use ahash::AHashSet;
use serde_json::{Map, Value};

use super::batch::{Batch, Dictionary, Population, Scope};
use super::node::{Children, Finish, HitSource, Rows};
use super::output::render;
use super::plan::Planner;
use super::request::Aggregations;
use crate::error::Result;
use crate::query::FieldTypes;

/// More buckets in an answer are refused (`search.max_buckets`).
pub const MAX_BUCKETS: usize = 65_536;

/// The aggregations of one search at work.
#[derive(Debug)]
pub struct Collector {
    children: Children,
    /// Which of the outermost aggregations see all documents.
    global: AHashSet<usize>,
    scopes: Vec<Scope>,
    dictionary: Dictionary,
    max_buckets: usize,
}

impl Collector {
    /// Ties `request` to a mapping; a search over several indices shows one mapping for all of them. `now_ms` is the
    /// present.
    ///
    /// # Errors
    /// For unknown parameters, for values that cannot be read, for fields that cannot be aggregated.
    pub fn new(request: &Aggregations, fields: &dyn FieldTypes, now_ms: i64) -> Result<Self> {
        let mut planner = Planner::new(fields, now_ms);
        let children = planner.children(request, 0)?;
        let collected = request.items.iter().filter(|item| !super::request::PIPELINES.contains(&item.kind));
        let global =
            collected.enumerate().filter(|(_, item)| item.kind == "global").map(|(place, _)| place).collect();
        let (scopes, dictionary) = planner.finish();
        Ok(Self { children, global, scopes, dictionary, max_buckets: MAX_BUCKETS })
    }

    /// The same with another `search.max_buckets`.
    #[must_use]
    pub fn with_max_buckets(mut self, max_buckets: usize) -> Self {
        self.max_buckets = max_buckets;
        self
    }

    /// What batches have to hold.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Is a second pass over all documents wanted, as [`Population::All`]?
    pub fn needs_all(&self) -> bool {
        !self.global.is_empty()
    }

    /// An empty batch.
    pub fn new_batch(&self) -> Batch {
        Batch::new(&self.scopes)
    }

    /// The number of a string in this collector's columns.
    pub fn intern(&mut self, text: &str) -> u32 {
        self.dictionary.intern(text)
    }

    /// The strings of this collector's columns.
    pub fn dictionary(&mut self) -> &mut Dictionary {
        &mut self.dictionary
    }

    /// Takes a batch in.
    ///
    /// # Errors
    /// When the answer would need more memory than allowed.
    pub fn push(&mut self, population: Population, batch: &Batch) -> Result<()> {
        let rows: Vec<u32> = (0..batch.documents() as u32).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let owners = vec![0; rows.len()];
        let input = Rows { batch, dictionary: &self.dictionary };
        for (place, child) in self.children.items.iter_mut().enumerate() {
            if self.global.contains(&place) == (population == Population::All) {
                child.aggregator.collect(&input, &rows, &owners)?;
            }
        }
        Ok(())
    }

    /// The object under `aggregations`. `typed`: names are `<type>#<name>` (`typed_keys`).
    ///
    /// # Errors
    /// When there are too many buckets, a pipeline's path leads nowhere, or a document cannot be loaded.
    pub fn finish(mut self, typed: bool, hits: &mut dyn HitSource) -> Result<Map<String, Value>> {
        let mut finish =
            Finish { dictionary: &self.dictionary, max_buckets: self.max_buckets, buckets: 0, hits };
        Ok(render(self.children.outputs(0, &mut finish)?, typed))
    }
}
