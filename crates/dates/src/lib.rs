//! Dates as Elasticsearch reads, writes, rounds and reckons with them. Times are milliseconds since 1970-01-01T00:00:00Z.
//! Pure: the present is always handed in.
//!
//! | module | holds |
//! | --- | --- |
//! | [`format`](mod@format) | [`DateFormat`]: named formats, Java patterns, `||` alternatives; reading and printing |
//! | [`maths`] | `now-1d/d`, `2026-01-01||+1M/d` |
//! | [`rounding`] | [`Rounding`]: the bucket of a time, for fixed and calendar intervals, in a time zone |
//! | [`interval`] | `30s`, `1M`, `month`, `+6h` |
//! | [`zone`] | [`Zone`] |

mod civil;
pub mod format;
pub mod interval;
pub mod maths;
mod named;
mod optional_time;
mod pattern;
mod pattern_print;
pub mod rounding;
pub mod zone;

pub use format::DateFormat;
pub use interval::{CalendarUnit, Interval};
pub use maths::{DateMath, parse_date_math};
pub use pattern::Missing;
pub use rounding::Rounding;
pub use zone::Zone;

/// The crate's result. The error is what a client reads.
pub type Result<T, E = types::Invalid> = std::result::Result<T, E>;
