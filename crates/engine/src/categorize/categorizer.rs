//! The categorizer: one message in, the id of its category out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::analyzer::{AnalyzedText, Analyzer};
use super::category::Category;
use super::config::{CategorizerConfig, ConfigError};
use super::definition::{Definition, define};
use super::shape_index::ShapeIndex;
use super::stats::CategorizerStats;
use super::token::VALUE;

/// Bytes of one example; a longer message is cut.
pub(super) const MAX_EXAMPLE_LENGTH: usize = 4096;

/// Bytes of all examples together; beyond it no more are kept.
const MAX_EXAMPLE_BYTES: usize = 32 << 20;

/// Sorts a stream of log messages into categories, one message at a time.
///
/// Deterministic: the same messages in the same order get the same ids. Ids start at 1 and are never used again.
/// When later messages show that two categories are one, the older id stays, the younger category is *dead*: it
/// gets no more messages, and the older definition lists it in `preferred_to_categories`.
#[derive(Debug)]
pub struct Categorizer {
    pub(super) config: CategorizerConfig,
    pub(super) analyzer: Arc<Analyzer>,
    pub(super) index: ShapeIndex,
    /// Category id of each node that is or was a category, 0 for others.
    pub(super) category_ids: Vec<u32>,
    /// The category of id `i` is at `i - 1`.
    pub(super) categories: Vec<Category>,
    /// Ids whose definition changed, and ids whose count changed, since they were taken.
    pub(super) changed: Vec<u32>,
    pub(super) counted: Vec<u32>,
    pub(super) tally: Tally,
    pub(super) may_grow: bool,
    analyzed: AnalyzedText,
}

/// Running totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) categorized: u64,
    pub(super) failed: u64,
    /// Categories with exactly one message, dead ones included.
    pub(super) rare: u64,
    pub(super) dead: u64,
    pub(super) example_bytes: usize,
    /// Memory of all categories, examples included.
    pub(super) category_bytes: usize,
}

impl Categorizer {
    /// # Errors
    /// When a filter is no regular expression, or the analyzer has a part that is not known.
    pub fn new(config: &CategorizerConfig) -> Result<Self, ConfigError> {
        Ok(Self::with_analyzer(Arc::new(Analyzer::new(config)?), config.clone()))
    }

    fn with_analyzer(analyzer: Arc<Analyzer>, config: CategorizerConfig) -> Self {
        Self {
            config,
            analyzer,
            index: ShapeIndex::new(),
            category_ids: Vec::new(),
            categories: Vec::new(),
            changed: Vec::new(),
            counted: Vec::new(),
            tally: Tally::default(),
            may_grow: true,
            analyzed: AnalyzedText::default(),
        }
    }

    /// A new categorizer with the same configuration, which shares the compiled patterns.
    pub(super) fn blank_copy(&self) -> Self {
        Self::with_analyzer(Arc::clone(&self.analyzer), self.config.clone())
    }

    /// Shares the compiled patterns of another categorizer with the same configuration.
    pub(super) fn share_analyzer(&mut self, other: &Self) {
        if self.config == other.config {
            self.analyzer = Arc::clone(&other.analyzer);
        }
    }

    /// The category of the message (from 1), or `None` when there is nothing to categorise, or when a new category
    /// is needed and may not be made (which is counted as a failure).
    pub fn categorize(&mut self, message: &str) -> Option<u32> {
        let mut analyzed = std::mem::take(&mut self.analyzed);
        self.analyzer.analyze(message, &mut analyzed);
        let id = if analyzed.tokens.is_empty() { None } else { self.place(message, &analyzed) };
        self.analyzed = analyzed;
        id
    }

    /// Whether new categories and examples may be made: off while a memory limit is exceeded. Messages of known
    /// categories go on being recognised.
    pub fn set_may_grow(&mut self, may_grow: bool) {
        self.may_grow = may_grow;
    }

    /// The definition of a category, dead or alive; `None` for an id that was never given.
    pub fn definition(&self, id: u32) -> Option<Definition> {
        let category = self.category(id)?;
        Some(define(id, category, &self.analyzer, self.config.examples_limit))
    }

    /// The category that took over category `id`, or `id` itself while it is alive.
    pub fn current_id(&self, mut id: u32) -> u32 {
        while let Some(next) = self.category(id).and_then(|c| c.superseded_by) {
            id = next;
        }
        id
    }

    /// Ids given so far: `1..=category_count()`.
    pub fn category_count(&self) -> u32 {
        self.categories.len() as u32
    }

    /// Ids of definitions that are new or changed since the last call (other than in the number of matches), in
    /// ascending order.
    pub fn take_changed(&mut self) -> Vec<u32> {
        let mut ids = std::mem::take(&mut self.changed);
        ids.iter().for_each(|&id| self.categories[id as usize - 1].is_changed = false);
        ids.sort_unstable();
        ids
    }

    /// Ids of definitions whose number of matches changed since the last call, in ascending order: to be written
    /// when counts must be exact (flush, close).
    pub fn take_counted(&mut self) -> Vec<u32> {
        let mut ids = std::mem::take(&mut self.counted);
        ids.iter().for_each(|&id| self.categories[id as usize - 1].is_counted = false);
        ids.sort_unstable();
        ids
    }

    /// Counts of categories and the status of the categorisation.
    pub fn stats(&self) -> CategorizerStats {
        CategorizerStats::new(&self.tally, &self.categories)
    }

    /// Messages that were given a category.
    pub(super) fn categorized(&self) -> u64 {
        self.tally.categorized
    }

    /// Memory in bytes, kept as the state grows.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.index.bytes()
            + self.tally.category_bytes
            + (self.category_ids.len() + self.changed.len() + self.counted.len()) * size_of::<u32>()
    }

    fn category(&self, id: u32) -> Option<&Category> {
        self.categories.get((id as usize).checked_sub(1)?)
    }

    fn place(&mut self, message: &str, analyzed: &AnalyzedText) -> Option<u32> {
        let id = match self.index.find_shape(&analyzed.tokens) {
            Some(node) => {
                let root = self.index.root(node);
                self.category_ids[root as usize]
            }
            None => {
                let Some(id) = self.add_shape(message, analyzed) else {
                    self.tally.failed += 1;
                    return None;
                };
                id
            }
        };
        self.count(id, message, analyzed);
        Some(id)
    }

    /// Makes a node of a new shape; the category it belongs to may be new as well.
    fn add_shape(&mut self, message: &str, analyzed: &AnalyzedText) -> Option<u32> {
        if !self.may_grow {
            return None;
        }
        let text = analyzed.text(message);
        let inserted = self.index.insert(text, &analyzed.tokens)?;
        self.category_ids.resize(self.index.nodes.len(), 0);
        let root = self.index.root(inserted.node) as usize;
        if self.category_ids[root] == 0 {
            let category = Category::new(text, &analyzed.tokens);
            self.tally.category_bytes += category.bytes();
            self.categories.push(category);
            self.category_ids[root] = self.categories.len() as u32;
            self.note_change(self.categories.len() as u32);
        }
        let id = self.category_ids[root];
        for gone in inserted.gone {
            self.take_over(id, gone);
        }
        Some(id)
    }

    /// The node `gone`, a category or a new node, now belongs to category `id`.
    fn take_over(&mut self, id: u32, gone: u32) {
        let gone_id = self.category_ids[gone as usize];
        let before = self.categories[id as usize - 1].bytes();
        let mut changed = false;
        let words: Vec<u64> = if gone_id == 0 {
            self.index.nodes[gone as usize].tokens.iter().copied().filter(|&t| t != VALUE).collect()
        } else {
            let other = &mut self.categories[gone_id as usize - 1];
            other.superseded_by = Some(id);
            self.tally.dead += 1;
            changed = true;
            let (words, longest) = (other.words.iter().map(|w| w.hash).collect(), other.longest);
            let (examples, preferred_to) = (other.examples.clone(), other.preferred_to.clone());
            let category = &mut self.categories[id as usize - 1];
            category.longest = category.longest.max(longest);
            category.preferred_to.push(gone_id);
            category.preferred_to.extend(preferred_to);
            category.preferred_to.sort_unstable();
            category.preferred_to.dedup();
            for example in examples {
                self.add_example(id, &example);
            }
            words
        };
        let category = &mut self.categories[id as usize - 1];
        changed |= category.keep_common(&words);
        // Examples count themselves, so that only the rest is settled here.
        let after = category.bytes();
        self.tally.category_bytes = self.tally.category_bytes + after - before;
        if changed {
            self.note_change(id);
        }
    }

    #[inline]
    fn count(&mut self, id: u32, message: &str, analyzed: &AnalyzedText) {
        self.tally.categorized += 1;
        let wanted_examples = self.config.examples_limit.max(1);
        let category = &mut self.categories[id as usize - 1];
        category.matches += 1;
        match category.matches {
            1 => self.tally.rare += 1,
            2 => self.tally.rare -= 1,
            _ => {}
        }
        if !category.is_counted {
            category.is_counted = true;
            self.counted.push(id);
        }
        // A text has at most as many characters as bytes.
        let is_longer = message.len() > category.longest && {
            let length = message.chars().count();
            let is_longer = length > category.longest;
            category.longest = category.longest.max(length);
            is_longer
        };
        let wants_example = category.examples.len() < wanted_examples;
        if is_longer {
            self.note_change(id);
        }
        if wants_example {
            self.offer_example(id, message, analyzed);
        }
    }

    fn offer_example(&mut self, id: u32, message: &str, analyzed: &AnalyzedText) {
        // Lines before the analysed one are left out, so that an example always holds what was analysed.
        let from = message.get(analyzed.start()..).unwrap_or(message);
        let example =
            from[..from.floor_char_boundary(MAX_EXAMPLE_LENGTH)].trim_end_matches(['\n', '\r', '\t', ' ']);
        let before = self.categories[id as usize - 1].bytes();
        if self.add_example(id, example) {
            let after = self.categories[id as usize - 1].bytes();
            self.tally.category_bytes = self.tally.category_bytes + after - before;
            self.note_change(id);
        }
    }

    /// Keeps an example if it is new and there is room; the caller settles the memory.
    fn add_example(&mut self, id: u32, example: &str) -> bool {
        let category = &mut self.categories[id as usize - 1];
        let is_full = category.examples.len() >= self.config.examples_limit.max(1);
        let has_room = self.may_grow && self.tally.example_bytes + example.len() <= MAX_EXAMPLE_BYTES;
        if is_full || !has_room || category.examples.iter().any(|e| **e == *example) {
            return false;
        }
        category.examples.push(example.into());
        self.tally.example_bytes += example.len();
        true
    }

    fn note_change(&mut self, id: u32) {
        let category = &mut self.categories[id as usize - 1];
        if !category.is_changed {
            category.is_changed = true;
            self.changed.push(id);
        }
    }
}
