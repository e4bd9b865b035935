//! A datafeed that reads another cluster through its own: `far:logs-*`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::server::{Server, say, skipped};
use crate::service::{Service, assert_same, results};

const DOCUMENTS: i64 = 6_000;
const START_MS: i64 = 1_735_689_600_000;
const STEP_MS: i64 = 30_000;

async fn fill(server: &Server, index: &str) {
    let mapping = json!({"mappings": {"properties": {"time": {"type": "date"}, "host": {"type": "keyword"},
        "v": {"type": "double"}}}});
    assert_eq!(server.ask("PUT", &format!("/{index}"), Some(&mapping)).await.0, 200);
    let mut lines = String::new();
    for n in 0..DOCUMENTS {
        let v = if n > DOCUMENTS - 300 && n < DOCUMENTS - 250 { 900.0 } else { (n * 31 % 13) as f64 };
        let document = json!({"time": START_MS + n * STEP_MS, "host": format!("h{}", n % 2), "v": v});
        let _ = writeln!(lines, "{{\"index\":{{}}}}\n{document}");
    }
    let path = format!("/{index}/_bulk?refresh=true");
    let (_, answer) = server.ask("POST", &path, Some(&Value::String(lines))).await;
    assert_eq!(answer["errors"], false);
}

/// The results of a datafeed over `indices`.
async fn run(server: &Server, indices: &str, push_down: bool) -> std::collections::BTreeMap<String, Value> {
    let prefix = format!("{}-{push_down}", if indices.contains(':') { "far" } else { "near" });
    let on = if push_down { "true" } else { "false" };
    let variables = [("AUSPEX_STORE_INDEX_PREFIX", prefix.as_str()), ("AUSPEX_STORE_PUSH_DOWN", on)];
    let service = Service::start(&["--store", &server.url], &variables);
    let job = json!({"analysis_config": {"bucket_span": "15m", "influencers": ["host"], "detectors": [
        {"function": "max", "field_name": "v", "partition_field_name": "host"}]},
        "data_description": {"time_field": "time"}});
    service.done("PUT", "/_ml/anomaly_detectors/j", Some(&job)).await;
    let feed = json!({"job_id": "j", "indices": [indices], "scroll_size": 1000});
    service.done("PUT", "/_ml/datafeeds/datafeed-j", Some(&feed)).await;
    service.done("POST", "/_ml/anomaly_detectors/j/_open", None).await;
    let end = START_MS + DOCUMENTS * STEP_MS;
    service.done("POST", &format!("/_ml/datafeeds/datafeed-j/_start?start={START_MS}&end={end}"), None).await;
    service.wait("j", |_| false).await;
    assert_eq!(service.progress("j").await.unwrap().0, DOCUMENTS as u64, "{indices}");
    results(&server.url, &format!("{prefix}.ml-anomalies-*")).await
}

/// Reads the same documents from the server itself and from a second one that it knows as `far`.
pub(crate) async fn clusters_are_read(server: &Server, kind: &'static str) {
    let far = match Server::start(kind) {
        Ok(far) => far,
        Err(reason) => return skipped("reading across clusters", &reason),
    };
    server.wipe().await;
    fill(server, "near-1").await;
    fill(&far, "logs-1").await;
    let (_, port) = far.ask("GET", "/_cat/nodes?h=port&format=json", None).await;
    let seed = format!("127.0.0.1:{}", port[0]["port"].as_str().unwrap());
    let settings = |seeds: Value| json!({"persistent": {"cluster.remote.far.seeds": seeds}});
    let (status, answer) = server.ask("PUT", "/_cluster/settings", Some(&settings(json!([seed])))).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = server.ask("GET", "/far:logs-*/_count", None).await;
    if status == 200 {
        for push_down in [false, true] {
            let near = run(server, "near-*", push_down).await;
            let across = run(server, "far:logs-*", push_down).await;
            assert!(near.values().any(|document| document["result_type"] == "record"));
            assert_same(&near, &across, "read across clusters");
            say(&format!("  across clusters: {} documents are the same", near.len()));
        }
    } else {
        skipped("reading across clusters", &format!("the server cannot: {status} {answer}"));
    }
    server.ask("PUT", "/_cluster/settings", Some(&settings(Value::Null))).await;
    server.wipe().await;
}
