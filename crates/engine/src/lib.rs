//! The engine: records in, anomalies out. Pure, deterministic, bounded.
//!
//! | module | holds |
//! | --- | --- |
//! | `analysis` | the door ([`Analysis`]) and its stages: splitter, gatherer, detectors, results |
//! | [`model`] | the model of one series |
//! | [`stats`] | what the model is built of |
//! | [`categorize`] | categories of log messages |
//! | `snapshot` | the envelope of a saved state |

mod analysis;
mod calendar;
pub mod categorize;
mod context;
mod error;

pub mod model;
mod output;

mod snapshot;
pub mod stats;
mod value;

pub use analysis::{Analysis, Disposition};
pub use context::Context;
pub use error::Error;
pub use output::{Annotation, Output, Rescored, RescoredKind};
pub use value::FieldValue;
