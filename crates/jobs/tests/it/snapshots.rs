//! Saved states: list, describe, go back, remove.

use std::sync::Arc;

use jobs::results::BucketsQuery;
use jobs::{CloseJob, Options, Revert, SnapshotUpdate, SnapshotsQuery};
use testkit::{Fault, FaultyStore};

use crate::rig::*;

#[tokio::test]
async fn a_job_goes_back_and_repeats_what_it_did() {
    let jobs = service().await;
    put_job(&jobs, "j").await;
    let all = documents(40);
    for part in [&all[..400], &all[400..]] {
        jobs.open_job("j").await.unwrap();
        jobs.post_data("j", &ndjson(part)).await.unwrap();
        jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    }
    let before = results(jobs.store(), "j").await;
    let snapshots = jobs.model_snapshots("j", "", &SnapshotsQuery::default()).await.unwrap();
    assert_eq!(snapshots.count, 2);
    let (newest, oldest) = (&snapshots.items[0], &snapshots.items[1]);
    assert!(newest.timestamp >= oldest.timestamp && oldest.snapshot_doc_count == 1);
    let error = jobs.delete_model_snapshot("j", &newest.snapshot_id).await.unwrap_err();
    assert!(error.to_string().contains("is the active snapshot for job 'j'"), "{error}");
    let update = SnapshotUpdate { description: Some("before".into()), retain: Some(true) };
    assert!(jobs.update_model_snapshot("j", &oldest.snapshot_id, update).await.unwrap().retain);
    let revert = Revert { delete_intervening_results: true };
    let model = jobs.revert_model_snapshot("j", &oldest.snapshot_id, revert).await.unwrap();
    assert_eq!(model.description.as_deref(), Some("before"));
    assert_eq!(jobs.buckets("j", &BucketsQuery::default()).await.unwrap().count, 19);
    jobs.open_job("j").await.unwrap();
    let error = jobs.revert_model_snapshot("j", &oldest.snapshot_id, revert).await.unwrap_err();
    assert_eq!(error.to_string(), "Can only revert to a model snapshot when the job is closed.");
    jobs.post_data("j", &ndjson(&all[400..])).await.unwrap();
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    assert_eq!(results(jobs.store(), "j").await, before);
    let unknown = jobs.revert_model_snapshot("j", "7", revert).await.unwrap_err();
    assert_eq!(unknown.to_string(), "No model snapshot with id [7] exists for job [j]");
}

#[tokio::test]
async fn a_reverted_job_without_deletion_refuses_older_data() {
    let jobs = service().await;
    put_job(&jobs, "j").await;
    let all = documents(40);
    jobs.open_job("j").await.unwrap();
    jobs.post_data("j", &ndjson(&all)).await.unwrap();
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    let before = results(jobs.store(), "j").await;
    jobs.revert_model_snapshot("j", "empty", Revert::default()).await.unwrap();
    jobs.open_job("j").await.unwrap();
    let counts = jobs.post_data("j", &ndjson(&all[..400])).await.unwrap();
    assert_eq!((counts.processed_record_count, counts.out_of_order_timestamp_count), (0, 400));
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    assert_eq!(results(jobs.store(), "j").await, before);
}

#[tokio::test]
async fn a_job_is_blocked_while_it_is_reverted_and_a_crash_leaves_it_reverted_or_as_it_was() {
    let mut blocked = 0;
    for writes in 0..12 {
        let store = store().await;
        let jobs = service_over(Arc::clone(&store), Options::default()).await;
        put_job(&jobs, "j").await;
        let all = documents(40);
        for part in [&all[..400], &all[400..]] {
            jobs.open_job("j").await.unwrap();
            jobs.post_data("j", &ndjson(part)).await.unwrap();
            jobs.close_jobs("j", CloseJob::default()).await.unwrap();
        }
        drop(jobs);
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&store), writes, Fault::Silence));
        let jobs = service_over(faulty.clone(), Options::default()).await;
        let oldest = jobs.model_snapshots("j", "", &SnapshotsQuery::default()).await.unwrap().items.remove(1);
        let revert = Revert { delete_intervening_results: true };
        let done = tokio::select! {
            reverted = jobs.revert_model_snapshot("j", &oldest.snapshot_id, revert) => reverted.is_ok(),
            () = faulty.fallen() => false,
        };
        let shown = jobs.get_jobs("j", true).await.unwrap().items.remove(0).job.blocked;
        if let Some(shown) = shown {
            blocked += 1;
            assert_eq!(shown.reason, "revert");
            let refused = jobs.open_job("j").await.unwrap_err();
            assert_eq!(refused.to_string(), "Cannot open job [j] because it is executing [revert]");
        }
        let again = service_over(Arc::clone(&store), Options::default()).await;
        assert!(again.get_jobs("j", true).await.unwrap().items[0].job.blocked.is_none());
        let buckets = again.buckets("j", &BucketsQuery::default()).await.unwrap().count;
        // The first writes are the block and the note.
        assert_eq!(buckets, if done || writes > 1 { 19 } else { 39 }, "after {writes} writes");
        again.open_job("j").await.unwrap();
        again.close_jobs("j", CloseJob::default()).await.unwrap();
    }
    assert!(blocked > 5, "{blocked}");
}
