//! What happens without being asked: the daily run, and what is put right when the service starts.

use std::sync::Arc;
use std::time::Duration;

use jobs::{Jobs, Options};
use serde_json::{Value, json};
use store::{BulkOp, Store, check_all};
use testkit::MockClock;

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
    let again = service_over(Arc::clone(&store), Options::default()).await;
    let stats = again.job_stats("j", true).await.unwrap().items.remove(0).forecasts_stats;
    assert_eq!(stats.status.unwrap().into_iter().collect::<Vec<_>>(), [("failed", 1)]);
    again.delete_forecasts("j", "f", true).await.unwrap();
    assert_eq!(count(&store).await, 0);
}
