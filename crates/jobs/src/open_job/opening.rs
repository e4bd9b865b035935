//! From a checkpoint to a running task.

use std::sync::Arc;

use engine::Context;
use serde_json::json;
use store::{Store, indices};
use tokio::sync::mpsc;
use types::{Clock, Job};

use super::checkpoint::{Checkpoints, Pointer};
use super::data_log::{DataLog, Event, Logged, SEQ_MAX};
use super::handle::OpenJob;
use super::task::Task;
use super::worker::Limits;
use super::writer::{Writer, patiently};
use crate::config_store::ConfigStore;
use crate::ingest::Reader;
use crate::notifications::{Level, Notifier};
use crate::{Options, Result};

/// Results that belong to buckets and are written anew after a crash.
pub(crate) const RESULT_TYPES_FINAL: [&str; 5] =
    ["bucket", "bucket_influencer", "record", "influencer", "model_plot"];

/// What is needed to open a job.
pub(crate) struct Opening {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Arc<Options>,
    pub(crate) notifier: Notifier,
    pub(crate) configs: ConfigStore,
    pub(crate) job: Job,
    pub(crate) context: Context,
    /// Is it opened by somebody, and not again after a restart, when its datafeed goes on?
    pub(crate) fresh: bool,
}

impl Opening {
    /// Restores the job from its checkpoint, removes later results, replays the log, and starts the task.
    pub(crate) async fn run(self, handle: Arc<OpenJob>) -> Result<()> {
        let checkpoints = Checkpoints::new(Arc::clone(&self.store), self.options.store_attempts);
        let found = checkpoints.stored(&self.job.job_id).await?;
        let (mut pointer, expected) = match found {
            Some((Ok(pointer), version)) => (pointer, Some(version)),
            Some((Err(error), version)) => {
                let why = format!("The checkpoint cannot be read, and the job goes on without it: {error}");
                self.notifier.tell(&self.job.job_id, Level::Error, why).await;
                (Pointer::first(&self.store, &self.job.job_id, self.clock.now()).await?, Some(version))
            }
            None => (Pointer::first(&self.store, &self.job.job_id, self.clock.now()).await?, None),
        };
        if !pointer.clean {
            self.remove_later(&pointer).await?;
        }
        pointer.feed_position = pointer.feed_position.filter(|_| !self.fresh);
        self.tell_what_is_loaded(&pointer).await;
        // Before the pointer is written: a crash must find the state and the time that were adopted, not a job that has
        // seen nothing, whose results would all be later than its checkpoint.
        let mut worker = self.restored(&checkpoints, &mut pointer).await?;
        // Written with the pointer, so that a crash before it is done does not lose it.
        let restate = pointer.restate || !pointer.clean;
        pointer.clean = false;
        let version = checkpoints.switch(&pointer, expected).await?;
        worker.data_seq = pointer.data_seq;
        worker.feed_position = pointer.feed_position;
        let reader = Reader::new(&self.job, worker.model.fields().to_vec())?;
        let log = DataLog::new(Arc::clone(&self.store), self.options.store_attempts);
        let (commands, inbox) = mpsc::channel(self.options.queue_length.max(1));
        let fields = worker.model.fields().to_vec();
        let mut task = Task {
            worker: Some(Box::new(worker)),
            writer: Writer::new(Arc::clone(&self.store), self.options.store_attempts),
            configs: self.configs,
            store: self.store,
            clock: self.clock,
            limits: Limits {
                checkpoint_records: self.options.checkpoint_records,
                write_batch: self.options.write_batch,
            },
            options: self.options,
            checkpoints,
            log,
            notifier: self.notifier,
            handle: Arc::clone(&handle),
            last_checkpoint: pointer.written_at,
            last_snapshot: pointer.written_at,
            pointer,
            version,
            has_interim: false,
            job: self.job,
        };
        task.last_snapshot = task.clock.now();
        if let Some(skip_to_ms) = task.pointer.skip_to_ms {
            task.work(move |worker| worker.skip(skip_to_ms)).await?;
        }
        if restate {
            restore_scores(&mut task).await?;
        }
        replay(&mut task, &reader).await?;
        task.show().await?;
        handle.started(fields, commands);
        tokio::spawn(task.run(inbox));
        Ok(())
    }

    async fn tell_what_is_loaded(&self, pointer: &Pointer) {
        let snapshot = self.job.model_snapshot_id.as_deref().unwrap_or("N/A");
        let latest = pointer.counts.latest_record_timestamp.map_or_else(|| "N/A".to_owned(), |t| t.to_iso());
        let message = format!("Loading model snapshot [{snapshot}], job latest_record_timestamp [{latest}]");
        self.notifier.tell(&self.job.job_id, Level::Info, message).await;
    }

    /// After a crash, results that the checkpoint does not know are written anew: remove them first.
    async fn remove_later(&self, pointer: &Pointer) -> Result<()> {
        let (attempts, job_id) = (self.options.store_attempts, &self.job.job_id);
        let alias = indices::results_write_alias(job_id);
        patiently(attempts, || self.store.refresh(&alias)).await?;
        let own = json!({"term": {"job_id": job_id}});
        let mut later = vec![own.clone(), json!({"terms": {"result_type": RESULT_TYPES_FINAL}})];
        if let Some(end_ms) = pointer.final_end_ms {
            later.push(json!({"range": {"timestamp": {"gte": end_ms}}}));
        }
        let sizes = json!({"bool": {"filter": [own.clone(), {"term": {"result_type": "model_size_stats"}},
            {"range": {"log_time": {"gt": pointer.written_at}}}]}});
        let interim = json!({"bool": {"filter": [own, {"term": {"is_interim": true}}]}});
        for query in [json!({"bool": {"filter": later}}), interim, sizes] {
            patiently(attempts, || self.store.delete_by_query(&alias, &query)).await?;
        }
        Ok(())
    }
}

/// Results that stay may have scores from after the state: they get those that the state knows.
async fn restore_scores(task: &mut Task) -> Result<()> {
    let mut ops = task.work(|worker| worker.restated()).await?;
    let batch = task.limits.write_batch.max(1);
    while !ops.is_empty() {
        let rest = ops.split_off(ops.len().min(batch));
        task.writer.submit(std::mem::replace(&mut ops, rest)).await?;
    }
    task.writer.drain().await?;
    task.pointer.restate = false;
    Ok(())
}

/// Applies what was acknowledged after the checkpoint.
async fn replay(task: &mut Task, reader: &Reader) -> Result<()> {
    task.log.refresh().await?;
    let mut after = task.pointer_seq();
    loop {
        let entries = task.log.after(&task.job.job_id, after).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        after = last.seq;
        for Logged { id, seq, event } in entries {
            if seq >= SEQ_MAX {
                task.leave_out(&id, &format!("its number [{seq}] is too large"));
                continue;
            }
            match event {
                Ok(event) => replay_one(task, reader, &id, event).await?,
                Err(why) => task.leave_out(&id, &why),
            }
            task.work(move |worker| worker.data_seq = seq).await?;
            task.submit().await?;
        }
    }
}

async fn replay_one(task: &mut Task, reader: &Reader, id: &str, event: Event) -> Result<()> {
    match event {
        Event::Records { raw, at } => match reader.read(&raw) {
            Ok(pieces) => {
                for piece in pieces {
                    task.push_piece(piece, at).await?;
                }
            }
            Err(error) => task.leave_out(id, &error.to_string()),
        },
        Event::Advance { to_ms } => task.advance(to_ms).await?,
        Event::Reset { start_ms, end_ms } => {
            task.work(move |worker| worker.model.reset(start_ms, end_ms)).await?;
        }
        Event::Skip { to_ms } => task.work(move |worker| worker.skip(to_ms)).await?,
    }
    Ok(())
}
