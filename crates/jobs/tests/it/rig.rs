//! What the tests share: a service, jobs, data.

use std::sync::Arc;
use std::time::Duration;

use jobs::{Jobs, Options, State};
use serde_json::{Value, json};
use store::{BulkOp, Config, IndicesOptions, Store, check_all};
use testkit::{Holding, MockClock};
use types::Clock;

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;
/// Start of the data: a multiple of an hour.
pub(crate) const START_MS: i64 = 1_600_000_000_000 / 3_600_000 * 3_600_000;
pub(crate) const SPAN_MS: i64 = 300_000;

/// The embedded store in a folder of its own, which is removed with it.
pub(crate) async fn store() -> Arc<dyn Store> {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(MockClock::at(NOW_MS));
    let config = Config::Embedded { folder: folder.path().to_owned(), durable: false };
    Arc::new(Holding::new(store::open(&config, clock).await.unwrap(), folder))
}

pub(crate) async fn service() -> Jobs {
    service_over(store().await, Options::default()).await
}

pub(crate) async fn service_over(store: Arc<dyn Store>, options: Options) -> Jobs {
    Jobs::start(store, Arc::new(MockClock::at(NOW_MS)), options).await.unwrap()
}

/// A job that counts records by host, in buckets of five minutes.
pub(crate) async fn put_job(jobs: &Jobs, job_id: &str) {
    let body = json!({"analysis_config": {"bucket_span": "5m", "influencers": ["host"],
        "detectors": [{"function": "mean", "field_name": "v", "partition_field_name": "host"}]},
        "data_description": {"time_field": "t"}});
    jobs.put_job(job_id, serde_json::from_value(body).unwrap(), None).await.unwrap();
}

/// Documents as they would be pushed: two hosts, one record each half minute, some of the same time.
pub(crate) fn documents(buckets: i64) -> Vec<Value> {
    (0..buckets * 10)
        .flat_map(|n| {
            let time = START_MS + n * 30_000;
            let wave = (n as f64 / 40.0).sin() * 10.0 + (n % 7) as f64;
            let peak = if n == buckets * 10 - 25 { 500.0 } else { 0.0 };
            [
                json!({"t": time, "host": "a", "v": 100.0 + wave + peak}),
                json!({"t": time, "host": "b", "v": 50.0 - wave}),
            ]
        })
        .collect()
}

pub(crate) fn ndjson(documents: &[Value]) -> String {
    documents.iter().map(|document| format!("{document}\n")).collect()
}

pub(crate) async fn index_documents(store: &Arc<dyn Store>, documents: &[Value]) {
    let mapping = json!({"mappings": {"properties": {"t": {"type": "date"}, "host": {"type": "keyword"},
        "v": {"type": "double"}}}});
    store.ensure_index("logs", &mapping).await.unwrap();
    let ops = documents.iter().enumerate();
    let ops = ops.map(|(n, doc)| BulkOp::index("logs", format!("{n:08}"), doc.to_string())).collect();
    check_all(store.bulk(ops).await.unwrap()).unwrap();
    store.refresh("logs").await.unwrap();
}

/// Waits until the job is closed; the runtime's time is real here, but nothing waits for it in vain.
pub(crate) async fn until_closed(jobs: &Jobs, job_id: &str) {
    for _ in 0..2000 {
        if state(jobs, job_id).await == State::Closed {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("job [{job_id}] was not closed: {:?}", jobs.job_stats(job_id, true).await);
}

pub(crate) async fn state(jobs: &Jobs, job_id: &str) -> State {
    jobs.job_stats(job_id, true).await.unwrap().items[0].state
}

/// All result documents of a job by id, without what depends on the machine.
pub(crate) async fn results(store: &Arc<dyn Store>, job_id: &str) -> Vec<(String, Value)> {
    let kinds = ["bucket", "bucket_influencer", "record", "influencer", "model_plot", "category_definition"];
    let body = json!({"query": {"terms": {"result_type": kinds}}, "size": 10_000});
    let alias = format!(".ml-anomalies-{job_id}");
    let answer = store.search(&alias, &body, &IndicesOptions::default()).await.unwrap();
    let hits = answer["hits"]["hits"].as_array().unwrap();
    let mut found: Vec<(String, Value)> = hits
        .iter()
        .map(|hit| {
            let mut source = hit["_source"].clone();
            source.as_object_mut().unwrap().shift_remove("processing_time_ms");
            (hit["_id"].as_str().unwrap().to_owned(), source)
        })
        .collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

/// Counts of a job without times of the clock.
pub(crate) async fn counts(jobs: &Jobs, job_id: &str) -> Value {
    let stats = jobs.job_stats(job_id, true).await.unwrap();
    let mut counts = serde_json::to_value(&stats.items[0].data_counts).unwrap();
    for name in ["log_time", "last_data_time"] {
        counts.as_object_mut().unwrap().shift_remove(name);
    }
    counts
}
