//! Calendars, filters, snapshots, info.

use crate::jobs::JOB;
use crate::server::Server;
use crate::transcript::Transcript;

#[tokio::test]
async fn calendars_and_their_events() {
    let server = Server::start().await;
    let mut transcript = Transcript::new(&server);
    let calendar = "/_ml/calendars/c";
    transcript.ask("PUT", calendar, r#"{"job_ids":["j"],"description":"d"}"#).await;
    transcript.ask("PUT", "/_ml/calendars/c/jobs/k,l", "").await;
    transcript.ask("DELETE", "/_ml/calendars/c/jobs/k", "").await;
    let events =
        r#"{"events":[{"description":"e","start_time":"2026-01-01T00:00:00Z","end_time":1767229200000}]}"#;
    transcript.ask("POST", "/_ml/calendars/c/events", events).await;
    transcript.ask("GET", "/_ml/calendars/c/events?end=2026-01-01&filter_path=count", "").await;
    transcript.ask("GET", "/_ml/calendars/_all/events?filter_path=count,events.description", "").await;
    transcript.ask("POST", "/_ml/calendars", r#"{"page":{"from":0,"size":1}}"#).await;
    for (method, uri, body) in [
        ("PUT", calendar, ""),
        ("PUT", "/_ml/calendars/_all", ""),
        ("PUT", "/_ml/calendars/Upper", ""),
        ("PUT", "/_ml/calendars/d", r#"{"calendar_id":"e"}"#),
        ("PUT", "/_ml/calendars/d", r#"{"job_idz":[]}"#),
        ("GET", "/_ml/calendars/zzz", ""),
        ("GET", "/_ml/calendars/c?from=1", ""),
        ("POST", "/_ml/calendars/c/events", r#"{"events":[]}"#),
        (
            "POST",
            "/_ml/calendars/c/events",
            r#"{"events":[{"description":"e","start_time":"soon","end_time":2}]}"#,
        ),
        (
            "POST",
            "/_ml/calendars/c/events",
            r#"{"events":[{"description":"e","start_time":20,"end_time":10}]}"#,
        ),
        ("POST", "/_ml/calendars/zzz/events", events),
        ("DELETE", "/_ml/calendars/c/events/zzz", ""),
        ("DELETE", "/_ml/calendars/zzz", ""),
    ] {
        transcript.fail(method, uri, body).await;
    }
    transcript.ask("DELETE", calendar, "").await;
    transcript.ask("GET", "/_ml/calendars", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
PUT /_ml/calendars/c
  200 {"calendar_id":"c","job_ids":["j"],"description":"d"}
PUT /_ml/calendars/c/jobs/k,l
  200 {"calendar_id":"c","job_ids":["j","k","l"],"description":"d"}
DELETE /_ml/calendars/c/jobs/k
  200 {"calendar_id":"c","job_ids":["j","l"],"description":"d"}
POST /_ml/calendars/c/events
  200 {"events":[{"description":"e","start_time":1767225600000,"end_time":1767229200000,"skip_result":true,"skip_model_update":true,"calendar_id":"c"}]}
GET /_ml/calendars/c/events?end=2026-01-01&filter_path=count
  200 {"count":0}
GET /_ml/calendars/_all/events?filter_path=count,events.description
  200 {"count":1,"events":[{"description":"e"}]}
POST /_ml/calendars
  200 {"count":1,"calendars":[{"calendar_id":"c","job_ids":["j","l"],"description":"d"}]}
PUT /_ml/calendars/c 
  400 status_exception: Cannot create calendar with id [c] as it already exists
PUT /_ml/calendars/_all 
  400 illegal_argument_exception: Cannot create a Calendar with the reserved name [_all]
PUT /_ml/calendars/Upper 
  400 illegal_argument_exception: Invalid calendar_id; 'Upper' can contain lowercase alphanumeric (a-z and 0-9), hyphens or underscores; must start and end with alphanumeric
PUT /_ml/calendars/d {"calendar_id":"e"}
  400 illegal_argument_exception: Inconsistent calendar_id; 'e' specified in the body differs from 'd' specified as a URL argument
PUT /_ml/calendars/d {"job_idz":[]}
  400 x_content_parse_exception: [1:2] [calendar] unknown field [job_idz] did you mean [job_ids]?
GET /_ml/calendars/zzz 
  404 resource_not_found_exception: No calendar with id [zzz]
GET /_ml/calendars/c?from=1 
  400 illegal_argument_exception: Params [from, size] are incompatible with [calendar_id].
POST /_ml/calendars/c/events {"events":[]}
  400 illegal_argument_exception: At least 1 event is required
POST /_ml/calendars/c/events {"events":[{"description":"e","start_time":"soon","end_time":2}]}
  400 parse_exception: Query param [start_time] with value [soon] cannot be parsed as a date or converted to a number (epoch).
POST /_ml/calendars/c/events {"events":[{"description":"e","start_time":20,"end_time":10}]}
  400 illegal_argument_exception: Event start time [20] must come before end time [10]
POST /_ml/calendars/zzz/events {"events":[{"description":"e","start_time":"2026-01-01T00:00:00Z","end_time":1767229200000}]}
  404 resource_not_found_exception: No calendar with id [zzz]
DELETE /_ml/calendars/c/events/zzz 
  404 resource_not_found_exception: No event with id [zzz]
DELETE /_ml/calendars/zzz 
  404 resource_not_found_exception: No calendar with id [zzz]
DELETE /_ml/calendars/c
  200 {"acknowledged":true}
GET /_ml/calendars
  200 {"count":0,"calendars":[]}
"#);
}

#[tokio::test]
async fn filters_are_sorted_and_guarded() {
    let server = Server::start().await;
    let mut transcript = Transcript::new(&server);
    transcript.ask("PUT", "/_ml/filters/f", r#"{"items":["xyz","abc","abc"]}"#).await;
    transcript
        .ask("POST", "/_ml/filters/f/_update", r#"{"add_items":["d","c"],"remove_items":["abc"]}"#)
        .await;
    transcript.ask("GET", "/_ml/filters", "").await;
    transcript.ask("GET", "/_ml/filters/f", "").await;
    let job = r#"{"analysis_config":{"detectors":[{"function":"count","by_field_name":"h","custom_rules":[{"scope":{"h":{"filter_id":"f"}}}]}]},"data_description":{}}"#;
    server.call("PUT", "/_ml/anomaly_detectors/user", job).await;
    for (method, uri, body) in [
        ("PUT", "/_ml/filters/f", r#"{"items":[]}"#),
        ("PUT", "/_ml/filters/F", r#"{"items":[]}"#),
        ("PUT", "/_ml/filters/g", r#"{"filter_id":"h","items":[]}"#),
        ("PUT", "/_ml/filters/g", r#"{"items":[1]}"#),
        ("POST", "/_ml/filters/f/_update", r#"{"remove_items":["zzz"]}"#),
        ("POST", "/_ml/filters/zzz/_update", "{}"),
        ("GET", "/_ml/filters/zzz", ""),
        ("DELETE", "/_ml/filters/f", ""),
    ] {
        transcript.fail(method, uri, body).await;
    }
    server.call("DELETE", "/_ml/anomaly_detectors/user", "").await;
    transcript.ask("DELETE", "/_ml/filters/f", "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
PUT /_ml/filters/f
  200 {"filter_id":"f","items":["abc","xyz"]}
POST /_ml/filters/f/_update
  200 {"filter_id":"f","items":["c","d","xyz"]}
GET /_ml/filters
  200 {"count":1,"filters":[{"filter_id":"f","items":["c","d","xyz"]}]}
GET /_ml/filters/f
  200 {"count":1,"filters":[{"filter_id":"f","items":["c","d","xyz"]}]}
PUT /_ml/filters/f {"items":[]}
  400 resource_already_exists_exception: A filter with id [f] already exists
PUT /_ml/filters/F {"items":[]}
  400 illegal_argument_exception: Invalid filter_id; 'F' can contain lowercase alphanumeric (a-z and 0-9), hyphens or underscores; must start and end with alphanumeric
PUT /_ml/filters/g {"filter_id":"h","items":[]}
  400 illegal_argument_exception: Inconsistent filter_id; 'h' specified in the body differs from 'g' specified as a URL argument
PUT /_ml/filters/g {"items":[1]}
  400 x_content_parse_exception: [1:11] [filter] items doesn't support values of type: VALUE_NUMBER
POST /_ml/filters/f/_update {"remove_items":["zzz"]}
  400 illegal_argument_exception: Cannot remove item [zzz] as it is not present in filter [f]
POST /_ml/filters/zzz/_update {}
  404 resource_not_found_exception: No filter with id [zzz] exists
GET /_ml/filters/zzz 
  404 resource_not_found_exception: No filter with id [zzz] exists
DELETE /_ml/filters/f 
  409 status_exception: Cannot delete filter [f] currently used by jobs [user]
DELETE /_ml/filters/f
  200 {"acknowledged":true}
"#);
}

#[tokio::test]
async fn snapshots_are_listed_described_and_gone_back_to() {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/j", JOB).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    let lines: String = crate::jobs::records(5, 99).iter().map(|record| format!("{record}\n")).collect();
    server.call("POST", "/_ml/anomaly_detectors/j/_data", &lines).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_close", "").await;
    let base = "/_ml/anomaly_detectors/j/model_snapshots";
    let found = server.get(base).await.json();
    assert_eq!(found["count"], 1, "{found}");
    let id = found["model_snapshots"][0]["snapshot_id"].as_str().unwrap().to_owned();
    let updated = server
        .call("POST", &format!("{base}/{id}/_update"), r#"{"description":"d","retain":true}"#)
        .await
        .json();
    assert_eq!((&updated["acknowledged"], &updated["model"]["retain"]), (&true.into(), &true.into()));
    let active = server.call("DELETE", &format!("{base}/{id}"), "").await;
    assert_eq!(
        active.failure(),
        format!(
            "400 illegal_argument_exception: Model snapshot '{id}' is the active snapshot for job 'j', so cannot be deleted"
        )
    );
    let reverted =
        server.call("POST", &format!("{base}/empty/_revert"), r#"{"delete_intervening_results":true}"#).await;
    assert_eq!(reverted.status, 200, "{}", reverted.text);
    assert_eq!(server.get("/_ml/anomaly_detectors/j/results/buckets").await.json()["count"], 0);
    let mut transcript = Transcript::new(&server);
    transcript.fail("POST", &format!("{base}/zzz/_revert"), "").await;
    transcript.fail("POST", &format!("{base}/zzz/_update"), r#"{"retain":"maybe"}"#).await;
    transcript.fail("GET", "/_ml/anomaly_detectors/zzz/model_snapshots", "").await;
    transcript.fail("GET", &format!("{base}?sort=nosuch&size=-1"), "").await;
    insta::assert_snapshot!(transcript.end(), @r#"
POST /_ml/anomaly_detectors/j/model_snapshots/zzz/_revert 
  404 resource_not_found_exception: No model snapshot with id [zzz] exists for job [j]
POST /_ml/anomaly_detectors/j/model_snapshots/zzz/_update {"retain":"maybe"}
  400 x_content_parse_exception: [1:11] [update_model_snapshot_action_request] failed to parse field [retain]
GET /_ml/anomaly_detectors/zzz/model_snapshots 
  404 resource_not_found_exception: No known job with id 'zzz'
GET /_ml/anomaly_detectors/j/model_snapshots?sort=nosuch&size=-1 
  400 illegal_argument_exception: Parameter [size] cannot be < 0
"#);
}

#[tokio::test]
async fn info_lists_defaults() {
    let info = Server::start().await.get("/_ml/info").await.json();
    assert_eq!(info["defaults"]["anomaly_detectors"]["categorization_analyzer"]["tokenizer"], "ml_standard");
    assert_eq!(info["defaults"]["anomaly_detectors"]["model_memory_limit"], "1gb");
}
