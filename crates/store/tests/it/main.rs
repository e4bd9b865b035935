//! One contract for all adapters of the port.

#![allow(clippy::unwrap_used, reason = "what all tests share is not inside a test function")]

mod cluster;
#[macro_use]
mod contract;

use std::sync::Arc;

use store::{Config, open};
use types::time::SystemClock;

mod memory {
    use super::*;
    store_contract!(open(&Config::Memory, Arc::new(SystemClock)).await.unwrap());
}

mod embedded {
    use super::*;
    store_contract!({
        let folder = tempfile::tempdir().unwrap();
        let config = Config::Embedded { folder: folder.path().to_owned(), durable: false };
        let store = open(&config, Arc::new(SystemClock)).await.unwrap();
        let store: Arc<dyn store::Store> = Arc::new(testkit::Holding::new(store, folder));
        store
    });
}
