//! Delete forecasts, and what a service that stopped left behind.

use serde_json::{Value, json};
use store::{IndicesOptions, indices};

use super::documents::{RequestStats, Status};
use super::running::write_stats;
use crate::config_store::hits;
use crate::results::with_numeric_times;
use crate::service::Jobs;
use crate::{Error, Result, expression};

const LISTED_MAX: usize = 10_000;

pub(super) fn of_job(job_id: &str) -> Value {
    json!({"term": {"job_id": job_id}})
}

impl Jobs {
    /// Removes forecasts of a job with their points; `expression` is an id, a list, a wildcard, `_all` or empty.
    ///
    /// # Errors
    /// When a named forecast does not exist, or, without `allow_no_forecasts`, there is none at all; when one of them is
    /// not over. Nothing is removed then.
    pub async fn delete_forecasts(
        &self,
        job_id: &str,
        expression: &str,
        allow_no_forecasts: bool,
    ) -> Result<()> {
        let expression = if expression.trim().is_empty() { "_all" } else { expression };
        let parts: Vec<&str> = expression.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        let all = self.forecasts_of(&indices::results_read_alias(job_id), of_job(job_id)).await?;
        let wanted: Vec<RequestStats> = all
            .into_iter()
            .filter(|stats| parts.iter().any(|part| expression::matches(part, &stats.forecast_id)))
            .collect();
        if wanted.is_empty() {
            let patterns = parts.iter().all(|part| *part == "_all" || part.contains('*'));
            if patterns && allow_no_forecasts {
                return Ok(());
            }
            return Err(Error::NotFound(format!("No forecast(s) [{expression}] exists for job [{job_id}]")));
        }
        let under_way: Vec<&str> =
            wanted.iter().filter(|stats| !is_over(stats)).map(|stats| stats.forecast_id.as_str()).collect();
        if !under_way.is_empty() {
            return Err(Error::Conflict(format!(
                "Forecast(s) [{}] for job [{job_id}] needs to be either FAILED or FINISHED to be deleted",
                under_way.join(",")
            )));
        }
        self.remove_forecasts(job_id, wanted.iter().map(|stats| stats.forecast_id.as_str())).await
    }

    /// Removes points first, so that a crash in between leaves a forecast that can still be named.
    pub(crate) async fn remove_forecasts<'a>(
        &self,
        job_id: &str,
        forecast_ids: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let ids: Vec<&str> = forecast_ids.collect();
        let index = indices::results_write_alias(job_id);
        for kind in ["model_forecast", "model_forecast_request_stats"] {
            let query = json!({"bool": {"filter": [{"term": {"job_id": job_id}},
                {"term": {"result_type": kind}}, {"terms": {"forecast_id": ids}}]}});
            self.inner.store.delete_by_query(&index, &query).await?;
        }
        self.inner.store.refresh(&index).await?;
        Ok(())
    }

    /// The ids of the forecasts of a job whose time is over.
    pub(crate) async fn expired_forecasts(&self, job_id: &str) -> Result<Vec<String>> {
        let now = self.inner.clock.now();
        let all = self.forecasts_of(&indices::results_read_alias(job_id), of_job(job_id)).await?;
        Ok(all
            .into_iter()
            .filter(|stats| {
                stats.forecast_expiry_timestamp.is_some_and(|expiry| expiry.0 > 0 && expiry < now)
            })
            .filter(|stats| is_over(stats) || !self.inner.forecasts.is_running(job_id, &stats.forecast_id))
            .map(|stats| stats.forecast_id)
            .collect())
    }

    /// What says that it is under way when the service starts is not: it was interrupted.
    pub(crate) async fn fail_interrupted_forecasts(&self) -> Result<()> {
        let under_way = json!({"terms": {"forecast_status":
            [Status::Scheduled.word(), Status::Started.word()]}});
        let interrupted = self.forecasts_of(indices::RESULTS_PATTERN, under_way).await?;
        if interrupted.is_empty() {
            return Ok(());
        }
        let jobs = self.inner.configs.jobs().await?;
        for mut stats in interrupted {
            let is_known = jobs.iter().any(|job| job.job_id == stats.job_id);
            if is_known {
                stats.forecast_status = Status::Failed;
                stats.forecast_messages.push("The forecast was interrupted by a restart".to_owned());
                write_stats(self, &stats, self.inner.options.store_attempts).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn forecasts_of(&self, index: &str, filter: Value) -> Result<Vec<RequestStats>> {
        let filters = [json!({"term": {"result_type": "model_forecast_request_stats"}}), filter];
        let body = json!({"query": {"bool": {"filter": filters}}, "size": LISTED_MAX});
        let mut answer = self.inner.store.search(index, &body, &IndicesOptions::lenient()).await?;
        Ok(hits(&mut answer)
            .into_iter()
            .filter_map(|(_, mut source): (String, Value)| {
                with_numeric_times(&mut source);
                RequestStats::read(&source)
            })
            .collect())
    }
}

/// Is nothing written for it any more? Its end is the last that is written: whoever reads it may remove the forecast at once,
/// also while the place that it had is not yet given back.
fn is_over(stats: &RequestStats) -> bool {
    matches!(stats.forecast_status, Status::Finished | Status::Failed)
}
