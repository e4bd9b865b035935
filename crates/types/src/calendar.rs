//! Calendars, their events, and filter lists.

use serde::{Deserialize, Serialize};

use crate::TimestampMs;
use crate::id::{CalendarId, FilterId};

/// A set of events that apply to jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Its name.
    pub calendar_id: CalendarId,
    /// Jobs or groups; `_all` means every job.
    #[serde(default)]
    pub job_ids: Vec<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A span of time in which results, or learning, are not wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarEvent {
    /// For people; shown on the bucket.
    pub description: String,
    /// First millisecond.
    pub start_time: TimestampMs,
    /// End, excluded.
    pub end_time: TimestampMs,
    /// No results in its buckets.
    #[serde(default = "yes")]
    pub skip_result: bool,
    /// No learning in its buckets.
    #[serde(default = "yes")]
    pub skip_model_update: bool,
    /// Shifts the model's time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_time_shift: Option<i64>,
    /// The calendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar_id: Option<String>,
    /// Its own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
}

fn yes() -> bool {
    true
}

/// A list of values that custom rules refer to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Its name.
    pub filter_id: FilterId,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The values, sorted, each once.
    #[serde(default)]
    pub items: Vec<String>,
}
