//! Datafeeds over the embedded store, through the router.

use std::time::Duration;

use serde_json::{Value, json};

use crate::jobs::{JOB, records};
use crate::server::Server;
use crate::transcript::Transcript;

async fn index(server: &Server, records: &[Value]) {
    let lines: String = records.iter().map(|record| format!("{{\"index\":{{}}}}\n{record}\n")).collect();
    let mapping = r#"{"mappings":{"properties":{"time":{"type":"date"},"host":{"type":"keyword"},"v":{"type":"double"}}}}"#;
    assert_eq!(server.call("PUT", "/metrics-1", mapping).await.status, 200);
    let answer = server.call("POST", "/metrics-1/_bulk", &lines).await;
    assert_eq!(answer.json()["errors"], false);
}

/// Waits until a datafeed has come to its end and its job is closed.
async fn finished(server: &Server, datafeed_id: &str, job_id: &str) {
    let done = async {
        loop {
            let feed = server.get(&format!("/_ml/datafeeds/{datafeed_id}/_stats")).await.json();
            let job = server.get(&format!("/_ml/anomaly_detectors/{job_id}/_stats")).await.json();
            assert_ne!(job["jobs"][0]["state"], "failed", "{job}");
            if feed["datafeeds"][0]["state"] == "stopped" && job["jobs"][0]["state"] == "closed" {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), done).await.expect("the datafeed comes to its end");
}

#[tokio::test]
async fn a_datafeed_runs_over_history_and_closes_its_job() {
    let server = Server::start().await;
    index(&server, &records(100, 90)).await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    let mut transcript = Transcript::new(&server);
    transcript
        .ask("PUT", "/_ml/datafeeds/f", r#"{"job_id":"j","indices":["metrics-*"],"query_delay":"60s"}"#)
        .await;
    transcript.ask("GET", "/_ml/datafeeds/_stats", "").await;
    transcript.ask("POST", "/_ml/datafeeds/f/_update", r#"{"scroll_size":500}"#).await;
    transcript.fail("POST", "/_ml/datafeeds/f/_start", "").await;
    transcript.ask("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    transcript.ask("POST", "/_ml/datafeeds/f/_start?start=0&end=now", "").await;
    finished(&server, "f", "j").await;
    transcript.ask("POST", "/_ml/datafeeds/f/_stop", "").await;
    transcript.ask("GET", "/_cat/ml/datafeeds?v&h=id,state", "").await;
    transcript
        .ask("GET", "/_ml/anomaly_detectors/j/_stats?filter_path=jobs.data_counts.processed_record_count", "")
        .await;
    transcript.ask("GET", "/_ml/anomaly_detectors/j/results/records?size=1&filter_path=records.actual,records.partition_field_value", "").await;
    transcript.ask("DELETE", "/_ml/datafeeds/f", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
PUT /_ml/datafeeds/f
  200 {"datafeed_id":"f","job_id":"j","query_delay":"60s","indices":["metrics-*"],"query":{"match_all":{"boost":1.0}},"scroll_size":1000,"chunking_config":{"mode":"auto"},"delayed_data_check_config":{"enabled":true},"indices_options":{"expand_wildcards":["open"],"ignore_unavailable":false,"allow_no_indices":true,"ignore_throttled":true}}
GET /_ml/datafeeds/_stats
  200 {"count":1,"datafeeds":[{"datafeed_id":"f","state":"stopped","timing_stats":{"job_id":"j","search_count":0,"bucket_count":0,"total_search_time_ms":0.0,"exponential_average_search_time_per_hour_ms":0.0}}]}
POST /_ml/datafeeds/f/_update
  200 {"datafeed_id":"f","job_id":"j","query_delay":"60s","indices":["metrics-*"],"query":{"match_all":{"boost":1.0}},"scroll_size":500,"chunking_config":{"mode":"auto"},"delayed_data_check_config":{"enabled":true},"indices_options":{"expand_wildcards":["open"],"ignore_unavailable":false,"allow_no_indices":true,"ignore_throttled":true}}
POST /_ml/datafeeds/f/_start 
  409 status_exception: cannot start datafeed [f] because job [j] is closed
POST /_ml/anomaly_detectors/j/_open
  200 {"opened":true,"node":"embedded"}
POST /_ml/datafeeds/f/_start?start=0&end=now
  200 {"started":true,"node":"embedded"}
POST /_ml/datafeeds/f/_stop
  200 {"stopped":true}
GET /_cat/ml/datafeeds?v&h=id,state
  200 id   state
f  stopped
GET /_ml/anomaly_detectors/j/_stats?filter_path=jobs.data_counts.processed_record_count
  200 {"jobs":[{"data_counts":{"processed_record_count":1200}}]}
GET /_ml/anomaly_detectors/j/results/records?size=1&filter_path=records.actual,records.partition_field_value
  200 {"records":[{"partition_field_value":"b","actual":[500.0]}]}
DELETE /_ml/datafeeds/f
  200 {"acknowledged":true}
"#);
}

#[tokio::test]
async fn previews_show_the_rows_that_would_be_sent() {
    let server = Server::start().await;
    index(&server, &records(1, 99)).await;
    let body = json!({"job_config": serde_json::from_str::<Value>(JOB).unwrap(), "datafeed_config": {"indices": "metrics-1"}});
    let rows = server.call("POST", "/_ml/datafeeds/_preview", &body.to_string()).await.json();
    let first = &rows[0];
    assert_eq!((&first["host"], &first["v"]), (&json!("a"), &json!(10.0)), "{rows}");
    assert!(first["time"].is_i64());
}

#[tokio::test]
async fn bad_datafeeds_are_refused() {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    server.call("PUT", "/_ml/anomaly_detectors/k", JOB).await;
    server.call("PUT", "/_ml/datafeeds/taken", r#"{"job_id":"j","indices":["nowhere"]}"#).await;
    let mut transcript = Transcript::new(&server);
    for (method, uri, body) in [
        ("PUT", "/_ml/datafeeds/taken", r#"{"job_id":"k","indices":["i"]}"#),
        ("PUT", "/_ml/datafeeds/f", r#"{"job_id":"j","indices":["i"]}"#),
        ("PUT", "/_ml/datafeeds/f", r#"{"job_id":"zzz","indices":["i"]}"#),
        ("PUT", "/_ml/datafeeds/F", r#"{"job_id":"k","indices":["i"]}"#),
        ("PUT", "/_ml/datafeeds/f", r#"{"job_id":"k"}"#),
        ("PUT", "/_ml/datafeeds/f", r#"{"job_id":"k","indices":["i"],"query":{"mach_all":{}}}"#),
        ("PUT", "/_ml/datafeeds/f", r#"{"job_id":"k","indices":["i"],"scroll_sise":1}"#),
        ("PUT", "/_ml/datafeeds/f", r#"{"job_id":"k","indices":["i"],"scroll_size":0}"#),
        ("PUT", "/_ml/datafeeds/f", r#"{"job_id":"k","indices":["i"],"frequency":"often"}"#),
        ("GET", "/_ml/datafeeds/zzz", ""),
        ("GET", "/_ml/datafeeds/zzz/_stats", ""),
        ("POST", "/_ml/datafeeds/zzz/_start", ""),
        ("POST", "/_ml/datafeeds/taken/_start", ""),
        ("POST", "/_ml/datafeeds/taken/_update", r#"{"job_id":"k"}"#),
        ("GET", "/_ml/datafeeds/_preview", ""),
        ("POST", "/_ml/datafeeds/_preview", r#"{"datafeed_config":{"indices":"i"}}"#),
        ("GET", "/_ml/datafeeds/taken/_preview", ""),
    ] {
        transcript.fail(method, uri, body).await;
    }
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    transcript.fail("POST", "/_ml/datafeeds/taken/_start", "").await;
    transcript.fail("POST", "/_ml/datafeeds/taken/_start?start=soon", "").await;
    transcript
        .fail("POST", "/_ml/datafeeds/taken/_start", r#"{"start":"2026-01-02","end":"2026-01-01"}"#)
        .await;
    transcript.ask("GET", "/_ml/datafeeds?filter_path=count", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
PUT /_ml/datafeeds/taken {"job_id":"k","indices":["i"]}
  400 resource_already_exists_exception: A datafeed with id [taken] already exists
PUT /_ml/datafeeds/f {"job_id":"j","indices":["i"]}
  409 status_exception: A datafeed [taken] already exists for job [j]
PUT /_ml/datafeeds/f {"job_id":"zzz","indices":["i"]}
  404 resource_not_found_exception: No known job with id 'zzz'
PUT /_ml/datafeeds/F {"job_id":"k","indices":["i"]}
  400 illegal_argument_exception: Invalid datafeed_id; 'F' can contain lowercase alphanumeric (a-z and 0-9), hyphens or underscores; must start and end with alphanumeric
PUT /_ml/datafeeds/f {"job_id":"k"}
  400 illegal_argument_exception: Invalid indices value '[]' in datafeed configuration
PUT /_ml/datafeeds/f {"job_id":"k","indices":["i"],"query":{"mach_all":{}}}
  400 x_content_parse_exception: [datafeed_config] failed to parse field [query]: unknown query [mach_all] did you mean [match_all]?
PUT /_ml/datafeeds/f {"job_id":"k","indices":["i"],"scroll_sise":1}
  400 x_content_parse_exception: [1:31] [datafeed_config] unknown field [scroll_sise] did you mean [scroll_size]?
PUT /_ml/datafeeds/f {"job_id":"k","indices":["i"],"scroll_size":0}
  400 illegal_argument_exception: Invalid scroll_size value '0' in datafeed configuration
PUT /_ml/datafeeds/f {"job_id":"k","indices":["i"],"frequency":"often"}
  400 x_content_parse_exception: [1:43] [datafeed_config] failed to parse field [frequency]
GET /_ml/datafeeds/zzz 
  404 resource_not_found_exception: No datafeed with id [zzz] exists
GET /_ml/datafeeds/zzz/_stats 
  404 resource_not_found_exception: No datafeed with id [zzz] exists
POST /_ml/datafeeds/zzz/_start 
  404 resource_not_found_exception: No datafeed with id [zzz] exists
POST /_ml/datafeeds/taken/_start 
  409 status_exception: cannot start datafeed [taken] because job [j] is closed
POST /_ml/datafeeds/taken/_update {"job_id":"k"}
  400 illegal_argument_exception: Datafeed's job_id cannot be changed
GET /_ml/datafeeds/_preview 
  400 action_request_validation_exception: Validation Failed: 1: [datafeed_config] must be provided in the body when no [datafeed_id] is in the address;
POST /_ml/datafeeds/_preview {"datafeed_config":{"indices":"i"}}
  400 illegal_argument_exception: [datafeed_config.job_id] must be set or a [job_config] must be provided
GET /_ml/datafeeds/taken/_preview 
  404 index_not_found_exception: no such index [nowhere]
POST /_ml/datafeeds/taken/_start 
  400 status_exception: datafeed [taken] cannot retrieve data because index [nowhere] does not exist
POST /_ml/datafeeds/taken/_start?start=soon 
  400 parse_exception: Query param [start] with value [soon] cannot be parsed as a date or converted to a number (epoch).
POST /_ml/datafeeds/taken/_start {"start":"2026-01-02","end":"2026-01-01"}
  400 illegal_argument_exception: [start] must be earlier than end; start [1767312000000] must be earlier than end [1767225600000]
GET /_ml/datafeeds?filter_path=count
  200 {"count":1}
"#);
}
