//! Elasticsearch's query language: parsed, resolved against a mapping, and matched against documents.
//!
//! ```text
//! JSON ── parse ──► Query ── resolve(mapping, now) ──► Predicate ──► executors, or matches(document)
//! ```

pub mod ast;
pub mod field;
mod matcher;
pub mod predicate;
pub mod value;

pub use ast::Query;
pub use field::{Field, FieldKind, FieldTypes};
pub use predicate::{Predicate, Test};
