//! Where configurations of jobs and datafeeds, and what runs, are kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{BulkOp, Document, IndicesOptions, Outcome, Store, Version, indices};
use types::datafeed::Datafeed;
use types::{Job, TimestampMs};

use crate::notifications::Notifier;
use crate::unreadable::Unreadable;
use crate::{Error, Result};

/// Documents that are read in one request.
const PAGE: usize = 10_000;

/// Reads and writes configurations.
#[derive(Clone, Debug)]
pub(crate) struct ConfigStore {
    store: Arc<dyn Store>,
    page: usize,
    pub(crate) unreadable: Unreadable,
}

/// A job that is open, as it is kept so that it opens again after a crash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobTask {
    pub(crate) task: String,
    pub(crate) job_id: String,
    pub(crate) open_time: TimestampMs,
}

/// A datafeed that is started, as it is kept so that it goes on after a crash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FeedTask {
    pub(crate) task: String,
    pub(crate) datafeed_id: String,
    pub(crate) job_id: String,
    pub(crate) start_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end_ms: Option<i64>,
}

fn job_doc_id(job_id: &str) -> String {
    format!("anomaly_detector-{job_id}")
}

fn feed_doc_id(datafeed_id: &str) -> String {
    format!("datafeed-{datafeed_id}")
}

/// Reads a document as what it should be.
pub(crate) fn read<T: DeserializeOwned>(id: &str, source: Value) -> Result<T> {
    serde_json::from_value(source)
        .map_err(|error| Error::Document { id: id.to_owned(), why: error.to_string() })
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::Document { id: String::new(), why: error.to_string() })
}

/// The `_source`s of the hits of an answer with their ids.
pub(crate) fn hits(answer: &mut Value) -> Vec<(String, Value)> {
    let hits = answer.pointer_mut("/hits/hits").and_then(Value::as_array_mut).map(std::mem::take);
    hits.unwrap_or_default()
        .into_iter()
        .map(|mut hit| {
            let id = hit.get("_id").and_then(Value::as_str).unwrap_or_default().to_owned();
            (id, hit.get_mut("_source").map(Value::take).unwrap_or_default())
        })
        .collect()
}

/// The total of an answer.
pub(crate) fn total(answer: &Value) -> u64 {
    answer.pointer("/hits/total/value").and_then(Value::as_u64).unwrap_or(0)
}

impl ConfigStore {
    pub(crate) fn new(store: Arc<dyn Store>, notifier: Notifier) -> Self {
        Self { store, page: PAGE, unreadable: Unreadable::new(notifier) }
    }

    async fn write(&self, op: BulkOp) -> Result<Option<Error>> {
        let index = op.index.clone();
        let outcome: Option<Outcome> = self.store.bulk(vec![op]).await?.pop();
        self.store.refresh(&index).await?;
        match outcome.and_then(|outcome| outcome.error) {
            None => Ok(None),
            Some(error @ store::Error::VersionConflict(_)) => Ok(Some(error.into())),
            Some(error) => Err(error.into()),
        }
    }

    /// Writes another document among the configurations.
    pub(crate) async fn write_document(&self, op: BulkOp) -> Result<()> {
        self.write(op).await?.map_or(Ok(()), Err)
    }

    /// Creates a job; says whether the id was free.
    pub(crate) async fn create_job(&self, job: &Job) -> Result<bool> {
        let op = BulkOp::create(indices::CONFIG, job_doc_id(&job.job_id), to_json(job)?.to_string());
        Ok(self.write(op).await?.is_none())
    }

    pub(crate) async fn job(&self, job_id: &str) -> Result<(Job, Version)> {
        let id = job_doc_id(job_id);
        let Document { source, version, .. } = self
            .store
            .get(indices::CONFIG, &id)
            .await?
            .ok_or_else(|| Error::UnknownJob(job_id.to_owned()))?;
        Ok((read(&id, source)?, version))
    }

    /// Changes a job, again if somebody else changed it meanwhile.
    pub(crate) async fn update_job(
        &self,
        job_id: &str,
        change: impl Fn(&Job) -> Result<Job> + Send,
    ) -> Result<Job> {
        for _ in 0..20 {
            let (job, version) = self.job(job_id).await?;
            let changed = change(&job)?;
            let op = BulkOp::index(indices::CONFIG, job_doc_id(job_id), to_json(&changed)?.to_string());
            if self.write(op.expecting(version)).await?.is_none() {
                return Ok(changed);
            }
        }
        Err(Error::Conflict(format!("Job [{job_id}] is being changed by somebody else")))
    }

    pub(crate) async fn delete_job(&self, job_id: &str) -> Result<()> {
        self.write(BulkOp::delete(indices::CONFIG, job_doc_id(job_id))).await.map(drop)
    }

    /// Everything that a query finds and that can be read, page by page; `sort` is a field whose values differ.
    async fn all<T: DeserializeOwned>(&self, index: &str, query: Value, sort: &str) -> Result<Vec<T>> {
        let mut body = json!({"query": query, "sort": [{sort: {"order": "asc"}}], "size": self.page});
        let mut all = Vec::new();
        loop {
            let mut answer = self.store.search(index, &body, &IndicesOptions::lenient()).await?;
            let found = answer.pointer("/hits/hits").and_then(Value::as_array);
            let last = found.filter(|hits| hits.len() == self.page).and_then(|hits| hits.last());
            let after = last.and_then(|hit| hit.get("sort")).cloned();
            all.extend(self.unreadable.all::<T>(index, hits(&mut answer)));
            match after {
                Some(after) => body["search_after"] = after,
                None => return Ok(all),
            }
        }
    }

    /// The ids of all jobs, also of those whose configuration cannot be read.
    ///
    /// # Errors
    /// When the store is away, and when the index is missing or closed: nobody knows the jobs then.
    pub(crate) async fn job_ids(&self) -> Result<BTreeSet<String>> {
        self.ids(&job_doc_id("")).await
    }

    /// The part after `prefix` of the ids that begin with it.
    async fn ids(&self, prefix: &str) -> Result<BTreeSet<String>> {
        let mut body = json!({"query": {"match_all": {}}, "_source": false, "size": self.page,
            "sort": [{"_doc": {"order": "asc"}}]});
        let options = IndicesOptions {
            allow_no_indices: false,
            ignore_unavailable: false,
            ..IndicesOptions::lenient()
        };
        let mut all = BTreeSet::new();
        loop {
            let mut answer = self.store.search(indices::CONFIG, &body, &options).await?;
            let found = answer.pointer("/hits/hits").and_then(Value::as_array);
            let last = found.filter(|hits| hits.len() == self.page).and_then(|hits| hits.last());
            let after = last.and_then(|hit| hit.get("sort")).cloned();
            let ids = hits(&mut answer).into_iter();
            all.extend(ids.filter_map(|(id, _)| id.strip_prefix(prefix).map(str::to_owned)));
            match after {
                Some(after) => body["search_after"] = after,
                None => return Ok(all),
            }
        }
    }

    /// All jobs whose configuration can be read, sorted by id.
    pub(crate) async fn jobs(&self) -> Result<Vec<Job>> {
        self.all(indices::CONFIG, json!({"term": {"job_type": "anomaly_detector"}}), "job_id").await
    }

    /// Creates a datafeed; says whether the id was free.
    pub(crate) async fn create_feed(&self, feed: &Datafeed) -> Result<bool> {
        let mut json = to_json(feed)?;
        json["config_type"] = json!("datafeed");
        let op = BulkOp::create(indices::CONFIG, feed_doc_id(&feed.datafeed_id), json.to_string());
        Ok(self.write(op).await?.is_none())
    }

    pub(crate) async fn feed(&self, datafeed_id: &str) -> Result<(Datafeed, Version)> {
        let id = feed_doc_id(datafeed_id);
        let document = self.store.get(indices::CONFIG, &id).await?;
        let document = document.ok_or_else(|| Error::UnknownDatafeed(datafeed_id.to_owned()))?;
        Ok((read(&id, document.source)?, document.version))
    }

    pub(crate) async fn replace_feed(&self, feed: &Datafeed, version: Version) -> Result<()> {
        let mut json = to_json(feed)?;
        json["config_type"] = json!("datafeed");
        let op = BulkOp::index(indices::CONFIG, feed_doc_id(&feed.datafeed_id), json.to_string());
        self.write(op.expecting(version)).await?.map_or(Ok(()), Err)
    }

    pub(crate) async fn delete_feed(&self, datafeed_id: &str) -> Result<()> {
        self.write(BulkOp::delete(indices::CONFIG, feed_doc_id(datafeed_id))).await.map(drop)
    }

    /// All datafeeds, sorted by id.
    pub(crate) async fn feeds(&self) -> Result<Vec<Datafeed>> {
        self.all(indices::CONFIG, json!({"term": {"config_type": "datafeed"}}), "datafeed_id").await
    }

    /// The datafeed of a job.
    pub(crate) async fn feed_of(&self, job_id: &str) -> Result<Option<Datafeed>> {
        let query = json!({"bool": {"filter": [{"term": {"config_type": "datafeed"}}, {"term": {"job_id": job_id}}]}});
        Ok(self.all(indices::CONFIG, query, "datafeed_id").await?.into_iter().next())
    }

    pub(crate) async fn put_job_task(&self, task: &JobTask) -> Result<()> {
        let id = format!("job-{}", task.job_id);
        self.write(BulkOp::index(indices::TASKS, id, to_json(task)?.to_string())).await.map(drop)
    }

    pub(crate) async fn delete_job_task(&self, job_id: &str) -> Result<()> {
        self.write(BulkOp::delete(indices::TASKS, format!("job-{job_id}"))).await.map(drop)
    }

    pub(crate) async fn job_tasks(&self) -> Result<Vec<JobTask>> {
        self.all(indices::TASKS, json!({"term": {"task": "job"}}), "job_id").await
    }

    pub(crate) async fn put_feed_task(&self, task: &FeedTask) -> Result<()> {
        let id = format!("datafeed-{}", task.datafeed_id);
        self.write(BulkOp::index(indices::TASKS, id, to_json(task)?.to_string())).await.map(drop)
    }

    pub(crate) async fn delete_feed_task(&self, datafeed_id: &str) -> Result<()> {
        self.write(BulkOp::delete(indices::TASKS, format!("datafeed-{datafeed_id}"))).await.map(drop)
    }

    pub(crate) async fn feed_tasks(&self) -> Result<Vec<FeedTask>> {
        self.all(indices::TASKS, json!({"term": {"task": "datafeed"}}), "datafeed_id").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lists_longer_than_a_page_are_whole() {
        let clock = Arc::new(testkit::MockClock::at(0));
        let store =
            store::open(&store::Config::Memory, Arc::clone(&clock) as Arc<dyn types::Clock>).await.unwrap();
        let notifier = Notifier::new(Arc::clone(&store), clock, "n".to_owned());
        let configs = ConfigStore { page: 2, ..ConfigStore::new(store, notifier) };
        for n in 0..5 {
            let task = JobTask { task: "job".to_owned(), job_id: format!("j{n}"), open_time: TimestampMs(n) };
            configs.put_job_task(&task).await.unwrap();
            let ids: Vec<String> =
                configs.job_tasks().await.unwrap().into_iter().map(|task| task.job_id).collect();
            assert_eq!(ids, (0..=n).map(|n| format!("j{n}")).collect::<Vec<_>>());
        }
    }
}
