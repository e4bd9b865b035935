//! Which store is used, and how it is opened.

use std::sync::Arc;

use crate::memory::MemoryStore;
use crate::{Result, Store};

/// Which store is used.
#[derive(Clone, Debug)]
pub enum Config {
    /// Nothing outlives the process: for tests.
    Memory,
}

/// Opens the store.
///
/// # Errors
/// When the configuration is wrong or the store cannot be opened.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>> {
    match config {
        Config::Memory => Ok(Arc::new(MemoryStore::default())),
    }
}
