//! The four demos: data, job, datafeed and the events that are known to be in the data.
//!
//! | module | holds |
//! | --- | --- |
//! | [`taxi`] | one metric: half a year of New York taxi passengers, real data |
//! | [`taxi_zones`] | several metrics in eight zones: single taxi trips, generated |
//! | [`access_log`] | outliers in a population: the clients of a web server, generated |
//! | [`dbms_log`] | rare messages: the logs of three database servers, generated |
//! | [`random`] | the numbers that the generators draw |
//! | [`season`] | points in time, and the shape of a day |
//!
//! The data are the same, byte for byte, on every run and every system.

mod access_log;
mod access_site;
mod dbms_log;
mod dbms_statements;
mod dbms_templates;
mod random;
mod season;
mod taxi;
mod taxi_zones;
#[cfg(test)]
mod tests;

use serde_json::Value;

/// The demos, in the order in which they are shown.
pub(crate) fn all() -> Vec<Scenario> {
    vec![taxi::scenario(), taxi_zones::scenario(), access_log::scenario(), dbms_log::scenario()]
}

/// One demo.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The index that holds the data.
    pub index: &'static str,
    /// The mapping of that index: `{"properties": …}`.
    pub mapping: Value,
    pub job_id: &'static str,
    /// The body of `PUT _ml/anomaly_detectors/{job_id}`.
    pub job: Value,
    /// The body of `PUT _ml/datafeeds/{datafeed_id}`, without `job_id`.
    pub datafeed: Value,
    /// Where the data start, in milliseconds since the epoch.
    pub start_ms: i64,
    /// Where the data end, excluded.
    pub end_ms: i64,
    /// Alarms before this time are not counted: the job still learns.
    pub learning_until_ms: i64,
    /// What is known to be in the data.
    pub events: Vec<KnownEvent>,
    /// Times, end excluded, that are unusual but not labelled: alarms there are not counted as false.
    pub tolerated: Vec<(i64, i64)>,
    /// How many of the events must be as they should be.
    pub floor: usize,
    pub chart: ChartSpec,
    /// The documents as JSON, in the order of their time.
    pub documents: fn() -> Box<dyn Iterator<Item = String>>,
}

/// An event that is known to be in the data.
#[derive(Clone, Debug)]
pub(crate) struct KnownEvent {
    pub name: &'static str,
    /// Its start, in milliseconds since the epoch.
    pub start_ms: i64,
    /// Its end, excluded.
    pub end_ms: i64,
    /// A value that must be among the by, over, partition or influencer values of a record that finds the event, or
    /// be contained in the texts of the record's category.
    pub entity: Option<&'static str>,
    /// Detectors that may find it; empty: any.
    pub detectors: &'static [usize],
    /// It is harmless: an alarm for it is a mistake.
    pub must_not: bool,
}

/// The series that is drawn.
#[derive(Debug)]
pub(crate) struct ChartSpec {
    pub title: &'static str,
    /// A metric aggregation for each interval; null: the number of documents.
    pub aggregation: Value,
    /// Which documents; null: all.
    pub query: Value,
    pub time_field: &'static str,
    /// A fixed interval, as `30m`.
    pub interval: &'static str,
}
