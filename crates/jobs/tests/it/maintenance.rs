//! What happens without being asked: the daily run, and what is put right when the service starts.

use std::sync::Arc;
use std::time::Duration;

use jobs::{ExpiredData, Jobs, Options, SettingsChange};
use serde_json::{Value, json};
use store::{BulkOp, Store, check_all};
use testkit::MockClock;
use types::TimeSpan;

use crate::rig::*;

async fn forecast(store: &Arc<dyn Store>, forecast_id: &str, status: &str, expiry_ms: i64) {
    let request = json!({"job_id": "j", "result_type": "model_forecast_request_stats", "forecast_id": forecast_id,
        "forecast_status": status, "forecast_expiry_timestamp": expiry_ms});
    let point = json!({"job_id": "j", "result_type": "model_forecast", "forecast_id": forecast_id, "timestamp": NOW_MS});
    let documents = [request, point];
    let ops = documents.iter().enumerate();
    let op = |(n, document): (usize, &Value)| {
        BulkOp::index(
            ".ml-anomalies-.write-j",
            format!("j_model_forecast_request_stats_{forecast_id}{}", "_point".repeat(n)),
            document.to_string(),
        )
    };
    check_all(store.bulk(ops.map(op).collect()).await.unwrap()).unwrap();
    store.refresh(".ml-anomalies-*").await.unwrap();
}

async fn count(store: &Arc<dyn Store>) -> u64 {
    store.count(".ml-anomalies-j", &json!({"exists": {"field": "forecast_id"}})).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn expired_data_are_removed_once_a_day() {
    let store = store().await;
    let clock = Arc::new(MockClock::following(NOW_MS));
    let jobs = Jobs::start(Arc::clone(&store), clock, Options::default()).await.unwrap();
    put_job(&jobs, "j").await;
    forecast(&store, "short", "finished", NOW_MS + 60_000).await;
    forecast(&store, "long", "finished", NOW_MS + 30 * 86_400_000).await;
    assert_eq!(count(&store).await, 4);
    tokio::time::sleep(Duration::from_secs(26 * 3600)).await;
    assert_eq!(count(&store).await, 2);
    tokio::time::sleep(Duration::from_secs(30 * 86_400)).await;
    assert_eq!(count(&store).await, 0);
}

#[tokio::test]
async fn a_forecast_that_was_interrupted_has_failed() {
    let store = store().await;
    let jobs = service_over(Arc::clone(&store), Options::default()).await;
    put_job(&jobs, "j").await;
    forecast(&store, "f", "started", NOW_MS * 2).await;
    // Also when nothing may run after the start.
    jobs.set_upgrade_mode(true).await.unwrap();
    let again = service_over(Arc::clone(&store), Options::default()).await;
    let stats = again.job_stats("j", true).await.unwrap().items.remove(0).forecasts_stats;
    assert_eq!(stats.status.unwrap().into_iter().collect::<Vec<_>>(), [("failed", 1)]);
    again.delete_forecasts("j", "f", true).await.unwrap();
    assert_eq!(count(&store).await, 0);
}

async fn set(jobs: &Jobs, name: &str, value: Value) {
    let change = SettingsChange::parse(&json!({"transient": {name: value}})).unwrap();
    jobs.change_settings(&change).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_daily_run_keeps_to_its_rate_and_rests_in_upgrade_mode() {
    let store = store().await;
    let clock = Arc::new(MockClock::following(NOW_MS));
    let jobs = Jobs::start(Arc::clone(&store), clock, Options::default()).await.unwrap();
    put_job(&jobs, "j").await;
    forecast(&store, "short", "finished", NOW_MS + 60_000).await;
    let day = Duration::from_secs(86_400);
    // One request in a day: there is no time for it.
    set(&jobs, "xpack.ml.nightly_maintenance_requests_per_second", json!(0.00001)).await;
    tokio::time::sleep(day).await;
    assert_eq!(count(&store).await, 2);
    set(&jobs, "xpack.ml.nightly_maintenance_requests_per_second", json!(-1)).await;
    jobs.set_upgrade_mode(true).await.unwrap();
    tokio::time::sleep(day).await;
    assert_eq!(count(&store).await, 2);
    jobs.set_upgrade_mode(false).await.unwrap();
    tokio::time::sleep(day).await;
    assert_eq!(count(&store).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_in_time_even_if_its_next_request_would_be_later() {
    let store = store().await;
    let jobs = service_over(Arc::clone(&store), Options::default()).await;
    put_job(&jobs, "j").await;
    forecast(&store, "f", "finished", NOW_MS - 1).await;
    let how = ExpiredData {
        requests_per_second: Some(0.001),
        timeout: Some(TimeSpan::parse("60s", "timeout").unwrap()),
    };
    let began = tokio::time::Instant::now();
    assert!(!jobs.delete_expired_data("j", how).await.unwrap());
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_document_that_cannot_be_read_does_not_keep_the_others() {
    let store = store().await;
    let jobs = service_over(Arc::clone(&store), Options::default()).await;
    put_job(&jobs, "a").await;
    put_job(&jobs, "j").await;
    forecast(&store, "f", "finished", NOW_MS - 1).await;
    let broken = json!({"job_id": "a", "snapshot_id": "1"}).to_string();
    let op = BulkOp::index(".ml-anomalies-.write-a", "a_model_snapshot_1", broken);
    check_all(store.bulk(vec![op]).await.unwrap()).unwrap();
    store.refresh(".ml-anomalies-*").await.unwrap();
    assert!(jobs.delete_expired_data("_all", ExpiredData::default()).await.unwrap());
    let problems = jobs.problems().await;
    assert!(problems.iter().any(|problem| problem.contains("a_model_snapshot_1")), "{problems:?}");
    assert_eq!(count(&store).await, 0);
}
