//! Elasticsearch's document and search API inside one process, on SQLite.

pub mod agg;
pub mod analysis;
pub mod date;
pub mod error;
pub mod query;

pub use error::{Error, Result};
