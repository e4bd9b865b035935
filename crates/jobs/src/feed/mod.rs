//! Datafeeds while they run: history first, then in step with the present.
//!
//! | module | holds |
//! | --- | --- |
//! | `running` | what the rest of the service sees of a running datafeed |
//! | `run` | the task: history, real time, stopping |
//! | `source` | reading documents or aggregations through the store |
//! | `rows` | from the answer to an aggregation to rows |
//! | `aggregation` | which aggregations can be read |
//! | `preview` | the first rows |

mod aggregation;
mod preview;
mod rows;
mod run;
mod running;
mod source;

pub(crate) use aggregation::check as check_aggregations;
pub(crate) use preview::preview_rows;
pub(crate) use running::{FeedTimes, RunningFeed, StopMode, no_timing};
