//! Jobs through the router: their life, their data, their results.

use serde_json::{Value, json};

use crate::server::Server;
use crate::transcript::Transcript;

pub(crate) const JOB: &str = r#"{"analysis_config":{"bucket_span":"1h","detectors":[{"function":"mean","field_name":"v","partition_field_name":"host"}],"influencers":["host"]},"data_description":{"time_field":"time"}}"#;

/// 2026-01-01T00:00:00Z minus forty days, on the hour.
pub(crate) const START_MS: i64 = crate::server::NOW_MS - 40 * 86_400_000;

/// Values of two hosts every ten minutes, with one outlier in bucket `outlier`.
pub(crate) fn records(buckets: i64, outlier: i64) -> Vec<Value> {
    let mut records = Vec::new();
    for slot in 0..buckets * 6 {
        for host in ["a", "b"] {
            let calm = 10.0 + ((slot * 7 + i64::from(host == "b")) % 5) as f64;
            let v = if slot / 6 == outlier && host == "b" { 500.0 } else { calm };
            records.push(json!({"time": START_MS + slot * 600_000, "host": host, "v": v}));
        }
    }
    records
}

pub(crate) fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

#[tokio::test]
async fn a_job_is_created_opened_fed_closed_and_deleted() {
    let server = Server::start().await;
    let mut transcript = Transcript::new(&server);
    transcript.ask("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    transcript
        .ask("GET", "/_ml/anomaly_detectors/j?exclude_generated&filter_path=jobs.job_id,jobs.create_time", "")
        .await;
    transcript.ask("GET", "/_ml/anomaly_detectors/_all/_stats?filter_path=count,jobs.state", "").await;
    transcript.ask("POST", "/_xpack/ml/anomaly_detectors/j/_open", "").await;
    transcript.ask("GET", "/_ml/anomaly_detectors/j/_stats", "").await;
    transcript.fail("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    transcript.fail("DELETE", "/_ml/anomaly_detectors/j", "").await;
    transcript.ask("POST", "/_ml/anomaly_detectors/j/_data", &lines(&records(2, 99))).await;
    transcript.ask("POST", "/_ml/anomaly_detectors/j/_flush", r#"{"calc_interim":true}"#).await;
    transcript.ask("POST", "/_ml/anomaly_detectors/j/_update", r#"{"description":"d","groups":["g"]}"#).await;
    transcript.ask("GET", "/_cat/ml/anomaly_detectors/g?v&h=id,state,dpr,bc", "").await;
    transcript.ask("POST", "/_ml/anomaly_detectors/j/_close?timeout=1m", "").await;
    transcript.ask("POST", "/_ml/anomaly_detectors/j/_close", "").await;
    transcript.ask("POST", "/_ml/anomaly_detectors/j/_reset", "").await;
    transcript.ask("DELETE", "/_ml/anomaly_detectors/j", "").await;
    transcript.ask("GET", "/_ml/anomaly_detectors", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
PUT /_ml/anomaly_detectors/j
  200 {"job_id":"j","job_type":"anomaly_detector","job_version":"8.19.0","create_time":1767225600000,"analysis_config":{"bucket_span":"1h","detectors":[{"detector_description":"mean(v) partitionfield=host","function":"mean","field_name":"v","partition_field_name":"host","detector_index":0}],"influencers":["host"],"model_prune_window":"30d"},"analysis_limits":{"model_memory_limit":"1024mb","categorization_examples_limit":4},"data_description":{"time_field":"time","time_format":"epoch_ms"},"model_snapshot_retention_days":10,"daily_model_snapshot_retention_after_days":1,"results_index_name":"shared","allow_lazy_open":false}
GET /_ml/anomaly_detectors/j?exclude_generated&filter_path=jobs.job_id,jobs.create_time
  200 {"jobs":[{"job_id":"j"}]}
GET /_ml/anomaly_detectors/_all/_stats?filter_path=count,jobs.state
  200 {"count":1,"jobs":[{"state":"closed"}]}
POST /_xpack/ml/anomaly_detectors/j/_open
  200 {"opened":true,"node":"embedded"}
GET /_ml/anomaly_detectors/j/_stats
  200 {"count":1,"jobs":[{"job_id":"j","data_counts":{"job_id":"j","processed_record_count":0,"processed_field_count":0,"input_bytes":0,"input_field_count":0,"invalid_date_count":0,"missing_field_count":0,"out_of_order_timestamp_count":0,"empty_bucket_count":0,"sparse_bucket_count":0,"bucket_count":0,"input_record_count":0},"model_size_stats":{"job_id":"j","result_type":"model_size_stats","model_bytes":0,"peak_model_bytes":0,"model_bytes_exceeded":0,"model_bytes_memory_limit":1073741824,"total_by_field_count":0,"total_over_field_count":0,"total_partition_field_count":0,"bucket_allocation_failures_count":0,"memory_status":"ok","assignment_memory_basis":"model_memory_limit","categorized_doc_count":0,"total_category_count":0,"frequent_category_count":0,"rare_category_count":0,"dead_category_count":0,"failed_category_count":0,"categorization_status":"ok","log_time":1767225600000},"forecasts_stats":{"total":0,"forecasted_jobs":0},"state":"opened","node":{"id":"embedded","name":"node-1","ephemeral_id":"embedded","transport_address":"127.0.0.1:0","attributes":{}},"assignment_explanation":"","open_time":"0s","timing_stats":{"job_id":"j","bucket_count":0,"total_bucket_processing_time_ms":0.0,"exponential_average_bucket_processing_time_per_hour_ms":0.0}}]}
POST /_ml/anomaly_detectors/j/_open 
  409 status_exception: Cannot open job [j] because it has already been opened
DELETE /_ml/anomaly_detectors/j 
  409 status_exception: Cannot delete job [j] because the job is opened
POST /_ml/anomaly_detectors/j/_data
  202 {"job_id":"j","processed_record_count":24,"processed_field_count":48,"input_bytes":1031,"input_field_count":48,"invalid_date_count":0,"missing_field_count":0,"out_of_order_timestamp_count":0,"empty_bucket_count":0,"sparse_bucket_count":0,"bucket_count":1,"earliest_record_timestamp":1763769600000,"latest_record_timestamp":1763776200000,"last_data_time":1767225600000,"latest_bucket_timestamp":1763769600000,"input_record_count":24,"log_time":1767225600000}
POST /_ml/anomaly_detectors/j/_flush
  200 {"flushed":true,"last_finalized_bucket_end":1763773200000}
POST /_ml/anomaly_detectors/j/_update
  200 {"job_id":"j","job_type":"anomaly_detector","job_version":"8.19.0","groups":["g"],"description":"d","create_time":1767225600000,"analysis_config":{"bucket_span":"1h","detectors":[{"detector_description":"mean(v) partitionfield=host","function":"mean","field_name":"v","partition_field_name":"host","detector_index":0}],"influencers":["host"],"model_prune_window":"30d"},"analysis_limits":{"model_memory_limit":"1024mb","categorization_examples_limit":4},"data_description":{"time_field":"time","time_format":"epoch_ms"},"model_snapshot_retention_days":10,"daily_model_snapshot_retention_after_days":1,"results_index_name":"shared","allow_lazy_open":false}
GET /_cat/ml/anomaly_detectors/g?v&h=id,state,dpr,bc
  200 id  state dpr bc
j  opened 24  1
POST /_ml/anomaly_detectors/j/_close?timeout=1m
  200 {"closed":true}
POST /_ml/anomaly_detectors/j/_close
  200 {"closed":true}
POST /_ml/anomaly_detectors/j/_reset
  200 {"acknowledged":true}
DELETE /_ml/anomaly_detectors/j
  200 {"acknowledged":true}
GET /_ml/anomaly_detectors
  200 {"count":0,"jobs":[]}
"#);
}

#[tokio::test]
async fn results_are_listed_filtered_and_paged() {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    let answer = server.call("POST", "/_ml/anomaly_detectors/j/_data", &lines(&records(200, 190))).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    server.call("POST", "/_ml/anomaly_detectors/j/_close", "").await;
    let base = "/_ml/anomaly_detectors/j/results";
    let buckets = server.get(&format!("{base}/buckets")).await.json();
    assert_eq!((&buckets["count"], buckets["buckets"].as_array().unwrap().len()), (&json!(199), 100));
    let records = server
        .call("POST", &format!("{base}/records"), r#"{"page":{"size":1},"record_score":1}"#)
        .await
        .json();
    let top = &records["records"][0];
    assert_eq!((&top["partition_field_value"], &top["actual"]), (&json!("b"), &json!([500.0])), "{records}");
    let at = START_MS + 190 * 3_600_000;
    assert_eq!(top["timestamp"], at);
    let one = server.get(&format!("{base}/buckets/{at}?expand")).await.json();
    assert_eq!(one["buckets"][0]["records"][0]["record_score"], top["record_score"]);
    let worst = server.get(&format!("{base}/buckets?sort=anomaly_score&desc&size=1")).await.json();
    assert_eq!(worst["buckets"][0]["timestamp"], at);
    let influencers = server.get(&format!("{base}/influencers?size=1")).await.json();
    assert_eq!(influencers["influencers"][0]["influencer_field_value"], "b");
    let overall = server.get(&format!("{base}/overall_buckets?overall_score=1")).await.json();
    assert!(overall["count"].as_u64().unwrap() >= 1, "{overall}");
    assert_eq!(server.get(&format!("{base}/categories")).await.json(), json!({"count": 0, "categories": []}));
    let early = server.get(&format!("{base}/buckets?end={}", START_MS + 3_600_000)).await.json();
    assert_eq!(early["count"], 1);

    let mut transcript = Transcript::new(&server);
    for (path, body) in [
        ("/buckets/7?size=1", ""),
        ("/buckets/7", r#"{"start":"2020-01-01"}"#),
        ("/buckets/7000", ""),
        ("/buckets?from=-1", ""),
        ("/buckets?size=20000", ""),
        ("/buckets?start=yesterday", ""),
        ("/buckets?start=2020-01-02&end=2020-01-01", ""),
        ("/buckets", r#"{"anomaly_skore":1}"#),
        ("/records?record_score=NaN", ""),
        ("/records?size=many", ""),
        ("/records", r#"{"page":{"from":1,"sise":2}}"#),
        ("/records", r#"{"page":"#),
        ("/influencers?desc=perhaps", ""),
        ("/categories/1?size=5", ""),
        ("/categories/one", ""),
        ("/overall_buckets?bucket_span=1m", ""),
        ("/overall_buckets?top_n=0", ""),
    ] {
        transcript.fail("POST", &format!("{base}{path}"), body).await;
    }
    transcript.fail("GET", "/_ml/anomaly_detectors/zzz/results/buckets", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
POST /_ml/anomaly_detectors/j/results/buckets/7?size=1 
  400 illegal_argument_exception: [from] is incompatible with [timestamp].
POST /_ml/anomaly_detectors/j/results/buckets/7 {"start":"2020-01-01"}
  400 illegal_argument_exception: [start] is incompatible with [timestamp].
POST /_ml/anomaly_detectors/j/results/buckets/7000 
  404 resource_not_found_exception: No known bucket with timestamp [7000000]
POST /_ml/anomaly_detectors/j/results/buckets?from=-1 
  400 illegal_argument_exception: Parameter [from] cannot be < 0
POST /_ml/anomaly_detectors/j/results/buckets?size=20000 
  400 illegal_argument_exception: The sum of parameters [from] and [size] cannot be higher than 10000. Please use filters to reduce the number of results.
POST /_ml/anomaly_detectors/j/results/buckets?start=yesterday 
  400 parse_exception: Query param [start] with value [yesterday] cannot be parsed as a date or converted to a number (epoch).
POST /_ml/anomaly_detectors/j/results/buckets?start=2020-01-02&end=2020-01-01 
  400 illegal_argument_exception: Invalid time range: end time '1577836800000' is earlier than start time '1577923200000'.
POST /_ml/anomaly_detectors/j/results/buckets {"anomaly_skore":1}
  400 x_content_parse_exception: [1:1] [get_buckets_action_request] unknown field [anomaly_skore]
POST /_ml/anomaly_detectors/j/results/records?record_score=NaN 
  400 illegal_argument_exception: [record_score] must be a finite number, found [NaN]
POST /_ml/anomaly_detectors/j/results/records?size=many 
  400 illegal_argument_exception: Failed to parse int parameter [size] with value [many]
POST /_ml/anomaly_detectors/j/results/records {"page":{"from":1,"sise":2}}
  400 x_content_parse_exception: [1:1] [page] unknown field [sise]
POST /_ml/anomaly_detectors/j/results/records {"page":
  400 x_content_parse_exception: [1:8] Unexpected end-of-input: EOF while parsing a value
POST /_ml/anomaly_detectors/j/results/influencers?desc=perhaps 
  400 illegal_argument_exception: Failed to parse value [perhaps] as only [true] or [false] are allowed.
POST /_ml/anomaly_detectors/j/results/categories/1?size=5 
  400 illegal_argument_exception: Both [category_id, page] are specified; they cannot be used together
POST /_ml/anomaly_detectors/j/results/categories/one 
  400 illegal_argument_exception: Failed to parse int parameter [category_id] with value [one]
POST /_ml/anomaly_detectors/j/results/overall_buckets?bucket_span=1m 
  400 illegal_argument_exception: Param [bucket_span] must be greater or equal to the max bucket_span [1h]
POST /_ml/anomaly_detectors/j/results/overall_buckets?top_n=0 
  400 illegal_argument_exception: [topN] parameter must be positive, found [0]
GET /_ml/anomaly_detectors/zzz/results/buckets 
  404 resource_not_found_exception: No known job with id 'zzz'
"#);
}

#[tokio::test]
async fn bad_jobs_are_refused() {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/taken", JOB).await;
    let mut transcript = Transcript::new(&server);
    let put = |id: &str| format!("/_ml/anomaly_detectors/{id}");
    for (id, body) in [
        ("UPPER", JOB),
        ("_all", JOB),
        ("taken", JOB),
        ("j", ""),
        ("j", "{"),
        ("j", "[]"),
        (
            "j",
            r#"{"analysis_config":{"bucket_span":"1h","detectors":[{"function":"mean"}]},"data_description":{}}"#,
        ),
        ("j", r#"{"analysis_config":{"detectors":[]},"data_description":{}}"#),
        ("j", r#"{"analysis_config":{"detectors":[{"function":"nosuch"}]},"data_description":{}}"#),
        (
            "j",
            r#"{"analysis_config":{"detectors":[{"function":"count"}],"bucket_spam":"1h"},"data_description":{}}"#,
        ),
        (
            "j",
            r#"{"analysis_config":{"bucket_span":17,"detectors":[{"function":"count"}]},"data_description":{}}"#,
        ),
        (
            "j",
            r#"{"analysis_config":{"detectors":[{"function":"count"}]},"data_description":{},"job_id":"k"}"#,
        ),
        (
            "j",
            r#"{"analysis_config":{"detectors":[{"function":"count"}]},"data_description":{},"create_time":1}"#,
        ),
        (
            "j",
            r#"{"analysis_config":{"detectors":[{"function":"count"}]},"data_description":{},"datafeed_config":{"indices":["i"],"scrol_size":1}}"#,
        ),
    ] {
        transcript.fail("PUT", &put(id), body).await;
    }
    transcript.fail("POST", "/_ml/anomaly_detectors/_validate", r#"{"job_id":"_"}"#).await;
    transcript.fail("POST", "/_ml/anomaly_detectors/_validate/detector", r#"{"function":"sum"}"#).await;
    transcript.ask("POST", "/_ml/anomaly_detectors/_validate/detector", r#"{"function":"count"}"#).await;
    transcript.fail("GET", "/_ml/anomaly_detectors/zzz", "").await;
    transcript.fail("GET", "/_ml/anomaly_detectors/zzz*?allow_no_match=false", "").await;
    transcript
        .fail("POST", "/_ml/anomaly_detectors/taken/_update", r#"{"detectors":[{"detector_index":9}]}"#)
        .await;
    transcript.fail("POST", "/_ml/anomaly_detectors/taken/_flush", "").await;
    transcript.fail("POST", "/_ml/anomaly_detectors/taken/_flush?advance_time=soon", "").await;
    transcript.fail("POST", "/_ml/anomaly_detectors/taken/_data", "{}").await;
    transcript.fail("POST", "/_ml/anomaly_detectors/zzz/_open", "").await;
    transcript.fail("POST", "/_ml/anomaly_detectors/taken/_open", r#"{"timeout":"soon"}"#).await;
    transcript.fail("POST", "/_ml/anomaly_detectors/taken/_close", r#"{"forze":true}"#).await;
    transcript.ask("GET", "/_ml/anomaly_detectors?filter_path=count", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
PUT /_ml/anomaly_detectors/UPPER {"analysis_config":{"bucket_span":"1h","detectors":[{"function":"mean","field_name":"v","partition_field_name":"host"}],"influencers":["host"]},"data_description":{"time_field":"time"}}
  400 illegal_argument_exception: Invalid job_id; 'UPPER' can contain lowercase alphanumeric (a-z and 0-9), hyphens or underscores; must start and end with alphanumeric
PUT /_ml/anomaly_detectors/_all {"analysis_config":{"bucket_span":"1h","detectors":[{"function":"mean","field_name":"v","partition_field_name":"host"}],"influencers":["host"]},"data_description":{"time_field":"time"}}
  400 illegal_argument_exception: Invalid job_id; '_all' can contain lowercase alphanumeric (a-z and 0-9), hyphens or underscores; must start and end with alphanumeric
PUT /_ml/anomaly_detectors/taken {"analysis_config":{"bucket_span":"1h","detectors":[{"function":"mean","field_name":"v","partition_field_name":"host"}],"influencers":["host"]},"data_description":{"time_field":"time"}}
  400 resource_already_exists_exception: The job cannot be created with the Id 'taken'. The Id is already used.
PUT /_ml/anomaly_detectors/j 
  400 parse_exception: request body is required
PUT /_ml/anomaly_detectors/j {
  400 x_content_parse_exception: [1:1] Unexpected end-of-input: EOF while parsing an object
PUT /_ml/anomaly_detectors/j []
  400 x_content_parse_exception: [1:1] [job_details] Expected START_OBJECT but was: START_ARRAY
PUT /_ml/anomaly_detectors/j {"analysis_config":{"bucket_span":"1h","detectors":[{"function":"mean"}]},"data_description":{}}
  400 illegal_argument_exception: field_name must be set when the 'mean' function is used
PUT /_ml/anomaly_detectors/j {"analysis_config":{"detectors":[]},"data_description":{}}
  400 illegal_argument_exception: No detectors configured
PUT /_ml/anomaly_detectors/j {"analysis_config":{"detectors":[{"function":"nosuch"}]},"data_description":{}}
  400 x_content_parse_exception: [1:46] [job_details] failed to parse field [analysis_config]
PUT /_ml/anomaly_detectors/j {"analysis_config":{"detectors":[{"function":"count"}],"bucket_spam":"1h"},"data_description":{}}
  400 x_content_parse_exception: [1:56] [job_details] failed to parse field [analysis_config]
PUT /_ml/anomaly_detectors/j {"analysis_config":{"bucket_span":17,"detectors":[{"function":"count"}]},"data_description":{}}
  400 x_content_parse_exception: [1:35] [job_details] failed to parse field [analysis_config]
PUT /_ml/anomaly_detectors/j {"analysis_config":{"detectors":[{"function":"count"}]},"data_description":{},"job_id":"k"}
  400 illegal_argument_exception: Inconsistent job_id; 'k' specified in the body differs from 'j' specified as a URL argument
PUT /_ml/anomaly_detectors/j {"analysis_config":{"detectors":[{"function":"count"}]},"data_description":{},"create_time":1}
  400 illegal_argument_exception: The job is configured with fields [create_time] that are illegal to set at job creation
PUT /_ml/anomaly_detectors/j {"analysis_config":{"detectors":[{"function":"count"}]},"data_description":{},"datafeed_config":{"indices":["i"],"scrol_size":1}}
  400 x_content_parse_exception: [1:114] [job_details] failed to parse field [datafeed_config]
POST /_ml/anomaly_detectors/_validate {"job_id":"_"}
  400 illegal_argument_exception: Invalid job_id; '_' can contain lowercase alphanumeric (a-z and 0-9), hyphens or underscores; must start and end with alphanumeric
POST /_ml/anomaly_detectors/_validate/detector {"function":"sum"}
  400 illegal_argument_exception: field_name must be set when the 'sum' function is used
POST /_ml/anomaly_detectors/_validate/detector
  200 {"acknowledged":true}
GET /_ml/anomaly_detectors/zzz 
  404 resource_not_found_exception: No known job with id 'zzz'
GET /_ml/anomaly_detectors/zzz*?allow_no_match=false 
  404 resource_not_found_exception: No known job with id 'zzz*'
POST /_ml/anomaly_detectors/taken/_update {"detectors":[{"detector_index":9}]}
  400 illegal_argument_exception: Supplied detector_index [9] is >= the number of detectors [1]
POST /_ml/anomaly_detectors/taken/_flush 
  409 status_exception: Cannot perform requested action because job [taken] is not open
POST /_ml/anomaly_detectors/taken/_flush?advance_time=soon 
  400 parse_exception: Query param [advance_time] with value [soon] cannot be parsed as a date or converted to a number (epoch).
POST /_ml/anomaly_detectors/taken/_data {}
  409 status_exception: Cannot perform requested action because job [taken] is not open
POST /_ml/anomaly_detectors/zzz/_open 
  404 resource_not_found_exception: No known job with id 'zzz'
POST /_ml/anomaly_detectors/taken/_open {"timeout":"soon"}
  400 illegal_argument_exception: failed to parse setting [timeout] with value [soon] as a time value: unit is missing or unrecognized
POST /_ml/anomaly_detectors/taken/_close {"forze":true}
  400 x_content_parse_exception: [1:1] [close_job] unknown field [forze]
GET /_ml/anomaly_detectors?filter_path=count
  200 {"count":1}
"#);
}

#[tokio::test]
async fn odd_records_are_counted_and_broken_bodies_change_nothing() {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    let mut transcript = Transcript::new(&server);
    let data = "/_ml/anomaly_detectors/j/_data";
    for (what, body) in [
        ("no time", r#"{"host":"a","v":1}"#.to_owned()),
        ("no such time", r#"{"time":"soon","host":"a","v":1}"#.to_owned()),
        ("in order", lines(&records(3, 99))),
        ("out of order", format!(r#"{{"time":{START_MS},"host":"a","v":1}}"#)),
        ("no value", format!(r#"{{"time":{},"host":"a"}}"#, START_MS + 4 * 3_600_000)),
        ("text for a number", format!(r#"{{"time":{},"host":"a","v":"many"}}"#, START_MS + 4 * 3_600_000)),
        ("huge", format!(r#"{{"time":{},"host":"a","v":1e308}}"#, START_MS + 4 * 3_600_000)),
    ] {
        let answer = server.call("POST", data, &body).await;
        assert_eq!(answer.status, 202, "{what}: {}", answer.text);
    }
    for body in
        ["{\"time\":1,\"v\":NaN}", "{\"time\":1,\"v\":1e999}", "{\"time\":1} {\"time\"", "[1]", "true", ""]
    {
        transcript.fail("POST", data, body).await;
    }
    transcript.fail("POST", "/_ml/anomaly_detectors/j/_data?reset_start=soon", "{}").await;
    transcript
        .ask("GET", "/_ml/anomaly_detectors/j/_stats?filter_path=jobs.state,jobs.data_counts", "")
        .await;
    insta::assert_snapshot!(transcript.end(), @r#"
POST /_ml/anomaly_detectors/j/_data {"time":1,"v":NaN}
  400 parse_exception: The JSON record 1 could not be parsed: expected value at line 1 column 15
POST /_ml/anomaly_detectors/j/_data {"time":1,"v":1e999}
  400 parse_exception: The JSON record 1 could not be parsed: number out of range at line 1 column 19
POST /_ml/anomaly_detectors/j/_data {"time":1} {"time"
  400 parse_exception: The JSON record 2 could not be parsed: EOF while parsing an object at line 1 column 18
POST /_ml/anomaly_detectors/j/_data [1]
  400 parse_exception: Every record must be a JSON object
POST /_ml/anomaly_detectors/j/_data true
  400 parse_exception: Every record must be a JSON object
POST /_ml/anomaly_detectors/j/_data 
  400 parse_exception: request body is required
POST /_ml/anomaly_detectors/j/_data?reset_start=soon {}
  400 parse_exception: Query param [reset_start] with value [soon] cannot be parsed as a date or converted to a number (epoch).
GET /_ml/anomaly_detectors/j/_stats?filter_path=jobs.state,jobs.data_counts
  200 {"jobs":[{"data_counts":{"job_id":"j","processed_record_count":39,"processed_field_count":77,"input_bytes":1756,"input_field_count":83,"invalid_date_count":2,"missing_field_count":1,"out_of_order_timestamp_count":1,"empty_bucket_count":1,"sparse_bucket_count":0,"bucket_count":4,"earliest_record_timestamp":1763769600000,"latest_record_timestamp":1763784000000,"last_data_time":1767225600000,"latest_empty_bucket_timestamp":1763780400000,"latest_bucket_timestamp":1763780400000,"input_record_count":42},"state":"opened"}]}
"#);
}
