//! A service that is killed at any point and started again leaves the same results as one that ran on.

use std::sync::Arc;

use jobs::{Jobs, Options, StartDatafeed};
use serde_json::{Value, json};
use store::Store;
use testkit::{Fault, FaultyStore, MockClock};
use tokio::runtime::Runtime;
use types::TimestampMs;

use crate::rig::*;

fn options(push_down: bool) -> Options {
    // Small numbers, so that there are many points at which it can be killed.
    Options { checkpoint_records: 90, write_batch: 7, scan_page_size: 64, push_down, ..Options::default() }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

async fn start_feed(jobs: &Jobs) {
    put_job(jobs, "j").await;
    let body = json!({"job_id": "j", "indices": ["logs"], "scroll_size": 1});
    jobs.put_datafeed("d", serde_json::from_value(body).unwrap()).await.unwrap();
    jobs.open_job("j").await.unwrap();
    let times =
        StartDatafeed { start: Some(TimestampMs(0)), end: Some(TimestampMs(START_MS + 30 * SPAN_MS)) };
    jobs.start_datafeed("d", times).await.unwrap();
}

type Outcome = (Vec<(String, Value)>, Value);

async fn outcome(jobs: &Jobs) -> Outcome {
    until_closed(jobs, "j").await;
    (results(jobs.store(), "j").await, counts(jobs, "j").await)
}

fn undisturbed(push_down: bool) -> Outcome {
    let runtime = runtime();
    runtime.block_on(async {
        let store = store().await;
        index_documents(&store, &documents(30)).await;
        let jobs = service_over(store, options(push_down)).await;
        start_feed(&jobs).await;
        outcome(&jobs).await
    })
}

/// Runs until `writes` writes were made, kills the service, starts it again on what is there; `None` when it ended before.
fn killed_after(writes: i64, push_down: bool) -> Option<Outcome> {
    let first = runtime();
    let (store, fallen) = first.block_on(async {
        let store: Arc<dyn Store> = store().await;
        index_documents(&store, &documents(30)).await;
        let jobs = service_over(Arc::clone(&store), options(push_down)).await;
        start_feed(&jobs).await;
        (store, jobs)
    });
    drop(fallen);
    drop(first);
    let second = runtime();
    let silent = second.block_on(async {
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&store), writes, Fault::Silence));
        let clock = Arc::new(MockClock::at(NOW_MS));
        let port: Arc<dyn Store> = faulty.clone();
        tokio::select! {
            () = faulty.fallen() => true,
            () = async {
                let jobs = Jobs::start(port, clock, options(push_down)).await.unwrap();
                until_closed(&jobs, "j").await;
            } => false,
        }
    });
    drop(second);
    if !silent {
        return None;
    }
    let third = runtime();
    Some(third.block_on(async {
        let jobs = service_over(store, options(push_down)).await;
        outcome(&jobs).await
    }))
}

#[test]
fn results_are_the_same_wherever_it_was_killed() {
    killed_everywhere(false, 7);
}

#[test]
fn results_of_groups_are_the_same_wherever_it_was_killed() {
    killed_everywhere(true, 11);
}

fn killed_everywhere(push_down: bool, step: usize) {
    let expected = undisturbed(push_down);
    assert!(expected.0.iter().filter(|(id, _)| id.starts_with("j_bucket_1")).count() >= 30);
    let mut killed = 0;
    for writes in (0..120).step_by(step) {
        let Some(found) = killed_after(writes, push_down) else { continue };
        killed += 1;
        assert_eq!(found.1, expected.1, "counts after {writes} writes");
        assert_eq!(found.0, expected.0, "results after {writes} writes");
    }
    assert!(killed >= 3, "the service was killed {killed} times only");
}

#[test]
fn acknowledged_records_survive() {
    let first = runtime();
    let store = first.block_on(async {
        let store = store().await;
        let jobs = service_over(Arc::clone(&store), options(false)).await;
        put_job(&jobs, "j").await;
        jobs.open_job("j").await.unwrap();
        for part in documents(20).chunks(37) {
            jobs.post_data("j", &ndjson(part)).await.unwrap();
        }
        store
    });
    // The service ends without a word to the job.
    drop(first);
    let (again, straight) = (runtime(), runtime());
    let found = again.block_on(async {
        let jobs = service_over(store, options(false)).await;
        jobs.close_jobs("j", jobs::CloseJob::default()).await.unwrap();
        outcome(&jobs).await
    });
    let expected = straight.block_on(async {
        let jobs = service().await;
        put_job(&jobs, "j").await;
        jobs.open_job("j").await.unwrap();
        for part in documents(20).chunks(37) {
            jobs.post_data("j", &ndjson(part)).await.unwrap();
        }
        jobs.close_jobs("j", jobs::CloseJob::default()).await.unwrap();
        outcome(&jobs).await
    });
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_store_that_is_away_for_a_while_costs_nothing_but_time() {
    let store = store().await;
    index_documents(&store, &documents(30)).await;
    let jobs = service_over(Arc::clone(&store), options(false)).await;
    put_job(&jobs, "j").await;
    jobs.open_job("j").await.unwrap();
    jobs.shutdown().await;
    let faulty = Arc::new(FaultyStore::new(Arc::clone(&store), 4, Fault::Away(3)));
    let jobs = service_over(faulty, options(false)).await;
    let counts = jobs.post_data("j", &ndjson(&documents(20))).await.unwrap();
    assert_eq!(counts.processed_record_count, 400);
    jobs.close_jobs("j", jobs::CloseJob::default()).await.unwrap();
    assert!(results(&store, "j").await.len() >= 19);
}
