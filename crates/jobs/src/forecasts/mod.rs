//! Forecasts: what an open job expects of the time to come, as documents beside its results.
//!
//! | module | holds |
//! | --- | --- |
//! | `request` | what is asked for, and everything that must be true before it begins |
//! | `documents` | the forms in which points and states are stored |
//! | `running` | a forecast under way: computed on a thread of its own from a copy of the model |
//! | `removal` | delete, and what a stopped service left behind |
//! | `statistics` | all forecasts of a job in a few numbers |

mod documents;
mod removal;
mod request;
mod running;
mod statistics;

pub use request::ForecastJob;
pub(crate) use running::Forecasts;
pub use statistics::{ForecastsStats, Spread};
