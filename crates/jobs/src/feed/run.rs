//! The task of a datafeed: history, then in step with the present, until it is stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use store::{BulkOp, indices};
use types::Job;
use types::datafeed::{Datafeed, histogram_interval_ms};

use super::delayed::DelayedData;
use super::push_down::PushDown;
use super::rows::page;
use super::running::{FeedTimes, RunningFeed, StopMode};
use super::source::Source;
use crate::config_store::FeedTask;
use crate::notifications::Level;
use crate::open_job::{Command, FeedBatch, FeedPosition, FlushRequest, OpenJob, State};
use crate::service::Jobs;
use crate::{Error, Result};

/// Searches in a row without data after which that is told.
const SILENT_SEARCHES: u32 = 10;
pub(super) const ROWS_PER_BATCH: usize = 10_000;
const DELAY_FIRST_MS: u64 = 500;
const DELAY_MAX_MS: u64 = 60_000;

/// Why reading came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Everything was read.
    Complete,
    /// It was asked to stop.
    Stopped,
}

pub(super) struct FeedRun {
    pub(super) jobs: Jobs,
    pub(super) job: Job,
    pub(super) handle: Arc<OpenJob>,
    pub(super) running: Arc<RunningFeed>,
    pub(super) source: Source,
    pub(super) push_down: Option<PushDown>,
    /// First millisecond that was asked for.
    pub(super) start_ms: i64,
    end_ms: Option<i64>,
    pub(super) position: FeedPosition,
    /// Documents, or rows of aggregations.
    pub(super) rows: u64,
    empty_searches: u32,
    pub(super) delayed: DelayedData,
    /// Buckets that the job had closed when it was last asked.
    buckets: u64,
}

impl Jobs {
    /// Starts a datafeed whose configuration was checked.
    pub(crate) async fn run_feed(&self, feed: Datafeed, job: Job, times: FeedTimes) -> Result<()> {
        let handle = self.opened(&job.job_id).await?;
        let latest = handle.live().counts.latest_record_timestamp.map(|latest| latest.0.saturating_add(1));
        let asked = times.start_ms.unwrap_or(0);
        let start_ms = latest.map_or(asked, |latest| latest.max(asked));
        let timing = self.stored_feed_timing(&feed).await?;
        let running = self.register(&feed, times.end_ms)?;
        running.continue_from(&timing);
        let task = FeedTask {
            task: "datafeed".to_owned(),
            datafeed_id: feed.datafeed_id.to_string(),
            job_id: job.job_id.to_string(),
            start_ms,
            end_ms: times.end_ms,
        };
        let position = FeedPosition { ms: start_ms, seen: 0 };
        let begun = async {
            handle.ask(|reply| Command::FeedStarted { position, reply }).await?;
            self.inner.configs.put_feed_task(&task).await
        };
        if let Err(error) = begun.await {
            self.inner.feeds().remove(feed.datafeed_id.as_str());
            running.finished();
            return Err(error);
        }
        let ends =
            times.end_ms.map_or_else(|| "real-time".to_owned(), |end| types::TimestampMs(end).to_iso());
        let frequency_ms = feed.frequency_ms(job.analysis_config.bucket_span_s());
        let message = format!(
            "Datafeed started (from: {} to: {ends}) with frequency [{}]",
            types::TimestampMs(start_ms).to_iso(),
            types::TimeSpan::from_millis(frequency_ms)
        );
        self.inner.notifier.tell(&job.job_id, Level::Info, message).await;
        self.spawn_feed(feed, job, handle, running, &task, position);
        Ok(())
    }

    /// Lets a datafeed go on that ran when the service ended.
    pub(crate) async fn resume_feed(&self, task: &FeedTask) -> Result<()> {
        if self.inner.state(&task.job_id) == State::Closed {
            // It had come to its end and closed its job.
            return self.inner.configs.delete_feed_task(&task.datafeed_id).await;
        }
        let (feed, _) = self.inner.configs.feed(&task.datafeed_id).await?;
        let (job, _) = self.inner.configs.job(&task.job_id).await?;
        let handle = self.opened(&task.job_id).await?;
        let pointer = self.inner.checkpoints.pointer(&task.job_id).await?;
        let position = pointer.and_then(|(pointer, _)| pointer.feed_position);
        let position = position.unwrap_or(FeedPosition { ms: task.start_ms, seen: 0 });
        let timing = self.stored_feed_timing(&feed).await?;
        let running = self.register(&feed, task.end_ms)?;
        running.continue_from(&timing);
        self.spawn_feed(feed, job, handle, running, task, position);
        Ok(())
    }

    fn register(&self, feed: &Datafeed, end_ms: Option<i64>) -> Result<Arc<RunningFeed>> {
        let running = Arc::new(RunningFeed::new(&feed.datafeed_id, &feed.job_id, end_ms.is_none()));
        let mut feeds = self.inner.feeds();
        if feeds.contains_key(feed.datafeed_id.as_str()) {
            return Err(Error::Conflict(format!(
                "cannot start datafeed [{}] because it has already been started",
                feed.datafeed_id
            )));
        }
        feeds.insert(feed.datafeed_id.to_string(), Arc::clone(&running));
        Ok(running)
    }

    fn spawn_feed(
        &self,
        feed: Datafeed,
        job: Job,
        handle: Arc<OpenJob>,
        running: Arc<RunningFeed>,
        task: &FeedTask,
        position: FeedPosition,
    ) {
        let page_size = self.inner.options.scan_page_size;
        let push_down = PushDown::new(&feed, &job).filter(|_| self.inner.options.push_down);
        let source = Source::new(Arc::clone(&self.inner.store), feed, &job, handle.fields(), page_size);
        let buckets = handle.live().counts.bucket_count;
        // Times are added to and subtracted from; nothing that can be lies further away.
        let bounded = |ms: i64| ms.clamp(-types::TimestampMs::MAX.0, types::TimestampMs::MAX.0);
        let run = FeedRun {
            jobs: self.clone(),
            job,
            handle,
            running,
            source,
            push_down,
            start_ms: bounded(task.start_ms),
            end_ms: task.end_ms.map(bounded),
            position: FeedPosition { ms: bounded(position.ms), ..position },
            rows: 0,
            empty_searches: 0,
            delayed: DelayedData::default(),
            buckets,
        };
        tokio::spawn(run.run());
    }
}

impl FeedRun {
    async fn run(mut self) {
        if let Err(error) = self.history_and_present().await {
            let message = format!("Datafeed stopped because its job cannot go on: {error}");
            self.tell(Level::Error, message).await;
        }
        let mode = self.running.asked_to_stop().unwrap_or(StopMode::AsConfigured);
        let closes = mode == StopMode::AsConfigured && self.end_ms.is_some();
        if mode != StopMode::Suspend {
            self.noted(self.keep_timing().await);
            self.tell(Level::Info, "Datafeed stopped").await;
        }
        if mode != StopMode::Suspend && !closes {
            // A job that failed takes no commands, and has nothing to forget.
            let _ = self.handle.send(Command::FeedEnded).await;
            self.noted(self.forget().await);
        }
        self.jobs.inner.feeds().remove(&self.running.datafeed_id);
        self.running.finished();
        if closes {
            let feed = Some(self.running.datafeed_id.as_str());
            self.noted(self.jobs.close_with_feed(&self.job.job_id, false, feed).await);
        }
    }

    fn noted(&self, done: Result<()>) {
        if let Err(error) = done {
            tracing::error!(datafeed_id = self.running.datafeed_id, %error, "a datafeed did not end in order");
        }
    }

    async fn forget(&self) -> Result<()> {
        self.jobs.inner.configs.delete_feed_task(&self.running.datafeed_id).await
    }

    async fn keep_timing(&self) -> Result<()> {
        let mut timing = self.running.timing();
        timing["result_type"] = json!("datafeed_timing_stats");
        let alias = indices::results_write_alias(&self.job.job_id);
        let id = format!("{}_datafeed_timing_stats", self.job.job_id);
        self.jobs.inner.store.bulk(vec![BulkOp::index(&alias, id, timing.to_string())]).await?;
        self.jobs.inner.store.refresh(&alias).await?;
        Ok(())
    }

    async fn tell(&self, level: Level, message: impl Into<String>) {
        self.jobs.inner.notifier.tell(&self.job.job_id, level, message).await;
    }

    /// Up to where there are complete data now.
    fn readable_until(&self) -> i64 {
        let now = self.jobs.inner.clock.now().0;
        let until = now - self.source.feed.query_delay.as_millis();
        match histogram_interval_ms(self.source.feed.aggregations.as_ref()) {
            Some(interval) if interval > 0 => until.div_euclid(interval) * interval,
            _ => until,
        }
    }

    async fn history_and_present(&mut self) -> Result<()> {
        let now = self.jobs.inner.clock.now().0;
        // An end in the past is history as a whole: nobody waits for late documents of it.
        let history = self.end_ms.filter(|end| *end <= now).unwrap_or_else(|| self.readable_until());
        if self.pass(history).await? == Pass::Stopped {
            return self.flush(None, None).await;
        }
        let words = if self.rows == 0 {
            "Datafeed lookback retrieved no data"
        } else {
            "Datafeed lookback completed"
        };
        self.tell(if self.rows == 0 { Level::Warning } else { Level::Info }, words).await;
        self.flush(Some(history), None).await?;
        self.running.real_time();
        let span_s = self.job.analysis_config.bucket_span_s();
        let frequency_ms = self.source.feed.frequency_ms(span_s).max(1);
        while self.end_ms.is_none_or(|end| self.position.ms < end) {
            if self.wait(frequency_ms).await == Pass::Stopped {
                return self.flush(None, None).await;
            }
            let until = self.readable_until().min(self.end_ms.unwrap_or(i64::MAX));
            if until <= self.position.ms {
                continue;
            }
            let before = self.rows;
            if self.pass(until).await? == Pass::Stopped {
                return self.flush(None, None).await;
            }
            self.flush(None, Some(until)).await?;
            self.tell_about_silence(before).await;
            let looked = self.look_for_delayed(until).await;
            self.noted(looked);
            if self.nothing_ever_found() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells once when nothing has come for a while, and once when something comes again.
    async fn tell_about_silence(&mut self, before: u64) {
        let silent = self.empty_searches;
        self.empty_searches = if self.rows == before { silent.saturating_add(1) } else { 0 };
        if self.empty_searches == SILENT_SEARCHES {
            self.tell(Level::Warning, "Datafeed has been retrieving no data for a while").await;
        } else if self.empty_searches == 0 && silent >= SILENT_SEARCHES {
            self.tell(Level::Info, "Datafeed has started retrieving data again").await;
        }
    }

    fn nothing_ever_found(&self) -> bool {
        let most = self.source.feed.max_empty_searches;
        self.rows == 0 && most.is_some_and(|most| self.empty_searches >= most)
    }

    /// Waits for the next point in time that is a multiple of the frequency.
    async fn wait(&self, frequency_ms: i64) -> Pass {
        let now = self.jobs.inner.clock.now().0;
        let next = (now.div_euclid(frequency_ms) + 1) * frequency_ms
            + self.source.feed.query_delay.as_millis().rem_euclid(frequency_ms);
        let pause = Duration::from_millis(u64::try_from(next - now).unwrap_or(0));
        tokio::select! {
            biased;
            () = self.running.stopping() => Pass::Stopped,
            () = tokio::time::sleep(pause) => Pass::Complete,
        }
    }

    /// Complete buckets are made final, and the open one gets interim results. History ends with its newest record; in
    /// real time the present moves on without records.
    async fn flush(&mut self, complete_until_ms: Option<i64>, advance_ms: Option<i64>) -> Result<()> {
        let request = FlushRequest {
            calc_interim: true,
            complete_until_ms,
            advance_ms: advance_ms.filter(|_| self.rows > 0),
            from_feed: true,
            ..FlushRequest::default()
        };
        self.handle.ask(|reply| Command::Flush { request, reply }).await?;
        let buckets = self.handle.live().counts.bucket_count;
        self.running.closed(buckets.saturating_sub(self.buckets));
        self.buckets = buckets;
        Ok(())
    }

    /// Reads everything before `until_ms`, in pieces, again after a pause where the store is away.
    async fn pass(&mut self, until_ms: i64) -> Result<Pass> {
        let mut delay_ms = DELAY_FIRST_MS;
        let mut told = false;
        loop {
            let read = self.read_until(until_ms).await;
            let error = match read {
                Err(Error::Store(error)) => error,
                other => {
                    if told {
                        self.tell(Level::Info, "Datafeed has recovered data extraction").await;
                    }
                    return other;
                }
            };
            if !told {
                let message = format!("Datafeed is encountering errors extracting data: {error}");
                self.tell(Level::Error, message).await;
                told = true;
            }
            tokio::select! {
                biased;
                () = self.running.stopping() => return Ok(Pass::Stopped),
                () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
            }
            delay_ms = (delay_ms * 2).min(DELAY_MAX_MS);
        }
    }

    async fn read_until(&mut self, until_ms: i64) -> Result<Pass> {
        while self.position.ms < until_ms {
            let start_ms = self.position.ms.max(self.start_ms);
            match self.read_grouped(start_ms, until_ms).await? {
                Some(Pass::Stopped) => return Ok(Pass::Stopped),
                Some(Pass::Complete) => continue,
                None => {}
            }
            let Some(first_ms) = self.first_data(start_ms, until_ms).await? else {
                self.arrived(until_ms).await?;
                break;
            };
            let end_ms = self.source.chunk_ms().map_or(until_ms, |chunk| {
                // Pieces begin at multiples of their length, so that they never cut a bucket of a histogram in two.
                first_ms.div_euclid(chunk).saturating_add(1).saturating_mul(chunk).min(until_ms)
            });
            let end_ms = self.push_down.as_ref().map_or(end_ms, |p| p.documents_until(self.position, end_ms));
            self.running.reads(start_ms, end_ms);
            let read = if self.source.is_aggregated() {
                self.read_rows(start_ms, end_ms).await?
            } else {
                self.read_documents(start_ms, end_ms).await?
            };
            if read == Pass::Stopped {
                return Ok(Pass::Stopped);
            }
            self.arrived(end_ms).await?;
        }
        Ok(Pass::Complete)
    }

    /// Where the next data are; without pieces everything is read in one go and need not be looked for.
    async fn first_data(&self, start_ms: i64, until_ms: i64) -> Result<Option<i64>> {
        if self.source.chunk_ms().is_none() && !self.source.is_aggregated() {
            return Ok(Some(start_ms));
        }
        self.source.first_time(start_ms, until_ms).await
    }

    pub(super) async fn arrived(&mut self, ms: i64) -> Result<()> {
        self.position = FeedPosition { ms, seen: 0 };
        self.handle.send(Command::FedUntil { position_ms: ms }).await
    }

    pub(super) async fn read_documents(&mut self, start_ms: i64, end_ms: i64) -> Result<Pass> {
        let mut skip = if self.position.ms >= start_ms { self.position.seen } else { 0 };
        let skip_ms = self.position.ms;
        let mut began = Instant::now();
        let mut scan = self.source.scan(start_ms, end_ms).await?;
        loop {
            let page = tokio::select! {
                biased;
                () = self.running.stopping(), if self.position.seen == 0 => return Ok(Pass::Stopped),
                page = scan.next() => page?,
            };
            let Some(page) = page else { return Ok(Pass::Complete) };
            self.running.searched(began.elapsed().as_secs_f64() * 1000.0);
            let known = page.times_ms.iter().take_while(|ms| skip > 0 && **ms == skip_ms).count();
            let known = known.min(usize::try_from(skip).unwrap_or(usize::MAX));
            skip -= known as u64;
            if known < page.times_ms.len() {
                skip = 0;
            }
            // A datafeed that is asked to stop ends between two times, so that it can go on without a gap or a repetition.
            let whole = self.running.asked_to_stop().is_none() || page.times_ms.is_empty();
            let last =
                if whole { page.times_ms.len() } else { last_change(&page.times_ms, self.position.ms) };
            self.send(page, None, known..last.max(known)).await?;
            if !whole {
                return Ok(Pass::Stopped);
            }
            began = Instant::now();
        }
    }

    async fn read_rows(&mut self, start_ms: i64, end_ms: i64) -> Result<Pass> {
        let began = Instant::now();
        let rows = self.source.aggregate(start_ms, end_ms).await?;
        self.running.searched(began.elapsed().as_secs_f64() * 1000.0);
        let position = self.position;
        let known = rows.iter().take_while(|row| row.key_ms == position.ms).count();
        let known = known.min(usize::try_from(position.seen).unwrap_or(usize::MAX));
        for part in rows[known..].chunks(ROWS_PER_BATCH) {
            let (page, positions) = page(part, &self.source.fields);
            let rows = page.times_ms.len();
            self.send(page, Some(positions), 0..rows).await?;
        }
        let stopped = self.running.asked_to_stop().is_some();
        if stopped {
            self.arrived(end_ms).await?;
        }
        Ok(if stopped { Pass::Stopped } else { Pass::Complete })
    }

    async fn send(
        &mut self,
        page: store::Page,
        positions_ms: Option<Vec<i64>>,
        rows: std::ops::Range<usize>,
    ) -> Result<()> {
        let positions = positions_ms.as_deref().unwrap_or(&page.times_ms);
        for ms in positions.get(rows.clone()).unwrap_or_default() {
            let seen = if self.position.ms == *ms { self.position.seen } else { 0 };
            self.position = FeedPosition { ms: *ms, seen: seen + 1 };
        }
        self.rows += rows.len() as u64;
        if rows.is_empty() {
            return Ok(());
        }
        self.handle.send(Command::Feed(FeedBatch { page, positions_ms, rows })).await
    }
}

/// The row at which the last time of a page begins; with one time only, where the page ends or begins as a whole.
fn last_change(times_ms: &[i64], before_ms: i64) -> usize {
    let Some(last) = times_ms.last() else { return 0 };
    let begins = times_ms.iter().rposition(|ms| ms != last).map_or(0, |row| row + 1);
    // The page holds one time only, of which rows were sent already: they all have to go.
    if begins == 0 && *last == before_ms { times_ms.len() } else { begins }
}

#[cfg(test)]
mod tests {
    use super::last_change;

    #[test]
    fn a_page_is_cut_before_its_last_time() {
        assert_eq!(last_change(&[1, 2, 3, 3], 0), 2);
        assert_eq!(last_change(&[3, 3], 2), 0);
        assert_eq!(last_change(&[3, 3], 3), 2);
        assert_eq!(last_change(&[], 3), 0);
    }
}
