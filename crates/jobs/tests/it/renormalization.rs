//! Scores that fall when more of the same comes: the same documents whatever happens in between.

use std::sync::Arc;

use jobs::results::{OverallBucketsQuery, RecordsQuery};
use jobs::{CloseJob, Jobs, Options, Revert, SnapshotsQuery, StartDatafeed};
use serde_json::{Value, json};
use store::Store;
use testkit::{Fault, FaultyStore};
use types::TimestampMs;

use crate::rig::*;

const QUARTER_MS: i64 = 900_000;
const DAY: i64 = 96;

fn options() -> Options {
    Options { checkpoint_records: 150, write_batch: 40, scan_page_size: 200, ..Options::default() }
}

async fn put(jobs: &Jobs, window_days: Option<i64>) {
    let mut body = json!({"analysis_config": {"bucket_span": "15m", "influencers": ["host"],
        "detectors": [{"function": "mean", "field_name": "v", "partition_field_name": "host"}]},
        "data_description": {"time_field": "t"}});
    if let Some(days) = window_days {
        body["renormalization_window_days"] = days.into();
    }
    jobs.put_job("j", serde_json::from_value(body).unwrap(), None).await.unwrap();
}

/// One host, one record a bucket; from the third day on a peak a day, each a tenth higher than the one before.
fn peaks(days: i64) -> Vec<Value> {
    let value = |n: i64| {
        let noise = f64::from((n.wrapping_mul(7919).wrapping_mul(n) % 1013) as i32) / 200.0;
        let peak = if n >= 3 * DAY && n % DAY == 40 { 12.0 * 1.1f64.powi((n / DAY) as i32 - 3) } else { 0.0 };
        100.0 + noise + peak
    };
    (0..days * DAY).map(|n| json!({"t": START_MS + n * QUARTER_MS, "host": "a", "v": value(n)})).collect()
}

async fn post(jobs: &Jobs, documents: &[Value]) {
    jobs.open_job("j").await.unwrap();
    jobs.post_data("j", &ndjson(documents)).await.unwrap();
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
}

/// Initial and current scores of all documents of a kind.
fn scores(found: &[(String, Value)], kind: &str, name: &str) -> Vec<(f64, f64)> {
    let of = |document: &Value, name: &str| document[name].as_f64().unwrap();
    let kind = found.iter().filter(|(_, document)| document["result_type"] == kind);
    kind.map(|(_, document)| (of(document, &format!("initial_{name}")), of(document, name))).collect()
}

fn fallen(scores: &[(f64, f64)]) -> usize {
    scores.iter().filter(|(initial, score)| *score < initial - 10.0).count()
}

#[tokio::test]
async fn scores_fall_when_more_of_the_same_comes() {
    let jobs = service().await;
    put(&jobs, None).await;
    let all = peaks(11);
    post(&jobs, &all[..(4 * DAY + 20) as usize]).await;
    let early = results(jobs.store(), "j").await;
    assert_eq!(fallen(&scores(&early, "record", "record_score")), 0);
    post(&jobs, &all[(4 * DAY + 20) as usize..]).await;
    let late = results(jobs.store(), "j").await;
    for (kind, name) in [
        ("record", "record_score"),
        ("bucket", "anomaly_score"),
        ("bucket_influencer", "anomaly_score"),
        ("influencer", "influencer_score"),
    ] {
        let scores = scores(&late, kind, name);
        assert!(
            fallen(&scores) >= 4,
            "{kind} {:?}",
            scores.iter().filter(|one| one.0 > 25.0).collect::<Vec<_>>()
        );
        assert!(scores.iter().all(|(initial, score)| score <= initial), "{kind}");
    }
    // What is inside a bucket is what stands beside it.
    let by_id = |id: &str| late.iter().find(|(known, _)| known == id).map(|(_, document)| document);
    for (_, bucket) in late.iter().filter(|(_, document)| document["result_type"] == "bucket") {
        for part in bucket["bucket_influencers"].as_array().unwrap() {
            let time = part["timestamp"].as_i64().unwrap();
            let field = part["influencer_field_name"].as_str().unwrap();
            assert_eq!(Some(part), by_id(&format!("j_bucket_influencer_{time}_900_{field}")));
        }
    }
    let query = RecordsQuery { record_score: 50.0, ..RecordsQuery::default() };
    let strong = jobs.records("j", &query).await.unwrap().items;
    assert!((2..=6).contains(&strong.len()), "{strong:?}");
    let is_fallen = |document: &Value| {
        let score = |name: &str| document[name].as_f64().unwrap_or_default();
        document["result_type"] == "bucket" && score("anomaly_score") < score("initial_anomaly_score") - 10.0
    };
    let (_, bucket) = late.iter().find(|(_, document)| is_fallen(document)).unwrap();
    let start = bucket["timestamp"].as_i64().unwrap();
    let query = OverallBucketsQuery {
        start: Some(TimestampMs(start)),
        end: Some(TimestampMs(start + QUARTER_MS)),
        allow_no_match: true,
        ..OverallBucketsQuery::default()
    };
    let overall = jobs.overall_buckets("j", &query).await.unwrap().items.remove(0);
    assert_eq!(overall["overall_score"], bucket["anomaly_score"]);
}

#[tokio::test]
async fn a_window_of_no_days_leaves_them_alone_and_an_update_counts_from_then_on() {
    let jobs = service().await;
    put(&jobs, Some(0)).await;
    let all = peaks(12);
    post(&jobs, &all[..(7 * DAY) as usize]).await;
    let found = results(jobs.store(), "j").await;
    assert!(scores(&found, "record", "record_score").iter().all(|(initial, score)| initial == score));
    let update = serde_json::from_value(json!({"renormalization_window_days": 30})).unwrap();
    jobs.update_job("j", update).await.unwrap();
    post(&jobs, &all[(7 * DAY) as usize..]).await;
    let found = results(jobs.store(), "j").await;
    assert!(fallen(&scores(&found, "record", "record_score")) > 0);
}

#[tokio::test]
async fn results_that_were_removed_stay_away() {
    let jobs = service().await;
    put(&jobs, None).await;
    let all = peaks(11);
    post(&jobs, &all[..(7 * DAY) as usize]).await;
    let records = json!({"term": {"result_type": "record"}});
    jobs.store().delete_by_query(".ml-anomalies-j", &records).await.unwrap();
    post(&jobs, &all[(7 * DAY) as usize..]).await;
    let found = results(jobs.store(), "j").await;
    let border = START_MS + 7 * DAY * QUARTER_MS;
    let mut records = found.iter().filter(|(_, document)| document["result_type"] == "record");
    assert!(records.all(|(_, document)| document["timestamp"].as_i64().unwrap() >= border));
    assert!(fallen(&scores(&found, "bucket", "anomaly_score")) > 0);
}

#[tokio::test]
async fn a_job_that_goes_back_has_the_scores_of_then() {
    let jobs = service().await;
    put(&jobs, None).await;
    let all = peaks(11);
    post(&jobs, &all[..(7 * DAY) as usize]).await;
    let then = results(jobs.store(), "j").await;
    post(&jobs, &all[(7 * DAY) as usize..]).await;
    let late = results(jobs.store(), "j").await;
    let oldest =
        jobs.model_snapshots("j", "", &SnapshotsQuery::default()).await.unwrap().items.pop().unwrap();
    let revert = Revert { delete_intervening_results: true };
    jobs.revert_model_snapshot("j", &oldest.snapshot_id, revert).await.unwrap();
    jobs.open_job("j").await.unwrap();
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    assert_eq!(results(jobs.store(), "j").await, then);
    post(&jobs, &all[(7 * DAY) as usize..]).await;
    assert_eq!(results(jobs.store(), "j").await, late);
}

async fn feed(jobs: &Jobs) {
    put(jobs, None).await;
    let body = json!({"job_id": "j", "indices": ["logs"], "scroll_size": 1});
    jobs.put_datafeed("d", serde_json::from_value(body).unwrap()).await.unwrap();
    jobs.open_job("j").await.unwrap();
    let end = Some(TimestampMs(START_MS + 11 * DAY * QUARTER_MS));
    jobs.start_datafeed("d", StartDatafeed { start: Some(TimestampMs(0)), end }).await.unwrap();
}

async fn fed_store() -> Arc<dyn Store> {
    let store = store().await;
    index_documents(&store, &peaks(11)).await;
    store
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Documents after a service that fell silent after so many writes and was started again; `None` when it ended before.
fn killed_after(writes: i64) -> Option<Vec<(String, Value)>> {
    let first = runtime();
    let (store, fell) = first.block_on(async {
        let store = fed_store().await;
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&store), writes, Fault::Silence));
        let port: Arc<dyn Store> = faulty.clone();
        let fell = tokio::select! {
            () = faulty.fallen() => true,
            () = async {
                let jobs = service_over(port, options()).await;
                feed(&jobs).await;
                until_closed(&jobs, "j").await;
            } => false,
        };
        (store, fell)
    });
    drop(first);
    if !fell {
        return None;
    }
    Some(runtime().block_on(async {
        let jobs = service_over(store, options()).await;
        until_closed(&jobs, "j").await;
        results(jobs.store(), "j").await
    }))
}

#[test]
fn scores_are_the_same_wherever_it_was_killed() {
    let expected = runtime().block_on(async {
        let jobs = service_over(fed_store().await, options()).await;
        feed(&jobs).await;
        until_closed(&jobs, "j").await;
        results(jobs.store(), "j").await
    });
    assert!(fallen(&scores(&expected, "record", "record_score")) >= 4);
    let mut killed = 0;
    // The first writes are those of the configuration.
    for writes in (24..200).step_by(11) {
        let Some(found) = killed_after(writes) else { break };
        killed += 1;
        assert!(found == expected, "after {writes} writes");
    }
    assert!(killed >= 4, "{killed}");
}
