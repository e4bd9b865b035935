//! Statistics of jobs, from the running task or, when the job is closed, from the results' index.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::{IndicesOptions, Store, indices};
use types::stats::{DataCounts, ModelSizeStats, TimingStats};
use types::{Job, JobId, TimestampMs};

use crate::Result;
use crate::config_store::hits;
use crate::forecasts::ForecastsStats;
use crate::open_job::State;
use crate::results::with_numeric_times;
use crate::service::{Jobs, Listed, Node};

/// What statistics show of a job.
#[derive(Clone, Debug, Serialize)]
pub struct JobStats {
    /// The job.
    pub job_id: String,
    /// What became of its records.
    pub data_counts: DataCounts,
    /// How large its model is.
    pub model_size_stats: ModelSizeStats,
    /// Of its forecasts.
    pub forecasts_stats: ForecastsStats,
    /// Where it is in its life.
    pub state: State,
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Node>,
    /// Why it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment_explanation: Option<String>,
    /// For how long it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_time: Option<String>,
    /// How long its buckets took.
    pub timing_stats: TimingStats,
    /// Is it being removed?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleting: Option<bool>,
}

impl Jobs {
    /// Statistics of the jobs that an expression names, sorted by id.
    ///
    /// # Errors
    /// When a name, or without `allow_no_match` a pattern, matches nothing.
    pub async fn job_stats(&self, expression: &str, allow_no_match: bool) -> Result<Listed<JobStats>> {
        let jobs = self.matching_jobs(expression, allow_no_match).await?;
        let mut items = Vec::with_capacity(jobs.len());
        for job in &jobs {
            items.push(self.stats_of(job).await?);
        }
        Ok(Listed { count: items.len() as u64, items })
    }

    async fn stats_of(&self, job: &Job) -> Result<JobStats> {
        let live = self.inner.open_job(&job.job_id).map(|open| open.live().clone());
        let live = live.filter(|live| live.state != State::Closed);
        let running = live
            .as_ref()
            .is_some_and(|live| matches!(live.state, State::Opened | State::Closing) && !live.paused);
        let empty =
            || ModelSizeStats::empty(&job.job_id, job.model_memory_limit_bytes(), self.inner.clock.now());
        let mut stats = JobStats {
            job_id: job.job_id.to_string(),
            data_counts: DataCounts::new(&job.job_id),
            model_size_stats: empty(),
            forecasts_stats: self.forecasts_stats(&job.job_id).await?,
            state: live.as_ref().map_or(State::Closed, |live| live.state),
            node: running.then(|| self.inner.node()),
            assignment_explanation: live.as_ref().map(|live| live.failure.clone()),
            open_time: None,
            timing_stats: TimingStats { job_id: job.job_id.to_string(), ..TimingStats::default() },
            deleting: job.blocked.as_ref().filter(|blocked| blocked.reason == "delete").map(|_| true),
        };
        match live {
            Some(live) if running => {
                let TimestampMs(open_ms) = live.open_time;
                stats.open_time =
                    Some(format!("{}s", (self.inner.clock.now().0.saturating_sub(open_ms)).max(0) / 1000));
                stats.data_counts = live.counts;
                stats.timing_stats = live.timing;
                stats.model_size_stats = live.size_stats.unwrap_or_else(empty);
            }
            _ => self.stored_stats(job, &mut stats).await?,
        }
        Ok(stats)
    }

    async fn stored_stats(&self, job: &Job, stats: &mut JobStats) -> Result<()> {
        let (counts, timing) = stored_counts(&self.inner.store, &job.job_id).await?;
        stats.data_counts = counts.unwrap_or_else(|| stats.data_counts.clone());
        stats.timing_stats = timing.unwrap_or_else(|| stats.timing_stats.clone());
        if let Some(sizes) = self.stored_size_stats(&job.job_id).await? {
            stats.model_size_stats = sizes;
        }
        Ok(())
    }

    /// The newest size document of a job.
    pub(crate) async fn stored_size_stats(&self, job_id: &str) -> Result<Option<ModelSizeStats>> {
        let query = json!({"bool": {"filter": [{"term": {"job_id": job_id}},
            {"term": {"result_type": "model_size_stats"}}]}});
        let body = json!({"query": query, "sort": [{"log_time": {"order": "desc"}}], "size": 1});
        let empty = ModelSizeStats::empty(&JobId::try_from(job_id)?, 0, self.inner.clock.now());
        let alias = indices::results_read_alias(job_id);
        let mut answer = self.inner.store.search(&alias, &body, &IndicesOptions::lenient()).await?;
        Ok(hits(&mut answer).into_iter().next().map(|(_, mut source)| {
            with_numeric_times(&mut source);
            overlaid(&empty, source)
        }))
    }
}

/// A document that others wrote may lack fields: those of `base` stand in. A document that cannot be read is ignored.
fn overlaid<T: Clone + Serialize + DeserializeOwned>(base: &T, document: Value) -> T {
    let (Ok(Value::Object(mut fields)), Value::Object(found)) = (serde_json::to_value(base), document) else {
        return base.clone();
    };
    fields.extend(found);
    serde_json::from_value(Value::Object(fields)).unwrap_or_else(|_| base.clone())
}

/// The counts and times of a job as its documents have them. None where there is no document.
pub(crate) async fn stored_counts(
    store: &Arc<dyn Store>,
    job_id: &JobId,
) -> Result<(Option<DataCounts>, Option<TimingStats>)> {
    let alias = indices::results_read_alias(job_id);
    let ids = [DataCounts::doc_id(job_id), format!("{job_id}_timing_stats")];
    let body = json!({"query": {"ids": {"values": ids}}, "size": 2});
    let mut answer = store.search(&alias, &body, &IndicesOptions::lenient()).await?;
    let no_timing = TimingStats { job_id: job_id.to_string(), ..TimingStats::default() };
    let (mut counts, mut timing) = (None, None);
    for (id, mut source) in hits(&mut answer) {
        with_numeric_times(&mut source);
        if id.ends_with("_timing_stats") {
            timing = Some(overlaid(&no_timing, source));
        } else {
            counts = Some(overlaid(&DataCounts::new(job_id), source));
        }
    }
    Ok((counts, timing))
}
