//! Create, open, feed, flush, close, remove; and what is refused.

use jobs::results::{BucketsQuery, OverallBucketsQuery, RecordsQuery};
use jobs::{CloseJob, DeleteJob, Error, FlushJob, State};
use serde_json::json;
use types::{Classify, ErrorKind, TimestampMs};

use crate::rig::*;

#[tokio::test]
async fn a_job_opens_takes_data_writes_results_and_closes() {
    let jobs = service().await;
    put_job(&jobs, "j").await;
    assert!(jobs.open_job("j").await.unwrap().opened);
    let counts = jobs.post_data("j", &ndjson(&documents(20))).await.unwrap();
    assert_eq!((counts.input_record_count, counts.processed_record_count), (400, 400));
    assert_eq!((counts.input_field_count, counts.processed_field_count), (800, 800));
    let flushed = jobs.flush_job("j", FlushJob { calc_interim: true, ..FlushJob::default() }).await.unwrap();
    assert_eq!(flushed.last_finalized_bucket_end, Some(TimestampMs(START_MS + 19 * SPAN_MS)));
    let buckets = jobs.buckets("j", &BucketsQuery::default()).await.unwrap();
    assert_eq!(buckets.count, 20);
    let interim = buckets.items.iter().filter(|bucket| bucket["is_interim"] == true).count();
    assert_eq!((interim, buckets.items[19]["is_interim"].as_bool()), (1, Some(true)));
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    assert_eq!(state(&jobs, "j").await, State::Closed);
    let buckets = jobs.buckets("j", &BucketsQuery::default()).await.unwrap();
    assert_eq!(buckets.count, 19, "the open bucket is not finished by closing");
    assert_eq!(buckets.items[0]["timestamp"], json!(START_MS));
    let view = jobs.get_jobs("j", true).await.unwrap().items.remove(0);
    assert!(view.job.finished_time.is_some() && view.job.model_snapshot_id.is_some());
    let stats = jobs.job_stats("j", true).await.unwrap().items.remove(0);
    assert_eq!((stats.data_counts.processed_record_count, stats.timing_stats.bucket_count), (400, 19));
    assert!(stats.node.is_none() && stats.open_time.is_none());
}

#[tokio::test]
async fn a_job_goes_on_after_closing_as_if_it_had_not_been_closed() {
    let (one, two) = (service().await, service().await);
    let all = documents(40);
    for jobs in [&one, &two] {
        put_job(jobs, "j").await;
        jobs.open_job("j").await.unwrap();
    }
    one.post_data("j", &ndjson(&all)).await.unwrap();
    for part in all.chunks(333) {
        two.post_data("j", &ndjson(part)).await.unwrap();
        two.close_jobs("j", CloseJob::default()).await.unwrap();
        two.open_job("j").await.unwrap();
    }
    for jobs in [&one, &two] {
        jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    }
    let (left, right) = (results(one.store(), "j").await, results(two.store(), "j").await);
    assert!(left.len() >= 39);
    assert_eq!(left, right);
    assert_eq!(counts(&one, "j").await, {
        let mut counts = counts(&two, "j").await;
        // Line breaks between pieces are counted with the piece before.
        counts["input_bytes"] = super::rig::counts(&one, "j").await["input_bytes"].clone();
        counts
    });
}

#[tokio::test]
async fn what_does_not_go_with_the_state_is_refused() {
    let jobs = service().await;
    put_job(&jobs, "j").await;
    let error = jobs.post_data("j", "{}").await.unwrap_err();
    assert_eq!(error.to_string(), "Cannot perform requested action because job [j] is not open");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(
        jobs.flush_job("x", FlushJob::default()).await.unwrap_err().to_string(),
        "No known job with id 'x'"
    );
    jobs.open_job("j").await.unwrap();
    let error = jobs.open_job("j").await.unwrap_err();
    assert_eq!(error.to_string(), "Cannot open job [j] because it has already been opened");
    let error = jobs.delete_job("j", DeleteJob::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "Cannot delete job [j] because the job is opened");
    assert!(matches!(jobs.post_data("j", "{\"t\":1}{").await.unwrap_err(), Error::Invalid(_)));
    assert_eq!(jobs.flush_job("j", FlushJob::default()).await.unwrap().last_finalized_bucket_end, None);
    let body = json!({"analysis_config": {"detectors": [{"function": "count"}]}, "data_description": {}});
    let again = jobs.put_job("j", serde_json::from_value(body).unwrap(), None).await.unwrap_err();
    assert_eq!(again.to_string(), "The job cannot be created with the Id 'j'. The Id is already used.");
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    jobs.delete_job("j", DeleteJob { force: true, ..DeleteJob::default() }).await.unwrap();
    assert!(matches!(jobs.get_jobs("j", true).await.unwrap_err(), Error::UnknownJob(_)));
    assert_eq!(jobs.get_jobs("j*", true).await.unwrap().count, 0);
    put_job(&jobs, "j").await;
}

#[tokio::test]
async fn bad_dates_and_late_records_are_counted_and_dropped() {
    let jobs = service().await;
    put_job(&jobs, "j").await;
    jobs.open_job("j").await.unwrap();
    let late = START_MS - SPAN_MS;
    let body = format!(
        "{{\"t\":{START_MS},\"v\":1,\"host\":\"a\"}}{{\"t\":\"soon\"}}{{\"t\":{late},\"v\":2,\"host\":\"a\"}}"
    );
    let counts = jobs.post_data("j", &body).await.unwrap();
    assert_eq!((counts.input_record_count, counts.invalid_date_count), (3, 1));
    assert_eq!((counts.processed_record_count, counts.out_of_order_timestamp_count), (1, 1));
}

#[tokio::test]
async fn results_are_read_from_the_index_whoever_wrote_them() {
    let jobs = service().await;
    put_job(&jobs, "one").await;
    put_job(&jobs, "two").await;
    let write = |job: &str, id: &str, body: serde_json::Value| {
        store::BulkOp::index(format!(".ml-anomalies-{job}"), id, body.to_string())
    };
    let bucket = |job: &str, time: &str, score: f64| json!({"job_id": job, "result_type": "bucket", "timestamp": time, "anomaly_score": score, "bucket_span": 300});
    let ops = vec![
        write("one", "b1", bucket("one", "2016-06-01T00:00:00Z", 30.0)),
        write("one", "b2", bucket("one", "2016-06-01T00:05:00Z", 60.0)),
        write("two", "b3", bucket("two", "2016-06-01T00:00:00Z", 10.0)),
        write(
            "one",
            "r1",
            json!({"job_id": "one", "result_type": "record", "timestamp": "2016-06-01T00:00:00Z", "record_score": 80}),
        ),
    ];
    store::check_all(jobs.store().bulk(ops).await.unwrap()).unwrap();
    let query = BucketsQuery { expand: true, desc: Some(true), ..BucketsQuery::default() };
    let found = jobs.buckets("one", &query).await.unwrap();
    assert_eq!((found.count, found.items[1]["timestamp"].as_i64()), (2, Some(1_464_739_200_000)));
    assert_eq!(found.items[1]["records"][0]["record_score"], 80);
    assert_eq!(found.items[1]["is_interim"], false);
    let single = BucketsQuery { timestamp: Some(TimestampMs(1)), ..BucketsQuery::default() };
    assert!(matches!(jobs.buckets("one", &single).await.unwrap_err(), Error::NotFound(_)));
    assert_eq!(jobs.records("one", &RecordsQuery::default()).await.unwrap().count, 1);
    let query =
        OverallBucketsQuery { top_n: Some(2), allow_no_match: true, ..OverallBucketsQuery::default() };
    let overall = jobs.overall_buckets("*", &query).await.unwrap();
    assert_eq!((overall.items[0]["overall_score"].as_f64(), overall.count), (Some(20.0), 2));
}

#[tokio::test]
async fn calendars_and_filters_are_kept() {
    let jobs = service().await;
    let filter = jobs.put_filter("f", None, vec!["b".into(), "a".into(), "b".into()]).await.unwrap();
    assert_eq!(filter.items, ["a", "b"]);
    let update = jobs::FilterUpdate { remove_items: vec!["zz".into()], ..Default::default() };
    assert!(jobs.update_filter("f", update).await.is_err());
    jobs.put_calendar("c", vec!["j".into()], None).await.unwrap();
    let event = json!({"description": "e", "start_time": 5, "end_time": 9});
    jobs.post_calendar_events("c", vec![serde_json::from_value(event).unwrap()]).await.unwrap();
    let query = jobs::EventsQuery { start: Some(TimestampMs(8)), ..Default::default() };
    let found = jobs.get_calendar_events("c", &query).await.unwrap();
    assert_eq!(found.count, 1);
    let id = found.items[0].event_id.clone().unwrap();
    jobs.delete_calendar_event("c", &id).await.unwrap();
    assert_eq!(jobs.get_calendar_events("_all", &jobs::EventsQuery::default()).await.unwrap().count, 0);
    jobs.delete_calendar("c").await.unwrap();
    assert!(jobs.delete_calendar("c").await.is_err());
}
