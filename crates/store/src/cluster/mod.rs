//! A real cluster: Elasticsearch 7.10 and later, OpenSearch 2 and later.
//!
//! | module | holds |
//! | --- | --- |
//! | `transport` | one request, again when it is worth it |
//! | `answer` | what an answer means: errors, bulk items |
//! | `scan` | documents in order of time: points in time, or scrolls where there are none |
//! | `adapter` | the port |

mod adapter;
mod answer;
mod scan;
mod transport;

pub(crate) use adapter::Cluster;
