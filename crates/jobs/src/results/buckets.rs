//! Buckets, one or many, with their records if wanted.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use types::TimestampMs;

use super::{Paging, Search};
use crate::service::{Jobs, Listed};
use crate::{Error, Result};

/// Which buckets are wanted.
#[derive(Clone, Debug, Default)]
pub struct BucketsQuery {
    /// Only the bucket that begins at this time; then start, end, paging, score and order may not be given.
    pub timestamp: Option<TimestampMs>,
    /// From here on.
    pub start: Option<TimestampMs>,
    /// Before this.
    pub end: Option<TimestampMs>,
    /// Leave interim results out.
    pub exclude_interim: bool,
    /// With the records of each bucket.
    pub expand: bool,
    /// The least score.
    pub anomaly_score: Option<f64>,
    /// Which part; 0 and 100 when absent.
    pub paging: Option<Paging>,
    /// By which field; `timestamp` when absent.
    pub sort: Option<String>,
    /// The other way round.
    pub desc: Option<bool>,
}

impl Jobs {
    /// Buckets of a job.
    ///
    /// # Errors
    /// When the job or the single bucket does not exist, or parameters contradict each other.
    pub async fn buckets(&self, job_id: &str, query: &BucketsQuery) -> Result<Listed<Value>> {
        self.must_exist(job_id).await?;
        let search = match query.timestamp {
            Some(timestamp) => single(query, timestamp)?,
            None => many(query)?,
        };
        let mut found = self.search_documents(job_id, &search).await?;
        if let Some(timestamp) = query.timestamp.filter(|_| found.items.is_empty()) {
            return Err(Error::NotFound(format!("No known bucket with timestamp [{timestamp}]")));
        }
        if query.expand {
            self.expand(job_id, &mut found.items, query.exclude_interim).await?;
        }
        Ok(found)
    }

    async fn expand(&self, job_id: &str, buckets: &mut [Value], exclude_interim: bool) -> Result<()> {
        let times: Vec<Value> =
            buckets.iter().filter_map(|bucket| bucket.get("timestamp").cloned()).collect();
        let search = Search::of("record")
            .filter(json!({"terms": {"timestamp": times}}))
            .without_interim(exclude_interim)
            .sorted("record_score", true)
            .paged(Paging { from: 0, size: 10_000 });
        let mut records: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
        for record in self.search_documents(job_id, &search).await?.items {
            let time = record.get("timestamp").and_then(Value::as_i64).unwrap_or_default();
            records.entry(time).or_default().push(record);
        }
        for bucket in buckets {
            let time = bucket.get("timestamp").and_then(Value::as_i64).unwrap_or_default();
            bucket["records"] = Value::Array(records.remove(&time).unwrap_or_default());
        }
        Ok(())
    }
}

fn single(query: &BucketsQuery, timestamp: TimestampMs) -> Result<Search> {
    let given = [
        ("start", query.start.is_some()),
        ("end", query.end.is_some()),
        ("from", query.paging.is_some()),
        ("anomaly_score", query.anomaly_score.is_some()),
        ("sort", query.sort.is_some()),
        ("desc", query.desc.is_some()),
    ];
    if let Some((name, _)) = given.into_iter().find(|(_, given)| *given) {
        return Err(Error::argument(format!("[{name}] is incompatible with [timestamp].")));
    }
    Ok(Search::of("bucket")
        .filter(json!({"term": {"timestamp": timestamp}}))
        .without_interim(query.exclude_interim)
        .paged(Paging { from: 0, size: 1 }))
}

fn many(query: &BucketsQuery) -> Result<Search> {
    let descending = query.desc.unwrap_or(false);
    let field = query.sort.as_deref().unwrap_or("timestamp");
    let search = Search::of("bucket")
        .between(query.start, query.end)?
        .at_least("anomaly_score", query.anomaly_score.unwrap_or(0.0))
        .without_interim(query.exclude_interim)
        .sorted(field, descending)
        .paged(query.paging.unwrap_or_default().checked()?);
    Ok(if field == "timestamp" { search } else { search.sorted("timestamp", descending) })
}
