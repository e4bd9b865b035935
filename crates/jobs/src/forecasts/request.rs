//! What is asked for, and everything that must be true before a forecast begins.

use std::hash::{BuildHasher, Hasher, RandomState};

use engine::{ForecastError, ForecastRequest};
use types::results::ResultType;
use types::{Job, TimeSpan, TimestampMs};

use super::documents::{RequestStats, Status};
use super::running::{Place, Run};
use crate::open_job::{Command, ForecastBasis};
use crate::service::Jobs;
use crate::{Error, Result};

const DAY_MS: i64 = 86_400_000;
const DURATION_DEFAULT_MS: i64 = DAY_MS;
const DURATION_MAX_DAYS: i64 = 3650;
const EXPIRY_DEFAULT_MS: i64 = 14 * DAY_MS;
const MEBIBYTE: u64 = 1024 * 1024;
const MEMORY_MIN_BYTES: u64 = MEBIBYTE;
/// Excluded.
const MEMORY_MAX_BYTES: u64 = 500 * MEBIBYTE;
const AT_ONCE_MAX: usize = 3;
/// Points that one forecast may have: more would fill the store with what nobody can look at.
const POINTS_MAX: u64 = 20_000_000;
const ID_CHARS: usize = 20;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForecastJob {
    /// Length; a day when absent, ten years at most.
    pub duration: Option<TimeSpan>,
    /// After how long it is removed; 14 days when absent, never when zero.
    pub expires_in: Option<TimeSpan>,
    /// Memory that it may take, in bytes; from 1 MiB to below 500 MiB, which is the limit when absent.
    pub max_model_memory_bytes: Option<u64>,
}

impl ForecastJob {
    /// # Errors
    /// When a number is out of its range, which is said whatever the job's state is.
    fn checked(self) -> Result<Self> {
        if let Some(duration) = self.duration {
            if duration.as_millis() <= 0 {
                return Err(Error::argument(format!("[duration] must be positive: [{duration}]")));
            }
            if duration.as_millis() > DURATION_MAX_DAYS * DAY_MS {
                return Err(Error::argument(format!(
                    "[duration] must be {DURATION_MAX_DAYS}d or less: [{duration}]"
                )));
            }
        }
        if let Some(expires_in) = self.expires_in.filter(|span| span.as_millis() < 0) {
            return Err(Error::argument(format!("[expires_in] must be non-negative: [{expires_in}]")));
        }
        match self.max_model_memory_bytes {
            Some(bytes) if bytes < MEMORY_MIN_BYTES => {
                Err(Error::argument(format!("[max_model_memory] must be at least 1mb: [{}]", size(bytes))))
            }
            Some(bytes) if bytes >= MEMORY_MAX_BYTES => {
                Err(Error::argument(format!("[max_model_memory] must be less than 500mb: [{}]", size(bytes))))
            }
            _ => Ok(self),
        }
    }

    fn engine_request(self) -> ForecastRequest {
        let duration_ms = self.duration.map_or(DURATION_DEFAULT_MS, TimeSpan::as_millis);
        // A part of a second counts as a whole one.
        let duration_s = duration_ms.saturating_add(999).div_euclid(1000);
        ForecastRequest { duration_s, points_max: POINTS_MAX }
    }

    fn expiry(self, now: TimestampMs) -> Option<TimestampMs> {
        let ms = self.expires_in.map_or(EXPIRY_DEFAULT_MS, TimeSpan::as_millis);
        (ms > 0).then(|| TimestampMs(now.0.saturating_add(ms)))
    }
}

/// Bytes in the largest unit that divides them.
fn size(bytes: u64) -> String {
    match bytes {
        0 => "0b".to_owned(),
        _ if bytes.is_multiple_of(1024 * MEBIBYTE) => format!("{}gb", bytes / (1024 * MEBIBYTE)),
        _ if bytes.is_multiple_of(MEBIBYTE) => format!("{}mb", bytes / MEBIBYTE),
        _ if bytes.is_multiple_of(1024) => format!("{}kb", bytes / 1024),
        _ => format!("{bytes}b"),
    }
}

fn cannot(why: &str) -> Error {
    Error::BadRequest(format!("Cannot run forecast: {why}"))
}

fn refused(error: &ForecastError) -> Error {
    match error {
        ForecastError::Population => cannot("Forecast cannot be executed for population analysis"),
        ForecastError::Function { function } => {
            cannot(&format!("Forecast cannot be executed for jobs with the function '{function}'"))
        }
        ForecastError::NoData => {
            cannot("Forecast cannot be executed as job requires data to have been processed and modeled")
        }
        other => Error::argument(format!("Cannot run forecast: {other}")),
    }
}

impl Jobs {
    /// Begins a forecast of an open job; the answer is its id. It goes on in the background and writes as it goes.
    ///
    /// # Errors
    /// When a parameter is out of range, the job does not exist or is not open, has a detector that cannot be forecast,
    /// has learnt nothing yet or is at its memory limit, or three of its forecasts are under way.
    pub async fn forecast_job(&self, job_id: &str, asked: ForecastJob) -> Result<String> {
        let asked = asked.checked()?;
        let job_id = job_id.to_owned();
        self.to_the_end(|jobs| async move { jobs.begin_forecast(&job_id, asked).await }).await
    }

    async fn begin_forecast(&self, job_id: &str, asked: ForecastJob) -> Result<String> {
        let (job, _) = self.inner.configs.job(job_id).await?;
        let handle = self.opened(job_id).await?;
        let forecast_id = new_id();
        // Before the model is copied, which takes time and memory.
        let Some(place) = Place::take(self, job_id, &forecast_id, AT_ONCE_MAX) else {
            return Err(Error::TooManyRequests(format!(
                "Cannot run forecast: job [{job_id}] has {AT_ONCE_MAX} forecasts under way, which is the most at a time"
            )));
        };
        let request = asked.engine_request();
        let limit = asked.max_model_memory_bytes;
        let basis = handle.ask(|reply| Command::Forecast { request, reply }).await?;
        let basis = basis.map_err(|error| refused(&error))?;
        check_memory(&basis, limit)?;
        let stats = self.scheduled(&job, &forecast_id, asked, &basis);
        let run = Run { job, request, state: basis.state, stats, place };
        run.begin().await?;
        Ok(forecast_id)
    }

    fn scheduled(
        &self,
        job: &Job,
        forecast_id: &str,
        asked: ForecastJob,
        basis: &ForecastBasis,
    ) -> RequestStats {
        let now = self.inner.clock.now();
        RequestStats {
            job_id: job.job_id.clone(),
            result_type: ResultType::ModelForecastRequestStats,
            forecast_id: forecast_id.to_owned(),
            processed_record_count: 0,
            forecast_messages: too_young(basis.too_young),
            timestamp: basis.start,
            forecast_start_timestamp: basis.start,
            forecast_end_timestamp: basis.end,
            forecast_create_timestamp: now,
            forecast_expiry_timestamp: asked.expiry(now),
            forecast_memory_bytes: basis.model_bytes,
            processing_time_ms: 0,
            forecast_progress: 0.0,
            forecast_status: Status::Scheduled,
        }
    }
}

fn too_young(count: usize) -> Vec<String> {
    let told = format!("{count} models are left out: they have too few data for a forecast");
    (count > 0).then_some(told).into_iter().collect()
}

/// A forecast needs a copy of the models that it reads, so that what they take counts.
fn check_memory(basis: &ForecastBasis, limit_bytes: Option<u64>) -> Result<()> {
    if basis.at_memory_limit {
        return Err(cannot("Forecast cannot be executed as model memory status is not OK"));
    }
    // Nothing is put on a disk to stay below a limit that was asked for: what needs more is refused.
    let most = limit_bytes.unwrap_or(MEMORY_MAX_BYTES);
    if basis.model_bytes > most {
        return Err(cannot(&format!(
            "Forecast cannot be executed as forecast memory usage is predicted to exceed [{}]",
            size(most)
        )));
    }
    Ok(())
}

/// An id that no other forecast has: random, and safe in addresses and document ids.
fn new_id() -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let random = || u128::from(RandomState::new().build_hasher().finish());
    let mut bits = (random() << 64) | random();
    let mut id = String::with_capacity(ID_CHARS);
    for _ in 0..ID_CHARS {
        let digit = usize::try_from(bits % 62).unwrap_or(0);
        id.push(char::from(ALPHABET[digit]));
        bits /= 62;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(duration: &str, expires_in: &str, memory_bytes: u64) -> String {
        let span = |text: &str| Some(TimeSpan::parse(text, "x").unwrap());
        let asked = ForecastJob {
            duration: span(duration),
            expires_in: span(expires_in),
            max_model_memory_bytes: Some(memory_bytes),
        };
        asked.checked().map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        assert_eq!(refusal("3650d", "0", 20 * MEBIBYTE), "");
        assert_eq!(refusal("0s", "0", MEBIBYTE), "[duration] must be positive: [0s]");
        assert_eq!(refusal("3651d", "0", MEBIBYTE), "[duration] must be 3650d or less: [3651d]");
        assert_eq!(refusal("1h", "-1", MEBIBYTE), "[expires_in] must be non-negative: [-1]");
        assert_eq!(
            refusal("1h", "1d", 500 * MEBIBYTE),
            "[max_model_memory] must be less than 500mb: [500mb]"
        );
        assert_eq!(refusal("1h", "1d", 1024), "[max_model_memory] must be at least 1mb: [1kb]");
    }

    #[test]
    fn models_that_need_more_than_was_allowed_are_refused() {
        let basis = |model_bytes| ForecastBasis {
            state: Vec::new(),
            start: TimestampMs(0),
            end: TimestampMs(0),
            model_bytes,
            too_young: 0,
            at_memory_limit: false,
        };
        let grown = basis(2 * MEBIBYTE);
        assert!(check_memory(&grown, Some(2 * MEBIBYTE)).is_ok() && check_memory(&grown, None).is_ok());
        for (basis, limit, named) in [(grown, Some(MEBIBYTE), "1mb"), (basis(501 * MEBIBYTE), None, "500mb")]
        {
            let error = check_memory(&basis, limit).unwrap_err();
            let told = "Cannot run forecast: Forecast cannot be executed as forecast memory usage is predicted to exceed";
            assert_eq!(error.to_string(), format!("{told} [{named}]"));
        }
    }

    #[test]
    fn ids_differ_and_are_plain() {
        let (one, other) = (new_id(), new_id());
        assert_ne!(one, other);
        assert!(one.len() == ID_CHARS && one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn a_forecast_that_never_expires_has_no_expiry() {
        let zero = ForecastJob { expires_in: TimeSpan::parse("0", "x").ok(), ..ForecastJob::default() };
        assert_eq!(zero.expiry(TimestampMs(5)), None);
        assert_eq!(ForecastJob::default().expiry(TimestampMs(5)), Some(TimestampMs(5 + EXPIRY_DEFAULT_MS)));
    }
}
