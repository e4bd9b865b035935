//! Create, read, change, remove and reset jobs.

use serde::Serialize;
use serde_json::{Value, json};
use store::{BulkOp, indices};
use types::datafeed::{Datafeed, DatafeedBody};
use types::job::{JobBody, MEMORY_LIMIT_DEFAULT};
use types::job_update::JobUpdate;
use types::{DatafeedId, Job, JobId};

use crate::annotations::OWN_USER;
use crate::config_store::to_json;
use crate::feed::StopMode;
use crate::notifications::Level;
use crate::open_job::{Command, State, StateRef};
use crate::service::{Jobs, Listed};
use crate::{CloseJob, Error, Result, StopDatafeed, expression};

const LISTED_MAX: usize = 10_000;

/// A job as clients see it.
#[derive(Clone, Debug, Serialize)]
pub struct JobView {
    /// The configuration.
    #[serde(flatten)]
    pub job: Job,
    /// Its datafeed, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datafeed_config: Option<Datafeed>,
    /// Is it being removed?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleting: Option<bool>,
}

impl JobView {
    fn new(job: Job, datafeed_config: Option<Datafeed>) -> Self {
        let deleting = job.blocked.as_ref().filter(|blocked| blocked.reason == "delete").map(|_| true);
        Self { job, datafeed_config, deleting }
    }
}

/// How a job is removed.
#[derive(Clone, Debug, Default)]
pub struct DeleteJob {
    /// Also when it is open or its datafeed runs.
    pub force: bool,
    /// Also what people have written about it.
    pub delete_user_annotations: bool,
    /// The task that does it, shown while it is under way.
    pub task_id: Option<String>,
}

/// How a job is made to forget what it has learnt.
#[derive(Clone, Debug, Default)]
pub struct ResetJob {
    /// Also what people have written about it.
    pub delete_user_annotations: bool,
    /// The task that does it, shown while it is under way.
    pub task_id: Option<String>,
}

impl Jobs {
    /// Creates a job, and its datafeed if the body has one. `indices_options` are those of the request, for the datafeed.
    ///
    /// # Errors
    /// When the id is taken or was used before, the body breaks a rule, or the store fails.
    pub async fn put_job(
        &self,
        job_id: &str,
        body: JobBody,
        indices_options: Option<Value>,
    ) -> Result<JobView> {
        let job_id = job_id.to_owned();
        self.to_the_end(|jobs| async move { jobs.put_now(&job_id, body, indices_options).await }).await
    }

    async fn put_now(
        &self,
        job_id: &str,
        mut body: JobBody,
        indices_options: Option<Value>,
    ) -> Result<JobView> {
        if let Some(named) = body.job_id.as_deref().filter(|named| *named != job_id) {
            return Err(Error::argument(format!(
                "Inconsistent job_id; '{named}' specified in the body differs from '{job_id}' specified as a URL argument"
            )));
        }
        if job_id == "_all" {
            return Err(JobId::try_from("_all").map_or_else(Error::from, |id| Error::Exists(id.to_string())));
        }
        let feed_body = body.datafeed_config.take();
        if let Some(limit) = self.inner.max_model_memory_limit().filter(|max| *max < MEMORY_LIMIT_DEFAULT) {
            // What a job gets without asking is never refused.
            let limits = body.analysis_limits.get_or_insert_default();
            limits.model_memory_limit = limits.model_memory_limit.or(Some(limit));
        }
        let job = body.into_job(JobId::try_from(job_id)?, self.inner.clock.now())?;
        let feed = feed_body.map(|body| embedded_feed(&job, body, indices_options)).transpose()?;
        self.check_memory_limit(&job)?;
        self.check_filters(&job).await?;
        let others = self.inner.configs.jobs().await?;
        check_names(&others, &job, true)?;
        self.check_nothing_left(job_id).await?;
        self.check_mapping_clash(&others, &job).await?;
        if let Some(feed) = &feed {
            self.check_feed_is_free(feed).await?;
            crate::datafeeds::check_with_job(feed, &job)?;
        }
        let index = indices::results_index(&job.results_index_name);
        self.inner.store.ensure_index(&index, &indices::results_body()).await?;
        self.inner.store.update_aliases(&indices::results_alias_actions(&index, job_id)).await?;
        if !self.inner.configs.create_job(&job).await? {
            return Err(taken(job_id));
        }
        if let Some(feed) = &feed
            && !self.inner.configs.create_feed(feed).await?
        {
            self.inner.configs.delete_job(job_id).await?;
            return Err(Error::Exists(format!("A datafeed with id [{}] already exists", feed.datafeed_id)));
        }
        self.inner.notifier.tell(job_id, Level::Info, "Job created").await;
        Ok(JobView::new(job, feed))
    }

    fn check_memory_limit(&self, job: &Job) -> Result<()> {
        let wanted = job.analysis_limits.model_memory_limit;
        match (wanted, self.inner.max_model_memory_limit()) {
            (Some(wanted), Some(max)) if wanted > max => Err(Error::argument(format!(
                "model_memory_limit [{}] must be less than the value of the xpack.ml.max_model_memory_limit setting [{}]",
                in_gigabytes(wanted),
                in_gigabytes(max)
            ))),
            _ => Ok(()),
        }
    }

    async fn check_nothing_left(&self, job_id: &str) -> Result<()> {
        let query = json!({"term": {"job_id": job_id}});
        let results = self.inner.store.count(indices::RESULTS_PATTERN, &query).await?;
        let mut states = 0;
        for id in ["categorizer_state#1", "quantiles", "checkpoint"] {
            let id = format!("{job_id}_{id}");
            let query = json!({"ids": {"values": [id]}});
            states += self.inner.store.count(indices::STATE_PATTERN, &query).await?;
        }
        if results + states == 0 {
            return Ok(());
        }
        Err(Error::Conflict(format!(
            "[{results}] result and [{states}] state documents exist for a prior job with Id [{job_id}]. Please create \
             the job with a different Id"
        )))
    }

    /// The ids of jobs that an expression names, sorted.
    ///
    /// # Errors
    /// When a name, or without `allow_no_match` a pattern, matches nothing.
    pub(crate) async fn matching_jobs(&self, expression: &str, allow_no_match: bool) -> Result<Vec<Job>> {
        let jobs = self.inner.configs.jobs().await?;
        let ids = expression::matching(
            expression,
            jobs.iter().map(|job| (job.job_id.as_str(), job.groups.as_slice())),
            allow_no_match,
            |part| Error::UnknownJob(part.to_owned()),
        )?;
        Ok(jobs
            .into_iter()
            .filter(|job| ids.binary_search_by(|id| id.as_str().cmp(&job.job_id)).is_ok())
            .collect())
    }

    /// Jobs that an expression names (`_all`, wildcards, lists, groups), sorted by id.
    ///
    /// # Errors
    /// When a name, or without `allow_no_match` a pattern, matches nothing.
    pub async fn get_jobs(&self, expression: &str, allow_no_match: bool) -> Result<Listed<JobView>> {
        let jobs = self.matching_jobs(expression, allow_no_match).await?;
        let mut feeds = self.inner.configs.feeds().await?;
        let count = jobs.len() as u64;
        let items = jobs
            .into_iter()
            .take(LISTED_MAX)
            .map(|job| {
                let at = feeds.iter().position(|feed| feed.job_id == job.job_id);
                JobView::new(job, at.map(|at| feeds.swap_remove(at)))
            })
            .collect();
        Ok(Listed { count, items })
    }

    /// Changes a job.
    ///
    /// # Errors
    /// When it does not exist, the change breaks a rule, or needs a closed job.
    pub async fn update_job(&self, job_id: &str, update: JobUpdate) -> Result<JobView> {
        let job_id = job_id.to_owned();
        self.to_the_end(|jobs| async move { jobs.update_now(&job_id, update).await }).await
    }

    async fn update_now(&self, job_id: &str, update: JobUpdate) -> Result<JobView> {
        if job_id == "_all" || job_id.contains(['*', ',']) {
            return Err(Error::argument("Job Id must not be a wildcard expression or [_all]"));
        }
        let open = self.inner.open_job(job_id).filter(|job| job.state() != State::Closed);
        if update.analysis_limits.is_some() && open.is_some() {
            return Err(Error::Conflict("Cannot update analysis_limits while the job is open".to_owned()));
        }
        let (current, _) = self.inner.configs.job(job_id).await?;
        let changed = update.applied_to(&current)?;
        self.check_memory_limit(&changed)?;
        if update.detectors.is_some() {
            self.check_filters(&changed).await?;
        }
        if update.groups.is_some() {
            check_names(&self.inner.configs.jobs().await?, &changed, false)?;
        }
        if update.analysis_limits.is_some() {
            self.check_not_below_usage(&changed).await?;
        }
        let job =
            self.inner.configs.update_job(job_id, |job| update.applied_to(job).map_err(Error::from)).await?;
        if let Some(open) = open.filter(|job| job.state() == State::Opened && !job.is_paused()) {
            open.ask(|reply| Command::Update { job: Box::new(job.clone()), reply }).await?;
            self.set_context_of(&open, &job).await?;
        }
        let names = to_json(&update)?;
        let named: Vec<&str> = names
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, value)| !value.is_null() && *name != "job_id")
            .map(|(name, _)| name.as_str())
            .collect();
        let message = format!("Job updated: [{}]", named.join(", "));
        self.inner.notifier.tell(job_id, Level::Info, message).await;
        let datafeed_config = self.inner.configs.feed_of(job_id).await?;
        Ok(JobView::new(job, datafeed_config))
    }

    async fn check_not_below_usage(&self, job: &Job) -> Result<()> {
        let stats = self.stored_size_stats(&job.job_id).await?;
        let used = stats.map_or(0, |stats| stats.model_bytes);
        let Some(limit) = job.analysis_limits.model_memory_limit.filter(|limit| limit.bytes() < used) else {
            return Ok(());
        };
        let used_mb = used / (1024 * 1024);
        Err(Error::argument(format!(
            "Invalid update value for analysis_limits: model_memory_limit cannot be decreased below current usage; \
             current usage [{used_mb}mb], update had [{limit}]"
        )))
    }

    /// Finds out whether a job may be removed, before the work begins.
    ///
    /// # Errors
    /// When it does not exist, or is open and `force` is not set.
    pub async fn check_deletable(&self, job_id: &str, force: bool) -> Result<()> {
        self.deletable(job_id, force).await.map(drop)
    }

    async fn deletable(&self, job_id: &str, force: bool) -> Result<Job> {
        let (job, _) = self.inner.configs.job(job_id).await?;
        let state = self.inner.state(job_id);
        if state != State::Closed && !force {
            let word = serde_json::to_value(state).ok().and_then(|word| word.as_str().map(str::to_owned));
            return Err(Error::Conflict(format!(
                "Cannot delete job [{job_id}] because the job is {}",
                word.unwrap_or_default()
            )));
        }
        Ok(job)
    }

    /// Removes a job with its datafeed, results, states and aliases.
    ///
    /// # Errors
    /// When it does not exist, or is open and `force` is not set.
    pub async fn delete_job(&self, job_id: &str, options: DeleteJob) -> Result<()> {
        let job_id = job_id.to_owned();
        self.to_the_end(|jobs| async move { jobs.delete_now(&job_id, options).await }).await
    }

    async fn delete_now(&self, job_id: &str, options: DeleteJob) -> Result<()> {
        let job = self.deletable(job_id, options.force).await?;
        let state = self.inner.state(job_id);
        if let Some(feed) = self.inner.configs.feed_of(job_id).await? {
            self.delete_datafeed(&feed.datafeed_id, options.force).await?;
        }
        if state != State::Closed {
            self.close_jobs(job_id, CloseJob { force: true, allow_no_match: true }).await?;
        }
        self.inner.notifier.tell(job_id, Level::Info, "Deleting job").await;
        self.inner.forecasts.stop(Some(job_id)).await;
        self.block(job_id, Some("delete"), options.task_id).await?;
        self.remove_data(&job, options.delete_user_annotations).await?;
        self.remove_results_index(&job).await?;
        self.remove_from_calendars(job_id).await?;
        self.inner.configs.delete_job(job_id).await?;
        self.inner.notifier.tell(job_id, Level::Info, "Job deleted").await;
        Ok(())
    }

    /// Finds out whether a job may be reset, before the work begins.
    ///
    /// # Errors
    /// When it does not exist or is not closed.
    pub async fn check_resettable(&self, job_id: &str) -> Result<()> {
        self.resettable(job_id).await.map(drop)
    }

    async fn resettable(&self, job_id: &str) -> Result<Job> {
        let (job, _) = self.inner.configs.job(job_id).await?;
        if self.inner.state(job_id) != State::Closed {
            return Err(Error::Conflict("Can only reset a job when it is closed.".to_owned()));
        }
        if let Some(blocked) = job.blocked.as_ref().filter(|blocked| blocked.reason != "reset") {
            return Err(Error::Conflict(format!(
                "Cannot reset job [{job_id}] because it is executing [{}]",
                blocked.reason
            )));
        }
        Ok(job)
    }

    /// Forgets all that a closed job has learnt and found.
    ///
    /// # Errors
    /// When it does not exist or is not closed.
    pub async fn reset_job(&self, job_id: &str, options: ResetJob) -> Result<()> {
        let job_id = job_id.to_owned();
        self.to_the_end(|jobs| async move { jobs.reset_now(&job_id, options).await }).await
    }

    async fn reset_now(&self, job_id: &str, options: ResetJob) -> Result<()> {
        let job = self.resettable(job_id).await?;
        self.inner.forecasts.stop(Some(job_id)).await;
        self.block(job_id, Some("reset"), options.task_id).await?;
        self.remove_data(&job, options.delete_user_annotations).await?;
        let clear = |job: &Job| {
            Ok(Job { model_snapshot_id: None, finished_time: None, blocked: None, ..job.clone() })
        };
        self.inner.configs.update_job(job_id, clear).await?;
        self.inner.notifier.tell(job_id, Level::Info, "Job reset").await;
        Ok(())
    }

    pub(crate) async fn block(
        &self,
        job_id: &str,
        reason: Option<&str>,
        task_id: Option<String>,
    ) -> Result<()> {
        let blocked =
            reason.map(|reason| types::job::Blocked { reason: reason.to_owned(), task_id: task_id.clone() });
        let set = |job: &Job| Ok(Job { blocked: blocked.clone(), ..job.clone() });
        self.inner.configs.update_job(job_id, set).await.map(drop)
    }

    /// Removes results, snapshots, states, log and annotations of a job.
    async fn remove_data(&self, job: &Job, user_annotations: bool) -> Result<()> {
        let job_id = job.job_id.as_str();
        let store = &self.inner.store;
        for snapshot in self.all_snapshots(job_id).await? {
            let prefix = format!("{job_id}_model_state_{}", snapshot.snapshot_id);
            let state = StateRef { prefix, chunks: snapshot.snapshot_doc_count, bytes: 0 };
            self.inner.checkpoints.delete_chunks(&state).await;
        }
        self.inner.checkpoints.delete(job_id).await?;
        store.bulk(vec![BulkOp::delete(indices::STATE_WRITE, format!("{job_id}_quantiles"))]).await?;
        store.refresh(indices::STATE_PATTERN).await?;
        self.inner.log.delete(job_id).await?;
        let own = json!({"term": {"job_id": job_id}});
        store.refresh(indices::RESULTS_PATTERN).await?;
        store.delete_by_query(indices::RESULTS_PATTERN, &own).await?;
        store.refresh(indices::ANNOTATIONS).await?;
        let mut annotations = vec![own];
        if !user_annotations {
            annotations.push(json!({"term": {"create_username": OWN_USER}}));
        }
        let query = json!({"bool": {"filter": annotations}});
        store.delete_by_query(indices::ANNOTATIONS, &query).await?;
        Ok(())
    }

    /// Takes the aliases away, and the index itself when it was made for jobs of which none is left.
    async fn remove_results_index(&self, job: &Job) -> Result<()> {
        let store = &self.inner.store;
        let aliases = store.get_aliases(&indices::results_write_alias(&job.job_id)).await?;
        for index in aliases.as_object().into_iter().flatten().map(|(index, _)| index) {
            store.update_aliases(&indices::results_alias_removal(index, &job.job_id)).await?;
        }
        let others = self.inner.configs.jobs().await?;
        let shared = others
            .iter()
            .any(|other| other.job_id != job.job_id && other.results_index_name == job.results_index_name);
        if job.results_index_name != "shared" && !shared {
            store.delete_index(&indices::results_index(&job.results_index_name)).await?;
        }
        Ok(())
    }

    /// Stops the datafeed of a job if it runs.
    pub(crate) async fn stop_feed_of(&self, job_id: &str, force: bool) -> Result<()> {
        let running: Vec<String> = self
            .inner
            .feeds()
            .iter()
            .filter(|(_, feed)| feed.job_id == job_id)
            .map(|(datafeed_id, _)| datafeed_id.clone())
            .collect();
        for datafeed_id in running {
            let options = StopDatafeed { force, ..StopDatafeed::default() };
            self.stop_feeds(&datafeed_id, options, StopMode::KeepJobOpen).await?;
        }
        if self.upgrade_mode()
            && let Some(feed) = self.inner.configs.feed_of(job_id).await?
        {
            self.inner.configs.delete_feed_task(&feed.datafeed_id).await?;
        }
        Ok(())
    }
}

/// Job ids and group names are one namespace.
fn check_names(jobs: &[Job], job: &Job, new: bool) -> Result<()> {
    let clash = |job_id: &str, group: &str| {
        let job = if new { "Job" } else { "job" };
        Error::Exists(format!(
            "{job} and group names must be unique but job [{job_id}] and group [{group}] have the same name"
        ))
    };
    for other in jobs {
        if other.job_id == job.job_id {
            if new {
                return Err(taken(&job.job_id));
            }
            continue;
        }
        if job.groups.iter().any(|group| group.as_str() == other.job_id.as_str()) {
            return Err(clash(&other.job_id, &other.job_id));
        }
        if other.groups.iter().any(|group| group.as_str() == job.job_id.as_str()) {
            return Err(clash(&job.job_id, &job.job_id));
        }
    }
    Ok(())
}

fn taken(job_id: &str) -> Error {
    Error::Exists(format!("The job cannot be created with the Id '{job_id}'. The Id is already used."))
}

pub(crate) fn in_gigabytes(size: types::ByteSize) -> String {
    let mebibytes = size.mebibytes();
    if mebibytes >= 1024 && mebibytes.is_multiple_of(1024) {
        format!("{}gb", mebibytes / 1024)
    } else {
        size.to_string()
    }
}

/// The datafeed inside a job's body; its id defaults to the job's.
fn embedded_feed(job: &Job, body: Value, indices_options: Option<Value>) -> Result<Datafeed> {
    let mut body: DatafeedBody =
        serde_json::from_value(body).map_err(|error| types::Invalid::x_content(error.to_string()))?;
    if let Some(named) = body.job_id.as_deref().filter(|named| *named != job.job_id.as_str()) {
        return Err(Error::argument(format!(
            "A datafeed job_id [{named}] must be the same as the job's id [{}]",
            job.job_id
        )));
    }
    body.job_id = Some(job.job_id.to_string());
    body.indices_options = body.indices_options.or(indices_options);
    let id = body.datafeed_id.clone().unwrap_or_else(|| job.job_id.to_string());
    Ok(body.into_datafeed(DatafeedId::try_from(id)?)?)
}
