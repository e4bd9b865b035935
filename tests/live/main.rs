//! Tests against real servers, one after the other: `make live`.
//!
//! | file | holds |
//! | --- | --- |
//! | `server/` | the launcher: genuine Elasticsearch and OpenSearch nodes from jars |
//! | `server.rs` | starts, kills and asks them |
//! | `servers.rs` | one test for each server, and what is tried on it |
//! | `service.rs` | the real binary beside a server |
//! | `door.rs` | clients' requests through the service's port |
//! | `demos.rs` | the demos, document for document as on the embedded store |
//! | `differential.rs`, `random_requests.rs` | the embedded store against the server, on random requests |
//! | `computed.rs` | fields that the server computes for a datafeed |
//! | `across.rs` | a datafeed over another cluster |
//! | `push_down.rs` | documents put together by the server, against document by document |
//! | `tls.rs` | a server behind TLS |
//! | `kill.rs` | the service or the cluster is killed in the middle of a run |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod across;
mod computed;
#[macro_use]
#[path = "../../crates/store/tests/it/contract.rs"]
mod contract;
mod demos;
mod differential;
mod door;
mod kill;
mod push_down;
mod random_requests;
mod server;
mod servers;
mod service;
mod tls;
