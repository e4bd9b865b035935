//! What the rest of the service sees of a running datafeed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;
use types::TimestampMs;

use crate::datafeeds::{RunningState, SearchInterval};

const WEIGHT: f64 = 0.01;

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
    average_ms_per_hour: f64,
    buckets: u64,
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

    pub(super) fn searched(&self, ms: f64, buckets: u64) {
        let mut live = self.live();
        live.searches += 1;
        live.search_ms += ms;
        live.buckets += buckets;
        live.average_ms_per_hour += WEIGHT * (ms - live.average_ms_per_hour);
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
        timing["exponential_average_search_time_per_hour_ms"] = json!(live.average_ms_per_hour);
        if live.buckets > 0 {
            timing["average_search_time_per_bucket_ms"] = json!(live.search_ms / live.buckets as f64);
        }
        timing
    }
}
