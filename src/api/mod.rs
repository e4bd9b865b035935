//! The HTTP interface: `/_ml` (and its older name `/_xpack/ml`), the document and search API, health and metrics.
//!
//! | file | holds |
//! | --- | --- |
//! | [`route`] | what a route is; the table of all of them |
//! | [`error`], [`json_error`] | the only place with HTTP statuses and exception types |
//! | [`extract`], [`options`], [`times`] | path, query, bodies, paging, times |
//! | [`manners`], [`filter_path`] | what all requests and answers have in common |
//! | [`cat_table`] | the plain tables of `_cat` |
//! | the rest | one file for each resource, named as in the address |

mod cat_table;
mod elasticsearch;
mod error;
mod extract;
mod filter_path;
mod health;
mod info;
mod json_error;
mod manners;
mod options;
mod route;
mod times;

pub(crate) use route::router;
pub use route::{RouteLine, route_lines};
