//! Settings that are changed while the server runs.

use serde_json::json;

use crate::server::{Answer, Server};

fn job(limit: &str) -> serde_json::Value {
    json!({
        "analysis_config": { "bucket_span": "1h", "detectors": [{ "function": "count" }] },
        "analysis_limits": { "model_memory_limit": limit },
        "data_description": {},
    })
}

async fn put(server: &Server, uri: &str, body: serde_json::Value) -> Answer {
    server.call("PUT", uri, &body.to_string()).await
}

#[tokio::test]
async fn a_lower_memory_limit_counts_at_once_and_until_it_is_reset() {
    let server = Server::start().await;
    let setting =
        |value: serde_json::Value| json!({ "transient": { "xpack.ml.max_model_memory_limit": value } });
    let answer = put(&server, "/_cluster/settings?flat_settings=true", setting(json!("9g"))).await;
    assert_eq!(
        answer.json(),
        json!({ "acknowledged": true, "persistent": {}, "transient": { "xpack.ml.max_model_memory_limit": "9g" } })
    );
    let refused = put(&server, "/_ml/anomaly_detectors/big", job("10g")).await;
    assert_eq!(
        refused.failure(),
        "400 illegal_argument_exception: model_memory_limit [10gb] must be less than the value of the \
         xpack.ml.max_model_memory_limit setting [9gb]"
    );
    put(&server, "/_cluster/settings", setting(json!("512mb"))).await;
    let info = server.get("/_ml/info").await.json();
    assert_eq!(info["defaults"]["anomaly_detectors"]["model_memory_limit"], "512mb");
    assert_eq!(info["limits"]["max_model_memory_limit"], "512mb");
    assert_eq!(
        server.get("/_cluster/settings").await.json()["transient"],
        json!({ "xpack": { "ml": { "max_model_memory_limit": "512mb" } } })
    );
    put(&server, "/_cluster/settings", setting(json!(null))).await;
    assert_eq!(put(&server, "/_ml/anomaly_detectors/big", job("10g")).await.status, 200);
    assert_eq!(server.get("/_cluster/settings").await.json(), json!({ "persistent": {}, "transient": {} }));
}

#[tokio::test]
async fn no_more_jobs_are_opened_than_the_setting_allows() {
    let server = Server::start().await;
    put(&server, "/_cluster/settings", json!({ "persistent": { "xpack.ml.max_open_jobs": 1 } })).await;
    for id in ["one", "two"] {
        put(&server, &format!("/_ml/anomaly_detectors/{id}"), job("20mb")).await;
    }
    assert_eq!(server.call("POST", "/_ml/anomaly_detectors/one/_open", "").await.status, 200);
    let refused = server.call("POST", "/_ml/anomaly_detectors/two/_open", "").await;
    assert!(
        refused.failure().starts_with("429 status_exception: Could not open job [two]"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn what_is_unknown_changes_nothing() {
    let server = Server::start().await;
    let body = json!({ "transient": { "xpack.ml.max_open_jobs": 3, "no.such.setting": 1 } });
    assert_eq!(
        put(&server, "/_cluster/settings", body).await.failure(),
        "400 illegal_argument_exception: transient setting [no.such.setting], not recognized"
    );
    assert_eq!(server.get("/_cluster/settings").await.json(), json!({ "persistent": {}, "transient": {} }));
}

#[tokio::test]
async fn a_list_is_not_read_as_the_fields_of_an_object() {
    let server = Server::start().await;
    let limits = r#"{"analysis_config":{"detectors":[{"function":"count"}]},"analysis_limits":[1]}"#;
    for (uri, body, reason) in [
        ("/_ml/filters/f", "[null, null]", "[1:1] [filter] Expected START_OBJECT but was: START_ARRAY"),
        (
            "/_ml/anomaly_detectors/j",
            limits,
            "[1:75] [job_details] analysis_limits doesn't support values of type: START_ARRAY",
        ),
        ("/_cluster/settings", "null", "[1:1] [request] Expected START_OBJECT but was another value"),
    ] {
        let refused = server.call("PUT", uri, body).await;
        assert_eq!(refused.failure(), format!("400 x_content_parse_exception: {reason}"), "{uri}");
    }
}
