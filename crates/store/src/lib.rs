//! What the service needs of a search cluster, and the adapters for it.
//!
//! | module | holds |
//! | --- | --- |
//! | [`port`] | [`Store`]: the one door to documents, queries and scans |
//! | [`page`] | [`Page`], [`Column`]: what a scan yields |
//! | [`bulk`] | [`BulkOp`], [`Outcome`]: many writes in one request, answered one by one |
//! | [`indices`] | names, mappings and templates of the indices that the service owns |
//! | [`error`] | [`Error`] |
//! | [`config`] | [`Config`] and [`open`] |
//! | `cluster` | the adapter for Elasticsearch and OpenSearch |
//! | `prefixed` | names of the service's own indices with something before them |
//! | `embedded` | the adapter for the store inside this process |
//! | `memory` | an adapter for tests that forgets everything |
//!
//! Documents are JSON, queries are Elasticsearch's query DSL. Adapters are private: [`open`] hands out the port.

pub mod bulk;
mod cluster;
pub mod config;
mod embedded;
pub mod error;
pub mod indices;
mod memory;
pub mod page;
pub mod port;
mod prefixed;

pub use bulk::{Action, BulkOp, Outcome, Version, check_all};
pub use cluster::{Forward, ForwardBody, Forwarded, Gateway, Pieces};
pub use config::{ClusterConfig, Config, Secret, open, over};
pub use error::{Error, Result};
pub use page::{Cell, Column, Page};
pub use port::{Document, IndicesOptions, Scan, ScanRequest, Store};
