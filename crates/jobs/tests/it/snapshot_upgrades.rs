//! Saved states of older versions, written anew: a crash at any point leaves a state that can be read.

use std::sync::Arc;

use jobs::{CloseJob, Jobs, Options};
use serde_json::json;
use store::{BulkOp, Store, check_all};
use testkit::{Fault, FaultyStore};

use crate::rig::*;

/// A closed job whose only snapshot is said to be of an older version; its id.
async fn with_old_snapshot(store: &Arc<dyn Store>) -> String {
    let jobs = service_over(Arc::clone(store), Options::default()).await;
    put_job(&jobs, "j").await;
    jobs.open_job("j").await.unwrap();
    jobs.post_data("j", &ndjson(&documents(30))).await.unwrap();
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    let snapshot = jobs.model_snapshots("j", "", &Default::default()).await.unwrap().items.remove(0);
    let old = BulkOp::update(
        ".ml-anomalies-.write-j",
        snapshot.doc_id(),
        json!({"min_version": "6.4.0"}).to_string(),
    );
    check_all(store.bulk(vec![old]).await.unwrap()).unwrap();
    store.refresh(".ml-*").await.unwrap();
    snapshot.snapshot_id
}

async fn is_upgraded(jobs: &Jobs, id: &str) -> bool {
    let snapshot = jobs.model_snapshots("j", id, &Default::default()).await.unwrap().items.remove(0);
    snapshot.min_version != "6.4.0"
}

#[tokio::test]
async fn an_upgrade_that_was_interrupted_is_finished_or_undone() {
    let mut finished = 0;
    for writes in 0..9 {
        let store: Arc<dyn Store> = store().await;
        let id = with_old_snapshot(&store).await;
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&store), writes, Fault::Silence));
        let jobs = service_over(faulty.clone(), Options::default()).await;
        let done = tokio::select! {
            upgraded = jobs.upgrade_model_snapshot("j", &id, true) => upgraded.unwrap().completed,
            () = faulty.fallen() => false,
        };
        drop(jobs);
        let jobs = service_over(Arc::clone(&store), Options::default()).await;
        let upgraded = is_upgraded(&jobs, &id).await;
        assert_eq!(upgraded, done || writes > 1, "after {writes} writes");
        finished += usize::from(upgraded && !done);
        jobs.open_job("j").await.unwrap();
        let counts = jobs.post_data("j", &ndjson(&documents(40)[600..])).await.unwrap();
        assert_eq!(counts.processed_record_count, 200, "after {writes} writes");
        jobs.close_jobs("j", CloseJob::default()).await.unwrap();
        let of_upgrades = json!({"term": {"task": "snapshot_upgrade"}});
        assert_eq!(store.count(".auspex-tasks", &of_upgrades).await.unwrap(), 0, "after {writes} writes");
    }
    assert!(finished > 2, "{finished} upgrades were finished by the next start");
}
