//! Categories of log messages, found while the messages stream by.
//!
//! Message → [`analyzer`] (character filters, tokeniser, token filters) → tokens: words, and values that all look
//! alike → [`shape_index`] (which known shape or template takes it) → [`category`] (words, examples, counts) →
//! [`Definition`] for the reader.
//!
//! The method joins published ideas: masks for values, search by length (Drain, He et al. 2017), positions with
//! many words are variables (IPLoM, Makanju et al. 2009; Brain, Yu et al. 2023), merging templates while the stream
//! runs (Spell, Du and Li 2016; USTEP, Vervaet et al. 2021), tuple space search (Srinivasan et al. 1999).
//!
//! Cost: one pass over the bytes of a message and one or two probes of a table, whatever the number of categories.
//! Memory is bounded by constants next to the tables they bound.

mod analyzer;
mod analyzer_config;
mod cache;
mod categorizer;
mod category;
mod char_filter;
mod config;
mod definition;
mod grok;
mod hash_map;
mod lexicon;
mod mask;
mod partitioned;
mod pattern;
mod scan;
mod shape_index;
mod stars;
mod state;
mod stats;
mod token;
mod token_filter;

#[cfg(test)]
mod properties;

pub use categorizer::Categorizer;
pub use config::{CategorizerConfig, ConfigError};
pub use definition::Definition;
pub use partitioned::PartitionedCategorizer;
pub use stats::CategorizerStats;
