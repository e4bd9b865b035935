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
        // The folder outlives the test: the store holds it open until the process ends.
        let folder = tempfile::tempdir().unwrap().keep();
        open(&Config::Embedded { folder, durable: false }, Arc::new(SystemClock)).await.unwrap()
    });
}
