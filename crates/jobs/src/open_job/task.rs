//! The loop that takes a job's commands, one after the other.

use std::sync::Arc;

use serde_json::json;
use store::{BulkOp, Store, indices};
use tokio::sync::mpsc;
use types::snapshot::ModelSnapshot;
use types::stats::DataCounts;
use types::{Clock, Job, TimestampMs};

use super::checkpoint::{Checkpoints, FeedPosition, Pointer, StateRef};
use super::data_log::{DataLog, Event};
use super::handle::{Command, FeedBatch, FlushRequest, OpenJob};
use super::worker::{Limits, Worker};
use super::writer::{Writer, patiently, write_all};
use crate::config_store::{ConfigStore, to_json};
use crate::ingest::Piece;
use crate::notifications::{Level, Notifier};
use crate::{Error, Options, Result};

const HOUR_MS: i64 = 3_600_000;

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
            Command::Post { pieces, reply } => {
                let counts = self.post(pieces).await?;
                let _ = reply.send(Ok(counts));
            }
            Command::FeedStarted { position, reply } => {
                self.work(move |worker| worker.feed_position = Some(position)).await?;
                self.checkpoint(None).await?;
                let _ = reply.send(Ok(()));
            }
            Command::Feed(batch) => self.feed(batch).await?,
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

    fn worker(&mut self) -> Result<&mut Worker> {
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
        if finals && self.has_interim {
            self.remove_interim().await?;
        }
        self.writer.submit(ops).await
    }

    async fn remove_interim(&mut self) -> Result<()> {
        self.writer.drain().await?;
        let alias = indices::results_write_alias(&self.job.job_id);
        let query = json!({"bool": {"filter": [{"term": {"job_id": self.job.job_id}}, {"term": {"is_interim": true}}]}});
        let attempts = self.options.store_attempts;
        patiently(attempts, || self.store.refresh(&alias)).await?;
        patiently(attempts, || self.store.delete_by_query(&alias, &query)).await?;
        self.has_interim = false;
        Ok(())
    }

    async fn post(&mut self, pieces: Vec<Piece>) -> Result<DataCounts> {
        self.settle_feed().await?;
        let before = self.worker()?.counts();
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
        self.push_page(Arc::new(piece.page)).await
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

    async fn push_page(&mut self, page: Arc<store::Page>) -> Result<()> {
        let (mut row, limits) = (0, self.limits);
        while row < page.times_ms.len() {
            let page = Arc::clone(&page);
            row = self.work(move |worker| worker.push(&page, row, limits)).await?;
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
            self.work(move |worker| worker.advance(to_ms)).await?;
        }
        if let Some(to_ms) = request.skip_ms {
            self.logged(Event::Skip { to_ms }).await?;
            self.work(move |worker| worker.skip(to_ms)).await?;
        }
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
        Ok(self.worker()?.model.last_finalized_bucket_end_ms())
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

    async fn checkpoint_if_due(&mut self) -> Result<()> {
        let (now, limits) = (self.clock.now(), self.limits);
        let snapshot_every =
            self.job.background_persist_interval.map_or(3 * HOUR_MS, |span| span.as_millis());
        let worker = self.worker()?;
        let dirty = worker.records_since > 0 || worker.data_seq > 0;
        if !dirty {
            return Ok(());
        }
        let due = worker.checkpoint_due(limits);
        if worker.records_since > 0 && now.0 - self.last_snapshot.0 >= snapshot_every {
            let description = format!("Periodic background persist at {}", now.to_iso());
            return self.checkpoint(Some(description)).await;
        }
        let idle = self.worker()?.records_since == 0 && self.pointer_seq() == self.pointer.data_seq;
        if due || (!idle && now.0 - self.last_checkpoint.0 >= self.options.checkpoint_interval_ms) {
            self.checkpoint(None).await?;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        if self.has_interim {
            self.submit().await?;
            self.remove_interim().await?;
        }
        let description = format!("State persisted due to job close at {}", self.clock.now().to_iso());
        let seen = self.worker()?.counts().processed_record_count > 0;
        self.pointer.clean = true;
        self.checkpoint(seen.then_some(description)).await
    }

    /// Saves everything as one unit; with a description also as a model snapshot.
    async fn checkpoint(&mut self, snapshot: Option<String>) -> Result<()> {
        self.submit().await?;
        let now = self.clock.now();
        let sizes_changed = std::mem::take(&mut self.worker()?.size_changed);
        let (bytes, stats, counts, timing, final_end_ms) = self
            .work(move |worker| {
                let model = &worker.model;
                let stats = model.size_stats(now);
                (
                    model.snapshot(),
                    stats,
                    worker.counts(),
                    worker.timing.clone(),
                    model.last_finalized_bucket_end_ms(),
                )
            })
            .await?;
        self.writer.drain().await?;
        let job_id = self.job.job_id.clone();
        let mut next = Pointer {
            epoch: self.pointer.epoch + 1,
            counts,
            timing,
            size_stats: Some(stats.clone()),
            final_end_ms,
            feed_position: self.worker()?.feed_position,
            data_seq: self.pointer_seq(),
            skip_to_ms: None,
            written_at: now,
            ..self.pointer.clone()
        };
        let described = match snapshot {
            Some(description) => {
                let snapshot = self.describe(&next, description).await?;
                next.state =
                    Some(self.save(format!("{job_id}_model_state_{}", snapshot.snapshot_id), &bytes).await?);
                let chunks = next.state.as_ref().map_or(0, |state| state.chunks);
                Some(ModelSnapshot { snapshot_doc_count: chunks, ..snapshot })
            }
            None => {
                next.state = Some(self.save(format!("{job_id}_checkpoint_{}", next.epoch), &bytes).await?);
                None
            }
        };
        self.write_companions(&next, described.as_ref(), sizes_changed).await?;
        self.version = self.checkpoints.switch(&next, Some(self.version)).await?;
        if let Some(snapshot) = &described {
            let id = snapshot.snapshot_id.clone();
            let set = |job: &Job| Ok(Job { model_snapshot_id: Some(id.clone()), ..job.clone() });
            self.job = self.configs.update_job(&job_id, set).await?;
            self.last_snapshot = now;
        }
        self.checkpoints.forget_state(&self.pointer, &next).await;
        if let Err(error) = self.log.trim(&job_id, self.pointer.data_seq + 1, next.data_seq).await {
            tracing::warn!(%job_id, %error, "the log could not be trimmed; it is when the job closes");
        }
        self.pointer = next;
        self.last_checkpoint = now;
        self.worker()?.records_since = 0;
        Ok(())
    }

    async fn save(&self, prefix: String, bytes: &[u8]) -> Result<StateRef> {
        self.checkpoints.save_state(&self.job.job_id, prefix, bytes).await
    }

    /// The description of a new snapshot, under an id that no other has.
    async fn describe(&self, next: &Pointer, description: String) -> Result<ModelSnapshot> {
        let mut second = next.written_at.seconds();
        if let Some(last) = self.job.model_snapshot_id.as_ref().and_then(|id| id.parse::<i64>().ok()) {
            second = second.max(last + 1);
        }
        let job_id = self.job.job_id.clone();
        let quantiles = json!({"job_id": job_id, "timestamp": next.counts.latest_record_timestamp.unwrap_or_default(),
            "quantile_state": "part of the model state"});
        let result_end =
            next.final_end_ms.map(|end| TimestampMs(end - self.job.analysis_config.bucket_span.as_millis()));
        Ok(ModelSnapshot {
            job_id,
            min_version: "6.4.0".to_owned(),
            timestamp: next.written_at,
            description: Some(description),
            snapshot_id: second.to_string(),
            snapshot_doc_count: 0,
            model_size_stats: next.size_stats.clone(),
            latest_record_time_stamp: next.counts.latest_record_timestamp,
            latest_result_time_stamp: result_end,
            quantiles: Some(quantiles),
            retain: false,
        })
    }

    /// Counts, sizes and the snapshot's description, for those who read the results' index.
    async fn write_companions(
        &self,
        next: &Pointer,
        snapshot: Option<&ModelSnapshot>,
        sizes: bool,
    ) -> Result<()> {
        let job_id = &self.job.job_id;
        let index = indices::results_write_alias(job_id);
        let mut counts = next.counts.clone();
        counts.log_time = Some(next.written_at);
        let mut timing = to_json(&next.timing)?;
        timing["result_type"] = json!("timing_stats");
        let mut ops = vec![
            BulkOp::index(&index, DataCounts::doc_id(job_id), to_json(&counts)?.to_string()),
            BulkOp::index(&index, format!("{job_id}_timing_stats"), timing.to_string()),
        ];
        if let Some(stats) = next.size_stats.as_ref().filter(|_| sizes || snapshot.is_some()) {
            ops.push(BulkOp::index(&index, stats.doc_id(), to_json(stats)?.to_string()));
        }
        if let Some(snapshot) = snapshot {
            ops.push(BulkOp::index(&index, snapshot.doc_id(), to_json(snapshot)?.to_string()));
            let quantiles = snapshot.quantiles.clone().unwrap_or_default();
            ops.push(BulkOp::index(
                indices::STATE_WRITE,
                format!("{job_id}_quantiles"),
                quantiles.to_string(),
            ));
        }
        write_all(&self.store, self.options.store_attempts, ops).await?;
        patiently(self.options.store_attempts, || self.store.refresh(&index)).await
    }

    /// Lets statistics see where the job is.
    pub(super) async fn show(&mut self) -> Result<()> {
        let now = self.clock.now();
        let worker = self.worker()?;
        let (counts, timing, stats) = (worker.counts(), worker.timing.clone(), worker.model.size_stats(now));
        let mut live = self.handle.live();
        live.counts = counts;
        live.timing = timing;
        live.size_stats = Some(stats);
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
