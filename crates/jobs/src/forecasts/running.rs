//! A forecast under way: computed on a thread of its own from a copy of the model, written as it goes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::{Analysis, Context, ForecastRequest};
use store::{BulkOp, indices};
use tokio::sync::{mpsc, watch};
use types::{Job, JobId};

use super::documents::{PointDocument, RequestStats, Status};
use crate::config_store::to_json;
use crate::open_job::{patiently, write_all};
use crate::service::Jobs;
use crate::{Error, Result};

/// Points in one request to the store.
const BATCH: usize = 2_000;
/// Batches that may wait for the store.
const BATCHES_WAITING: usize = 2;
/// The state is written again after so much progress.
const PROGRESS_STEP: f64 = 0.1;
const DELAY_FIRST: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(30);
const INTERRUPTED: &str = "The forecast was interrupted";

/// The forecasts that are under way.
#[derive(Debug, Default)]
pub(crate) struct Forecasts(Mutex<Vec<Arc<RunningForecast>>>);

/// A handle on one of them.
#[derive(Debug)]
pub(super) struct RunningForecast {
    job_id: String,
    forecast_id: String,
    stop: watch::Sender<bool>,
    done: watch::Sender<bool>,
}

impl Forecasts {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<RunningForecast>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for a forecast; none when the job has `most` already.
    pub(super) fn begin(&self, job_id: &str, forecast_id: &str, most: usize) -> Option<Arc<RunningForecast>> {
        let mut all = self.lock();
        if all.iter().filter(|forecast| forecast.job_id == job_id).count() >= most {
            return None;
        }
        let forecast = Arc::new(RunningForecast {
            job_id: job_id.to_owned(),
            forecast_id: forecast_id.to_owned(),
            stop: watch::Sender::new(false),
            done: watch::Sender::new(false),
        });
        all.push(Arc::clone(&forecast));
        Some(forecast)
    }

    fn end(&self, ended: &Arc<RunningForecast>) {
        self.lock().retain(|forecast| !Arc::ptr_eq(forecast, ended));
        ended.done.send_replace(true);
    }

    fn of(&self, job_id: Option<&str>) -> Vec<Arc<RunningForecast>> {
        self.lock().iter().filter(|f| job_id.is_none_or(|id| f.job_id == id)).cloned().collect()
    }

    /// Asks the forecasts of a job, or all, to stop, without waiting.
    pub(crate) fn ask_to_stop(&self, job_id: Option<&str>) {
        for forecast in self.of(job_id) {
            forecast.stop.send_replace(true);
        }
    }

    /// Is a forecast of this id under way?
    pub(super) fn is_running(&self, job_id: &str, forecast_id: &str) -> bool {
        self.lock().iter().any(|forecast| forecast.job_id == job_id && forecast.forecast_id == forecast_id)
    }

    /// Stops the forecasts of a job, or all, and waits until they have left the store alone.
    pub(crate) async fn stop(&self, job_id: Option<&str>) {
        let wanted = self.of(job_id);
        for forecast in &wanted {
            forecast.stop.send_replace(true);
        }
        for forecast in wanted {
            // The sender lives as long as the forecast: waiting cannot fail.
            let _ = forecast.done.subscribe().wait_for(|done| *done).await;
        }
    }
}

/// The place of a forecast among those under way, free again when this is dropped: whatever becomes of the forecast, nobody
/// waits for it in vain.
#[derive(Debug)]
pub(super) struct Place {
    jobs: Jobs,
    running: Arc<RunningForecast>,
}

impl Place {
    /// Takes a place; none when the job has `most` already.
    pub(super) fn take(jobs: &Jobs, job_id: &str, forecast_id: &str, most: usize) -> Option<Self> {
        let running = jobs.inner.forecasts.begin(job_id, forecast_id, most)?;
        Some(Self { jobs: jobs.clone(), running })
    }

    /// Repeats a request while the store is away, until the forecast is asked to stop. A request under way is not given up,
    /// since it may be carried out later: who waits for the end may be about to remove what it writes.
    async fn unless_stopped<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut stop = self.running.stop.subscribe();
        let mut delay = DELAY_FIRST;
        for _ in 1..self.jobs.inner.options.store_attempts.max(1) {
            match request().await {
                Err(Error::Store(error)) if error.is_transient() => {
                    tracing::warn!(%error, ?delay, "the store is away, the forecast waits");
                }
                outcome => return outcome,
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Err(Error::Model(INTERRUPTED.to_owned())),
                () = tokio::time::sleep(delay) => delay = (delay * 2).min(DELAY_MAX),
            }
        }
        request().await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.jobs.inner.forecasts.end(&self.running);
    }
}

/// Everything that a forecast needs.
pub(super) struct Run {
    pub(super) job: Job,
    pub(super) request: ForecastRequest,
    /// A copy of the model.
    pub(super) state: Vec<u8>,
    pub(super) stats: RequestStats,
    pub(super) place: Place,
}

struct Batch {
    ops: Vec<BulkOp>,
    /// Points so far, and points in all.
    done: u64,
    all: u64,
}

impl Run {
    /// Writes that it is scheduled and lets it go on in the background.
    pub(super) async fn begin(self) -> Result<()> {
        self.place.unless_stopped(|| write_stats(&self.place.jobs, &self.stats, 1)).await?;
        tokio::spawn(self.run());
        Ok(())
    }

    async fn run(mut self) {
        let began = Instant::now();
        self.stats.forecast_status = Status::Started;
        let started = self.place.unless_stopped(|| write_stats(&self.place.jobs, &self.stats, 1)).await;
        let result = match started {
            Ok(()) => self.points(began).await,
            Err(error) => Err(error),
        };
        self.stats.processing_time_ms = elapsed_ms(began);
        match result {
            Ok(()) => {
                self.stats.forecast_status = Status::Finished;
                self.stats.forecast_progress = 1.0;
            }
            Err(error) => {
                self.stats.forecast_status = Status::Failed;
                self.stats.forecast_messages.push(error.to_string());
            }
        }
        // Of a forecast that was stopped this is tried once: it is being removed, or put right when the service starts.
        let end = self.place.unless_stopped(|| write_stats(&self.place.jobs, &self.stats, 1)).await;
        if let Err(error) = end {
            tracing::error!(job_id = %self.job.job_id, %error, "the end of a forecast could not be written");
        }
    }

    async fn points(&mut self, began: Instant) -> Result<()> {
        let (batches, mut inbox) = mpsc::channel(BATCHES_WAITING);
        let job = self.job.clone();
        let (state, request) = (std::mem::take(&mut self.state), self.request);
        let forecast_id = self.stats.forecast_id.clone();
        let computing =
            tokio::task::spawn_blocking(move || compute(&job, &forecast_id, &state, request, &batches));
        let store = Arc::clone(&self.place.jobs.inner.store);
        let mut stop = self.place.running.stop.subscribe();
        let mut told = 0.0;
        loop {
            let batch = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Err(Error::Model(INTERRUPTED.to_owned())),
                batch = inbox.recv() => batch,
            };
            let Some(Batch { ops, done, all }) = batch else { break };
            let refused = self.place.unless_stopped(|| write_all(&store, 1, ops.clone())).await?;
            if refused > 0 {
                return Err(Error::Model(format!("the store refused {refused} points of the forecast")));
            }
            self.stats.processed_record_count = done;
            self.stats.forecast_progress = done as f64 / all.max(1) as f64;
            if self.stats.forecast_progress >= told + PROGRESS_STEP {
                told = self.stats.forecast_progress;
                self.stats.processing_time_ms = elapsed_ms(began);
                self.place.unless_stopped(|| write_stats(&self.place.jobs, &self.stats, 1)).await?;
            }
        }
        computing.await.map_err(|_| Error::Model("the forecast broke".to_owned()))?
    }
}

fn elapsed_ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Reads the models one after the other. Ends early when nobody takes what is found.
fn compute(
    job: &Job,
    forecast_id: &str,
    state: &[u8],
    request: ForecastRequest,
    batches: &mpsc::Sender<Batch>,
) -> Result<()> {
    let analysis = Analysis::restore(job, Context::default(), state)?;
    let forecast = analysis.forecast(request).map_err(|error| Error::Model(error.to_string()))?;
    let index = indices::results_write_alias(&job.job_id);
    let (all, mut done) = (forecast.points(), 0);
    let mut ops = Vec::with_capacity(BATCH);
    for series in forecast {
        for point in series.points() {
            ops.push(point_op(&index, &job.job_id, forecast_id, &series, point)?);
            done += 1;
            if ops.len() >= BATCH {
                let full = Batch { ops: std::mem::replace(&mut ops, Vec::with_capacity(BATCH)), done, all };
                if batches.blocking_send(full).is_err() {
                    return Ok(());
                }
            }
        }
    }
    // Nobody takes the rest when the forecast was stopped: that is said elsewhere.
    let _ = batches.blocking_send(Batch { ops, done, all });
    Ok(())
}

fn point_op(
    index: &str,
    job_id: &JobId,
    forecast_id: &str,
    series: &engine::ForecastSeries<'_>,
    point: engine::ForecastPoint,
) -> Result<BulkOp> {
    let document = PointDocument::new(job_id, forecast_id, series, point);
    Ok(BulkOp::index(index, document.doc_id(), to_json(&document)?.to_string()))
}

/// Writes how far a forecast is, so that searches see it and the points before it.
pub(super) async fn write_stats(jobs: &Jobs, stats: &RequestStats, attempts: u32) -> Result<()> {
    let inner = &jobs.inner;
    let index = indices::results_write_alias(&stats.job_id);
    let op = BulkOp::index(&index, stats.doc_id(), to_json(stats)?.to_string());
    store::check_all(patiently(attempts, || inner.store.bulk(vec![op.clone()])).await?)?;
    patiently(attempts, || inner.store.refresh(&index)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_has_few_forecasts_at_a_time() {
        let all = Forecasts::default();
        let running: Vec<_> = ["a", "b", "c"].iter().map(|id| all.begin("j", id, 3).unwrap()).collect();
        assert!(all.begin("j", "d", 3).is_none());
        assert!(all.begin("other", "d", 3).is_some() && all.is_running("j", "b"));
        all.end(&running[1]);
        assert!(!all.is_running("j", "b") && all.begin("j", "d", 3).is_some());
        all.stop(Some("nobody")).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_forecast_that_waits_for_the_store_stops_at_once() {
        let clock = Arc::new(testkit::MockClock::at(0));
        let store = store::open(&store::Config::Memory, clock.clone()).await.unwrap();
        let jobs = Jobs::start(store, clock, crate::Options::default()).await.unwrap();
        let place = Place::take(&jobs, "j", "f", 1).unwrap();
        let waiting = tokio::spawn(async move {
            let away = || async { Err::<(), _>(store::Error::Unavailable("away".to_owned()).into()) };
            place.unless_stopped(away).await.unwrap_err().to_string()
        });
        tokio::task::yield_now().await;
        let began = tokio::time::Instant::now();
        jobs.inner.forecasts.stop(None).await;
        assert_eq!(waiting.await.unwrap(), INTERRUPTED);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
}
