//! Categories in numbers, for the whole job and for each partition.

use std::collections::BTreeMap;

use jobs::{CloseJob, FlushJob, Jobs};
use serde_json::{Value, json};
use store::IndicesOptions;

use crate::rig::*;

async fn put_categorizing(jobs: &Jobs, partitioned: bool) {
    let detector = match partitioned {
        true => json!({"function": "count", "by_field_name": "mlcategory", "partition_field_name": "host"}),
        false => json!({"function": "count", "by_field_name": "mlcategory"}),
    };
    let body = json!({"analysis_config": {"bucket_span": "5m", "categorization_field_name": "message",
        "per_partition_categorization": {"enabled": partitioned}, "detectors": [detector]},
        "data_description": {"time_field": "t"}});
    jobs.put_job("j", serde_json::from_value(body).unwrap(), None).await.unwrap();
}

/// `count` messages of two kinds on host a, and of one on host b, in half a minute each.
fn messages(from: i64, count: i64) -> String {
    let messages: Vec<Value> = (from..from + count)
        .flat_map(|n| {
            let time = START_MS + n * 30_000;
            let kind = if n % 2 == 0 { "connection opened by client" } else { "disk almost full on volume" };
            [
                json!({"t": time, "host": "a", "message": format!("{kind} {n}")}),
                json!({"t": time, "host": "b", "message": format!("request served in {n} milliseconds")}),
            ]
        })
        .collect();
    ndjson(&messages)
}

/// Messages and categories by partition.
async fn numbers(jobs: &Jobs) -> BTreeMap<String, (u64, u64)> {
    let body = json!({"query": {"term": {"result_type": "categorizer_stats"}}, "size": 100});
    let answer = jobs.store().search(".ml-anomalies-j", &body, &IndicesOptions::default()).await.unwrap();
    let hits = answer["hits"]["hits"].as_array().unwrap();
    hits.iter()
        .map(|hit| {
            let source = &hit["_source"];
            assert!(source["timestamp"].is_i64() && source["log_time"].is_i64(), "{source}");
            assert_eq!(source["categorization_status"], "ok");
            let partition = source["partition_field_value"].as_str().unwrap_or_default().to_owned();
            assert_eq!(source["partition_field_name"].as_str().is_some(), !partition.is_empty());
            let count = |name: &str| source[name].as_u64().unwrap();
            (partition, (count("categorized_doc_count"), count("total_category_count")))
        })
        .collect()
}

#[tokio::test]
async fn the_numbers_of_categories_are_written_for_the_whole_job() {
    let jobs = service().await;
    put_categorizing(&jobs, false).await;
    jobs.open_job("j").await.unwrap();
    jobs.post_data("j", &messages(0, 30)).await.unwrap();
    jobs.flush_job("j", FlushJob::default()).await.unwrap();
    assert_eq!(numbers(&jobs).await, BTreeMap::from([(String::new(), (60, 3))]));
    jobs.post_data("j", &messages(30, 5)).await.unwrap();
    jobs.close_jobs("j", CloseJob::default()).await.unwrap();
    assert_eq!(numbers(&jobs).await, BTreeMap::from([(String::new(), (70, 3))]));
}

#[tokio::test]
async fn the_numbers_of_categories_are_written_for_each_partition() {
    let jobs = service().await;
    put_categorizing(&jobs, true).await;
    jobs.open_job("j").await.unwrap();
    jobs.post_data("j", &messages(0, 30)).await.unwrap();
    jobs.flush_job("j", FlushJob::default()).await.unwrap();
    let expected = [("a".to_owned(), (30, 2)), ("b".to_owned(), (30, 1))];
    assert_eq!(numbers(&jobs).await, BTreeMap::from(expected));
}
