//! Whatever somebody removes from the service's indices, or writes into them, the service starts, and what is not concerned works.

use std::sync::Arc;

use jobs::results::Paging;
use jobs::{CloseJob, ExpiredData, Jobs, Options, SnapshotsQuery, StartDatafeed, State};
use serde_json::{Value, json};
use store::{BulkOp, IndicesOptions, Store, check_all, indices};
use types::TimestampMs;

use crate::rig::*;

/// A store with a job [j] that was fed and closed, and has a snapshot.
async fn used_store() -> Arc<dyn Store> {
    let store = store().await;
    index_documents(&store, &documents(20)).await;
    let jobs = service_over(Arc::clone(&store), Options::default()).await;
    put_job(&jobs, "j").await;
    let body = json!({"job_id": "j", "indices": ["logs"]});
    jobs.put_datafeed("d", serde_json::from_value(body).unwrap()).await.unwrap();
    feed(&jobs).await;
    store
}

async fn feed(jobs: &Jobs) {
    jobs.open_job("j").await.unwrap();
    let end = Some(TimestampMs(START_MS + 20 * SPAN_MS));
    jobs.start_datafeed("d", StartDatafeed { start: Some(TimestampMs(0)), end }).await.unwrap();
    until_closed(jobs, "j").await;
}

/// A job can be made, opened, fed and closed, and its results and messages can be read.
async fn works(jobs: &Jobs, job_id: &str) {
    put_job(jobs, job_id).await;
    jobs.open_job(job_id).await.unwrap();
    let counts = jobs.post_data(job_id, &ndjson(&documents(20))).await.unwrap();
    assert_eq!(counts.processed_record_count, 400);
    jobs.close_jobs(job_id, CloseJob::default()).await.unwrap();
    assert!(results(jobs.store(), job_id).await.len() > 15);
    jobs.store().refresh(indices::NOTIFICATIONS_WRITE).await.unwrap();
    let query = json!({"term": {"job_id": job_id}});
    assert!(jobs.store().count(indices::NOTIFICATIONS_WRITE, &query).await.unwrap() > 2);
}

#[tokio::test]
async fn an_index_that_was_removed_is_made_again() {
    let mut all: Vec<String> = indices::fixed().into_iter().map(|(name, _)| name.to_owned()).collect();
    all.push(indices::results_index("shared"));
    for removed in all {
        let store = used_store().await;
        let jobs = service_over(Arc::clone(&store), Options::default()).await;
        store.delete_index(&removed).await.unwrap();
        // The service that runs goes on.
        works(&jobs, "new").await;
        // So does one that starts, also when it was removed while nobody was there.
        store.delete_index(&removed).await.unwrap();
        drop(jobs);
        let jobs = service_over(Arc::clone(&store), Options::default()).await;
        assert_eq!(jobs.problems().await, [""; 0], "{removed}");
        works(&jobs, "newer").await;
        if removed != indices::CONFIG {
            let opened = jobs.open_job("j").await;
            opened.unwrap_or_else(|error| panic!("{removed}: {error}"));
            jobs.close_jobs("j", CloseJob::default()).await.unwrap();
        }
        for alias in [indices::STATE_WRITE, indices::NOTIFICATIONS_WRITE, indices::ANNOTATIONS_WRITE] {
            let known = store.get_aliases(alias).await.unwrap();
            assert_eq!(known.as_object().unwrap().len(), 1, "{removed}: {alias} is an alias");
        }
    }
}

#[tokio::test]
async fn an_index_in_the_place_of_an_alias_is_named_and_the_rest_works() {
    let store = used_store().await;
    store.delete_index(indices::NOTIFICATIONS).await.unwrap();
    store.ensure_index(indices::NOTIFICATIONS_WRITE, &json!({})).await.unwrap();
    let jobs = service_over(Arc::clone(&store), Options::default()).await;
    let problems = jobs.problems().await;
    assert!(problems.iter().any(|problem| problem.contains(indices::NOTIFICATIONS)), "{problems:?}");
    jobs.open_job("j").await.unwrap();
    assert_eq!(state(&jobs, "j").await, State::Opened);
}

/// Values that a field of a stored document may turn out to have.
fn strange() -> Vec<Value> {
    vec![
        Value::Null,
        json!(-1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!("x"),
        json!(""),
        json!([1, "x"]),
        json!({"a": {"b": 1}}),
        json!(true),
    ]
}

/// The document with each of its fields, one after the other, taken away or replaced.
fn mutations(document: &Value) -> Vec<Value> {
    let mut all = vec![json!({}), json!({"job_id": "j"})];
    for (name, _) in document.as_object().unwrap() {
        let mut without = document.clone();
        without.as_object_mut().unwrap().shift_remove(name);
        all.push(without);
        for value in strange() {
            let mut changed = document.clone();
            changed[name] = value;
            all.push(changed);
        }
    }
    all
}

/// Everything that reads stored documents; errors must be of a kind that a client can do something about.
async fn read_all(jobs: &Jobs, what: &str) {
    let fine = |result: Result<(), jobs::Error>, read: &str| {
        if let Err(error) = result {
            let kind = types::Classify::kind(&error);
            assert_ne!(kind, types::ErrorKind::Internal, "{what}: {read}: {error}");
        }
    };
    fine(jobs.get_jobs("_all", true).await.map(drop), "jobs");
    fine(jobs.job_stats("_all", true).await.map(drop), "job stats");
    fine(jobs.get_datafeeds("_all", true).await.map(drop), "datafeeds");
    fine(jobs.datafeed_stats("_all", true).await.map(drop), "datafeed stats");
    fine(jobs.get_calendars("", None).await.map(drop), "calendars");
    fine(jobs.get_filters("", Paging::default()).await.map(drop), "filters");
    fine(jobs.model_snapshots("j", "", &SnapshotsQuery::default()).await.map(drop), "snapshots");
    fine(jobs.open_job("j").await.map(drop), "open");
    fine(jobs.close_jobs("j", CloseJob { force: true, allow_no_match: true }).await, "close");
}

#[tokio::test]
async fn whatever_stands_in_own_documents_the_service_starts_and_the_rest_works() {
    let store = used_store().await;
    let calendar = json!({"type": "calendar", "calendar_id": "c", "job_ids": ["j"], "description": "d"});
    let event = json!({"type": "scheduled_event", "calendar_id": "c", "description": "e",
        "start_time": START_MS, "end_time": START_MS + 1000});
    let filter = json!({"type": "filter", "filter_id": "f", "items": ["a"]});
    let made = [("calendar_c", &calendar), ("event_e", &event), ("filter_f", &filter)];
    for (id, document) in made {
        write(&store, indices::META, id, document).await.unwrap();
    }
    let tasks = [
        ("job-j", json!({"task": "job", "job_id": "j", "open_time": START_MS})),
        (
            "datafeed-d",
            json!({"task": "datafeed", "datafeed_id": "d", "job_id": "j", "start_ms": 0, "end_ms": START_MS}),
        ),
        ("settings", json!({"task": "settings", "persistent": {}})),
    ];
    let logged = [
        (
            "j_00000000000000000007",
            json!({"job_id": "j", "seq": 7, "op": "records", "raw": "{\"t\":1}", "at": START_MS}),
        ),
        ("j_00000000000000000008", json!({"job_id": "j", "seq": 8, "op": "advance", "to_ms": START_MS})),
    ];
    let mut kept: Vec<(&str, String, Value)> = Vec::new();
    for (index, id) in [
        (indices::CONFIG, "anomaly_detector-j"),
        (indices::CONFIG, "datafeed-d"),
        (indices::STATE_WRITE, "j_checkpoint"),
    ] {
        let document = store.get(index, id).await.unwrap().unwrap();
        kept.push((index, id.to_owned(), document.source));
    }
    kept.extend(made.map(|(id, document)| (indices::META, id.to_owned(), document.clone())));
    kept.extend(tasks.map(|(id, document)| (indices::TASKS, id.to_owned(), document)));
    kept.extend(logged.map(|(id, document)| (indices::DATA_LOG, id.to_owned(), document)));
    let snapshots = json!({"query": {"exists": {"field": "snapshot_id"}}});
    let found = store.search(".ml-anomalies-j", &snapshots, &IndicesOptions::default()).await.unwrap();
    let snapshot = &found["hits"]["hits"][0];
    kept.push((
        ".ml-anomalies-shared",
        snapshot["_id"].as_str().unwrap().to_owned(),
        snapshot["_source"].clone(),
    ));
    let mut tried = 0;
    for (index, id, document) in &kept {
        for (number, mutation) in mutations(document).into_iter().enumerate() {
            // What the mapping cannot hold is refused by the store itself.
            if write(&store, index, id, &mutation).await.is_err() {
                continue;
            }
            tried += 1;
            // Every seventh with a start of its own, which costs most.
            let what = format!("{index} {id} {mutation}");
            if number % 7 == 0 {
                let jobs = service_over(Arc::clone(&store), Options::default()).await;
                read_all(&jobs, &what).await;
            }
        }
        // All at once are no other matter: the last one stays, and the next kind comes on top of it.
        let jobs = service_over(Arc::clone(&store), Options::default()).await;
        read_all(&jobs, &format!("{index} {id}")).await;
        write(&store, index, id, document).await.unwrap();
    }
    assert!(tried > 300, "{tried}");
    let jobs = service_over(store, Options::default()).await;
    works(&jobs, "other").await;
}

async fn write(store: &Arc<dyn Store>, index: &str, id: &str, document: &Value) -> store::Result<()> {
    check_all(store.bulk(vec![BulkOp::index(index, id, document.to_string())]).await?)?;
    store.refresh(index).await
}

#[tokio::test]
async fn what_a_job_has_learnt_outlives_a_configuration_that_cannot_be_read() {
    let store = used_store().await;
    let config = store.get(indices::CONFIG, "anomaly_detector-j").await.unwrap().unwrap().source;
    let mut broken = config.clone();
    broken["analysis_config"]["bucket_span"] = json!("-5m");
    write(&store, indices::CONFIG, "anomaly_detector-j", &broken).await.unwrap();
    let jobs = service_over(Arc::clone(&store), Options::default()).await;
    assert_eq!(jobs.get_jobs("_all", true).await.unwrap().count, 0);
    let problems = jobs.problems().await;
    assert!(problems.iter().any(|problem| problem.contains("anomaly_detector-j")), "{problems:?}");
    jobs.delete_expired_data("_all", ExpiredData::default()).await.unwrap();
    write(&store, indices::CONFIG, "anomaly_detector-j", &config).await.unwrap();
    jobs.open_job("j").await.unwrap();
    assert_eq!(counts(&jobs, "j").await["processed_record_count"], 400);
    assert_eq!(jobs.problems().await, [""; 0]);
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    // Without the index nobody knows which states are whose.
    let states = store.count(indices::STATE_PATTERN, &json!({"match_all": {}})).await.unwrap();
    store.delete_index(indices::CONFIG).await.unwrap();
    assert!(jobs.delete_expired_data("_all", ExpiredData::default()).await.is_err());
    assert_eq!(store.count(indices::STATE_PATTERN, &json!({"match_all": {}})).await.unwrap(), states);
}

#[tokio::test]
async fn a_job_goes_on_from_its_snapshot_when_its_checkpoint_cannot_be_read() {
    let store = used_store().await;
    let before = results(&store, "j").await;
    write(&store, indices::STATE_WRITE, "j_checkpoint", &json!({"epoch": -1})).await.unwrap();
    let jobs = service_over(Arc::clone(&store), Options::default()).await;
    jobs.open_job("j").await.unwrap();
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    assert_eq!(results(&store, "j").await, before);
    assert!(
        store.get(indices::STATE_WRITE, "j_checkpoint").await.unwrap().unwrap().source["epoch"].as_u64()
            > Some(0)
    );
}

#[tokio::test]
async fn times_that_cannot_be_are_counted_and_told() {
    let jobs = service().await;
    put_job(&jobs, "j").await;
    jobs.open_job("j").await.unwrap();
    let record = |time: i64| json!({"t": time, "host": "a", "v": 1.0});
    let far = NOW_MS + 11 * 365 * 86_400_000;
    let times = [START_MS, -1, i64::MIN, i64::MAX, 253_402_300_800_000, far, START_MS + 1];
    let counts = jobs.post_data("j", &ndjson(&times.map(record))).await.unwrap();
    assert_eq!((counts.processed_record_count, counts.invalid_date_count), (2, 5));
    assert_eq!(counts.latest_record_timestamp, Some(TimestampMs(START_MS + 1)));
    jobs.store().refresh(indices::NOTIFICATIONS_WRITE).await.unwrap();
    let told = json!({"bool": {"filter": [{"term": {"level": "warning"}}, {"match": {"message": "invalid_date_count"}}]}});
    assert_eq!(jobs.store().count(indices::NOTIFICATIONS_WRITE, &told).await.unwrap(), 1);
}

#[tokio::test]
async fn the_empty_buckets_of_a_gap_are_bounded() {
    let jobs = service().await;
    let body = json!({"analysis_config": {"bucket_span": "1s", "detectors": [{"function": "count"}]},
        "data_description": {"time_field": "t"}});
    jobs.put_job("j", serde_json::from_value(body).unwrap(), None).await.unwrap();
    jobs.open_job("j").await.unwrap();
    let record = |time: i64| json!({"t": time});
    // A gap of a thousand seconds is filled, one of years is skipped.
    let times = [START_MS, START_MS + 1_000_000, START_MS + 2 * 365 * 86_400_000];
    let counts = jobs.post_data("j", &ndjson(&times.map(record))).await.unwrap();
    assert_eq!(counts.processed_record_count, 3);
    assert!((1001..1010).contains(&counts.bucket_count), "{}", counts.bucket_count);
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    let stored =
        jobs.store().count(".ml-anomalies-j", &json!({"term": {"result_type": "bucket"}})).await.unwrap();
    assert_eq!(stored, counts.bucket_count);
    jobs.store().refresh(indices::NOTIFICATIONS_WRITE).await.unwrap();
    let told = json!({"match_phrase": {"message": "are skipped"}});
    assert_eq!(jobs.store().count(indices::NOTIFICATIONS_WRITE, &told).await.unwrap(), 1);
}
