//! Saved states through the router: written anew, gone back to, and used when a checkpoint is damaged.

use serde_json::{Value, json};

use crate::jobs::{JOB, START_MS, lines, records};
use crate::server::Server;
use crate::transcript::Transcript;

const SNAPSHOTS: &str = "/_ml/anomaly_detectors/j/model_snapshots";

/// A closed job with the snapshots `first` and `last`, of which the second is in use.
async fn with_snapshots() -> (Server, String, String) {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    let all = records(60, 55);
    for part in [&all[..480], &all[480..]] {
        server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
        server.call("POST", "/_ml/anomaly_detectors/j/_data", &lines(part)).await;
        server.call("POST", "/_ml/anomaly_detectors/j/_close", "").await;
        server.clock.advance(60_000);
    }
    let found = server.get(SNAPSHOTS).await.json();
    let id = |at: usize| found["model_snapshots"][at]["snapshot_id"].as_str().unwrap().to_owned();
    assert_eq!(found["count"], 2, "{found}");
    (server, id(1), id(0))
}

/// Makes a stored snapshot one of an older version.
async fn aged(server: &Server, snapshot_id: &str, changes: Value) {
    let uri = format!("/.ml-anomalies-j/_update/j_model_snapshot_{snapshot_id}?refresh=true");
    let answer = server.call("POST", &uri, &json!({ "doc": changes }).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn older_states_are_written_anew() {
    let (server, first, last) = with_snapshots().await;
    let mut transcript = Transcript::new(&server);
    transcript.fail("POST", "/_ml/anomaly_detectors/zzz/model_snapshots/1/_upgrade", "").await;
    transcript.fail("POST", &format!("{SNAPSHOTS}/1/_upgrade"), "").await;
    transcript.fail("POST", &format!("{SNAPSHOTS}/{first}/_upgrade"), "").await;
    transcript.ask("GET", &format!("{SNAPSHOTS}/_all/_upgrade/_stats"), "").await;
    transcript.fail("GET", &format!("{SNAPSHOTS}/{first}/_upgrade/_stats?allow_no_match=false"), "").await;
    aged(&server, &first, json!({"min_version": "7.17.0"})).await;
    transcript.ask("POST", &format!("{SNAPSHOTS}/{first}/_upgrade?wait_for_completion=true"), "").await;
    let shown = format!(
        "{SNAPSHOTS}/{first}?filter_path=model_snapshots.min_version,model_snapshots.snapshot_doc_count"
    );
    transcript.ask("GET", &shown, "").await;
    aged(&server, &first, json!({"min_version": "7.17.0", "snapshot_doc_count": 2})).await;
    transcript.fail("POST", &format!("{SNAPSHOTS}/{first}/_upgrade?wait_for_completion=true"), "").await;
    transcript.ask("GET", &format!("{SNAPSHOTS}/{first}/_upgrade/_stats"), "").await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    aged(&server, &last, json!({"min_version": "7.17.0"})).await;
    transcript.fail("POST", &format!("{SNAPSHOTS}/{last}/_upgrade"), "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
POST /_ml/anomaly_detectors/zzz/model_snapshots/1/_upgrade 
  404 resource_not_found_exception: No known job with id 'zzz'
POST /_ml/anomaly_detectors/j/model_snapshots/1/_upgrade 
  404 resource_not_found_exception: No model snapshot with id [1] exists for job [j]
POST /_ml/anomaly_detectors/j/model_snapshots/1767225600/_upgrade 
  409 status_exception: Cannot upgrade job [j] snapshot [1767225600] as it is already compatible with current version 8.19.0
GET /_ml/anomaly_detectors/j/model_snapshots/_all/_upgrade/_stats
  200 {"count":0,"model_snapshot_upgrades":[]}
GET /_ml/anomaly_detectors/j/model_snapshots/1767225600/_upgrade/_stats?allow_no_match=false 
  404 resource_not_found_exception: No snapshot upgrade is running for job_id [j] and snapshot_id [1767225600]
POST /_ml/anomaly_detectors/j/model_snapshots/1767225600/_upgrade?wait_for_completion=true
  200 {"node":"embedded","completed":true}
GET /_ml/anomaly_detectors/j/model_snapshots/1767225600?filter_path=model_snapshots.min_version,model_snapshots.snapshot_doc_count
  200 {"model_snapshots":[{"min_version":"8.3.0","snapshot_doc_count":1}]}
POST /_ml/anomaly_detectors/j/model_snapshots/1767225600/_upgrade?wait_for_completion=true 
  400 status_exception: Failed to upgrade job [j] snapshot [1767225600]: document [j_model_state_1767225600#2] cannot be read: the state is missing or damaged
GET /_ml/anomaly_detectors/j/model_snapshots/1767225600/_upgrade/_stats
  200 {"count":1,"model_snapshot_upgrades":[{"job_id":"j","snapshot_id":"1767225600","state":"failed","assignment_explanation":"Failed to upgrade job [j] snapshot [1767225600]: document [j_model_state_1767225600#2] cannot be read: the state is missing or damaged"}]}
POST /_ml/anomaly_detectors/j/model_snapshots/1767225660/_upgrade 
  409 status_exception: Cannot upgrade snapshot [1767225660] for job [j] as it is the current primary job snapshot and the job's state is [opened]
"#);
}

#[tokio::test]
async fn going_back_takes_away_what_came_later() {
    let (server, first, last) = with_snapshots().await;
    let later = json!({"job_id": "j", "result_type": "model_forecast", "forecast_id": "f",
        "timestamp": START_MS + 100 * 3_600_000});
    server.call("PUT", "/.ml-anomalies-j/_doc/forecast?refresh=true", &later.to_string()).await;
    for (id, user) in [("own", "_xpack"), ("theirs", "eve")] {
        let note = json!({"annotation": "x", "job_id": "j", "timestamp": START_MS + 50 * 3_600_000, "create_username": user});
        server.call("PUT", &format!("/.ml-annotations-write/_doc/{id}"), &note.to_string()).await;
    }
    let mut transcript = Transcript::new(&server);
    let notes = "/.ml-annotations-read/_search?filter_path=hits.hits._id,hits.hits._source.event,hits.hits._source.annotation&sort=timestamp";
    transcript.ask("GET", notes, "").await;
    let revert = r#"{"delete_intervening_results":true}"#;
    let answer = server.call("POST", &format!("{SNAPSHOTS}/{first}/_revert"), revert).await;
    let model = answer.json()["model"].take();
    assert_eq!(
        (&model["snapshot_id"], &model["quantiles"]),
        (&json!(first), &Value::Null),
        "{}",
        answer.text
    );
    transcript.ask("GET", notes, "").await;
    transcript.ask("GET", "/.ml-anomalies-j/_count?q=result_type:model_forecast&filter_path=count", "").await;
    transcript.ask("GET", "/_ml/anomaly_detectors/j/results/buckets?size=1&filter_path=count", "").await;
    transcript
        .ask(
            "GET",
            "/_ml/anomaly_detectors/j/_stats?filter_path=jobs.data_counts.latest_record_timestamp",
            "",
        )
        .await;
    transcript.ask("GET", "/.ml-state-write/_source/j_quantiles", "").await;
    transcript.ask("POST", &format!("{SNAPSHOTS}/empty/_revert"), "").await;
    transcript.ask("GET", "/_ml/anomaly_detectors/j?filter_path=jobs.model_snapshot_id", "").await;
    transcript.ask("DELETE", &format!("{SNAPSHOTS}/{last}"), "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
GET /.ml-annotations-read/_search?filter_path=hits.hits._id,hits.hits._source.event,hits.hits._source.annotation&sort=timestamp
  200 {"hits":{"hits":[{"_id":"j_annotation_model_snapshot_1767225600","_source":{"annotation":"Job model snapshot with id [1767225600] stored","event":"model_snapshot_stored"}},{"_id":"own","_source":{"annotation":"x"}},{"_id":"theirs","_source":{"annotation":"x"}},{"_id":"j_annotation_model_snapshot_1767225660","_source":{"annotation":"Job model snapshot with id [1767225660] stored","event":"model_snapshot_stored"}}]}}
GET /.ml-annotations-read/_search?filter_path=hits.hits._id,hits.hits._source.event,hits.hits._source.annotation&sort=timestamp
  200 {"hits":{"hits":[{"_id":"j_annotation_model_snapshot_1767225600","_source":{"annotation":"Job model snapshot with id [1767225600] stored","event":"model_snapshot_stored"}},{"_id":"theirs","_source":{"annotation":"x"}}]}}
GET /.ml-anomalies-j/_count?q=result_type:model_forecast&filter_path=count
  200 {"count":0}
GET /_ml/anomaly_detectors/j/results/buckets?size=1&filter_path=count
  200 {"count":39}
GET /_ml/anomaly_detectors/j/_stats?filter_path=jobs.data_counts.latest_record_timestamp
  200 {"jobs":[{"data_counts":{"latest_record_timestamp":1763913000000}}]}
GET /.ml-state-write/_source/j_quantiles
  200 {"job_id":"j","timestamp":1763913000000,"quantile_state":"part of the model state"}
POST /_ml/anomaly_detectors/j/model_snapshots/empty/_revert
  200 {"model":{"job_id":"j","min_version":"6.4.0","timestamp":0,"description":"empty snapshot","snapshot_id":"empty","snapshot_doc_count":0,"retain":false}}
GET /_ml/anomaly_detectors/j?filter_path=jobs.model_snapshot_id
  200 {}
DELETE /_ml/anomaly_detectors/j/model_snapshots/1767225660
  200 {"acknowledged":true}
"#);
}

#[tokio::test]
async fn a_damaged_checkpoint_gives_way_to_the_newest_snapshot() {
    let (server, first, last) = with_snapshots().await;
    let broken = r#"{"job_id":"j","state":"bm90IGEgc3RhdGU="}"#;
    let uri = format!("/.ml-state-write/_doc/j_model_state_{last}%231?refresh=true");
    server.call("PUT", &uri, broken).await;
    let opened = server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    let told = server.get("/.ml-notifications-*/_search?q=level:warning&size=10").await.json();
    let told = told["hits"]["hits"][0]["_source"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(told.starts_with(&format!("The model snapshot [{first}] is used")), "{told}");
    // It goes on after the results that are there.
    let answer = server.call("POST", "/_ml/anomaly_detectors/j/_data", &lines(&records(62, 99)[480..])).await;
    let counts = answer.json();
    assert_eq!(counts["out_of_order_timestamp_count"], 19 * 12, "{counts}");
    let uri = format!("/.ml-state-write/_doc/j_model_state_{first}%231?refresh=true");
    server.call("POST", "/_ml/anomaly_detectors/j/_close?force=true", "").await;
    server.call("PUT", &uri, broken).await;
    let refused = server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
}

#[tokio::test]
async fn what_others_wrote_can_be_gone_back_to() {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    for (id, document) in [
        (
            "j_data_counts",
            json!({"job_id": "j", "processed_record_count": 10, "bucket_count": 2,
            "latest_record_timestamp": "2016-06-02T00:00:00Z"}),
        ),
        (
            "j_model_snapshot_first",
            json!({"job_id": "j", "timestamp": "2016-06-01T00:00:00Z", "snapshot_id": "first",
            "latest_record_time_stamp": "2016-06-01T00:00:00Z", "latest_result_time_stamp": "2016-06-01T00:00:00Z",
            "model_size_stats": {"job_id": "j", "model_bytes": 7},
            "quantiles": {"job_id": "j", "timestamp": 1_464_739_200_000_i64, "quantile_state": "quantiles-1"}}),
        ),
        (
            "j_bucket_1464739200000_3600",
            json!({"job_id": "j", "result_type": "bucket", "timestamp": "2016-06-01T00:00:00Z"}),
        ),
        (
            "j_bucket_1464825600000_3600",
            json!({"job_id": "j", "result_type": "bucket", "timestamp": "2016-06-02T00:00:00Z"}),
        ),
        (
            "j_model_forecast_request_stats_f",
            json!({"job_id": "j", "result_type": "model_forecast_request_stats",
            "forecast_id": "f", "timestamp": "2016-06-02T00:00:00Z", "processing_time_ms": 1.5}),
        ),
    ] {
        server.call("PUT", &format!("/.ml-anomalies-j/_doc/{id}?refresh=true"), &document.to_string()).await;
    }
    let mut transcript = Transcript::new(&server);
    let stats = "/_ml/anomaly_detectors/j/_stats?filter_path=jobs.data_counts.processed_record_count,jobs.data_counts.latest_record_timestamp,jobs.forecasts_stats.total";
    transcript.ask("GET", stats, "").await;
    let revert = format!("{SNAPSHOTS}/first/_revert?delete_intervening_results=true");
    transcript.ask("POST", &revert, "").await;
    transcript.ask("GET", stats, "").await;
    transcript.ask("GET", "/.ml-state-write/_source/j_quantiles", "").await;
    transcript
        .ask("GET", "/_ml/anomaly_detectors/j/results/buckets?filter_path=count,buckets.timestamp", "")
        .await;
    transcript.ask("GET", "/_ml/anomaly_detectors/j?filter_path=jobs.model_snapshot_id", "").await;
    transcript.ask("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
GET /_ml/anomaly_detectors/j/_stats?filter_path=jobs.data_counts.processed_record_count,jobs.data_counts.latest_record_timestamp,jobs.forecasts_stats.total
  200 {"jobs":[{"data_counts":{"processed_record_count":10,"latest_record_timestamp":1464825600000},"forecasts_stats":{"total":1}}]}
POST /_ml/anomaly_detectors/j/model_snapshots/first/_revert?delete_intervening_results=true
  200 {"model":{"job_id":"j","min_version":"6.4.0","timestamp":1464739200000,"snapshot_id":"first","snapshot_doc_count":0,"model_size_stats":{"job_id":"j","result_type":"model_size_stats","model_bytes":7,"peak_model_bytes":0,"model_bytes_exceeded":0,"model_bytes_memory_limit":0,"total_by_field_count":0,"total_over_field_count":0,"total_partition_field_count":0,"bucket_allocation_failures_count":0,"memory_status":"ok","assignment_memory_basis":"model_memory_limit","categorized_doc_count":0,"total_category_count":0,"frequent_category_count":0,"rare_category_count":0,"dead_category_count":0,"failed_category_count":0,"categorization_status":"ok","log_time":0},"latest_record_time_stamp":1464739200000,"latest_result_time_stamp":1464739200000,"retain":false}}
GET /_ml/anomaly_detectors/j/_stats?filter_path=jobs.data_counts.processed_record_count,jobs.data_counts.latest_record_timestamp,jobs.forecasts_stats.total
  200 {"jobs":[{"data_counts":{"processed_record_count":10,"latest_record_timestamp":1464739200000},"forecasts_stats":{"total":0}}]}
GET /.ml-state-write/_source/j_quantiles
  200 {"job_id":"j","timestamp":1464739200000,"quantile_state":"quantiles-1"}
GET /_ml/anomaly_detectors/j/results/buckets?filter_path=count,buckets.timestamp
  200 {"count":1,"buckets":[{"timestamp":1464739200000}]}
GET /_ml/anomaly_detectors/j?filter_path=jobs.model_snapshot_id
  200 {"jobs":[{"model_snapshot_id":"first"}]}
POST /_ml/anomaly_detectors/j/_open
  200 {"opened":true,"node":"embedded"}
"#);
}
