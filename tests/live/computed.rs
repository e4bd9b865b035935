//! Fields that the server computes for a datafeed, by a script or when read, against the same values in the documents.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::server::{Server, say, skipped};
use crate::service::{Service, assert_same, results};

const DOCUMENTS: i64 = 3_000;
const START_MS: i64 = 1_735_689_600_000;
const STEP_MS: i64 = 60_000;

/// `plain` has `twice` in its mapping; `computed` has it only in what was sent.
async fn fill(server: &Server) {
    let time = json!({"type": "date"});
    let number = json!({"type": "double"});
    for (index, properties) in [
        ("plain", json!({"time": time, "v": number, "twice": number})),
        ("computed", json!({"time": time, "v": number})),
    ] {
        let mapping = json!({"mappings": {"dynamic": false, "properties": properties}});
        assert_eq!(server.ask("PUT", &format!("/{index}"), Some(&mapping)).await.0, 200);
        let mut lines = String::new();
        for n in 0..DOCUMENTS {
            let v = if (2_500..2_520).contains(&n) { 900.0 } else { (n * 31 % 13) as f64 + 0.5 };
            let document = json!({"time": START_MS + n * STEP_MS, "v": v, "twice": 2.0 * v});
            let _ = writeln!(lines, "{{\"index\":{{}}}}\n{document}");
        }
        let path = format!("/{index}/_bulk?refresh=true");
        let (_, answer) = server.ask("POST", &path, Some(&Value::String(lines))).await;
        assert_eq!(answer["errors"], false);
    }
}

/// The results of a job over `twice`, read from an index with these further parts of the datafeed.
async fn run(server: &Server, prefix: &str, index: &str, computed: Value) -> BTreeMap<String, Value> {
    let service = Service::start(&["--store", &server.url], &[("AUSPEX_STORE_INDEX_PREFIX", prefix)]);
    let job = json!({"analysis_config": {"bucket_span": "15m", "detectors": [
        {"function": "max", "field_name": "twice"}]}, "data_description": {"time_field": "time"}});
    service.done("PUT", "/_ml/anomaly_detectors/j", Some(&job)).await;
    let mut feed = json!({"job_id": "j", "indices": [index], "scroll_size": 1000});
    feed.as_object_mut().unwrap().extend(computed.as_object().unwrap().clone());
    service.done("PUT", "/_ml/datafeeds/datafeed-j", Some(&feed)).await;
    service.done("POST", "/_ml/anomaly_detectors/j/_open", None).await;
    let end = START_MS + DOCUMENTS * STEP_MS;
    service.done("POST", &format!("/_ml/datafeeds/datafeed-j/_start?start={START_MS}&end={end}"), None).await;
    service.wait("j", |_| false).await;
    assert_eq!(service.progress("j").await.unwrap().0, DOCUMENTS as u64, "{prefix}");
    results(&server.url, &format!("{prefix}.ml-anomalies-*")).await
}

/// What the server can compute gives the results of the same values in the documents.
pub(crate) async fn fields_are_read(server: &Server) {
    server.wipe().await;
    fill(server).await;
    let plain = run(server, "plain-feed", "plain", json!({})).await;
    assert!(plain.values().any(|document| document["result_type"] == "record"));
    let script = json!({"script_fields": {"twice": {"script": "doc['v'].value * 2"}}});
    let at_reading = json!({"runtime_mappings": {"twice": {"type": "double"}}});
    for (what, prefix, part) in
        [("script fields", "script-feed", script), ("runtime fields", "runtime-feed", at_reading)]
    {
        let (status, answer) = server.ask("POST", "/computed/_search", Some(&part)).await;
        if status != 200 {
            skipped(what, &format!("the server cannot: {status} {}", answer["error"]["reason"]));
            continue;
        }
        let computed = run(server, prefix, "computed", part).await;
        assert_same(&plain, &computed, what);
        say(&format!("  {what}: {} documents are the same", plain.len()));
    }
    server.wipe().await;
}
