//! The HTTP interface: `/_ml` (and its older name `/_xpack/ml`), the document and search API, health and metrics.
//!
//! | file | holds |
//! | --- | --- |
//! | [`route`] | what a route is; the table of all of them |
//! | [`error`], [`json_error`], [`json_place`] | the only place with HTTP statuses and exception types |
//! | [`lenient`] | how JSON is read into our types |
//! | [`extract`], [`options`], [`times`] | path, query, bodies, paging, times |
//! | [`openapi`](mod@openapi) | the description of all routes |
//! | [`manners`], [`filter_path`], [`readable`] | what all requests and answers have in common |
//! | [`hosts`], [`browsers`] | whose requests are answered: names of this server, pages of other sites |
//! | [`path`] | paths as they are meant |
//! | [`media`], [`yaml`] | the forms of bodies and answers beside JSON |
//! | [`deprecation`] | what is old in a request |
//! | [`cat_table`] | the plain tables of `_cat` |
//! | [`listing`] | forms of answers that resources share |
//! | the rest | one file for each resource, named as in the address |

mod anomaly_detectors;
mod browsers;
mod calendars;
mod cat_ml;
mod cat_table;
mod datafeeds;
mod deprecation;
mod draining;
mod elasticsearch;
mod error;
mod extract;
mod filter_path;
mod filters;
mod forecasts;
mod health;
mod hosts;
mod info;
mod json_error;
mod json_place;
mod lenient;
mod listing;
mod maintenance;
mod manners;
mod media;
mod model_memory;
mod model_snapshots;
mod openapi;
mod options;
mod path;
mod readable;
mod results;
mod route;
mod tasks;
mod text_structure;
mod times;
mod upgrade_mode;
mod yaml;

pub(crate) use error::ApiError;
pub use openapi::openapi;
pub(crate) use route::router;
pub use route::{RouteLine, route_lines};
