//! One run over the jobs that an expression names.

use std::time::Duration;

use types::{Invalid, TimeSpan};

use crate::Result;
use crate::service::Jobs;

const TIMEOUT_DEFAULT_MS: i64 = 8 * 3_600_000;

/// How a run goes about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpiredData {
    /// Requests to the store that remove something, per second; as many as possible when absent or −1.
    pub requests_per_second: Option<f64>,
    /// Nothing new is begun after this time; eight hours when absent.
    pub timeout: Option<TimeSpan>,
}

/// Spreads removals over time and ends them when time is up.
#[derive(Debug)]
pub(super) struct Pace {
    pause: Option<Duration>,
    until_ms: i64,
}

impl Pace {
    /// Is there time for another removal? Waits until it may begin, and not at all when that would be too late.
    pub(super) async fn next(&self, jobs: &Jobs) -> bool {
        let left_ms = self.until_ms.saturating_sub(jobs.inner.clock.now().0);
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        let pause = self.pause.unwrap_or(Duration::ZERO);
        if left.is_zero() || pause >= left {
            return false;
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        true
    }
}

impl ExpiredData {
    fn pace(self, now_ms: i64) -> Result<Pace> {
        let rate = self.requests_per_second.filter(|rate| *rate != -1.0);
        if rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err(Invalid::request_validation(
                "Validation Failed: 1: [requests_per_second] must either be -1 or greater than 0;",
            )
            .into());
        }
        let timeout_ms = self.timeout.map_or(TIMEOUT_DEFAULT_MS, TimeSpan::as_millis);
        Ok(Pace {
            pause: rate.map(|rate| Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX)),
            until_ms: now_ms.saturating_add(timeout_ms),
        })
    }
}

impl Jobs {
    /// Removes what the jobs that an expression names keep no longer: results, annotations of the service, snapshots,
    /// forecasts; for all jobs also what belongs to no job. Says whether everything was done in time.
    ///
    /// # Errors
    /// When a job is unknown, the rate is not positive, or the store fails; the failure of one job is told after the others
    /// were done.
    pub async fn delete_expired_data(&self, expression: &str, how: ExpiredData) -> Result<bool> {
        let pace = how.pace(self.inner.clock.now().0)?;
        let jobs = self.matching_jobs(expression, true).await?;
        let mut failure = None;
        for job in &jobs {
            match self.remove_expired(job, &pace).await {
                Ok(true) => {}
                Ok(false) => return failure.map_or(Ok(false), Err),
                // One job whose documents cannot be read is no reason to let those of all others grow.
                Err(error) => {
                    tracing::error!(job_id = %job.job_id, %error, "expired data of a job could not be removed");
                    failure.get_or_insert(error);
                }
            }
        }
        let all = matches!(expression.trim(), "" | "_all" | "*");
        let done = if all { self.remove_leftovers(&pace).await } else { Ok(true) };
        failure.map_or(done, Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_positive_or_unlimited() {
        let pace = |rate| ExpiredData { requests_per_second: rate, timeout: None }.pace(0);
        assert_eq!(pace(Some(4.0)).unwrap().pause, Some(Duration::from_millis(250)));
        assert_eq!(pace(Some(-1.0)).unwrap().pause, None);
        for bad in [0.0, -2.0, f64::NAN] {
            assert!(pace(Some(bad)).is_err(), "{bad}");
        }
    }
}
