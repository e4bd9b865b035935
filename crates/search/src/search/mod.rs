//! Searching: `_search`, `_count`, `_msearch`, scrolls, points in time.
//!
//! | module | holds |
//! | --- | --- |
//! | [`request`] | the request, read and checked |
//! | [`sort`] | sort keys, their values and order |
//! | [`plan`] | the sort of one index in SQL |
//! | [`hits`] | the best documents of one index |
//! | [`source_filter`] | `_source` |
//! | [`fetch`] | from documents to hits in JSON |
//! | [`contexts`] | scrolls and points in time |
//! | [`aggregate`] | feeding the aggregations |
//! | [`execute`] | a search over all its indices |
//! | [`service`] | the calls |

pub mod aggregate;
pub mod contexts;
pub mod execute;
pub mod fetch;
pub mod hits;
mod partial;
pub mod plan;
pub mod request;
pub mod service;
pub mod sort;
pub mod source_filter;

pub use contexts::Contexts;
pub use request::{SearchParams, SearchRequest};
pub use source_filter::SourceFilter;
