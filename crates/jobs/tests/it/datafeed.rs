//! Datafeeds: over documents and over aggregations, history and real time.

use std::sync::Arc;

use jobs::results::BucketsQuery;
use jobs::{Jobs, Options, StartDatafeed, StopDatafeed};
use serde_json::{Value, json};
use testkit::MockClock;
use types::TimestampMs;

use crate::rig::*;

fn body(body: Value) -> types::datafeed::DatafeedBody {
    serde_json::from_value(body).unwrap()
}

fn all() -> StartDatafeed {
    StartDatafeed { start: Some(TimestampMs(0)), end: Some(TimestampMs(START_MS + 30 * SPAN_MS)) }
}

#[tokio::test]
async fn a_datafeed_over_documents_equals_pushed_records() {
    let (fed, pushed) = (service().await, service().await);
    let documents = documents(30);
    for jobs in [&fed, &pushed] {
        put_job(jobs, "j").await;
        jobs.open_job("j").await.unwrap();
    }
    index_documents(fed.store(), &documents).await;
    fed.put_datafeed("d", body(json!({"job_id": "j", "indices": ["logs"], "scroll_size": 100})))
        .await
        .unwrap();
    fed.start_datafeed("d", all()).await.unwrap();
    until_closed(&fed, "j").await;
    pushed.post_data("j", &ndjson(&documents)).await.unwrap();
    pushed
        .flush_job(
            "j",
            jobs::FlushJob { advance_time: Some(TimestampMs(START_MS + 30 * SPAN_MS)), ..Default::default() },
        )
        .await
        .unwrap();
    pushed.close_jobs("j", jobs::CloseJob::default()).await.unwrap();
    let count =
        |documents: &[(String, Value)]| documents.iter().filter(|(id, _)| id.contains("_bucket_1")).count();
    let (left, right) = (results(fed.store(), "j").await, results(pushed.store(), "j").await);
    assert!(count(&left) >= 30, "{}", count(&left));
    assert_eq!(left, right);
    let stats = fed.datafeed_stats("d", true).await.unwrap().items.remove(0);
    assert_eq!(stats.state, "stopped");
    assert!(stats.timing_stats["search_count"].as_u64() > Some(0), "{:?}", stats.timing_stats);
}

#[tokio::test]
async fn a_datafeed_over_aggregations_sends_rows() {
    let jobs = service().await;
    let config = json!({"analysis_config": {"bucket_span": "5m", "summary_count_field_name": "doc_count",
        "detectors": [{"function": "mean", "field_name": "v", "partition_field_name": "host"}]},
        "data_description": {"time_field": "t"},
        "datafeed_config": {"indices": ["logs"], "aggregations": {"buckets": {
            "date_histogram": {"field": "t", "fixed_interval": "5m"},
            "aggregations": {"t": {"max": {"field": "t"}},
                "host": {"terms": {"field": "host"}, "aggregations": {"v": {"avg": {"field": "v"}}}}}}}}});
    jobs.put_job("j", serde_json::from_value(config).unwrap(), None).await.unwrap();
    index_documents(jobs.store(), &documents(30)).await;
    let rows = jobs.preview_datafeed("j", None, None).await.unwrap();
    assert_eq!(
        (rows.len(), rows[0]["doc_count"].as_u64(), rows[0]["host"].as_str()),
        (60, Some(10), Some("a"))
    );
    assert_eq!(rows[0]["t"], json!(START_MS + 270_000));
    jobs.open_job("j").await.unwrap();
    jobs.start_datafeed("j", all()).await.unwrap();
    until_closed(&jobs, "j").await;
    let counts = counts(&jobs, "j").await;
    assert_eq!(
        (counts["processed_record_count"].as_u64(), counts["latest_record_timestamp"].as_i64()),
        (Some(60), Some(START_MS + 29 * SPAN_MS + 270_000))
    );
    let buckets = jobs.buckets("j", &BucketsQuery::default()).await.unwrap();
    assert_eq!(buckets.count, 30);
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let jobs = service().await;
    put_job(&jobs, "j").await;
    let error = jobs.put_datafeed("d", body(json!({"job_id": "x", "indices": ["logs"]}))).await.unwrap_err();
    assert_eq!(error.to_string(), "No known job with id 'x'");
    jobs.put_datafeed("d", body(json!({"job_id": "j", "indices": ["logs"]}))).await.unwrap();
    let error = jobs.put_datafeed("e", body(json!({"job_id": "j", "indices": ["logs"]}))).await.unwrap_err();
    assert_eq!(error.to_string(), "A datafeed [d] already exists for job [j]");
    let error = jobs.start_datafeed("d", all()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot start datafeed [d] because job [j] is closed");
    jobs.open_job("j").await.unwrap();
    let error = jobs.start_datafeed("d", all()).await.unwrap_err();
    assert!(error.to_string().contains("index [logs] does not exist"), "{error}");
    let error = jobs
        .put_datafeed("bad", body(json!({"job_id": "j", "indices": ["l"], "query": {"mtach": {}}})))
        .await;
    assert!(error.is_err());
    jobs.stop_datafeeds("d", StopDatafeed::default()).await.unwrap();
    assert_eq!(
        jobs.stop_datafeeds("z", StopDatafeed::default()).await.unwrap_err().to_string(),
        "No datafeed with id [z] exists"
    );
    let preview = jobs.preview_datafeed("d", None, None).await.unwrap_err();
    assert_eq!(preview.to_string(), "no such index [logs]");
}

#[tokio::test(start_paused = true)]
async fn real_time_follows_the_clock() {
    let store = store().await;
    let clock = Arc::new(MockClock::following(START_MS + 30 * SPAN_MS));
    let jobs = Jobs::start(Arc::clone(&store), clock, Options::default()).await.unwrap();
    put_job(&jobs, "j").await;
    let all = documents(40);
    let (before, after) = all.split_at(30 * 20);
    index_documents(&store, before).await;
    jobs.put_datafeed("d", body(json!({"job_id": "j", "indices": ["logs"], "query_delay": "60s"})))
        .await
        .unwrap();
    jobs.open_job("j").await.unwrap();
    jobs.start_datafeed("d", StartDatafeed::default()).await.unwrap();
    let stats = jobs.datafeed_stats("d", true).await.unwrap().items.remove(0);
    assert_eq!(stats.state, "started");
    assert!(stats.running_state.unwrap().real_time_configured);
    let ops = after.iter().enumerate();
    let ops =
        ops.map(|(n, doc)| store::BulkOp::index("logs", format!("later-{n:08}"), doc.to_string())).collect();
    store::check_all(store.bulk(ops).await.unwrap()).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(11 * 300)).await;
    jobs.stop_datafeeds("d", StopDatafeed::default()).await.unwrap();
    let counts = counts(&jobs, "j").await;
    assert_eq!(counts["processed_record_count"].as_u64(), Some(800));
    let buckets =
        jobs.buckets("j", &BucketsQuery { exclude_interim: true, ..Default::default() }).await.unwrap();
    assert!(buckets.count >= 39, "{}", buckets.count);
}
