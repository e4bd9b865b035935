//! Checkpoints and snapshots: when they are due, and what is written with them.

use serde_json::json;
use store::{BulkOp, indices};
use types::snapshot::{ModelSnapshot, STATE_VERSION};
use types::stats::{DataCounts, ModelSizeStats};
use types::{Job, TimestampMs};

use super::checkpoint::{Pointer, StateRef};
use super::task::Task;
use super::writer::{patiently, write_all};
use crate::Result;
use crate::annotations::{Annotation, Event};
use crate::config_store::to_json;

const HOUR_MS: i64 = 3_600_000;

impl Task {
    pub(super) async fn checkpoint_if_due(&mut self) -> Result<()> {
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

    pub(super) async fn close(&mut self) -> Result<()> {
        // How often each category occurred is exact from now on, also in the bucket that is not final.
        self.work(|worker| worker.write_categories()).await?;
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
    pub(super) async fn checkpoint(&mut self, snapshot: Option<String>) -> Result<()> {
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
        let stats = ModelSizeStats { output_memory_allocator_bytes: Some(bytes.len() as u64), ..stats };
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
            min_version: STATE_VERSION.to_owned(),
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
            ops.push(stored_annotation(snapshot).op()?);
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
}

/// Tells those who look at results where a snapshot was taken.
fn stored_annotation(snapshot: &ModelSnapshot) -> Annotation {
    let at = snapshot.latest_result_time_stamp.or(snapshot.latest_record_time_stamp);
    let id = &snapshot.snapshot_id;
    let text = format!("Job model snapshot with id [{id}] stored");
    Annotation::new(&snapshot.job_id, Event::ModelSnapshotStored, text, snapshot.timestamp)
        .at(at.unwrap_or(snapshot.timestamp), at.unwrap_or(snapshot.timestamp))
        .named(format!("{}_annotation_model_snapshot_{id}", snapshot.job_id))
}
