//! Datafeeds while they run: history first, then in step with the present.
//!
//! | module | holds |
//! | --- | --- |
//! | `running` | what the rest of the service sees of a running datafeed |
//! | `run` | the task: history, real time, stopping |
//! | `source` | reading documents or aggregations through the store |
//! | `push_down` | when the store puts documents together, and how that is read |
//! | `groups` | the aggregation for that, and its answer |
//! | `rows` | from the answer to an aggregation to rows |
//! | `aggregation` | which aggregations can be read |
//! | `computed` | the form of fields that the store computes |
//! | `delayed` | documents that came too late |
//! | `preview` | the first rows |

mod aggregation;
mod computed;
mod delayed;
mod groups;
mod preview;
mod push_down;
mod rows;
mod run;
mod running;
mod source;

pub(crate) use aggregation::check as check_aggregations;
pub(crate) use computed::check as check_computed_fields;
pub(crate) use delayed::check_window;
pub(crate) use preview::preview_rows;
pub(crate) use running::{FeedTimes, RunningFeed, StopMode, no_timing};
