//! A real cluster: Elasticsearch 7.10 and later, OpenSearch 2 and later.
//!
//! | module | holds |
//! | --- | --- |
//! | `hosts` | addresses, certificates, credentials; which host is asked |
//! | `transport` | one request, again when it is worth it |
//! | `answer` | what an answer means: errors, bulk items |
//! | `features` | what this cluster can do, found out by asking |
//! | `bulk` | many writes, each with its outcome |
//! | `removal` | removing by query, also where the cluster cannot |
//! | `scan` | documents in order of time: points in time, or scrolls where there are none |
//! | `hits` | a page of them as columns |
//! | `adapter` | the port |
//! | `gateway` | requests of others, passed on as they come |

mod adapter;
mod answer;
mod bulk;
mod features;
mod gateway;
mod hits;
mod hosts;
mod removal;
mod scan;
mod transport;

pub(crate) use adapter::Cluster;
pub use gateway::{Forward, ForwardBody, Forwarded, Gateway, Pieces};
