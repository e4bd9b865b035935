//! The facade: everything that Elasticsearch's API can be asked of the embedded store.
//!
//! | module | holds |
//! | --- | --- |
//! | [`facade`] | [`Search`]: opening, the open indices, the clock |
//! | `indices` | creating, deleting, mappings, settings |
//! | `aliases` | aliases |
//! | `templates` | templates, and things that are stored and given back |
//! | `overview` | health, `_cat`, stats, resolve |
//! | `field_caps` | which fields there are |
//! | `open_indices` | which of the indices are open |
//! | `ownership` | the lock on the data folder |
//! | `dangling` | files that the catalog does not know |
//! | [`verify`] | a data folder looked at from its first page to its last |

mod aliases;
mod dangling;
pub mod facade;
mod field_caps;
mod indices;
mod open_indices;
mod overview;
mod ownership;
mod templates;
pub mod verify;

pub use facade::{Options, Search};
