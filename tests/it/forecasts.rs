//! Forecasts through the router: asked for, read like other results, counted, removed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::jobs::{JOB, START_MS, lines, records};
use crate::server::{NOW_MS, Server};
use crate::transcript::Transcript;

const FORECAST: &str = "/_ml/anomaly_detectors/j/_forecast";
const HOUR_MS: i64 = 3_600_000;

/// A job that is open and has seen a hundred buckets of two hosts.
async fn fed() -> Server {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    let answer = server.call("POST", "/_ml/anomaly_detectors/j/_data", &lines(&records(101, 999))).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    server
}

async fn stored(server: &Server, result_type: &str) -> Value {
    let sort = ["forecast_create_timestamp", "timestamp", "partition_field_value"]
        .map(|field| json!({field: {"order": "asc", "unmapped_type": "keyword"}}));
    let body = json!({"query": {"term": {"result_type": result_type}}, "size": 1000, "sort": sort});
    server.call("POST", "/.ml-anomalies-j/_search", &body.to_string()).await.json()["hits"].take()
}

/// Waits until a forecast is over and answers its state.
async fn over(server: &Server, forecast_id: &str) -> Value {
    let done = async {
        loop {
            let hits = stored(server, "model_forecast_request_stats").await;
            let of_id = |hit: &&Value| hit["_source"]["forecast_id"] == forecast_id;
            let found = hits["hits"].as_array().unwrap().iter().find(of_id).cloned();
            let state = found.unwrap()["_source"].take();
            if state["forecast_status"] == "finished" || state["forecast_status"] == "failed" {
                return state;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), done).await.expect("the forecast comes to its end")
}

async fn begin(server: &Server, body: &str) -> String {
    let answer = server.call("POST", FORECAST, body).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["acknowledged"]),
        (200, &json!(true)),
        "{}",
        answer.text
    );
    answer.json()["forecast_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn parameters_are_checked_before_the_job() {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    let crowd = JOB.replace("partition_field_name", "over_field_name");
    server.call("PUT", "/_ml/anomaly_detectors/crowd", &crowd).await;
    let rare = r#"{"analysis_config":{"detectors":[{"function":"rare","by_field_name":"host"}]},"data_description":{}}"#;
    server.call("PUT", "/_ml/anomaly_detectors/rare", rare).await;
    let mut transcript = Transcript::new(&server);
    for (query, body) in [
        ("?duration=0s", ""),
        ("?duration=-1", ""),
        ("?duration=3651d", ""),
        ("?duration=long", ""),
        ("?expires_in=-1", ""),
        ("?max_model_memory=500mb", ""),
        ("?max_model_memory=1kb", ""),
        ("", r#"{"duration":"0s"}"#),
        ("", r#"{"max_model_memory":"1gb"}"#),
        ("", r#"{"durasion":"1d"}"#),
        ("?durasion=1d", ""),
        ("?duration=1d", ""),
    ] {
        transcript.fail("POST", &format!("{FORECAST}{query}"), body).await;
    }
    transcript.fail("POST", "/_ml/anomaly_detectors/zzz/_forecast", "").await;
    for job in ["j", "crowd", "rare"] {
        server.call("POST", &format!("/_ml/anomaly_detectors/{job}/_open"), "").await;
        transcript.fail("POST", &format!("/_ml/anomaly_detectors/{job}/_forecast"), "").await;
    }
    transcript.ask("GET", "/_ml/anomaly_detectors/_stats?filter_path=jobs.forecasts_stats", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
POST /_ml/anomaly_detectors/j/_forecast?duration=0s 
  400 illegal_argument_exception: [duration] must be positive: [0s]
POST /_ml/anomaly_detectors/j/_forecast?duration=-1 
  400 illegal_argument_exception: [duration] must be positive: [-1]
POST /_ml/anomaly_detectors/j/_forecast?duration=3651d 
  400 illegal_argument_exception: [duration] must be 3650d or less: [3651d]
POST /_ml/anomaly_detectors/j/_forecast?duration=long 
  400 illegal_argument_exception: failed to parse setting [duration] with value [long] as a time value: unit is missing or unrecognized
POST /_ml/anomaly_detectors/j/_forecast?expires_in=-1 
  400 illegal_argument_exception: [expires_in] must be non-negative: [-1]
POST /_ml/anomaly_detectors/j/_forecast?max_model_memory=500mb 
  400 illegal_argument_exception: [max_model_memory] must be less than 500mb: [500mb]
POST /_ml/anomaly_detectors/j/_forecast?max_model_memory=1kb 
  400 illegal_argument_exception: [max_model_memory] must be at least 1mb: [1kb]
POST /_ml/anomaly_detectors/j/_forecast {"duration":"0s"}
  400 illegal_argument_exception: [duration] must be positive: [0s]
POST /_ml/anomaly_detectors/j/_forecast {"max_model_memory":"1gb"}
  400 illegal_argument_exception: [max_model_memory] must be less than 500mb: [1gb]
POST /_ml/anomaly_detectors/j/_forecast {"durasion":"1d"}
  400 x_content_parse_exception: [1:1] [forecast_job_request] unknown field [durasion]
POST /_ml/anomaly_detectors/j/_forecast?durasion=1d 
  400 illegal_argument_exception: request [/_ml/anomaly_detectors/j/_forecast] contains unrecognized parameter: [durasion] -> did you mean [duration]?
POST /_ml/anomaly_detectors/j/_forecast?duration=1d 
  409 status_exception: Cannot perform requested action because job [j] is not open
POST /_ml/anomaly_detectors/zzz/_forecast 
  404 resource_not_found_exception: No known job with id 'zzz'
POST /_ml/anomaly_detectors/j/_forecast 
  400 status_exception: Cannot run forecast: Forecast cannot be executed as job requires data to have been processed and modeled
POST /_ml/anomaly_detectors/crowd/_forecast 
  400 status_exception: Cannot run forecast: Forecast cannot be executed for population analysis
POST /_ml/anomaly_detectors/rare/_forecast 
  400 status_exception: Cannot run forecast: Forecast cannot be executed for jobs with the function 'rare'
GET /_ml/anomaly_detectors/_stats?filter_path=jobs.forecasts_stats
  200 {"jobs":[{"forecasts_stats":{"total":0,"forecasted_jobs":0}},{"forecasts_stats":{"total":0,"forecasted_jobs":0}},{"forecasts_stats":{"total":0,"forecasted_jobs":0}}]}
"#);
}

#[tokio::test]
async fn a_forecast_is_written_point_by_point() {
    let server = fed().await;
    let forecast_id = begin(&server, r#"{"duration":"1d","expires_in":"2d"}"#).await;
    let mut state = over(&server, &forecast_id).await;
    let points = stored(&server, "model_forecast").await;
    assert_eq!(points["total"]["value"], 48, "{state}");
    let first = &points["hits"][0];
    let start_ms = START_MS + 100 * HOUR_MS;
    let id = first["_id"].as_str().unwrap();
    assert!(
        id.starts_with(&format!("j_model_forecast_{forecast_id}_{start_ms}_3600_0_")) && id.ends_with("_1"),
        "{id}"
    );
    let mut point = first["_source"].clone();
    let numbers = ["forecast_lower", "forecast_prediction", "forecast_upper"]
        .map(|name| point.as_object_mut().unwrap().shift_remove(name).unwrap().as_f64().unwrap());
    assert!(numbers.is_sorted() && numbers[1] > 9.0 && numbers[1] < 15.0, "{numbers:?}");
    assert_eq!(
        point,
        json!({"job_id": "j", "forecast_id": forecast_id, "result_type": "model_forecast", "bucket_span": 3600,
            "detector_index": 0, "timestamp": start_ms, "model_feature": "'arithmetic mean value by person'",
            "partition_field_name": "host", "partition_field_value": "a"})
    );
    let bytes = state["forecast_memory_bytes"].take();
    assert!(bytes.as_u64().unwrap() > 0);
    assert!(state["processing_time_ms"].take().is_u64());
    assert_eq!(
        state,
        json!({"job_id": "j", "result_type": "model_forecast_request_stats", "forecast_id": forecast_id,
            "processed_record_count": 48, "forecast_messages": [], "timestamp": start_ms,
            "forecast_start_timestamp": start_ms, "forecast_end_timestamp": start_ms + 24 * HOUR_MS,
            "forecast_create_timestamp": NOW_MS, "forecast_expiry_timestamp": NOW_MS + 48 * HOUR_MS,
            "forecast_memory_bytes": null, "processing_time_ms": null, "forecast_progress": 1.0,
            "forecast_status": "finished"})
    );
}

#[tokio::test]
async fn forecasts_are_counted_and_removed() {
    let server = fed().await;
    let forever = begin(&server, r#"{"duration":"3h","expires_in":"0"}"#).await;
    over(&server, &forever).await;
    let short = begin(&server, r#"{"duration":"1h","expires_in":"1h"}"#).await;
    over(&server, &short).await;
    let stats =
        server.get("/_ml/anomaly_detectors/j/_stats").await.json()["jobs"][0]["forecasts_stats"].take();
    assert_eq!((&stats["total"], &stats["forecasted_jobs"]), (&json!(2), &json!(1)));
    assert_eq!(stats["records"], json!({"total": 8.0, "min": 2.0, "avg": 4.0, "max": 6.0}));
    assert_eq!(stats["status"], json!({"finished": 2}));
    assert!(stats["memory_bytes"]["avg"].is_f64() && stats["processing_time_ms"]["max"].is_f64(), "{stats}");
    let mut transcript = Transcript::new(&server);
    transcript.ask("GET", "/_cat/ml/anomaly_detectors/j?h=ft,frt,frmin,fravg,frmax", "").await;
    transcript.fail("DELETE", &format!("{FORECAST}/nosuch"), "").await;
    server.clock.advance(2 * HOUR_MS);
    transcript.ask("DELETE", "/_ml/_delete_expired_data", "").await;
    transcript.ask("GET", "/_cat/ml/anomaly_detectors/j?h=ft,frt", "").await;
    transcript.ask("DELETE", &format!("{FORECAST}/_all?timeout=10s"), "").await;
    transcript.ask("GET", "/_cat/ml/anomaly_detectors/j?h=ft", "").await;
    transcript.ask("DELETE", FORECAST, "").await;
    transcript.fail("DELETE", &format!("{FORECAST}/*?allow_no_forecasts=false"), "").await;
    transcript.ask("DELETE", "/_ml/anomaly_detectors/zzz/_forecast/_all", "").await;
    assert_eq!(stored(&server, "model_forecast").await["total"]["value"], 0);
    let under_way = json!({"job_id": "j", "result_type": "model_forecast_request_stats", "forecast_id": "f",
        "forecast_status": "started"});
    server.call("PUT", "/.ml-anomalies-j/_doc/x?refresh=true", &under_way.to_string()).await;
    transcript.fail("DELETE", FORECAST, "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
GET /_cat/ml/anomaly_detectors/j?h=ft,frt,frmin,fravg,frmax
  200 2 8.0 2.0 4.0 6.0
DELETE /_ml/anomaly_detectors/j/_forecast/nosuch 
  404 resource_not_found_exception: No forecast(s) [nosuch] exists for job [j]
DELETE /_ml/_delete_expired_data
  200 {"deleted":true}
GET /_cat/ml/anomaly_detectors/j?h=ft,frt
  200 1 6.0
DELETE /_ml/anomaly_detectors/j/_forecast/_all?timeout=10s
  200 {"acknowledged":true}
GET /_cat/ml/anomaly_detectors/j?h=ft
  200 0
DELETE /_ml/anomaly_detectors/j/_forecast
  200 {"acknowledged":true}
DELETE /_ml/anomaly_detectors/j/_forecast/*?allow_no_forecasts=false 
  404 resource_not_found_exception: No forecast(s) [*] exists for job [j]
DELETE /_ml/anomaly_detectors/zzz/_forecast/_all
  200 {"acknowledged":true}
DELETE /_ml/anomaly_detectors/j/_forecast 
  409 status_exception: Forecast(s) [f] for job [j] needs to be either FAILED or FINISHED to be deleted
"#);
}

#[tokio::test]
async fn a_job_can_be_deleted_while_it_is_forecast() {
    let server = fed().await;
    let long = begin(&server, r#"{"duration":"3650d"}"#).await;
    let refused = server.call("DELETE", &format!("{FORECAST}/{long}"), "").await;
    assert_eq!(
        refused.failure(),
        format!(
            "409 status_exception: Forecast(s) [{long}] for job [j] needs to be either FAILED or FINISHED to be deleted"
        )
    );
    let deleted = server.call("DELETE", "/_ml/anomaly_detectors/j?force=true", "").await;
    assert_eq!((deleted.status.as_u16(), deleted.json()), (200, json!({"acknowledged": true})));
    let left = server.get("/.ml-anomalies-*/_count?q=job_id:j").await.json();
    assert_eq!(left["count"], 0, "{left}");
    assert_eq!(server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await.status, 200);
}
