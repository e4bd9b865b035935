//! What the rest of the service sees of a running datafeed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;
use types::TimestampMs;

use crate::datafeeds::{RunningState, SearchInterval};

const HOUR_MS: i64 = 3_600_000;

/// When a datafeed was asked to begin and end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FeedTimes {
    pub(crate) start_ms: Option<i64>,
    pub(crate) end_ms: Option<i64>,
}

/// How a datafeed is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopMode {
    /// A datafeed with an end closes its job.
    AsConfigured,
    /// Somebody else looks after the job.
    KeepJobOpen,
    /// The service ends: the datafeed goes on at its next start.
    Suspend,
}

/// A handle on a running datafeed.
#[derive(Debug)]
pub(crate) struct RunningFeed {
    pub(crate) datafeed_id: String,
    pub(crate) job_id: String,
    stop: watch::Sender<Option<StopMode>>,
    done: watch::Sender<bool>,
    live: Mutex<Live>,
}

#[derive(Debug, Default)]
struct Live {
    state: RunningState,
    searches: u64,
    search_ms: f64,
    hours: Hours,
    buckets: u64,
}

/// Time spent on searches per hour of data, averaged over hours so that newer ones count more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Hours {
    /// Spent on the present hour.
    incremental_ms: f64,
    /// How far the data go.
    latest_ms: Option<i64>,
    /// Average over the hours before.
    previous_ms: Option<f64>,
}

impl Hours {
    fn add(&mut self, ms: f64, latest_ms: Option<i64>) {
        let hour = |at: i64| at.div_euclid(HOUR_MS);
        if let (Some(before), Some(latest)) = (self.latest_ms, latest_ms)
            && hour(latest) > hour(before)
        {
            self.previous_ms = Some(self.average(1.0));
            self.incremental_ms = 0.0;
        }
        self.latest_ms = self.latest_ms.max(latest_ms);
        self.incremental_ms += ms;
    }

    /// `passed` is the part of the present hour that is over, 0–1; its weight decays with a time constant of one hour.
    fn average(&self, passed: f64) -> f64 {
        let weight = 1.0 - (-passed).exp();
        self.previous_ms
            .map_or(self.incremental_ms, |previous| previous * (1.0 - weight) + self.incremental_ms * weight)
    }

    fn now(&self) -> f64 {
        let passed = self.latest_ms.map_or(0.0, |at| at.rem_euclid(HOUR_MS) as f64 / HOUR_MS as f64);
        self.average(passed)
    }

    fn to_json(self) -> Value {
        let mut context = json!({"incremental_metric_value_ms": self.incremental_ms});
        if let Some(latest) = self.latest_ms {
            context["latest_timestamp"] = json!(latest);
        }
        if let Some(previous) = self.previous_ms {
            context["previous_exponential_average_ms"] = json!(previous);
        }
        context
    }

    fn from_json(context: &Value) -> Self {
        let number = |name: &str| context.get(name).and_then(Value::as_f64);
        Self {
            incremental_ms: number("incremental_metric_value_ms").unwrap_or(0.0),
            latest_ms: context.get("latest_timestamp").and_then(Value::as_i64),
            previous_ms: number("previous_exponential_average_ms"),
        }
    }
}

/// What a datafeed that never ran shows.
pub(crate) fn no_timing(job_id: &str) -> Value {
    json!({"job_id": job_id, "search_count": 0, "bucket_count": 0, "total_search_time_ms": 0.0,
        "exponential_average_search_time_per_hour_ms": 0.0})
}

impl RunningFeed {
    pub(crate) fn new(datafeed_id: &str, job_id: &str, real_time: bool) -> Self {
        let state = RunningState { real_time_configured: real_time, ..RunningState::default() };
        Self {
            datafeed_id: datafeed_id.to_owned(),
            job_id: job_id.to_owned(),
            stop: watch::Sender::new(None),
            done: watch::Sender::new(false),
            live: Mutex::new(Live { state, ..Live::default() }),
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(&self, mode: StopMode) {
        self.stop.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert(mode);
            first
        });
        let mut done = self.done.subscribe();
        // The sender lives as long as `self`: waiting cannot fail.
        let _ = done.wait_for(|done| *done).await;
    }

    pub(crate) async fn suspend(&self) {
        self.stop(StopMode::Suspend).await;
    }

    pub(super) fn asked_to_stop(&self) -> Option<StopMode> {
        *self.stop.borrow()
    }

    /// Returns once it is asked to stop.
    pub(super) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(Option::is_some).await;
    }

    pub(super) fn finished(&self) {
        self.done.send_replace(true);
    }

    /// Goes on from what an earlier run has kept.
    pub(super) fn continue_from(&self, timing: &Value) {
        let mut live = self.live();
        live.searches = timing.get("search_count").and_then(Value::as_u64).unwrap_or(0);
        live.buckets = timing.get("bucket_count").and_then(Value::as_u64).unwrap_or(0);
        live.search_ms = timing.get("total_search_time_ms").and_then(Value::as_f64).unwrap_or(0.0);
        live.hours =
            timing.get("exponential_average_calculation_context").map(Hours::from_json).unwrap_or_default();
    }

    /// A search was made, which took `ms` milliseconds.
    pub(super) fn searched(&self, ms: f64) {
        let mut live = self.live();
        live.searches += 1;
        live.search_ms += ms;
        let latest_ms = live.state.search_interval.as_ref().map(|interval| interval.end_ms);
        live.hours.add(ms, latest_ms);
    }

    /// So many buckets were closed since it was last asked.
    pub(super) fn closed(&self, buckets: u64) {
        self.live().buckets += buckets;
    }

    pub(super) fn reads(&self, start_ms: i64, end_ms: i64) {
        self.live().state.search_interval = Some(SearchInterval {
            start: TimestampMs(start_ms).to_iso(),
            start_ms,
            end: TimestampMs(end_ms).to_iso(),
            end_ms,
        });
    }

    pub(super) fn real_time(&self) {
        self.live().state.real_time_running = true;
    }

    pub(crate) fn running_state(&self) -> RunningState {
        self.live().state.clone()
    }

    pub(crate) fn state_word(&self) -> &'static str {
        if self.asked_to_stop().is_some() { "stopping" } else { "started" }
    }

    pub(crate) fn timing(&self) -> Value {
        let live = self.live();
        let mut timing = no_timing(&self.job_id);
        timing["search_count"] = json!(live.searches);
        timing["bucket_count"] = json!(live.buckets);
        timing["total_search_time_ms"] = json!(live.search_ms);
        timing["exponential_average_search_time_per_hour_ms"] = json!(live.hours.now());
        if live.searches > 0 {
            timing["exponential_average_calculation_context"] = live.hours.to_json();
        }
        if live.buckets > 0 {
            timing["average_search_time_per_bucket_ms"] = json!(live.search_ms / live.buckets as f64);
        }
        timing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_times_are_averaged_over_hours_of_data() {
        let mut hours = Hours::default();
        hours.add(10.0, Some(HOUR_MS / 2));
        hours.add(10.0, Some(HOUR_MS - 1));
        assert_eq!((hours.incremental_ms, hours.previous_ms), (20.0, None));
        hours.add(5.0, Some(HOUR_MS + 1));
        assert_eq!((hours.incremental_ms, hours.previous_ms), (5.0, Some(20.0)));
        assert!((hours.now() - 20.0).abs() < 0.1, "{}", hours.now());
        hours.add(1.0, Some(2 * HOUR_MS));
        assert!(hours.previous_ms.is_some_and(|ms| ms > 5.0 && ms < 20.0), "{hours:?}");
        assert_eq!(Hours::from_json(&hours.to_json()), hours);
    }

    #[test]
    fn a_feed_goes_on_counting() {
        let feed = RunningFeed::new("f", "j", true);
        feed.searched(4.0);
        feed.closed(2);
        let later = RunningFeed::new("f", "j", true);
        later.continue_from(&feed.timing());
        later.searched(2.0);
        let timing = later.timing();
        assert_eq!((&timing["search_count"], &timing["total_search_time_ms"]), (&json!(2), &json!(6.0)));
        assert_eq!(timing["average_search_time_per_bucket_ms"], 3.0);
    }
}
