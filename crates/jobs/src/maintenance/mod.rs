//! What is removed when its time is over: on request, and once a day.
//!
//! | module | holds |
//! | --- | --- |
//! | `request` | one run over the jobs that an expression names |
//! | `schedule` | the daily run |
//! | `snapshots` | which snapshots a job no longer keeps |
//! | `retention` | results, annotations, snapshots and forecasts of a job |
//! | `leftovers` | what belongs to no job |

mod leftovers;
mod request;
mod retention;
mod schedule;
mod snapshots;

pub use request::ExpiredData;
