//! What a server has now.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::PlanError;
use super::server::Server;

/// Everything that files can describe, except watches, which are asked for one by one.
#[derive(Debug, Default)]
pub(super) struct Current {
    pub(super) jobs: BTreeMap<String, CurrentJob>,
    pub(super) feeds: BTreeMap<String, CurrentFeed>,
    pub(super) calendars: BTreeMap<String, CurrentCalendar>,
    pub(super) filters: BTreeMap<String, Value>,
}

#[derive(Debug)]
pub(super) struct CurrentJob {
    pub(super) config: Value,
    /// `opened`, `closed`, …
    pub(super) state: String,
    pub(super) processed_records: u64,
    pub(super) earliest_record_ms: Option<i64>,
    pub(super) latest_record_ms: Option<i64>,
}

impl CurrentJob {
    /// Is there anything that could be lost?
    pub(super) fn has_learnt(&self) -> bool {
        self.processed_records > 0 || self.config.get("model_snapshot_id").is_some()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == "closed"
    }
}

#[derive(Debug)]
pub(super) struct CurrentFeed {
    pub(super) config: Value,
    /// `started`, `stopped`, …
    pub(super) state: String,
    /// Does it follow new data, rather than end at a set time?
    pub(super) real_time: bool,
}

impl CurrentFeed {
    pub(super) fn job_id(&self) -> &str {
        self.config["job_id"].as_str().unwrap_or_default()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state == "stopped"
    }
}

#[derive(Debug)]
pub(super) struct CurrentCalendar {
    pub(super) config: Value,
    pub(super) events: Vec<Value>,
}

impl CurrentCalendar {
    pub(super) fn job_ids(&self) -> Vec<&str> {
        self.config["job_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

impl Current {
    /// Asks the server for all it has.
    ///
    /// # Errors
    /// When it cannot be reached or does not answer as the API does.
    pub(super) async fn load(server: &Server) -> Result<Self, PlanError> {
        let jobs = by_id(server.get("/_ml/anomaly_detectors").await?, "jobs", "job_id");
        let job_stats = by_id(server.get("/_ml/anomaly_detectors/_stats").await?, "jobs", "job_id");
        let feeds = by_id(server.get("/_ml/datafeeds").await?, "datafeeds", "datafeed_id");
        let feed_stats = by_id(server.get("/_ml/datafeeds/_stats").await?, "datafeeds", "datafeed_id");
        let calendars = by_id(server.get("/_ml/calendars?size=10000").await?, "calendars", "calendar_id");
        let events = if calendars.is_empty() {
            Value::Null
        } else {
            server.get("/_ml/calendars/_all/events?size=10000").await?
        };
        let filters = by_id(server.get("/_ml/filters?size=10000").await?, "filters", "filter_id");
        Ok(Self {
            jobs: jobs
                .into_iter()
                .map(|(id, config)| {
                    let job = current_job(config, job_stats.get(&id).unwrap_or(&Value::Null));
                    (id, job)
                })
                .collect(),
            feeds: feeds
                .into_iter()
                .map(|(id, config)| {
                    let feed = current_feed(config, feed_stats.get(&id).unwrap_or(&Value::Null));
                    (id, feed)
                })
                .collect(),
            calendars: calendars
                .into_iter()
                .map(|(id, config)| {
                    let of_it = |event: &&Value| event["calendar_id"] == Value::String(id.clone());
                    let events = events["events"].as_array().into_iter().flatten().filter(of_it).cloned();
                    let calendar = CurrentCalendar { config, events: events.collect() };
                    (id, calendar)
                })
                .collect(),
            filters,
        })
    }

    /// The datafeed of a job, with its id.
    pub(super) fn feed_of(&self, job_id: &str) -> Option<(&str, &CurrentFeed)> {
        self.feeds.iter().find(|(_, feed)| feed.job_id() == job_id).map(|(id, feed)| (id.as_str(), feed))
    }
}

fn by_id(mut answer: Value, list: &str, id: &str) -> BTreeMap<String, Value> {
    let items = match answer.get_mut(list).map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    items.into_iter().filter_map(|item| Some((item.get(id)?.as_str()?.to_owned(), item))).collect()
}

fn current_job(mut config: Value, stats: &Value) -> CurrentJob {
    config.as_object_mut().map(|config: &mut Map<String, Value>| config.shift_remove("datafeed_config"));
    let counts = &stats["data_counts"];
    CurrentJob {
        config,
        state: stats["state"].as_str().unwrap_or("closed").to_owned(),
        processed_records: counts["processed_record_count"].as_u64().unwrap_or(0),
        earliest_record_ms: counts["earliest_record_timestamp"].as_i64(),
        latest_record_ms: counts["latest_record_timestamp"].as_i64(),
    }
}

fn current_feed(config: Value, stats: &Value) -> CurrentFeed {
    CurrentFeed {
        config,
        state: stats["state"].as_str().unwrap_or("stopped").to_owned(),
        // Older servers do not say; then it is taken to follow new data, which is what datafeeds are for.
        real_time: stats
            .pointer("/running_state/real_time_configured")
            .and_then(Value::as_bool)
            .unwrap_or(true),
    }
}
