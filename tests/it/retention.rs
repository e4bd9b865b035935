//! What is removed when its time is over, through the router.

use serde_json::json;

use crate::jobs::{JOB, START_MS, lines, records};
use crate::server::{NOW_MS, Server};
use crate::transcript::Transcript;

const DAY_MS: i64 = 86_400_000;

async fn count(server: &Server, index: &str, query: &str) -> u64 {
    let answer = server.get(&format!("/{index}/_count?q={query}")).await;
    answer.json()["count"].as_u64().unwrap_or_else(|| panic!("{}", answer.text))
}

#[tokio::test]
async fn results_go_as_they_fall_behind_the_newest_bucket() {
    let server = Server::start().await;
    let job = JOB.replacen('{', r#"{"results_retention_days":3,"#, 1);
    assert_eq!(server.call("PUT", "/_ml/anomaly_detectors/j", &job).await.status, 200);
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    server.call("POST", "/_ml/anomaly_detectors/j/_data", &lines(&records(121, 99))).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_close", "").await;
    for (id, user, ms) in
        [("own", "_xpack", START_MS), ("theirs", "eve", START_MS), ("new", "_xpack", NOW_MS)]
    {
        let note = json!({"annotation": "a", "job_id": "j", "timestamp": ms, "create_username": user});
        server.call("PUT", &format!("/.ml-annotations-write/_doc/{id}"), &note.to_string()).await;
    }
    let mut transcript = Transcript::new(&server);
    transcript.ask("GET", "/_ml/anomaly_detectors/j/results/buckets?size=1&filter_path=count", "").await;
    transcript
        .ask("DELETE", "/_ml/_delete_expired_data/j", r#"{"requests_per_second":100000,"timeout":"1h"}"#)
        .await;
    transcript
        .ask("GET", "/_ml/anomaly_detectors/j/results/buckets?size=1&filter_path=count,buckets.timestamp", "")
        .await;
    transcript.ask("GET", "/.ml-annotations-read/_search?filter_path=hits.hits._id&q=annotation:a", "").await;
    transcript.ask("DELETE", "/_ml/_delete_expired_data?timeout=0s", "").await;
    transcript.fail("DELETE", "/_ml/_delete_expired_data/zzz", "").await;
    transcript.fail("DELETE", "/_ml/_delete_expired_data?requests_per_second=0", "").await;
    transcript.fail("DELETE", "/_ml/_delete_expired_data?requests_per_second=many", "").await;
    transcript.fail("DELETE", "/_ml/_delete_expired_data", r#"{"requests_per_sekond":1}"#).await;
    insta::assert_snapshot!(transcript.end(), @r#"
GET /_ml/anomaly_detectors/j/results/buckets?size=1&filter_path=count
  200 {"count":120}
DELETE /_ml/_delete_expired_data/j
  200 {"deleted":true}
GET /_ml/anomaly_detectors/j/results/buckets?size=1&filter_path=count,buckets.timestamp
  200 {"count":73,"buckets":[{"timestamp":1763938800000}]}
GET /.ml-annotations-read/_search?filter_path=hits.hits._id&q=annotation:a
  200 {"hits":{"hits":[{"_id":"theirs"},{"_id":"new"}]}}
DELETE /_ml/_delete_expired_data?timeout=0s
  200 {"deleted":false}
DELETE /_ml/_delete_expired_data/zzz 
  404 resource_not_found_exception: No known job with id 'zzz'
DELETE /_ml/_delete_expired_data?requests_per_second=0 
  400 action_request_validation_exception: Validation Failed: 1: [requests_per_second] must either be -1 or greater than 0;
DELETE /_ml/_delete_expired_data?requests_per_second=many 
  400 illegal_argument_exception: Failed to parse int parameter [requests_per_second] with value [many]
DELETE /_ml/_delete_expired_data {"requests_per_sekond":1}
  400 x_content_parse_exception: [1:1] [delete_expired_data_request] unknown field [requests_per_sekond]
"#);
}

#[tokio::test]
async fn snapshots_are_thinned_and_states_without_a_job_go() {
    let server = Server::start().await;
    let job = JOB.replacen('{', r#"{"model_snapshot_retention_days":3,"#, 1);
    server.call("PUT", "/_ml/anomaly_detectors/j", &job).await;
    for (id, age_ms, retain) in [
        ("new", 0, false),
        ("hours", DAY_MS / 4, false),
        ("second", DAY_MS + DAY_MS / 4, false),
        ("first", DAY_MS + DAY_MS / 2, false),
        ("old", 4 * DAY_MS, false),
        ("kept", 4 * DAY_MS, true),
    ] {
        let document = json!({"job_id": "j", "snapshot_id": id, "timestamp": NOW_MS - age_ms, "retain": retain,
            "snapshot_doc_count": 1});
        let uri = format!("/.ml-anomalies-j/_doc/j_model_snapshot_{id}?refresh=true");
        server.call("PUT", &uri, &document.to_string()).await;
        server.call("PUT", &format!("/.ml-state-write/_doc/j_model_state_{id}%231"), "{}").await;
    }
    for id in ["gone_quantiles", "gone_model_state_1%231", "gone_checkpoint", "j_quantiles"] {
        server.call("PUT", &format!("/.ml-state-write/_doc/{id}?refresh=true"), "{}").await;
    }
    let mut transcript = Transcript::new(&server);
    transcript.ask("DELETE", "/_ml/_delete_expired_data", "").await;
    transcript
        .ask(
            "GET",
            "/_ml/anomaly_detectors/j/model_snapshots?filter_path=count,model_snapshots.snapshot_id",
            "",
        )
        .await;
    transcript.ask("GET", "/.ml-state*/_search?filter_path=hits.hits._id&size=100", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
DELETE /_ml/_delete_expired_data
  200 {"deleted":true}
GET /_ml/anomaly_detectors/j/model_snapshots?filter_path=count,model_snapshots.snapshot_id
  200 {"count":4,"model_snapshots":[{"snapshot_id":"new"},{"snapshot_id":"hours"},{"snapshot_id":"first"},{"snapshot_id":"kept"}]}
GET /.ml-state*/_search?filter_path=hits.hits._id&size=100
  200 {"hits":{"hits":[{"_id":"j_model_state_new#1"},{"_id":"j_model_state_hours#1"},{"_id":"j_model_state_first#1"},{"_id":"j_model_state_kept#1"},{"_id":"j_quantiles"}]}}
"#);
    assert_eq!(count(&server, ".ml-notifications*", "message:deleted").await, 2);
}
