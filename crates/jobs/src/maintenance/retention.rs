//! Results, annotations, snapshots and forecasts of a job whose time is over.

use serde_json::{Value, json};
use store::indices;
use types::Job;
use types::snapshot::ModelSnapshot;

use super::request::Pace;
use super::snapshots::expired;
use crate::Result;
use crate::annotations::OWN_USER;
use crate::notifications::Level;
use crate::results::{Paging, Search};
use crate::service::Jobs;

const DAY_MS: i64 = 86_400_000;
/// They have retentions of their own, or none.
const KEPT: [&str; 5] = [
    "model_size_stats",
    "model_forecast",
    "model_forecast_request_stats",
    "timing_stats",
    "datafeed_timing_stats",
];

impl Jobs {
    /// Says whether there was time for everything.
    pub(super) async fn remove_expired(&self, job: &Job, pace: &Pace) -> Result<bool> {
        Ok(self.remove_old_results(job, pace).await?
            && self.remove_old_forecasts(job, pace).await?
            && self.remove_old_snapshots(job, pace).await?)
    }

    async fn remove_old_results(&self, job: &Job, pace: &Pace) -> Result<bool> {
        let job_id = job.job_id.as_str();
        let Some(days) = job.results_retention_days else { return Ok(true) };
        let Some(newest_ms) = self.newest_bucket_ms(job_id).await? else { return Ok(true) };
        let cutoff_ms = newest_ms.saturating_sub(days.saturating_mul(DAY_MS));
        let old = json!({"range": {"timestamp": {"lt": cutoff_ms, "format": "epoch_millis"}}});
        let own = json!({"term": {"job_id": job_id}});
        let results = json!({"bool": {"filter": [own, old, {"exists": {"field": "result_type"}}],
            "must_not": [{"terms": {"result_type": KEPT}}]}});
        let annotations = json!({"bool": {"filter": [own, old, {"term": {"create_username": OWN_USER}}]}});
        let alias = indices::results_write_alias(job_id);
        let mut removed = 0;
        for (index, query) in [(alias.as_str(), results), (indices::ANNOTATIONS_WRITE, annotations)] {
            if !pace.next(self).await {
                return Ok(false);
            }
            self.inner.store.refresh(index).await?;
            removed += self.inner.store.delete_by_query(index, &query).await?;
        }
        if removed > 0 {
            let message = format!("Deleted results prior to {}", types::TimestampMs(cutoff_ms).to_iso());
            self.inner.notifier.tell(job_id, Level::Info, message).await;
        }
        Ok(true)
    }

    async fn newest_bucket_ms(&self, job_id: &str) -> Result<Option<i64>> {
        let newest = Search::of("bucket")
            .without_interim(true)
            .sorted("timestamp", true)
            .paged(Paging { from: 0, size: 1 });
        let found = self.search_results(job_id, &newest).await?.items.into_iter().next();
        Ok(found.and_then(|(_, bucket)| bucket.get("timestamp").and_then(Value::as_i64)))
    }

    async fn remove_old_forecasts(&self, job: &Job, pace: &Pace) -> Result<bool> {
        let ids = self.expired_forecasts(&job.job_id).await?;
        if ids.is_empty() {
            return Ok(true);
        }
        if !pace.next(self).await {
            return Ok(false);
        }
        self.remove_forecasts(&job.job_id, ids.iter().map(String::as_str)).await?;
        Ok(true)
    }

    async fn remove_old_snapshots(&self, job: &Job, pace: &Pace) -> Result<bool> {
        let snapshots = self.all_snapshots(&job.job_id).await?;
        let in_use = self.snapshots_in_use(job).await?;
        let is_used = |snapshot: &ModelSnapshot| in_use.contains(&snapshot.snapshot_id);
        for snapshot in expired(job, &snapshots, is_used) {
            if !pace.next(self).await {
                return Ok(false);
            }
            // The run may last for hours, in which the job may have been reverted to it.
            let (job, _) = self.inner.configs.job(&job.job_id).await?;
            if !self.snapshots_in_use(&job).await?.contains(&snapshot.snapshot_id) {
                self.remove_snapshot(snapshot).await?;
            }
        }
        Ok(true)
    }
}
