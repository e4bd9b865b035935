//! Datafeeds: create, read, change, remove, preview, start, stop, statistics.

use serde::Serialize;
use serde_json::{Value, json};
use store::{IndicesOptions, indices};
use types::datafeed::{Datafeed, DatafeedBody, histogram_interval_ms};
use types::job::JobBody;
use types::{DatafeedId, Job, JobId, TimestampMs};

use crate::config_store::hits;
use crate::feed::{FeedTimes, StopMode, preview_rows};
use crate::open_job::State;
use crate::service::{Jobs, Listed, Node};
use crate::upgrade_mode::EXPLANATION;
use crate::{Error, Result, expression};

/// When a datafeed begins and ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct StartDatafeed {
    /// First millisecond; the earliest data, or right after the last record that the job has seen, when absent.
    pub start: Option<TimestampMs>,
    /// End, excluded; it then stops and closes its job. It goes on for ever when absent.
    pub end: Option<TimestampMs>,
}

/// How datafeeds are stopped.
#[derive(Clone, Copy, Debug)]
pub struct StopDatafeed {
    /// Does not wait for what is under way.
    pub force: bool,
    /// A pattern that matches nothing is no error.
    pub allow_no_match: bool,
}

impl Default for StopDatafeed {
    fn default() -> Self {
        Self { force: false, allow_no_match: true }
    }
}

/// What statistics show of a datafeed.
#[derive(Clone, Debug, Serialize)]
pub struct DatafeedStats {
    /// The datafeed.
    pub datafeed_id: String,
    /// `started`, `stopping` or `stopped`.
    pub state: String,
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Node>,
    /// Why it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment_explanation: Option<String>,
    /// How its searches went.
    pub timing_stats: Value,
    /// Where it is; only while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_state: Option<RunningState>,
}

/// Where a running datafeed is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunningState {
    /// Will it go on after history?
    pub real_time_configured: bool,
    /// Has it come to the present?
    pub real_time_running: bool,
    /// What it reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_interval: Option<SearchInterval>,
}

/// A span of time that is read.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in the API")]
pub struct SearchInterval {
    pub start: String,
    pub start_ms: i64,
    pub end: String,
    pub end_ms: i64,
}

/// Checks what a datafeed and its job ask of each other.
///
/// # Errors
/// The first rule that is broken.
pub(crate) fn check_with_job(feed: &Datafeed, job: &Job) -> Result<()> {
    let config = &job.analysis_config;
    if config.latency.is_some_and(|latency| latency.as_millis() > 0) {
        return Err(Error::argument("A job configured with datafeed cannot support latency"));
    }
    crate::feed::check_window(feed, job)?;
    crate::feed::check_computed_fields(feed)?;
    let Some(aggregations) = &feed.aggregations else { return Ok(()) };
    if config.summary_count_field_name.as_deref().is_none_or(str::is_empty) {
        return Err(Error::argument(
            "A job configured with a datafeed with aggregations must set summary_count_field_name; use doc_count or \
             suitable alternative",
        ));
    }
    let interval_ms = histogram_interval_ms(Some(aggregations))
        .filter(|interval| *interval > 0)
        .ok_or_else(|| Error::argument("A date_histogram (or histogram) aggregation is required"))?;
    let span_ms = config.bucket_span.as_millis();
    let time_field = &job.data_description.time_field;
    if interval_ms > span_ms {
        return Err(Error::argument(format!(
            "Aggregation interval [{interval_ms}ms] must be less than or equal to the bucket_span [{span_ms}ms]"
        )));
    }
    if span_ms % interval_ms != 0 {
        return Err(Error::argument(format!(
            "Aggregation interval [{interval_ms}ms] must be a divisor of the bucket_span [{span_ms}ms]"
        )));
    }
    crate::feed::check_aggregations(aggregations, time_field)?;
    if let Some(frequency) = feed.frequency.filter(|frequency| frequency.as_millis() % interval_ms != 0) {
        return Err(Error::argument(format!(
            "Datafeed frequency [{frequency}] must be a multiple of the aggregation interval [{interval_ms}ms]"
        )));
    }
    Ok(())
}

impl Jobs {
    pub(crate) async fn check_feed_is_free(&self, feed: &Datafeed) -> Result<()> {
        for other in self.inner.configs.feeds().await? {
            if other.datafeed_id == feed.datafeed_id {
                return Err(Error::Exists(format!(
                    "A datafeed with id [{}] already exists",
                    feed.datafeed_id
                )));
            }
            if other.job_id == feed.job_id {
                return Err(Error::Conflict(format!(
                    "A datafeed [{}] already exists for job [{}]",
                    other.datafeed_id, feed.job_id
                )));
            }
        }
        Ok(())
    }

    /// Creates a datafeed.
    ///
    /// # Errors
    /// When the id is taken, the job is unknown or has a datafeed, or a rule is broken.
    pub async fn put_datafeed(&self, datafeed_id: &str, body: DatafeedBody) -> Result<Datafeed> {
        if let Some(named) = body.datafeed_id.as_deref().filter(|named| *named != datafeed_id) {
            return Err(Error::argument(format!(
                "Inconsistent datafeed_id; '{named}' specified in the body differs from '{datafeed_id}' specified as a \
                 URL argument"
            )));
        }
        let feed = body.into_datafeed(DatafeedId::try_from(datafeed_id)?)?;
        self.check_feed_is_free(&feed).await?;
        let (job, _) = self.inner.configs.job(&feed.job_id).await?;
        check_with_job(&feed, &job)?;
        self.check_query(&feed).await?;
        if !self.inner.configs.create_feed(&feed).await? {
            return Err(Error::Exists(format!("A datafeed with id [{datafeed_id}] already exists")));
        }
        Ok(feed)
    }

    /// Lets the store read the query, so that a misspelt one is refused when it is stored and not when it is used.
    async fn check_query(&self, feed: &Datafeed) -> Result<()> {
        let body = json!({"query": feed.query, "size": 0});
        match self.inner.store.search(indices::CONFIG, &body, &IndicesOptions::lenient()).await {
            Err(store::Error::Refused { reason, .. }) => Err(types::Invalid::x_content(format!(
                "[datafeed_config] failed to parse field [query]: {reason}"
            ))
            .into()),
            Err(store::Error::IndexNotFound(_)) | Ok(_) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    async fn matching_feeds(&self, expression: &str, allow_no_match: bool) -> Result<Vec<Datafeed>> {
        let feeds = self.inner.configs.feeds().await?;
        let no_groups: &[String] = &[];
        let ids = expression::matching(
            expression,
            feeds.iter().map(|feed| (feed.datafeed_id.as_str(), no_groups)),
            allow_no_match,
            |part| Error::UnknownDatafeed(part.to_owned()),
        )?;
        let wanted = |feed: &Datafeed| ids.binary_search_by(|id| id.as_str().cmp(&feed.datafeed_id)).is_ok();
        Ok(feeds.into_iter().filter(wanted).collect())
    }

    /// Datafeeds that an expression names, sorted by id.
    ///
    /// # Errors
    /// When a name, or without `allow_no_match` a pattern, matches nothing.
    pub async fn get_datafeeds(&self, expression: &str, allow_no_match: bool) -> Result<Listed<Datafeed>> {
        let items = self.matching_feeds(expression, allow_no_match).await?;
        Ok(Listed { count: items.len() as u64, items })
    }

    /// Changes a datafeed that does not run.
    ///
    /// # Errors
    /// When it does not exist or runs, or a rule is broken.
    pub async fn update_datafeed(&self, datafeed_id: &str, body: DatafeedBody) -> Result<Datafeed> {
        let (feed, version) = self.inner.configs.feed(datafeed_id).await?;
        if self.feed_is_started(datafeed_id).await? {
            return Err(Error::Conflict(format!(
                "Cannot update datafeed [{datafeed_id}] while its status is started"
            )));
        }
        let changed = body.applied_to(&feed)?;
        let (job, _) = self.inner.configs.job(&changed.job_id).await?;
        check_with_job(&changed, &job)?;
        self.check_query(&changed).await?;
        self.inner.configs.replace_feed(&changed, version).await?;
        Ok(changed)
    }

    /// Removes a datafeed.
    ///
    /// # Errors
    /// When it does not exist, or runs and `force` is not set.
    pub async fn delete_datafeed(&self, datafeed_id: &str, force: bool) -> Result<()> {
        self.inner.configs.feed(datafeed_id).await?;
        if let Some(running) = self.inner.feed_running(datafeed_id) {
            if !force {
                return Err(Error::Conflict(format!(
                    "Cannot delete datafeed [{datafeed_id}] while its status is started"
                )));
            }
            running.stop(StopMode::KeepJobOpen).await;
        } else if self.paused_feeds().await?.contains(datafeed_id) {
            if !force {
                return Err(Error::Conflict(format!(
                    "Cannot delete datafeed [{datafeed_id}] while its status is started"
                )));
            }
            self.inner.configs.delete_feed_task(datafeed_id).await?;
        }
        self.inner.configs.delete_feed(datafeed_id).await
    }

    /// Does it run, or would it if upgrade mode were not on?
    async fn feed_is_started(&self, datafeed_id: &str) -> Result<bool> {
        let running = self.inner.feed_running(datafeed_id).is_some();
        Ok(running || self.paused_feeds().await?.contains(datafeed_id))
    }

    /// Starts a datafeed whose job is open.
    ///
    /// # Errors
    /// When it does not exist or runs already, the job is not open, the times are the wrong way round, or there is nothing
    /// to read from.
    pub async fn start_datafeed(&self, datafeed_id: &str, start: StartDatafeed) -> Result<String> {
        let (feed, _) = self.inner.configs.feed(datafeed_id).await?;
        self.refuse_in_upgrade_mode("start datafeeds")?;
        self.check_allocation("start datafeed")?;
        if self.inner.feed_running(datafeed_id).is_some() {
            return Err(Error::Conflict(format!(
                "cannot start datafeed [{datafeed_id}] because it has already been started"
            )));
        }
        let (job, _) = self.inner.configs.job(&feed.job_id).await?;
        let job_id = &feed.job_id;
        match self.inner.state(job_id) {
            State::Opened | State::Opening => {}
            other => {
                let word = serde_json::to_value(other).ok().and_then(|word| word.as_str().map(str::to_owned));
                return Err(Error::Conflict(format!(
                    "cannot start datafeed [{datafeed_id}] because job [{job_id}] is {}",
                    word.unwrap_or_default()
                )));
            }
        }
        if let (Some(start), Some(end)) = (start.start, start.end)
            && start >= end
        {
            return Err(Error::argument(format!(
                "[start] must be earlier than end; start [{start}] must be earlier than end [{end}]"
            )));
        }
        self.check_source(&feed, &job).await?;
        self.check_computed(&feed, &job).await?;
        let times = FeedTimes { start_ms: start.start.map(|t| t.0), end_ms: start.end.map(|t| t.0) };
        self.to_the_end(|jobs| async move { jobs.run_feed(feed, job, times).await }).await?;
        Ok(self.inner.options.node_id.clone())
    }

    /// Is there something to read from, and has it the time field?
    async fn check_source(&self, feed: &Datafeed, job: &Job) -> Result<()> {
        let time_field = &job.data_description.time_field;
        let runtime = feed.runtime_mappings.as_ref().and_then(|fields| fields.get(time_field)).is_some();
        let options = IndicesOptions::from_json(&feed.indices_options);
        let fields = [time_field.clone()];
        let caps = self.inner.store.field_caps(&feed.indices.join(","), &fields, &options).await;
        let caps = caps.map_err(|error| match error {
            store::Error::IndexNotFound(index) => Error::BadRequest(format!(
                "datafeed [{}] cannot retrieve data because index [{index}] does not exist",
                feed.datafeed_id
            )),
            other => other.into(),
        })?;
        let known = caps.get("fields").and_then(|fields| fields.get(time_field)).is_some();
        let listed = caps.get("indices").and_then(Value::as_array).is_none_or(|indices| !indices.is_empty());
        if !known && !runtime && listed {
            return Err(Error::BadRequest(format!(
                "datafeed [{}] cannot retrieve field [{time_field}] because it has no mappings",
                feed.datafeed_id
            )));
        }
        Ok(())
    }

    /// A store that cannot compute fields says so before the datafeed begins, and not at every search.
    async fn check_computed(&self, feed: &Datafeed, job: &Job) -> Result<()> {
        if feed.script_fields.is_none() && feed.runtime_mappings.is_none() {
            return Ok(());
        }
        let nothing = store::ScanRequest {
            indices: feed.indices.clone(),
            query: feed.query.clone(),
            runtime_mappings: feed.runtime_mappings.clone(),
            script_fields: feed.script_fields.clone(),
            time_field: job.data_description.time_field.clone(),
            start_ms: 0,
            end_ms: 0,
            fields: job.analysis_config.analysed_fields(),
            page_size: 1,
            options: IndicesOptions::from_json(&feed.indices_options),
        };
        self.inner.store.scan(nothing).await?;
        Ok(())
    }

    /// Stops the datafeeds that an expression names; those that do not run are stopped already.
    ///
    /// # Errors
    /// When a name, or without `allow_no_match` a pattern, matches nothing.
    pub async fn stop_datafeeds(&self, expression: &str, options: StopDatafeed) -> Result<()> {
        let expression = expression.to_owned();
        self.to_the_end(
            |jobs| async move { jobs.stop_feeds(&expression, options, StopMode::AsConfigured).await },
        )
        .await
    }

    pub(crate) async fn stop_feeds(
        &self,
        expression: &str,
        options: StopDatafeed,
        mode: StopMode,
    ) -> Result<()> {
        for feed in self.matching_feeds(expression, options.allow_no_match).await? {
            if let Some(running) = self.inner.feed_running(&feed.datafeed_id) {
                running.stop(mode).await;
            } else if self.upgrade_mode() {
                self.inner.configs.delete_feed_task(&feed.datafeed_id).await?;
            }
        }
        Ok(())
    }

    /// The first rows that a datafeed would send, oldest first.
    ///
    /// # Errors
    /// When it does not exist, or its query is refused.
    pub async fn preview_datafeed(
        &self,
        datafeed_id: &str,
        start: Option<TimestampMs>,
        end: Option<TimestampMs>,
    ) -> Result<Vec<Value>> {
        let (feed, _) = self.inner.configs.feed(datafeed_id).await?;
        let (job, _) = self.inner.configs.job(&feed.job_id).await?;
        preview_rows(&self.inner.store, &feed, &job, start.map(|t| t.0), end.map(|t| t.0)).await
    }

    /// The same for configurations that are not stored; without a job's configuration the job must be.
    ///
    /// # Errors
    /// When a configuration breaks a rule, the job is unknown, or the query is refused.
    pub async fn preview_config(
        &self,
        mut feed: DatafeedBody,
        job: Option<JobBody>,
        start: Option<TimestampMs>,
        end: Option<TimestampMs>,
    ) -> Result<Vec<Value>> {
        let job = match job {
            Some(body) => {
                let id = body.job_id.clone().unwrap_or_else(|| "preview_job_id".to_owned());
                body.into_job(JobId::try_from(id)?, self.inner.clock.now())?
            }
            None => {
                let id = feed.job_id.clone().ok_or_else(|| {
                    Error::argument("[datafeed_config.job_id] must be set or a [job_config] must be provided")
                })?;
                self.inner.configs.job(&id).await?.0
            }
        };
        feed.job_id = Some(job.job_id.to_string());
        let id = feed.datafeed_id.clone().unwrap_or_else(|| "preview_id".to_owned());
        let feed = feed.into_datafeed(DatafeedId::try_from(id)?)?;
        check_with_job(&feed, &job)?;
        preview_rows(&self.inner.store, &feed, &job, start.map(|t| t.0), end.map(|t| t.0)).await
    }

    /// Statistics of the datafeeds that an expression names, sorted by id.
    ///
    /// # Errors
    /// When a name, or without `allow_no_match` a pattern, matches nothing.
    pub async fn datafeed_stats(
        &self,
        expression: &str,
        allow_no_match: bool,
    ) -> Result<Listed<DatafeedStats>> {
        let mut items = Vec::new();
        let all_paused = self.paused_feeds().await?;
        for feed in self.matching_feeds(expression, allow_no_match).await? {
            let paused = all_paused.contains(feed.datafeed_id.as_str());
            let running = self.inner.feed_running(&feed.datafeed_id);
            let timing_stats = match &running {
                Some(running) => running.timing(),
                None => self.stored_feed_timing(&feed).await?,
            };
            items.push(DatafeedStats {
                datafeed_id: feed.datafeed_id.to_string(),
                state: match &running {
                    Some(running) => running.state_word(),
                    None if paused => "started",
                    None => "stopped",
                }
                .to_owned(),
                node: running.as_ref().map(|_| self.inner.node()),
                assignment_explanation: match &running {
                    Some(_) => Some(String::new()),
                    None => paused.then(|| EXPLANATION.to_owned()),
                },
                timing_stats,
                running_state: running.as_ref().map(|running| running.running_state()),
            });
        }
        Ok(Listed { count: items.len() as u64, items })
    }

    pub(crate) async fn stored_feed_timing(&self, feed: &Datafeed) -> Result<Value> {
        let id = format!("{}_datafeed_timing_stats", feed.job_id);
        let body = json!({"query": {"ids": {"values": [id]}}, "size": 1});
        let alias = indices::results_read_alias(&feed.job_id);
        let mut answer = self.inner.store.search(&alias, &body, &IndicesOptions::lenient()).await?;
        let stored = hits(&mut answer).into_iter().next().map(|(_, mut source)| {
            if let Some(object) = source.as_object_mut() {
                object.shift_remove("result_type");
            }
            source
        });
        Ok(stored.unwrap_or_else(|| crate::feed::no_timing(&feed.job_id)))
    }
}
