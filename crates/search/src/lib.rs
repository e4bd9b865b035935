//! Elasticsearch's document and search API inside one process, on SQLite.

pub mod agg;
pub mod analysis;
pub mod catalog;
pub mod cluster;
pub mod document;
pub mod error;
pub mod guard;
pub mod index;
pub mod mapping;
pub mod query;
pub mod scan;
pub mod search;
pub mod sql;

pub use catalog::Expand;
pub use cluster::{Options, Search};
pub use document::{BulkAnswer, BulkItem, BulkParams, WriteAnswer, WriteParams};
pub use error::{Error, Result};
pub use scan::{Scan, ScanBatch, ScanColumn, ScanRequest, ScanValue};
pub use search::{SearchParams, SourceFilter};
