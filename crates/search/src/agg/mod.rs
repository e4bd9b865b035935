//! Elasticsearch's aggregations over columns, whoever supplies them. [`batch`] says how an executor supplies them.

pub mod batch;

pub use batch::{Batch, Column, ColumnKind, ColumnSpec, Dictionary, DocAddress, Population, Scope, Values};
