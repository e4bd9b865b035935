//! Elasticsearch's query language: parsed, resolved against a mapping, and matched against documents.

pub mod field;

pub use field::{Field, FieldKind, FieldTypes};
