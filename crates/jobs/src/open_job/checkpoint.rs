//! Checkpoints: state, counts and position of a job, switched as one.
//!
//! The state lies in chunks under ids that no pointer names yet; then one pointer document is written over the old one.
//! A crash before that leaves the old checkpoint, a crash after it the new one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{BulkOp, IndicesOptions, Store, Version, indices};
use types::stats::{DataCounts, ModelSizeStats, TimingStats};
use types::{JobId, TimestampMs};

use super::writer::{patiently, write_all};
use crate::config_store::{hits, read, to_json};
use crate::results::with_numeric_times;
use crate::stats::stored_counts;
use crate::{Error, Result, base64};

/// Bytes of state in one document.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Chunks of one state: as many as one query may name, which is 40 GB.
const CHUNKS_MAX: u64 = 10_000;

/// Whatever is counted stays far below this.
const COUNT_MAX: u64 = 1 << 60;

/// Where a saved state lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateRef {
    /// Chunks are `<prefix>#1`, `<prefix>#2`, …
    pub(crate) prefix: String,
    pub(crate) chunks: u64,
    pub(crate) bytes: u64,
}

/// How far a datafeed has come: all rows before `ms`, and the first `seen` rows of `ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FeedPosition {
    pub(crate) ms: i64,
    pub(crate) seen: u64,
}

/// The document that makes a checkpoint valid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pointer {
    pub(crate) job_id: JobId,
    /// Counts the checkpoints, and so the names of their chunks.
    pub(crate) epoch: u64,
    /// Absent before the first state was saved.
    pub(crate) state: Option<StateRef>,
    pub(crate) counts: DataCounts,
    pub(crate) timing: TimingStats,
    #[serde(default)]
    pub(crate) size_stats: Option<ModelSizeStats>,
    /// Results of buckets that begin earlier are part of the checkpoint.
    pub(crate) final_end_ms: Option<i64>,
    pub(crate) feed_position: Option<FeedPosition>,
    pub(crate) data_seq: u64,
    /// After a revert: the time up to which there are results already.
    #[serde(default)]
    pub(crate) skip_to_ms: Option<i64>,
    /// May documents have newer scores than the state knows of? After a revert.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) restate: bool,
    /// Was the job closed properly, so that no results can be later than the checkpoint?
    pub(crate) clean: bool,
    pub(crate) written_at: TimestampMs,
}

impl StateRef {
    /// Could a state of this size have been saved in so many chunks?
    fn check(&self) -> Result<(), String> {
        let room = self.chunks.saturating_mul(CHUNK_BYTES as u64);
        if self.chunks > CHUNKS_MAX || self.bytes > room {
            return Err(format!("no state has {} bytes in {} chunks", self.bytes, self.chunks));
        }
        Ok(())
    }

    /// The ids of its chunks, as many as a state can have.
    fn chunk_ids(&self) -> impl Iterator<Item = String> + '_ {
        (1..=self.chunks.min(CHUNKS_MAX)).map(|chunk| format!("{}#{chunk}", self.prefix))
    }
}

impl Pointer {
    /// Of a job that has seen nothing.
    fn blank(job_id: &JobId, now: TimestampMs) -> Self {
        Self {
            job_id: job_id.clone(),
            epoch: 0,
            state: None,
            counts: DataCounts::new(job_id),
            timing: TimingStats { job_id: job_id.as_str().to_owned(), ..TimingStats::default() },
            size_stats: None,
            final_end_ms: None,
            feed_position: None,
            data_seq: 0,
            skip_to_ms: None,
            restate: false,
            clean: true,
            written_at: now,
        }
    }

    /// Of a job without a checkpoint, which may have come with counts and results of its own: those are part of the first
    /// checkpoint, and their buckets are not analysed again.
    pub(crate) async fn first(store: &Arc<dyn Store>, job_id: &JobId, now: TimestampMs) -> Result<Self> {
        let blank = Self::blank(job_id, now);
        let (counts, timing) = stored_counts(store, job_id).await?;
        let final_end_ms = stored_end_ms(store, job_id).await?;
        Ok(Self {
            final_end_ms,
            skip_to_ms: final_end_ms,
            counts: counts.unwrap_or_else(|| blank.counts.clone()),
            timing: timing.unwrap_or_else(|| blank.timing.clone()),
            ..blank
        })
    }

    pub(crate) fn doc_id(job_id: &str) -> String {
        format!("{job_id}_checkpoint")
    }

    /// Could the service have written it? What it counts and where it is in time must leave room to go on.
    fn checked(self, job_id: &str) -> Result<Self, String> {
        let count = |name: &str, value: u64| {
            if value < COUNT_MAX { Ok(()) } else { Err(format!("[{name}] is too large: {value}")) }
        };
        let time = |name: &str, value: Option<i64>| match value {
            Some(ms) if !TimestampMs(ms).is_possible() => {
                Err(format!("[{name}] is no time that can be: {ms}"))
            }
            _ => Ok(()),
        };
        if self.job_id.as_str() != job_id {
            return Err(format!("it belongs to job [{}]", self.job_id));
        }
        count("epoch", self.epoch)?;
        count("data_seq", self.data_seq)?;
        count("feed_position.seen", self.feed_position.map_or(0, |position| position.seen))?;
        time("feed_position.ms", self.feed_position.map(|position| position.ms))?;
        time("final_end_ms", self.final_end_ms)?;
        time("skip_to_ms", self.skip_to_ms)?;
        time("written_at", Some(self.written_at.0))?;
        time("latest_record_timestamp", self.counts.latest_record_timestamp.map(|latest| latest.0))?;
        for (name, value) in [
            ("processed_record_count", self.counts.processed_record_count),
            ("input_record_count", self.counts.input_record_count),
            ("input_bytes", self.counts.input_bytes),
            ("input_field_count", self.counts.input_field_count),
            ("processed_field_count", self.counts.processed_field_count),
            ("bucket_count", self.counts.bucket_count),
        ] {
            count(name, value)?;
        }
        if let Some(state) = &self.state {
            state.check()?;
        }
        Ok(self)
    }

    /// Is the state one of this checkpoint only, and not a model snapshot?
    fn owned_state(&self) -> Option<&StateRef> {
        self.state.as_ref().filter(|state| state.prefix.starts_with(&format!("{}_checkpoint_", self.job_id)))
    }
}

/// The end of the newest bucket with final results.
async fn stored_end_ms(store: &Arc<dyn Store>, job_id: &JobId) -> Result<Option<i64>> {
    let query = json!({"bool": {
        "filter": [{"term": {"job_id": job_id}}, {"term": {"result_type": "bucket"}}],
        "must_not": [{"term": {"is_interim": true}}]}});
    let body = json!({"query": query, "size": 1, "sort": [{"timestamp": {"order": "desc"}}],
        "_source": ["timestamp", "bucket_span"]});
    let alias = indices::results_read_alias(job_id);
    let mut answer = store.search(&alias, &body, &IndicesOptions::lenient()).await?;
    let newest = hits(&mut answer).into_iter().next().map(|(_, mut bucket)| {
        with_numeric_times(&mut bucket);
        let number = |name: &str| bucket.get(name).and_then(Value::as_i64);
        Some(number("timestamp")?.saturating_add(number("bucket_span")?.saturating_mul(1000)))
    });
    Ok(newest.flatten())
}

/// Reads and writes checkpoints.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    store: Arc<dyn Store>,
    attempts: u32,
}

impl Checkpoints {
    pub(crate) fn new(store: Arc<dyn Store>, attempts: u32) -> Self {
        Self { store, attempts }
    }

    /// The checkpoint of a job.
    ///
    /// # Errors
    /// When the store is away, or the document cannot be read.
    pub(crate) async fn pointer(&self, job_id: &str) -> Result<Option<(Pointer, Version)>> {
        let stored = self.stored(job_id).await?;
        stored.map(|(pointer, version)| Ok((pointer?, version))).transpose()
    }

    /// The checkpoint of a job, or what is wrong with its document, which can be written over all the same.
    ///
    /// # Errors
    /// When the store is away.
    pub(crate) async fn stored(&self, job_id: &str) -> Result<Option<(Result<Pointer>, Version)>> {
        let id = Pointer::doc_id(job_id);
        let document = patiently(self.attempts, || self.store.get(indices::STATE_WRITE, &id)).await?;
        Ok(document.map(|document| {
            let damaged = |why| Error::Document { id: id.clone(), why };
            let pointer = read::<Pointer>(&id, document.source);
            (pointer.and_then(|pointer| pointer.checked(job_id).map_err(damaged)), document.version)
        }))
    }

    /// Saves a state under names that begin with `prefix`.
    pub(crate) async fn save_state(&self, job_id: &str, prefix: String, state: &[u8]) -> Result<StateRef> {
        let mut chunks = 0;
        for chunk in state.chunks(CHUNK_BYTES) {
            chunks += 1;
            let document = json!({"job_id": job_id, "state": base64::encode(chunk)});
            let op = BulkOp::index(indices::STATE_WRITE, format!("{prefix}#{chunks}"), document.to_string());
            if write_all(&self.store, self.attempts, vec![op]).await? > 0 {
                return Err(Error::Model(format!("the state of job [{job_id}] could not be saved")));
            }
        }
        Ok(StateRef { prefix, chunks, bytes: state.len() as u64 })
    }

    /// Reads a state back.
    pub(crate) async fn load_state(&self, state: &StateRef) -> Result<Vec<u8>> {
        let damaged = |why: String| Error::Document { id: state.prefix.clone(), why };
        state.check().map_err(damaged)?;
        let mut bytes = Vec::new();
        for id in state.chunk_ids() {
            let document = patiently(self.attempts, || self.store.get(indices::STATE_WRITE, &id)).await?;
            let text =
                document.as_ref().and_then(|document| document.source.get("state")).and_then(Value::as_str);
            let missing =
                || Error::Document { id: id.clone(), why: "the state is missing or damaged".to_owned() };
            bytes.extend(text.and_then(base64::decode).ok_or_else(missing)?);
        }
        if bytes.len() as u64 != state.bytes {
            return Err(Error::Document {
                id: state.prefix.clone(),
                why: format!("the state has {} bytes instead of {}", bytes.len(), state.bytes),
            });
        }
        Ok(bytes)
    }

    /// Finds a saved state whose size is not known.
    pub(crate) async fn stat_state(&self, prefix: String, chunks: u64) -> Result<StateRef> {
        let mut state = StateRef { prefix, chunks, bytes: 0 };
        let mut bytes = 0;
        for id in state.chunk_ids() {
            let document = patiently(self.attempts, || self.store.get(indices::STATE_WRITE, &id)).await?;
            // A part that is missing is told by whoever opens the job.
            let Some(document) = document else { break };
            let text = document.source.get("state").and_then(Value::as_str);
            bytes += text.and_then(base64::decode).map_or(0, |part| part.len() as u64);
        }
        state.bytes = bytes;
        Ok(state)
    }

    /// Makes a checkpoint valid; from now on the job begins here after a crash. `expected` is the state of the pointer
    /// that it replaces: when somebody else has replaced it, this is not our job any more.
    pub(crate) async fn switch(&self, pointer: &Pointer, expected: Option<Version>) -> Result<Version> {
        let id = Pointer::doc_id(&pointer.job_id);
        let json = to_json(pointer)?.to_string();
        let op = match expected {
            Some(version) => BulkOp::index(indices::STATE_WRITE, id.clone(), json).expecting(version),
            None => BulkOp::create(indices::STATE_WRITE, id.clone(), json),
        };
        let outcomes = patiently(self.attempts, || self.store.bulk(vec![op.clone()])).await?;
        let outcome = outcomes.into_iter().next();
        match outcome {
            Some(store::Outcome { error: None, version: Some(version), .. }) => Ok(version),
            Some(store::Outcome { error: Some(store::Error::VersionConflict(_)), .. }) => {
                // A request whose answer was lost has been carried out: what is there is then what was to be written.
                match self.pointer(&pointer.job_id).await? {
                    Some((found, version)) if found == *pointer => Ok(version),
                    _ => Err(Error::Conflict(format!(
                        "The state of job [{}] was changed by another node",
                        pointer.job_id
                    ))),
                }
            }
            Some(store::Outcome { error: Some(error), .. }) => Err(error.into()),
            _ => Err(store::Error::Answer("a write had no outcome".to_owned()).into()),
        }
    }

    /// Removes the chunks of a checkpoint that is no longer valid; chunks of model snapshots stay.
    pub(crate) async fn forget_state(&self, old: &Pointer, new: &Pointer) {
        let Some(state) = old.owned_state().filter(|state| new.state.as_ref() != Some(*state)) else {
            return;
        };
        self.delete_chunks(state).await;
    }

    /// Removes chunks. That they stay does no harm but costs space.
    pub(crate) async fn delete_chunks(&self, state: &StateRef) {
        let ops = state.chunk_ids().map(|id| BulkOp::delete(indices::STATE_WRITE, id)).collect();
        if let Err(error) = self.store.bulk(ops).await {
            tracing::warn!(prefix = state.prefix, %error, "an old state could not be removed");
        }
    }

    /// Removes chunks of a state that older versions, or an import, have put into other indices than the present one.
    pub(crate) async fn delete_chunks_elsewhere(&self, state: &StateRef) {
        let ids: Vec<String> = state.chunk_ids().collect();
        if ids.is_empty() {
            return;
        }
        let query = serde_json::json!({ "ids": { "values": ids } });
        if let Err(error) = self.store.delete_by_query(indices::STATE_PATTERN, &query).await {
            tracing::warn!(prefix = state.prefix, %error, "an old state could not be removed");
        }
    }

    /// Removes what is left of a state of `before` chunks that was written anew with fewer.
    pub(crate) async fn delete_chunks_after(&self, state: &StateRef, before: u64) {
        let ops: Vec<BulkOp> = (state.chunks + 1..=before.min(CHUNKS_MAX))
            .map(|chunk| BulkOp::delete(indices::STATE_WRITE, format!("{}#{chunk}", state.prefix)))
            .collect();
        if ops.is_empty() {
            return;
        }
        if let Err(error) = self.store.bulk(ops).await {
            tracing::warn!(prefix = state.prefix, %error, "an old state could not be removed");
        }
    }

    /// Removes all that a job's pointer holds, and the pointer.
    pub(crate) async fn delete(&self, job_id: &str) -> Result<()> {
        if let Some((pointer, _)) = self.stored(job_id).await? {
            // The chunks of a pointer that cannot be read are removed with all that is nobody's.
            if let Some(state) = pointer.as_ref().ok().and_then(Pointer::owned_state) {
                self.delete_chunks(state).await;
            }
            self.store.bulk(vec![BulkOp::delete(indices::STATE_WRITE, Pointer::doc_id(job_id))]).await?;
        }
        Ok(())
    }
}
