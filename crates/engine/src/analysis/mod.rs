//! The door and its stages. Records go one way: splitter → gatherer → detectors → results; no stage reads a later one.
//!
//! `door` is what callers see; `pipeline` drives the stages; `plan` is the job with its names resolved; `clock` says
//! which buckets are open. A detector is one of `individual`, `population`, `rare`, `rare_population`, `circular`
//! (times of day and week) and `geo`; they put `finding`s into a sink, from which `results` makes documents. `forecast` reads
//! the models of individual series. `grouping` says which jobs can do with sums in place of records.

mod categories;
mod circular;
mod clock;
mod detector;
mod door;
mod entities;
mod finding;
mod forecast;
mod gatherer;
mod geo;
mod grouping;
mod individual;
mod memory;
mod pipeline;
mod plan;
mod plot;
mod population;
mod rare;
mod rare_population;
mod reading;
mod renormalization;
mod results;
mod splitter;
mod stepping;
mod table;
mod upkeep;

pub use door::{Analysis, Disposition};
pub use forecast::{Forecast, ForecastPoint, ForecastRequest, ForecastSeries};
pub use grouping::Grouping;
