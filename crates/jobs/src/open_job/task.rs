//! The loop that takes a job's commands, one after the other.

use std::sync::Arc;

use serde_json::json;
use store::{Store, indices};
use tokio::sync::mpsc;
use types::stats::{DataCounts, ModelSizeStats};
use types::{Clock, Job, TimestampMs};

use super::checkpoint::{Checkpoints, FeedPosition, Pointer};
use super::data_log::{DataLog, Event};
use super::handle::{Command, FeedBatch, FlushRequest, OpenJob};
use super::worker::{Limits, Worker};
use super::writer::{Writer, patiently};
use crate::config_store::ConfigStore;
use crate::ingest::Piece;
use crate::notifications::{Level, Notifier};
use crate::{Error, Options, Result};

/// Everything that an open job owns.
pub(super) struct Task {
    pub(super) worker: Option<Box<Worker>>,
    pub(super) writer: Writer,
    pub(super) store: Arc<dyn Store>,
    pub(super) configs: ConfigStore,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: Arc<Options>,
    pub(super) limits: Limits,
    pub(super) checkpoints: Checkpoints,
    pub(super) log: DataLog,
    pub(super) notifier: Notifier,
    pub(super) handle: Arc<OpenJob>,
    pub(super) job: Job,
    pub(super) pointer: Pointer,
    pub(super) version: store::Version,
    pub(super) last_checkpoint: TimestampMs,
    pub(super) last_snapshot: TimestampMs,
    pub(super) has_interim: bool,
}

enum After {
    GoOn,
    End,
}

impl Task {
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut killed = self.handle.killed.subscribe();
        loop {
            let command = tokio::select! {
                biased;
                _ = killed.wait_for(|killed| *killed) => return,
                command = inbox.recv() => command,
            };
            let Some(command) = command else { return };
            let done = tokio::select! {
                biased;
                _ = killed.wait_for(|killed| *killed) => return,
                done = self.take(command) => done,
            };
            match done {
                Ok(After::GoOn) => {}
                Ok(After::End) => return,
                Err(error) => {
                    self.handle.failed(&error);
                    let message = format!("Job failed: {error}");
                    self.notifier.tell(&self.job.job_id, Level::Error, message).await;
                    return;
                }
            }
        }
    }

    /// Errors of this function end the job; errors of a request go to whoever asked.
    async fn take(&mut self, command: Command) -> Result<After> {
        match command {
            Command::Post { reset, pieces, reply } => {
                let counts = self.post(reset, pieces).await?;
                let _ = reply.send(Ok(counts));
            }
            Command::FeedStarted { position, reply } => {
                self.work(move |worker| worker.feed_position = Some(position)).await?;
                self.checkpoint(None).await?;
                let _ = reply.send(Ok(()));
            }
            Command::Feed(batch) => self.feed(batch).await?,
            Command::FeedGroups { groups, until_ms } => self.feed_groups(groups, until_ms).await?,
            Command::FedUntil { position_ms } => {
                let position = FeedPosition { ms: position_ms, seen: 0 };
                self.work(move |worker| worker.feed_position = Some(position)).await?;
            }
            Command::FeedEnded => self.work(|worker| worker.feed_position = None).await?,
            Command::Flush { request, reply } => {
                let end = self.flush(request).await?;
                let _ = reply.send(Ok(end));
            }
            Command::Update { job, reply } => {
                self.job = (*job).clone();
                self.work(move |worker| {
                    worker.model.update_job(&job);
                    worker.job = *job;
                })
                .await?;
                self.checkpoint(None).await?;
                let _ = reply.send(Ok(()));
            }
            Command::Context { context, reply } => {
                self.work(move |worker| worker.model.set_context(context)).await?;
                self.checkpoint(None).await?;
                let _ = reply.send(Ok(()));
            }
            Command::Forecast { request, reply } => {
                let basis = self.work(move |worker| worker.forecast_basis(request)).await?;
                let _ = reply.send(Ok(basis));
            }
            Command::Close { reply } => {
                self.close().await?;
                let _ = reply.send(Ok(()));
                return Ok(After::End);
            }
            Command::Suspend { reply } => {
                self.checkpoint(None).await?;
                let _ = reply.send(Ok(()));
                return Ok(After::End);
            }
        }
        self.checkpoint_if_due().await?;
        self.show().await?;
        Ok(After::GoOn)
    }

    /// Lets the worker do something on a thread for computing.
    pub(super) async fn work<R: Send + 'static>(
        &mut self,
        f: impl FnOnce(&mut Worker) -> R + Send + 'static,
    ) -> Result<R> {
        let broken = || Error::Model("the model broke; the job must be closed by force".to_owned());
        let mut worker = self.worker.take().ok_or_else(broken)?;
        let work = tokio::task::spawn_blocking(move || {
            let result = f(&mut worker);
            (worker, result)
        });
        let (worker, result) = work.await.map_err(|_| broken())?;
        self.worker = Some(worker);
        Ok(result)
    }

    /// Moves time on; what a long gap brings is written before all of it is there.
    pub(super) async fn advance(&mut self, to_ms: i64) -> Result<()> {
        while self.work(move |worker| worker.advance_some(to_ms)).await? {
            self.submit().await?;
        }
        Ok(())
    }

    /// Tells that an entry of the log is not used.
    pub(super) fn leave_out(&self, id: &str, why: &str) {
        self.configs.unreadable.tell(indices::DATA_LOG, id, &self.job.job_id, why);
    }

    pub(super) fn worker(&mut self) -> Result<&mut Worker> {
        self.worker.as_deref_mut().ok_or_else(|| Error::Model("the model broke".to_owned()))
    }

    /// Newest entry of the log that the analysis has seen.
    pub(super) fn pointer_seq(&self) -> u64 {
        self.worker.as_ref().map_or(self.pointer.data_seq, |worker| worker.data_seq)
    }

    /// Sends off the documents that wait. Interim results give way to the first final ones.
    pub(super) async fn submit(&mut self) -> Result<()> {
        let worker = self.worker()?;
        let ops = std::mem::take(&mut worker.pending);
        let finals = std::mem::take(&mut worker.pending_final);
        let notes = std::mem::take(&mut worker.notes);
        for (level, message) in notes {
            self.notifier.tell(&self.job.job_id, level, message).await;
        }
        if finals && self.has_interim {
            self.remove_interim().await?;
        }
        self.writer.submit(ops).await
    }

    pub(super) async fn remove_interim(&mut self) -> Result<()> {
        self.writer.drain().await?;
        let alias = indices::results_write_alias(&self.job.job_id);
        let query = json!({"bool": {"filter": [{"term": {"job_id": self.job.job_id}}, {"term": {"is_interim": true}}]}});
        let attempts = self.options.store_attempts;
        patiently(attempts, || self.store.refresh(&alias)).await?;
        patiently(attempts, || self.store.delete_by_query(&alias, &query)).await?;
        self.has_interim = false;
        Ok(())
    }

    async fn post(&mut self, reset: Option<(i64, i64)>, pieces: Vec<Piece>) -> Result<DataCounts> {
        self.settle_feed().await?;
        let before = self.worker()?.counts();
        if let Some((start_ms, end_ms)) = reset {
            self.logged(Event::Reset { start_ms, end_ms }).await?;
            self.work(move |worker| worker.model.reset(start_ms, end_ms)).await?;
        }
        for piece in pieces {
            let (seq, now) = (self.pointer_seq() + 1, self.clock.now());
            let event = Event::Records { raw: piece.raw.clone(), at: now };
            self.log.append(&self.job.job_id, seq, event).await?;
            self.push_piece(piece, now).await?;
            self.work(move |worker| worker.data_seq = seq).await?;
        }
        let mut counts = difference(&self.worker()?.counts(), &before);
        counts.log_time = Some(self.clock.now());
        Ok(counts)
    }

    pub(super) async fn push_piece(&mut self, piece: Piece, at: TimestampMs) -> Result<()> {
        let counts = piece.counts;
        self.work(move |worker| worker.count(counts, at)).await?;
        self.push_page(Arc::new(piece.page), at).await
    }

    async fn feed(&mut self, batch: FeedBatch) -> Result<()> {
        let now = self.clock.now();
        let page = Arc::new(batch.page);
        let positions = Arc::new(batch.positions_ms.unwrap_or_else(|| page.times_ms.clone()));
        let (mut row, limits) = (batch.rows.start, self.limits);
        let rows = batch.rows.end.min(page.times_ms.len());
        while row < rows {
            let (page, positions) = (Arc::clone(&page), Arc::clone(&positions));
            let (next, due) = self
                .work(move |worker| {
                    let next = worker.push_fed(&page, &positions, row..rows, limits, now);
                    (next, next < rows && worker.checkpoint_due(limits))
                })
                .await?;
            row = next;
            self.submit().await?;
            if due {
                self.checkpoint(None).await?;
            }
        }
        Ok(())
    }

    async fn push_page(&mut self, page: Arc<store::Page>, now: TimestampMs) -> Result<()> {
        let (mut row, limits) = (0, self.limits);
        while row < page.times_ms.len() {
            let page = Arc::clone(&page);
            row = self.work(move |worker| worker.push(&page, row, limits, now)).await?;
            self.submit().await?;
        }
        Ok(())
    }

    async fn flush(&mut self, request: FlushRequest) -> Result<Option<i64>> {
        if let Some(until_ms) = request.complete_until_ms {
            self.work(move |worker| worker.complete(until_ms)).await?;
        }
        if let Some(to_ms) = request.advance_ms {
            if !request.from_feed {
                self.logged(Event::Advance { to_ms }).await?;
            }
            self.advance(to_ms).await?;
        }
        if let Some(to_ms) = request.skip_ms {
            self.logged(Event::Skip { to_ms }).await?;
            self.work(move |worker| worker.skip(to_ms)).await?;
        }
        self.work(Worker::write_categories).await?;
        self.submit().await?;
        if request.calc_interim {
            let ops = self.work(move |worker| worker.interim(request.start_ms, request.end_ms)).await?;
            if self.has_interim {
                self.remove_interim().await?;
            }
            self.has_interim = !ops.is_empty();
            self.writer.submit(ops).await?;
        }
        self.writer.drain().await?;
        let alias = indices::results_write_alias(&self.job.job_id);
        patiently(self.options.store_attempts, || self.store.refresh(&alias)).await?;
        Ok(self.worker()?.model.flushed_until_ms())
    }

    /// Rows of a datafeed since the last checkpoint come again after a crash, and would come after what is in the log: a
    /// checkpoint before the entry keeps the order.
    async fn settle_feed(&mut self) -> Result<()> {
        let worker = self.worker()?;
        if worker.feed_position.is_some() && worker.records_since > 0 {
            self.checkpoint(None).await?;
        }
        Ok(())
    }

    async fn logged(&mut self, event: Event) -> Result<()> {
        self.settle_feed().await?;
        let seq = self.pointer_seq() + 1;
        self.log.append(&self.job.job_id, seq, event).await?;
        self.worker()?.data_seq = seq;
        Ok(())
    }

    /// Lets statistics see where the job is.
    pub(super) async fn show(&mut self) -> Result<()> {
        let now = self.clock.now();
        let written = self.pointer.size_stats.as_ref().and_then(|stats| stats.output_memory_allocator_bytes);
        let worker = self.worker()?;
        let (counts, timing, stats) = (worker.counts(), worker.timing.clone(), worker.model.size_stats(now));
        let mut live = self.handle.live();
        live.counts = counts;
        live.timing = timing;
        live.size_stats = Some(ModelSizeStats { output_memory_allocator_bytes: written, ..stats });
        Ok(())
    }
}

/// What one call has added; times are those of now.
fn difference(now: &DataCounts, before: &DataCounts) -> DataCounts {
    DataCounts {
        processed_record_count: now.processed_record_count - before.processed_record_count,
        processed_field_count: now.processed_field_count - before.processed_field_count,
        input_bytes: now.input_bytes - before.input_bytes,
        input_field_count: now.input_field_count - before.input_field_count,
        invalid_date_count: now.invalid_date_count - before.invalid_date_count,
        missing_field_count: now.missing_field_count - before.missing_field_count,
        out_of_order_timestamp_count: now.out_of_order_timestamp_count - before.out_of_order_timestamp_count,
        empty_bucket_count: now.empty_bucket_count - before.empty_bucket_count,
        sparse_bucket_count: now.sparse_bucket_count - before.sparse_bucket_count,
        bucket_count: now.bucket_count - before.bucket_count,
        input_record_count: now.input_record_count - before.input_record_count,
        ..now.clone()
    }
}
