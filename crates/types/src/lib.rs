//! Shared vocabulary: ids, configurations, results, times, error kinds and the clock. No I/O.
//!
//! | module | holds |
//! | --- | --- |
//! | [`id`] | ids that are valid because they exist |
//! | [`time`] | [`TimestampMs`], [`TimeSpan`], [`Clock`] |
//! | [`bytes`] | [`ByteSize`] |
//! | [`breaker`] | budgets of bytes |
//! | [`function`] | the detector functions and what each of them takes |
//! | [`detector`] | detectors, custom rules |
//! | [`job`] | job configuration: body, defaults, update |
//! | [`memory_estimate`] | how much memory a job will need |
//! | [`validate`] | the rules that a job must keep, with the messages that clients see |
//! | [`categorization`] | the analyzer of jobs that do not choose one |
//! | [`datafeed`] | datafeed configuration |
//! | [`results`] | bucket, record, influencer, model plot, category definition |
//! | [`result_ids`] | the ids of their documents |
//! | [`stats`] | data counts, model size, timing |
//! | [`snapshot`] | model snapshots |
//! | [`calendar`] | calendars, events, filters |
//! | [`unique_json`] | JSON whose objects name no key twice |
//! | [`error`] | [`ErrorKind`] and [`Invalid`] |

pub mod breaker;
pub mod bytes;
pub mod calendar;
pub mod categorization;
pub mod datafeed;
pub mod detector;
pub mod error;
pub mod function;
pub mod id;
pub mod job;
pub mod job_update;
pub mod memory_estimate;
pub mod result_ids;
pub mod results;
pub mod snapshot;
pub mod stats;
pub mod time;
pub mod unique_json;
pub mod validate;

pub use bytes::ByteSize;
pub use error::{Classify, ErrorKind, Invalid};
pub use function::{BaseFunction, Function, Side};
pub use id::{DatafeedId, JobId};
pub use job::{Job, JobBody};
pub use time::{Clock, TimeSpan, TimestampMs};
