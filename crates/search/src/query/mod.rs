//! Elasticsearch's query language: parsed, resolved against a mapping, and matched against documents.
//!
//! ```text
//! JSON ── Query::parse ──► Query ── resolve(mapping, now) ──► Predicate ──► executors, or matches(document)
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`ast`] | queries as they were asked |
//! | [`field`] | what is needed of a mapping |
//! | [`predicate`] | queries tied to a mapping |
//! | [`value`] | the values of documents |
//! | `geo` | points on the earth |
//! | `parse…` | JSON to queries, a file for each family |
//! | `resolve…` | queries to predicates, a file for each family |
//! | `…_syntax` | the grammars of query strings |
//! | `matcher` | the brute-force matcher |

pub mod ast;
pub mod field;
mod geo;
mod lucene_syntax;
mod matcher;
mod minimum;
pub(crate) mod params;
mod parse;
mod parse_geo;
mod parse_terms;
mod parse_text;
pub mod predicate;
pub(crate) mod regexp;
mod resolve;
mod resolve_string;
mod resolve_terms;
mod resolve_text;
mod simple_syntax;
mod syntax;
#[cfg(test)]
mod tests;
pub mod value;

pub use ast::{Node, Query};
pub use field::{Field, FieldKind, FieldTypes, Rounding};
pub use predicate::{Predicate, Test};
pub use resolve::MAX_CLAUSES;
