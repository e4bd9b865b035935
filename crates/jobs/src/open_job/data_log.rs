//! The log of pushed records: what was acknowledged is here, until a checkpoint holds it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{BulkOp, IndicesOptions, Store, check_all, indices};
use types::TimestampMs;

use super::writer::patiently;
use crate::Result;
use crate::config_store::{hits, to_json};

const ENTRIES_PER_READ: usize = 8;
/// More entries than this are removed by a query.
const TRIMMED_ONE_BY_ONE_MAX: u64 = 10_000;
/// Numbers of entries stay below this.
pub(crate) const SEQ_MAX: u64 = 1 << 60;

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

impl Event {
    /// Could the service have written it?
    fn checked(self) -> Result<Self, String> {
        let possible = |ms: i64| {
            if TimestampMs(ms).is_possible() { Ok(()) } else { Err(format!("[{ms}] is no time that can be")) }
        };
        match &self {
            Self::Advance { to_ms } | Self::Skip { to_ms } => possible(*to_ms)?,
            Self::Records { .. } | Self::Reset { .. } => {}
        }
        Ok(self)
    }
}

/// An entry as it was found.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) id: String,
    pub(crate) seq: u64,
    /// What happened, or what is wrong with the entry.
    pub(crate) event: Result<Event, String>,
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
    pub(crate) async fn after(&self, job_id: &str, seq: u64) -> Result<Vec<Logged>> {
        let query =
            json!({"bool": {"filter": [{"term": {"job_id": job_id}}, {"range": {"seq": {"gt": seq}}}]}});
        let body = json!({"query": query, "sort": [{"seq": {"order": "asc"}}], "size": ENTRIES_PER_READ});
        let lenient = IndicesOptions::lenient();
        let mut answer =
            patiently(self.attempts, || self.store.search(indices::DATA_LOG, &body, &lenient)).await?;
        let logged = |(id, source): (String, Value)| {
            let seq = source.get("seq").and_then(Value::as_u64);
            let entry = serde_json::from_value::<Entry>(source).map_err(|error| error.to_string());
            let event = entry.and_then(|entry| entry.event.checked());
            // Sorted by their numbers, all of them have one.
            Logged { id, seq: seq.unwrap_or(u64::MAX), event }
        };
        Ok(hits(&mut answer).into_iter().map(logged).collect())
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
        if seq - first > TRIMMED_ONE_BY_ONE_MAX {
            let own = json!({"term": {"job_id": job_id}});
            let query = json!({"bool": {"filter": [own, {"range": {"seq": {"lte": seq}}}]}});
            return Ok(self.store.delete_by_query(indices::DATA_LOG, &query).await.map(drop)?);
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
