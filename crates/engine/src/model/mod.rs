//! The model of one univariate series: what it expects, how unusual a value is, and what it learns.
//!
//! [`SeriesModel`] is the door. A series starts as a short list of samples and becomes a full model once there are
//! enough of them, so that millions of quiet series stay cheap; with little memory a compact one or a sketch. Inside, data move one way: the predictor
//! ([`predict`]) says what it expects, the views look at the residual from several sides and calibrate each against
//! the series' own past, and the verdict joins them into one surprise. `docs/engine.md` has the mathematics.

mod body;
mod change;
mod clock_trial;
mod config;
mod crowd;
mod cycle;
mod cycles;
mod density;
mod form;
mod nursery;
mod outcome;
mod period_search;
mod period_test;
mod phase;
mod predict;
mod range;
mod relation;
mod repeats;
mod season;
mod series;
mod shape;
mod sketch;
mod spread;
mod trend;
mod verdict;
mod views;

#[cfg(test)]
mod tests;

pub use config::{ModelConfig, Side, Tuning, ValueKind};
pub use crowd::Crowd;
pub(crate) use crowd::{FEWEST, GROWN_S};
pub use form::Form;
pub use outcome::{Change, Outcome, Prediction, Sample, severity};
pub use series::SeriesModel;
