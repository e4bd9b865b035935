//! Jobs that came with results but without a checkpoint of this service.

use jobs::{CloseJob, Jobs, Options};
use serde_json::json;
use store::{BulkOp, check_all};

use crate::rig::*;

/// A job with results as another service would have left it, and how many of them there are.
async fn imported(with_snapshots: bool) -> (Jobs, usize) {
    let store = store().await;
    let jobs = service_over(store.clone(), Options::default()).await;
    put_job(&jobs, "j").await;
    jobs.open_job("j").await.unwrap();
    jobs.post_data("j", &ndjson(&documents(30))).await.unwrap();
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    check_all(store.bulk(vec![BulkOp::delete(".ml-state-write", "j_checkpoint")]).await.unwrap()).unwrap();
    if !with_snapshots {
        let snapshots = json!({"exists": {"field": "snapshot_id"}});
        assert_eq!(store.delete_by_query(".ml-anomalies-.write-j", &snapshots).await.unwrap(), 1);
    }
    store.refresh(".ml-*").await.unwrap();
    let found = results(&store, "j").await.len();
    assert!(found >= 29);
    (jobs, found)
}

/// Ends without a checkpoint, as a crash does.
async fn open_and_kill(jobs: &Jobs) {
    jobs.open_job("j").await.unwrap();
    jobs.close_jobs("j", CloseJob { force: true, ..CloseJob::default() }).await.unwrap();
}

#[tokio::test]
async fn old_results_outlast_a_crash_before_the_first_checkpoint() {
    for with_snapshots in [true, false] {
        let (jobs, before) = imported(with_snapshots).await;
        open_and_kill(&jobs).await;
        open_and_kill(&jobs).await;
        assert_eq!(results(jobs.store(), "j").await.len(), before, "with snapshots: {with_snapshots}");
        jobs.open_job("j").await.unwrap();
        let counts = jobs.post_data("j", &ndjson(&documents(60)[600..])).await.unwrap();
        assert_eq!(counts.processed_record_count, 600);
        jobs.close_jobs("j", CloseJob::default()).await.unwrap();
        assert!(results(jobs.store(), "j").await.len() >= before + 29);
    }
}
