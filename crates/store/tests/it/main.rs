//! One contract for all adapters of the port.

mod contract;

use store::{Config, open};

mod memory {
    use super::*;
    store_contract!(open(&Config::Memory).await.unwrap());
}
