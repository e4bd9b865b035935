//! The log of pushed records: what was acknowledged is here, until a checkpoint holds it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{BulkOp, IndicesOptions, Store, check_all, indices};
use types::TimestampMs;

use super::writer::patiently;
use crate::Result;
use crate::config_store::{hits, read, to_json};

const ENTRIES_PER_READ: usize = 8;

/// What happened to a job from outside, besides its datafeed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Event {
    /// Records as they were sent.
    Records { raw: String, at: TimestampMs },
    /// Time was moved on.
    Advance { to_ms: i64 },
    /// Time jumped.
    Skip { to_ms: i64 },
    /// Open buckets were emptied, to be filled anew.
    Reset { start_ms: i64, end_ms: i64 },
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    job_id: String,
    seq: u64,
    #[serde(flatten)]
    event: Event,
}

/// Reads and writes the log.
#[derive(Clone, Debug)]
pub(crate) struct DataLog {
    store: Arc<dyn Store>,
    attempts: u32,
}

impl DataLog {
    pub(crate) fn new(store: Arc<dyn Store>, attempts: u32) -> Self {
        Self { store, attempts }
    }

    /// Writes an entry; when this returns it is durable.
    pub(crate) async fn append(&self, job_id: &str, seq: u64, event: Event) -> Result<()> {
        let entry = Entry { job_id: job_id.to_owned(), seq, event };
        let op =
            BulkOp::index(indices::DATA_LOG, format!("{job_id}_{seq:020}"), to_json(&entry)?.to_string());
        check_all(patiently(self.attempts, || self.store.bulk(vec![op.clone()])).await?)?;
        Ok(())
    }

    /// Some entries after `seq`, in order; none when there are no more.
    pub(crate) async fn after(&self, job_id: &str, seq: u64) -> Result<Vec<(u64, Event)>> {
        let query =
            json!({"bool": {"filter": [{"term": {"job_id": job_id}}, {"range": {"seq": {"gt": seq}}}]}});
        let body = json!({"query": query, "sort": [{"seq": {"order": "asc"}}], "size": ENTRIES_PER_READ});
        let lenient = IndicesOptions::lenient();
        let mut answer =
            patiently(self.attempts, || self.store.search(indices::DATA_LOG, &body, &lenient)).await?;
        hits(&mut answer)
            .into_iter()
            .map(|(id, source)| read::<Entry>(&id, source).map(|entry| (entry.seq, entry.event)))
            .collect()
    }

    /// Makes all entries visible to [`DataLog::after`].
    pub(crate) async fn refresh(&self) -> Result<()> {
        patiently(self.attempts, || self.store.refresh(indices::DATA_LOG)).await
    }

    /// Removes the entries of a job up to `seq`.
    pub(crate) async fn trim(&self, job_id: &str, first: u64, seq: u64) -> Result<()> {
        if seq < first {
            return Ok(());
        }
        let ops = (first..=seq)
            .map(|seq| BulkOp::delete(indices::DATA_LOG, format!("{job_id}_{seq:020}")))
            .collect();
        self.store.bulk(ops).await?;
        Ok(())
    }

    /// Removes all entries of a job.
    pub(crate) async fn delete(&self, job_id: &str) -> Result<()> {
        self.refresh().await?;
        self.store.delete_by_query(indices::DATA_LOG, &json!({"term": {"job_id": job_id}})).await?;
        Ok(())
    }
}
