//! Elasticsearch's document and search API inside one process, on SQLite.

pub mod analysis;
pub mod error;

pub use error::{Error, Result};
