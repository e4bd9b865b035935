//! The engine: records in, anomalies out. Pure, deterministic, bounded.
//!
//! | module | holds |
//! | --- | --- |
//! | `analysis` | the door ([`Analysis`]) and its stages: splitter, gatherer, detectors, results |
//! | `function` | what a detector function makes of the records of one bucket |
//! | [`model`] | the model of one series |
//! | [`stats`] | what the model is built of |
//! | `score` | from many surprises to one; influencers; scores from 0 to 100 |
//! | `rules`, `calendar` | custom rules, filter lists, calendar events |
//! | [`categorize`] | categories of log messages |
//! | `snapshot` | the envelope of a saved state |

mod analysis;
mod calendar;
pub mod categorize;
mod context;
mod error;
mod function;
pub mod model;
mod output;
mod rules;
mod score;
mod snapshot;
pub mod stats;
mod value;

pub use analysis::{
    Analysis, Disposition, Forecast, ForecastPoint, ForecastRequest, ForecastSeries, Grouping,
};
pub use context::Context;
pub use error::{Error, ForecastError};
pub use output::{Annotation, Output, Rescored, RescoredKind};
pub use value::{FieldValue, Group, GroupValue, Numbers};
