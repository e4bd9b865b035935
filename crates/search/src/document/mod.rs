//! Documents: written one by one or in bulk, updated, read.
//!
//! | module | holds |
//! | --- | --- |
//! | [`write`](mod@write) | `PUT /{index}/_doc/{id}` and its like |
//! | [`update`] | `POST /{index}/_update/{id}` |
//! | [`get`] | `GET /{index}/_doc/{id}`, `_mget` |
//! | [`bulk`] | `POST /_bulk` |
//! | [`bulk_line`] | the lines of a bulk request |
//! | [`by_query`] | `_delete_by_query`, `_update_by_query` |

pub mod bulk;
pub mod bulk_line;
pub mod by_query;
pub mod get;
pub mod update;
pub mod write;

pub use bulk::{BulkAnswer, BulkItem, BulkParams};
pub use write::{WriteAnswer, WriteParams};
