//! Which store is used, and how it is opened.

use std::path::PathBuf;
use std::sync::Arc;

use types::Clock;

use crate::embedded::Embedded;
use crate::memory::MemoryStore;
use crate::{Result, Store};

/// Which store is used.
#[derive(Clone, Debug)]
pub enum Config {
    /// Nothing outlives the process: for tests.
    Memory,
    /// The store inside this process.
    Embedded {
        /// Where it keeps its files.
        folder: PathBuf,
        /// Is every acknowledged write on the disk?
        durable: bool,
    },
}

/// Opens the store.
///
/// # Errors
/// When the configuration is wrong or the store cannot be opened.
pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>> {
    match config {
        Config::Memory => Ok(Arc::new(MemoryStore::default())),
        Config::Embedded { folder, durable } => Ok(Arc::new(Embedded::open(folder, clock, *durable).await?)),
    }
}

/// The store that is open already, for a process that also answers the search API itself.
pub fn over(search: search::Search) -> Arc<dyn Store> {
    Arc::new(Embedded::new(search))
}
