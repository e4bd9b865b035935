//! What datafeeds and jobs ask of the store: computed fields, pieces, missing indices, fields that clash.

use std::time::Duration;

use serde_json::{Value, json};

use crate::jobs::{JOB, START_MS, records};
use crate::server::Server;
use crate::transcript::Transcript;

const MAPPING: &str =
    r#"{"mappings":{"properties":{"time":{"type":"date"},"host":{"type":"keyword"},"v":{"type":"double"}}}}"#;

async fn index(server: &Server, records: &[Value]) {
    assert_eq!(server.call("PUT", "/metrics-1", MAPPING).await.status, 200);
    let lines: String = records.iter().map(|record| format!("{{\"index\":{{}}}}\n{record}\n")).collect();
    if !lines.is_empty() {
        assert_eq!(server.call("POST", "/metrics-1/_bulk", &lines).await.json()["errors"], false);
    }
}

fn job_by(field: &str) -> String {
    let detector = json!({"function": "count", "by_field_name": field});
    json!({"analysis_config": {"detectors": [detector]}, "data_description": {}}).to_string()
}

#[tokio::test]
async fn fields_that_clash_need_an_index_of_their_own() {
    let server = Server::start().await;
    let mut transcript = Transcript::new(&server);
    let put = |id: &str| format!("/_ml/anomaly_detectors/{id}?filter_path=job_id,results_index_name");
    transcript.ask("PUT", &put("plain"), &job_by("response")).await;
    transcript.fail("PUT", "/_ml/anomaly_detectors/below", &job_by("response.code")).await;
    let own = job_by("response.code").replacen('{', r#"{"results_index_name":"own","#, 1);
    transcript.ask("PUT", &put("below"), &own).await;
    transcript.ask("PUT", &put("beside"), &job_by("responses.code")).await;
    transcript.fail("PUT", "/_ml/anomaly_detectors/above", &job_by("responses")).await;
    server
        .call(
            "PUT",
            "/.ml-anomalies-plain/_doc/1?refresh=true",
            r#"{"job_id":"plain","geo":{"city":"x"},"zone":"a"}"#,
        )
        .await;
    transcript.fail("PUT", "/_ml/anomaly_detectors/mapped", &job_by("geo")).await;
    transcript.fail("PUT", "/_ml/anomaly_detectors/mapped", &job_by("zone.part")).await;
    transcript.ask("PUT", &put("mapped"), &job_by("geo.city")).await;
    insta::assert_snapshot!(transcript.end(), @r#"
PUT /_ml/anomaly_detectors/plain?filter_path=job_id,results_index_name
  200 {"job_id":"plain","results_index_name":"shared"}
PUT /_ml/anomaly_detectors/below {"analysis_config":{"detectors":[{"function":"count","by_field_name":"response.code"}]},"data_description":{}}
  400 status_exception: This job would cause a mapping clash with existing field [response] - avoid the clash by assigning a dedicated results index
PUT /_ml/anomaly_detectors/below?filter_path=job_id,results_index_name
  200 {"job_id":"below","results_index_name":"custom-own"}
PUT /_ml/anomaly_detectors/beside?filter_path=job_id,results_index_name
  200 {"job_id":"beside","results_index_name":"shared"}
PUT /_ml/anomaly_detectors/above {"analysis_config":{"detectors":[{"function":"count","by_field_name":"responses"}]},"data_description":{}}
  400 status_exception: This job would cause a mapping clash with existing field [responses] - avoid the clash by assigning a dedicated results index
PUT /_ml/anomaly_detectors/mapped {"analysis_config":{"detectors":[{"function":"count","by_field_name":"geo"}]},"data_description":{}}
  400 status_exception: This job would cause a mapping clash with existing field [geo] - avoid the clash by assigning a dedicated results index
PUT /_ml/anomaly_detectors/mapped {"analysis_config":{"detectors":[{"function":"count","by_field_name":"zone.part"}]},"data_description":{}}
  400 status_exception: This job would cause a mapping clash with existing field [zone] - avoid the clash by assigning a dedicated results index
PUT /_ml/anomaly_detectors/mapped?filter_path=job_id,results_index_name
  200 {"job_id":"mapped","results_index_name":"shared"}
"#);
}

#[tokio::test]
async fn computed_fields_are_kept_and_refused_by_a_store_that_has_none() {
    let server = Server::start().await;
    index(&server, &records(1, 99)).await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    let mut transcript = Transcript::new(&server);
    let feed = |fields: Value| {
        let mut body = json!({"job_id": "j", "indices": ["metrics-1"]});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body.to_string()
    };
    for bad in [
        json!({"script_fields": {"v": {"lang": "painless"}}}),
        json!({"script_fields": [1]}),
        json!({"runtime_mappings": {"v": {"script": "emit(1)"}}}),
        json!({"runtime_mappings": {"v": {"type": "wide"}}}),
        json!({"chunking_config": {"mode": "manual"}}),
        json!({"chunking_config": {"mode": "off", "time_span": "1h"}}),
        json!({"chunking_config": {"mode": "sometimes"}}),
        json!({"indices_options": {"ignore": true}}),
        json!({"max_empty_searches": 0}),
        json!({"script_fields": {"v": {"script": "1"}}, "aggregations": {"a": {"max": {"field": "time"}}}}),
    ] {
        transcript.fail("PUT", "/_ml/datafeeds/f", &feed(bad)).await;
    }
    let scripted = feed(json!({"script_fields": {"v": {"script": {"lang": "painless", "source": "1"}}}}));
    server.call("PUT", "/_ml/datafeeds/f", &scripted).await;
    transcript.ask("GET", "/_ml/datafeeds/f?filter_path=datafeeds.script_fields", "").await;
    transcript.fail("GET", "/_ml/datafeeds/f/_preview", "").await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    transcript.fail("POST", "/_ml/datafeeds/f/_start", "").await;
    transcript.ask("GET", "/_ml/datafeeds/f/_stats?filter_path=datafeeds.state", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
PUT /_ml/datafeeds/f {"job_id":"j","indices":["metrics-1"],"script_fields":{"v":{"lang":"painless"}}}
  400 x_content_parse_exception: [datafeed_config] failed to parse field [script_fields]: script field [v] has no [script]
PUT /_ml/datafeeds/f {"job_id":"j","indices":["metrics-1"],"script_fields":[1]}
  400 x_content_parse_exception: [datafeed_config] failed to parse field [script_fields]: an object was expected
PUT /_ml/datafeeds/f {"job_id":"j","indices":["metrics-1"],"runtime_mappings":{"v":{"script":"emit(1)"}}}
  400 x_content_parse_exception: [datafeed_config] failed to parse field [runtime_mappings]: No type specified for runtime field [v]
PUT /_ml/datafeeds/f {"job_id":"j","indices":["metrics-1"],"runtime_mappings":{"v":{"type":"wide"}}}
  400 x_content_parse_exception: [datafeed_config] failed to parse field [runtime_mappings]: The mapper type [wide] declared on runtime field [v] does not exist.
PUT /_ml/datafeeds/f {"job_id":"j","indices":["metrics-1"],"chunking_config":{"mode":"manual"}}
  400 illegal_argument_exception: when chunk mode is manual time_span is required
PUT /_ml/datafeeds/f {"job_id":"j","indices":["metrics-1"],"chunking_config":{"mode":"off","time_span":"1h"}}
  400 illegal_argument_exception: chunk time_span may only be set when mode is manual
PUT /_ml/datafeeds/f {"job_id":"j","indices":["metrics-1"],"chunking_config":{"mode":"sometimes"}}
  400 x_content_parse_exception: [1:65] [datafeed_config] failed to parse field [chunking_config]
PUT /_ml/datafeeds/f {"job_id":"j","indices":["metrics-1"],"indices_options":{"ignore":true}}
  400 x_content_parse_exception: could not read indices options. unexpected index option [ignore]
PUT /_ml/datafeeds/f {"job_id":"j","indices":["metrics-1"],"max_empty_searches":0}
  400 illegal_argument_exception: Invalid max_empty_searches value '0' in datafeed configuration
PUT /_ml/datafeeds/f {"job_id":"j","indices":["metrics-1"],"script_fields":{"v":{"script":"1"}},"aggregations":{"a":{"max":{"field":"time"}}}}
  400 illegal_argument_exception: script_fields cannot be used in combination with aggregations
GET /_ml/datafeeds/f?filter_path=datafeeds.script_fields
  200 {"datafeeds":[{"script_fields":{"v":{"script":{"lang":"painless","source":"1"}}}}]}
GET /_ml/datafeeds/f/_preview 
  400 illegal_argument_exception: [script_fields] is not supported by the embedded store
POST /_ml/datafeeds/f/_start 
  400 illegal_argument_exception: [script_fields] is not supported by the embedded store
GET /_ml/datafeeds/f/_stats?filter_path=datafeeds.state
  200 {"datafeeds":[{"state":"stopped"}]}
"#);
}

#[tokio::test]
async fn previews_come_in_one_form_at_a_time() {
    let server = Server::start().await;
    index(&server, &records(1, 99)).await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    server.call("PUT", "/_ml/datafeeds/f", r#"{"job_id":"j","indices":"metrics-1"}"#).await;
    let job: Value = serde_json::from_str(JOB).unwrap();
    let feed = json!({"indices": ["metrics-1"]});
    let mut with_feed = job.clone();
    with_feed["datafeed_config"] = feed.clone();
    let mut transcript = Transcript::new(&server);
    let end = START_MS + 600_000;
    transcript.ask("GET", &format!("/_ml/datafeeds/f/_preview?start={START_MS}&end={end}"), "").await;
    transcript
        .ask("POST", "/_ml/datafeeds/f/_preview", &json!({"start": end, "end": end + 1}).to_string())
        .await;
    for body in [
        json!({"job_config": job, "datafeed_config": feed, "end": end}),
        json!({"job_config": with_feed, "end": end}),
        json!({"datafeed_config": {"job_id": "j", "indices": ["metrics-1"]}, "start": end + 1, "end": end + 2}),
    ] {
        transcript.ask("POST", "/_ml/datafeeds/_preview", &body.to_string()).await;
    }
    for (uri, body) in [
        ("/_ml/datafeeds/f/_preview", json!({"job_config": job})),
        ("/_ml/datafeeds/_preview", json!({"job_config": with_feed, "datafeed_config": feed})),
        ("/_ml/datafeeds/_preview", json!({"job_config": job})),
        ("/_ml/datafeeds/_preview", json!({"datafeed_config": feed})),
        ("/_ml/datafeeds/_preview", json!({"datafeed_config": {"job_id": "zzz", "indices": ["metrics-1"]}})),
        ("/_ml/datafeeds/_preview", json!({"feed_config": feed})),
    ] {
        transcript.fail("POST", uri, &body.to_string()).await;
    }
    transcript.fail("GET", "/_ml/datafeeds/zzz/_preview", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
GET /_ml/datafeeds/f/_preview?start=1763769600000&end=1763770200000
  200 [{"time":1763769600000,"v":10.0,"host":"a"},{"time":1763769600000,"v":11.0,"host":"b"}]
POST /_ml/datafeeds/f/_preview
  200 [{"time":1763770200000,"v":12.0,"host":"a"},{"time":1763770200000,"v":13.0,"host":"b"}]
POST /_ml/datafeeds/_preview
  200 [{"time":1763769600000,"v":10.0,"host":"a"},{"time":1763769600000,"v":11.0,"host":"b"}]
POST /_ml/datafeeds/_preview
  200 [{"time":1763769600000,"v":10.0,"host":"a"},{"time":1763769600000,"v":11.0,"host":"b"}]
POST /_ml/datafeeds/_preview
  200 []
POST /_ml/datafeeds/f/_preview {"job_config":{"analysis_config":{"bucket_span":"1h","detectors":[{"function":"mean","field_name":"v","partition_field_name":"host"}],"influencers":["host"]},"data_description":{"time_field":"time"}}}
  400 illegal_argument_exception: [datafeed_id] cannot be supplied when either [job_config] or [datafeed_config] is present
POST /_ml/datafeeds/_preview {"job_config":{"analysis_config":{"bucket_span":"1h","detectors":[{"function":"mean","field_name":"v","partition_field_name":"host"}],"influencers":["host"]},"data_description":{"time_field":"time"},"datafeed_config":{"indices":["metrics-1"]}},"datafeed_config":{"indices":["metrics-1"]}}
  400 illegal_argument_exception: [datafeed_config] must not be present when a [job_config.datafeed_config] is present
POST /_ml/datafeeds/_preview {"job_config":{"analysis_config":{"bucket_span":"1h","detectors":[{"function":"mean","field_name":"v","partition_field_name":"host"}],"influencers":["host"]},"data_description":{"time_field":"time"}}}
  400 illegal_argument_exception: [datafeed_config] must be present when a [job_config.datafeed_config] is not present
POST /_ml/datafeeds/_preview {"datafeed_config":{"indices":["metrics-1"]}}
  400 illegal_argument_exception: [datafeed_config.job_id] must be set or a [job_config] must be provided
POST /_ml/datafeeds/_preview {"datafeed_config":{"job_id":"zzz","indices":["metrics-1"]}}
  404 resource_not_found_exception: No known job with id 'zzz'
POST /_ml/datafeeds/_preview {"feed_config":{"indices":["metrics-1"]}}
  400 x_content_parse_exception: [1:1] [preview_datafeed_action] unknown field [feed_config]
GET /_ml/datafeeds/zzz/_preview 
  404 resource_not_found_exception: No datafeed with id [zzz] exists
"#);
}

/// Runs a datafeed with some settings over all of history; answers the job's data counts.
async fn counted(server: &Server, job_id: &str, settings: Value) -> Value {
    server.call("PUT", &format!("/_ml/anomaly_detectors/{job_id}"), JOB).await;
    let mut feed = json!({"job_id": job_id, "indices": ["metrics-1", "metrics-2"],
        "indices_options": {"ignore_unavailable": true}});
    feed.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let answer = server.call("PUT", &format!("/_ml/datafeeds/{job_id}"), &feed.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    server.call("POST", &format!("/_ml/anomaly_detectors/{job_id}/_open"), "").await;
    let answer = server.call("POST", &format!("/_ml/datafeeds/{job_id}/_start?start=0&end=now"), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let stats = format!("/_ml/anomaly_detectors/{job_id}/_stats");
    let done = async {
        loop {
            let mut job = server.get(&stats).await.json()["jobs"][0].take();
            assert_ne!(job["state"], "failed", "{job}");
            if job["state"] == "closed" {
                let mut counts = job["data_counts"].take();
                counts.as_object_mut().unwrap().shift_remove("job_id");
                return counts;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), done).await.expect("the datafeed comes to its end")
}

#[tokio::test]
async fn history_in_pieces_is_the_same_history() {
    let server = Server::start().await;
    index(&server, &records(30, 25)).await;
    let whole = counted(&server, "whole", json!({"chunking_config": {"mode": "off"}})).await;
    assert_eq!(whole["processed_record_count"], 360, "{whole}");
    let pieces = json!({"chunking_config": {"mode": "manual", "time_span": "7h"}, "scroll_size": 50});
    assert_eq!(counted(&server, "pieces", pieces).await, whole);
    assert_eq!(counted(&server, "auto", json!({})).await, whole);
}

#[tokio::test(start_paused = true)]
async fn a_datafeed_that_never_finds_anything_gives_up() {
    let server = Server::following().await;
    index(&server, &[]).await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    server
        .call("PUT", "/_ml/datafeeds/f", r#"{"job_id":"j","indices":"metrics-1","max_empty_searches":3}"#)
        .await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    server.call("POST", "/_ml/datafeeds/f/_start", "").await;
    let mut transcript = Transcript::new(&server);
    transcript.fail("POST", "/_ml/datafeeds/f/_update", r#"{"scroll_size":5}"#).await;
    transcript.fail("DELETE", "/_ml/datafeeds/f", "").await;
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    transcript.ask("GET", "/_ml/datafeeds/f/_stats?filter_path=datafeeds.state", "").await;
    transcript.ask("GET", "/_ml/anomaly_detectors/j/_stats?filter_path=jobs.state", "").await;
    transcript
        .ask(
            "POST",
            "/_ml/datafeeds/f/_update?filter_path=max_empty_searches,scroll_size",
            r#"{"max_empty_searches":-1,"scroll_size":5}"#,
        )
        .await;
    insta::assert_snapshot!(transcript.end(), @r#"
POST /_ml/datafeeds/f/_update {"scroll_size":5}
  409 status_exception: Cannot update datafeed [f] while its status is started
DELETE /_ml/datafeeds/f 
  409 status_exception: Cannot delete datafeed [f] while its status is started
GET /_ml/datafeeds/f/_stats?filter_path=datafeeds.state
  200 {"datafeeds":[{"state":"stopped"}]}
GET /_ml/anomaly_detectors/j/_stats?filter_path=jobs.state
  200 {"jobs":[{"state":"opened"}]}
POST /_ml/datafeeds/f/_update?filter_path=max_empty_searches,scroll_size
  200 {"scroll_size":5}
"#);
}
