//! Open and close jobs, flush them, push data.

use std::sync::Arc;

use serde::Serialize;
use types::stats::DataCounts;
use types::{Job, TimestampMs};

use crate::config_store::JobTask;
use crate::ingest::Reader;
use crate::notifications::Level;
use crate::open_job::{Command, FlushRequest, OpenJob, Opening, State};
use crate::service::Jobs;
use crate::{Error, Result};

/// Pushed bodies may not be larger.
const BODY_BYTES_MAX: usize = 100 * 1024 * 1024;

/// The answer to opening a job.
#[derive(Clone, Debug, Serialize)]
pub struct Opened {
    /// Is it open?
    pub opened: bool,
    /// The node on which it runs.
    pub node: String,
}

/// How jobs are closed.
#[derive(Clone, Copy, Debug)]
pub struct CloseJob {
    /// Without saving the state; also failed jobs.
    pub force: bool,
    /// A pattern that matches nothing is no error.
    pub allow_no_match: bool,
}

impl Default for CloseJob {
    fn default() -> Self {
        Self { force: false, allow_no_match: true }
    }
}

/// What a flush is asked to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlushJob {
    /// Write interim results of the bucket that is open.
    pub calc_interim: bool,
    /// Of buckets from here on.
    pub start: Option<TimestampMs>,
    /// Of buckets before this.
    pub end: Option<TimestampMs>,
    /// Time has come to here: buckets before it are final.
    pub advance_time: Option<TimestampMs>,
    /// Jump to here without results.
    pub skip_time: Option<TimestampMs>,
}

/// The answer to a flush.
#[derive(Clone, Debug, Serialize)]
pub struct Flushed {
    /// Always true.
    pub flushed: bool,
    /// End of the newest bucket whose results are final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_finalized_bucket_end: Option<TimestampMs>,
}

impl Jobs {
    /// Opens a job, which then takes data.
    ///
    /// # Errors
    /// When it does not exist, is open already, is being removed, or its state cannot be read.
    pub async fn open_job(&self, job_id: &str) -> Result<Opened> {
        let job_id = job_id.to_owned();
        self.to_the_end(|jobs| async move { jobs.open_now(&job_id).await }).await
    }

    async fn open_now(&self, job_id: &str) -> Result<Opened> {
        let (job, _) = self.inner.configs.job(job_id).await?;
        self.refuse_in_upgrade_mode("open jobs")?;
        self.check_allocation("open job because no suitable nodes were found")?;
        if let Some(blocked) = &job.blocked {
            return Err(Error::Conflict(format!(
                "Cannot open job [{job_id}] because it is executing [{}]",
                blocked.reason
            )));
        }
        for snapshot_id in self.snapshots_in_use(&job).await? {
            self.refuse_while_upgraded(job_id, &snapshot_id, "open")?;
        }
        self.open_as(job_id, self.inner.clock.now(), true).await?;
        let queued = self.inner.open_job(job_id).is_some_and(|job| job.is_paused());
        let node = if queued { String::new() } else { self.inner.options.node_id.clone() };
        Ok(Opened { opened: true, node })
    }

    /// Opens a job as of `open_time`, `fresh` or again after a restart; keeps note of it, so that it opens again after a crash.
    pub(crate) async fn open_as(&self, job_id: &str, open_time: TimestampMs, fresh: bool) -> Result<()> {
        let inner = &self.inner;
        let handle = Arc::new(OpenJob::new(job_id, open_time));
        {
            let mut open = inner.open();
            match open.get(job_id).map(|job| job.state()) {
                None | Some(State::Closed) => {}
                Some(State::Failed) => {
                    return Err(Error::Conflict(format!(
                        "Cannot open job [{job_id}] because it is in state [failed]; close it by force first"
                    )));
                }
                Some(_) => {
                    return Err(Error::Conflict(format!(
                        "Cannot open job [{job_id}] because it has already been opened"
                    )));
                }
            }
            let taken =
                open.values().filter(|job| !matches!(job.state(), State::Closed | State::Failed)).count();
            let most = inner.settings.max_open_jobs();
            if fresh && taken >= most {
                return Err(Error::TooManyRequests(format!(
                    "Could not open job [{job_id}] because [{taken}] jobs are open and the setting xpack.ml.max_open_jobs is [{most}]"
                )));
            }
            open.insert(job_id.to_owned(), Arc::clone(&handle));
        }
        let node = &inner.options.node_name;
        inner.notifier.tell(job_id, Level::Info, format!("Opening job on node [{node}]")).await;
        let opening = self.opening(job_id, open_time, fresh, &handle).await;
        if let Err(error) = &opening {
            handle.failed(error);
            inner.notifier.tell(job_id, Level::Error, format!("Job could not be opened: {error}")).await;
        }
        opening
    }

    async fn opening(
        &self,
        job_id: &str,
        open_time: TimestampMs,
        fresh: bool,
        handle: &Arc<OpenJob>,
    ) -> Result<()> {
        let inner = &self.inner;
        let clear = |job: &Job| Ok(Job { finished_time: None, ..job.clone() });
        let job = inner.configs.update_job(job_id, clear).await?;
        let task = JobTask { task: "job".to_owned(), job_id: job_id.to_owned(), open_time };
        inner.configs.put_job_task(&task).await?;
        let memory_bytes = inner.options.memory_bytes;
        if job.allow_lazy_open && memory_bytes > 0 && job.model_memory_limit_bytes() > memory_bytes {
            handle.queue(&format!(
                "no node has the memory for the job's model_memory_limit [{}]",
                job.analysis_limits.model_memory_limit.map_or_else(String::new, |limit| limit.to_string())
            ));
            return Ok(());
        }
        let opening = Opening {
            store: Arc::clone(&inner.store),
            clock: Arc::clone(&inner.clock),
            options: Arc::clone(&inner.options),
            notifier: inner.notifier.clone(),
            configs: inner.configs.clone(),
            context: self.context_of(&job).await?,
            job,
            fresh,
        };
        opening.run(Arc::clone(handle)).await
    }

    /// Closes the jobs that an expression names. Datafeeds that run are stopped first.
    ///
    /// # Errors
    /// When a name is unknown, a job has failed and `force` is not set, or its state cannot be saved.
    pub async fn close_jobs(&self, expression: &str, options: CloseJob) -> Result<()> {
        let expression = expression.to_owned();
        self.to_the_end(|jobs| async move { jobs.close_now(&expression, options).await }).await
    }

    async fn close_now(&self, expression: &str, options: CloseJob) -> Result<()> {
        let jobs = self.matching_jobs(expression, options.allow_no_match).await?;
        let states: Vec<(String, State)> =
            jobs.iter().map(|job| (job.job_id.to_string(), self.inner.state(&job.job_id))).collect();
        let failed: Vec<&str> =
            states.iter().filter(|(_, state)| *state == State::Failed).map(|(id, _)| id.as_str()).collect();
        if !failed.is_empty() && !options.force {
            return Err(Error::Conflict(match failed.as_slice() {
                [one] => format!("Cannot close job [{one}] because the job failed, use force close"),
                many => format!("one or more jobs have state failed, use force close: {many:?}"),
            }));
        }
        for (job_id, state) in states {
            if state != State::Closed {
                self.stop_feed_of(&job_id, options.force).await?;
                self.close_one(&job_id, options.force).await?;
            }
        }
        Ok(())
    }

    /// Closes one job whose datafeed does not run.
    pub(crate) async fn close_one(&self, job_id: &str, force: bool) -> Result<()> {
        self.close_with_feed(job_id, force, None).await
    }

    /// Closes a job, and forgets that the datafeed which came to its end was running. The job counts as closed only when
    /// all of that is noted: whoever sees it closed may open it and start the datafeed again at once.
    pub(crate) async fn close_with_feed(&self, job_id: &str, force: bool, feed: Option<&str>) -> Result<()> {
        let handle = self.inner.open_job(job_id);
        if let Some(handle) = &handle {
            if handle.is_paused() {
                // Its state was saved when it was paused.
            } else if force {
                handle.killed.send_replace(true);
            } else {
                handle.wait_opened().await;
                self.inner.notifier.tell(job_id, Level::Info, "Job is closing").await;
                handle.ask_last(|reply| Command::Close { reply }).await?;
            }
            handle.live().state = State::Closing;
        }
        let noted = self.note_closed(job_id, handle.is_some(), feed).await;
        if let Some(handle) = handle {
            handle.live().state = State::Closed;
            let mut open = self.inner.open();
            if open.get(job_id).is_some_and(|now| Arc::ptr_eq(now, &handle)) {
                open.remove(job_id);
            }
        }
        noted
    }

    async fn note_closed(&self, job_id: &str, was_open: bool, feed: Option<&str>) -> Result<()> {
        if was_open {
            self.inner.configs.delete_job_task(job_id).await?;
            let now = self.inner.clock.now();
            let finish = |job: &Job| Ok(Job { finished_time: Some(now), ..job.clone() });
            self.inner.configs.update_job(job_id, finish).await?;
        }
        if let Some(datafeed_id) = feed {
            // After the job's note, so that after a crash between them the datafeed is known to have come to its end.
            self.inner.configs.delete_feed_task(datafeed_id).await?;
        }
        Ok(())
    }

    /// The handle of a job that takes requests.
    ///
    /// # Errors
    /// When the job does not exist or is not open.
    pub(crate) async fn opened(&self, job_id: &str) -> Result<Arc<OpenJob>> {
        if let Some(job) = self.inner.open_job(job_id) {
            job.wait_opened().await;
            if job.state() == State::Opened && !job.is_paused() {
                return Ok(job);
            }
        }
        self.inner.configs.job(job_id).await?;
        Err(Error::not_open(job_id))
    }

    /// Takes JSON documents, back to back, one per line or in an array. They are durable when this returns.
    ///
    /// # Errors
    /// When the job is not open, the body is not JSON or too large (nothing of it is used then), or the job is busy.
    pub async fn post_data(&self, job_id: &str, body: &str) -> Result<DataCounts> {
        self.post_data_anew(job_id, body, None).await
    }

    /// As [`Jobs::post_data`], after emptying the open buckets from the first time on and before the second, so that
    /// their records can be sent again. Buckets that are final stay as they are.
    ///
    /// # Errors
    /// As those of [`Jobs::post_data`].
    pub async fn post_data_anew(
        &self,
        job_id: &str,
        body: &str,
        reset: Option<(TimestampMs, TimestampMs)>,
    ) -> Result<DataCounts> {
        let reset = reset.map(|(start, end)| (start.0, end.0));
        if let Some((start, end)) = reset.filter(|(start, end)| end < start) {
            return Err(Error::argument(format!(
                "Invalid time range: end time '{end}' is earlier than start time '{start}'."
            )));
        }
        let handle = self.opened(job_id).await?;
        if body.len() > BODY_BYTES_MAX {
            return Err(Error::argument(format!(
                "The body has {} bytes, but at most {BODY_BYTES_MAX} are taken in one request",
                body.len()
            )));
        }
        let (job, _) = self.inner.configs.job(job_id).await?;
        let reader = Reader::new(&job, handle.fields())?;
        let pieces = reader.read(body)?;
        handle.ask_unless_full(|reply| Command::Post { reset, pieces, reply }).await
    }

    /// Makes results of what was taken visible; moves time on or computes interim results if asked to.
    ///
    /// # Errors
    /// When the job is not open or the parameters contradict each other.
    pub async fn flush_job(&self, job_id: &str, flush: FlushJob) -> Result<Flushed> {
        if !flush.calc_interim {
            for (name, value) in [("start", flush.start), ("end", flush.end)] {
                if value.is_some() {
                    return Err(Error::argument(format!("Invalid flush parameters: unexpected '{name}'.")));
                }
            }
        }
        match (flush.start, flush.end) {
            (None, Some(_)) => {
                return Err(Error::argument("Invalid flush parameters: 'start' has not been specified."));
            }
            (Some(start), Some(end)) if end < start => {
                return Err(Error::argument(format!(
                    "Invalid time range: end time '{end}' is earlier than start time '{start}'."
                )));
            }
            _ => {}
        }
        for (name, value) in [("advance_time", flush.advance_time), ("skip_time", flush.skip_time)] {
            if let Some(time) = value.filter(|time| !time.is_possible()) {
                return Err(Error::argument(format!(
                    "Invalid flush parameters: '{name}' must be between 1970 and the end of the year 9999, got [{time}]"
                )));
            }
        }
        if let (Some(advance), Some(skip)) = (flush.advance_time, flush.skip_time)
            && skip > advance
        {
            return Err(Error::argument("Invalid flush parameters: skip_time is later than advance_time."));
        }
        let handle = self.opened(job_id).await?;
        let ms = |time: Option<TimestampMs>| time.map(|time| time.0);
        let request = FlushRequest {
            calc_interim: flush.calc_interim,
            start_ms: ms(flush.start),
            end_ms: ms(flush.end),
            advance_ms: ms(flush.advance_time),
            skip_ms: ms(flush.skip_time),
            ..FlushRequest::default()
        };
        let end = handle.ask(|reply| Command::Flush { request, reply }).await?;
        Ok(Flushed { flushed: true, last_finalized_bucket_end: end.map(TimestampMs) })
    }

    pub(crate) async fn set_context_of(&self, handle: &OpenJob, job: &Job) -> Result<()> {
        let context = self.context_of(job).await?;
        handle.ask(|reply| Command::Context { context, reply }).await
    }
}
