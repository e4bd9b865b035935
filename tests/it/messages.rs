//! What the service tells: messages about jobs and datafeeds, and annotations on the line of time.

use std::time::Duration;

use serde_json::{Value, json};

use crate::jobs::{JOB, START_MS, lines, records};
use crate::server::{NOW_MS, Server};
use crate::transcript::Transcript;

async fn messages(server: &Server, job_id: &str) -> String {
    let body = json!({"query": {"term": {"job_id": job_id}}, "size": 100, "sort": ["timestamp", "_doc"]});
    let found = server.call("POST", "/.ml-notifications-*/_search", &body.to_string()).await.json();
    let hits = found["hits"]["hits"].as_array().unwrap().clone();
    let line = |hit: &Value| {
        let source = &hit["_source"];
        let text = |name: &str| source[name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}\n", text("job_type"), text("level"), text("message"))
    };
    hits.iter().map(line).collect()
}

#[tokio::test]
async fn the_life_of_a_job_is_told() {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    server.call("POST", "/_ml/anomaly_detectors/j/_data", &lines(&records(30, 99))).await;
    server.call("PUT", "/_ml/calendars/c", r#"{"job_ids":["j"]}"#).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_close", "").await;
    server.call("POST", "/_ml/anomaly_detectors/j/_reset", "").await;
    server.call("DELETE", "/_ml/anomaly_detectors/j", "").await;
    insta::assert_snapshot!(messages(&server, "j").await, @r#"
anomaly_detector info Job created
anomaly_detector info Opening job on node [node-1]
anomaly_detector info Loading model snapshot [N/A], job latest_record_timestamp [N/A]
anomaly_detector info Updated calendars in running process
anomaly_detector info Job is closing
anomaly_detector info Job reset
anomaly_detector info Deleting job
anomaly_detector info Job deleted
"#);
}

#[tokio::test]
async fn a_full_memory_is_told() {
    let server = Server::start().await;
    let job = JOB.replacen('{', r#"{"analysis_limits":{"model_memory_limit":"1mb"},"#, 1);
    server.call("PUT", "/_ml/anomaly_detectors/j", &job).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    for bucket in 0..12_i64 {
        let many: Vec<Value> = (0..4000)
            .map(|n| json!({"time": START_MS + bucket * 3_600_000, "host": format!("h{n}"), "v": n % 7}))
            .collect();
        server.call("POST", "/_ml/anomaly_detectors/j/_data", &lines(&many)).await;
    }
    let told = messages(&server, "j").await;
    let line = told.lines().find(|line| line.contains("hard_limit")).unwrap_or_default().to_owned();
    assert!(line.starts_with("anomaly_detector error Job memory status changed to hard_limit at "), "{told}");
    assert!(line.ends_with("to ensure all data is analyzed"), "{line}");
    let stats = server.get("/_ml/anomaly_detectors/j/_stats").await.json();
    assert_eq!(stats["jobs"][0]["model_size_stats"]["memory_status"], "hard_limit");
    let refused = server.call("POST", "/_ml/anomaly_detectors/j/_forecast", "").await;
    assert_eq!(
        refused.failure(),
        "400 status_exception: Cannot run forecast: Forecast cannot be executed as model memory status is not OK"
    );
}

#[tokio::test(start_paused = true)]
async fn documents_that_come_too_late_are_told_once() {
    let server = Server::following().await;
    let mapping = r#"{"mappings":{"properties":{"time":{"type":"date"},"host":{"type":"keyword"},"v":{"type":"double"}}}}"#;
    server.call("PUT", "/metrics-1", mapping).await;
    let document = |ms: i64| json!({"time": ms, "host": "a", "v": 1});
    let bulk = |times: Vec<i64>| -> String {
        times.iter().map(|ms| format!("{{\"index\":{{}}}}\n{}\n", document(*ms))).collect()
    };
    let job = JOB.replace(r#""bucket_span":"1h""#, r#""bucket_span":"5m""#);
    server.call("PUT", "/_ml/anomaly_detectors/j", &job).await;
    let feed = r#"{"job_id":"j","indices":["metrics-1"],"query_delay":"60s","max_empty_searches":3}"#;
    server.call("PUT", "/_ml/datafeeds/f", feed).await;
    let mut transcript = Transcript::new(&server);
    let window =
        |text: &str| format!(r#"{{"delayed_data_check_config":{{"enabled":true,"check_window":"{text}"}}}}"#);
    transcript.fail("POST", "/_ml/datafeeds/f/_update", &window("5m")).await;
    transcript.fail("POST", "/_ml/datafeeds/f/_update", &window("100d")).await;
    let past: Vec<i64> = (1..120).map(|minute| NOW_MS - minute * 60_000).collect();
    server.call("POST", "/metrics-1/_bulk", &bulk(past)).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    let started =
        server.call("POST", &format!("/_ml/datafeeds/f/_start?start={}", NOW_MS - 7_200_000), "").await;
    assert_eq!(started.status, 200, "{}", started.text);
    let future: Vec<i64> = (0..20).map(|minute| NOW_MS + minute * 60_000).collect();
    server.call("POST", "/metrics-1/_bulk", &bulk(future)).await;
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    assert!(!messages(&server, "j").await.contains("missed"), "{}", messages(&server, "j").await);
    server
        .call("POST", "/metrics-1/_bulk", &bulk(vec![NOW_MS + 30_000, NOW_MS + 31_000, NOW_MS + 330_000]))
        .await;
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    let told = messages(&server, "j").await;
    assert_eq!(told.matches("Datafeed has missed").count(), 1, "{told}");
    transcript
        .ask("GET", "/.ml-annotations-read/_search?q=event:delayed_data&filter_path=hits.hits._source", "")
        .await;
    let stats = server.get("/_ml/datafeeds/f/_stats").await.json()["datafeeds"][0].take();
    let running = &stats["running_state"];
    assert_eq!(
        (&running["real_time_configured"], &running["real_time_running"]),
        (&json!(true), &json!(true))
    );
    assert!(running["search_interval"]["end_ms"].as_i64() > Some(NOW_MS), "{stats}");
    let timing = &stats["timing_stats"];
    assert!(
        timing["bucket_count"].as_u64() > Some(25) && timing["average_search_time_per_bucket_ms"].is_f64(),
        "{timing}"
    );
    assert!(timing["exponential_average_calculation_context"]["latest_timestamp"].is_i64(), "{timing}");
    tokio::time::sleep(Duration::from_secs(60 * 60)).await;
    assert!(
        messages(&server, "j").await.contains("warning Datafeed has been retrieving no data for a while")
    );
    server.call("POST", "/_ml/datafeeds/f/_stop", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
POST /_ml/datafeeds/f/_update {"delayed_data_check_config":{"enabled":true,"check_window":"5m"}}
  400 illegal_argument_exception: delayed_data_check_config: check_window [5m] must be greater than the bucket_span [5m]
POST /_ml/datafeeds/f/_update {"delayed_data_check_config":{"enabled":true,"check_window":"100d"}}
  400 illegal_argument_exception: delayed_data_check_config: check_window [100d] must be less than 10,000x the bucket_span [5m]
GET /.ml-annotations-read/_search?q=event:delayed_data&filter_path=hits.hits._source
  200 {"hits":{"hits":[{"_source":{"annotation":"Datafeed has missed 3 documents due to ingest latency, latest bucket with missing data is [2026-01-01T00:05:00.000Z]. Consider increasing query_delay","create_time":1767226860000,"create_username":"_xpack","timestamp":1767225600000,"end_timestamp":1767226200000,"job_id":"j","modified_time":1767226860000,"modified_username":"_xpack","type":"annotation","event":"delayed_data"}}]}}
"#);
}
