//! Elasticsearch's aggregations over columns, whoever supplies them. [`batch`] says how an executor supplies them.
//!
//! | module | holds |
//! | --- | --- |
//! | [`batch`] | columns, masks, nested rows: what goes in |
//! | `request` | names and types of aggregations |
//! | `plan…` | requests tied to a mapping |
//! | `collector` | the door |
//! | `node` | what every aggregator does |
//! | `terms`, `histogram`, `single`, `composite` | buckets |
//! | `metric`, `quantile`, `top` | numbers and documents |
//! | `pipeline`, `expression` | answers over answers |
//! | `output` | answers |

pub mod batch;
mod collector;
mod composite;
mod expression;
mod histogram;
mod metric;
mod node;
mod order;
mod output;
mod pipeline;
mod plan;
mod plan_buckets;
mod plan_pipelines;
mod quantile;
mod request;
mod single;
mod source;
mod terms;
#[cfg(test)]
pub(crate) mod tests;
mod top;

pub use batch::{Batch, Column, ColumnKind, ColumnSpec, Dictionary, DocAddress, Population, Scope, Values};
pub use collector::{Collector, MAX_BUCKETS};
pub use node::{Hit, HitSource};
pub use request::Aggregations;
