//! Documents put together by a real server: the same results as document by document.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::server::{Server, say};
use crate::service::{Service, results};

const HOSTS: i64 = 3;
const BUCKETS: i64 = 120;
const START_MS: i64 = 1_735_689_600_000;
const SPAN_MS: i64 = 900_000;
/// Documents of each host in each bucket.
const EACH: i64 = 30;

/// A document, with what makes it hard to put together now and then.
fn document(n: i64, host: i64) -> Value {
    let time = START_MS + n * SPAN_MS / EACH;
    let calm = 20.0 + ((n * 31 + host * 17) % 13) as f64 / 8.0;
    let peak = if n / EACH == BUCKETS - 9 && host == 1 { 40.0 } else { 1.0 };
    let mut document = json!({"time": time, "host": format!("h{host}"), "ok": n % 5 != 0, "v": calm * peak,
        "status": 200 + n % 2, "bytes": n % 1000});
    match n % 811 {
        1 => document["v"] = Value::Null,
        2 => document["v"] = json!([1.5, 2.5]),
        3 => document["host"] = json!(["h0", "h1"]),
        4 => document["host"] = json!(""),
        5 => document["host"] = Value::Null,
        6 => document["v"] = json!([]),
        7 => document["bytes"] = json!([4, 4]),
        8 => document["bytes"] = json!("17"),
        9 => document["time"] = json!(START_MS + (n / EACH + 1) * SPAN_MS - 1),
        10 => drop(document.as_object_mut().unwrap().shift_remove("ok")),
        _ => {}
    }
    document
}

async fn fill(server: &Server) {
    let mapping = json!({"mappings": {"properties": {"time": {"type": "date"}, "host": {"type": "keyword"},
        "ok": {"type": "boolean"}, "v": {"type": "double"}, "status": {"type": "integer"}, "bytes": {"type": "long"}}}});
    assert_eq!(server.ask("PUT", "/pushed", Some(&mapping)).await.0, 200);
    let mut lines = String::new();
    for n in 0..BUCKETS * EACH {
        for host in 0..HOSTS {
            let _ = writeln!(lines, "{{\"index\":{{}}}}\n{}", document(n, host));
        }
    }
    let (_, answer) = server.ask("POST", "/pushed/_bulk?refresh=true", Some(&Value::String(lines))).await;
    assert_eq!(answer["errors"], false);
}

/// What a datafeed gives: results, counts, searches.
async fn run(server: &Server, push_down: bool) -> (BTreeMap<String, Value>, Value, u64) {
    let prefix = format!("pushed-{push_down}");
    let variables = [
        ("AUSPEX_STORE_INDEX_PREFIX", prefix.as_str()),
        ("AUSPEX_STORE_PUSH_DOWN", if push_down { "true" } else { "false" }),
    ];
    let service = Service::start(&["--store", &server.url], &variables);
    let job = json!({"analysis_config": {"bucket_span": "15m", "influencers": ["host", "status"], "detectors": [
        {"function": "mean", "field_name": "v", "partition_field_name": "host"},
        {"function": "count", "by_field_name": "host", "use_null": true},
        {"function": "max", "field_name": "v", "over_field_name": "host"},
        {"function": "sum", "field_name": "bytes", "by_field_name": "ok"},
        {"function": "distinct_count", "field_name": "status", "by_field_name": "host"}]},
        "data_description": {"time_field": "time"}});
    service.done("PUT", "/_ml/anomaly_detectors/j", Some(&job)).await;
    let feed = json!({"job_id": "j", "indices": ["pushed"]});
    service.done("PUT", "/_ml/datafeeds/datafeed-j", Some(&feed)).await;
    service.done("POST", "/_ml/anomaly_detectors/j/_open", None).await;
    // Begins and ends in the middle of a bucket.
    let (start, end) = (START_MS + 1000, START_MS + BUCKETS * SPAN_MS - 1000);
    service.done("POST", &format!("/_ml/datafeeds/datafeed-j/_start?start={start}&end={end}"), None).await;
    service.wait("j", |_| false).await;
    let job = service.done("GET", "/_ml/anomaly_detectors/j/_stats", None).await;
    let mut counts = job["jobs"][0]["data_counts"].clone();
    for name in ["log_time", "last_data_time"] {
        counts.as_object_mut().unwrap().shift_remove(name);
    }
    let feed = service.done("GET", "/_ml/datafeeds/datafeed-j/_stats", None).await;
    let searches = feed["datafeeds"][0]["timing_stats"]["search_count"].as_u64().unwrap();
    (results(&server.url, &format!("{prefix}.ml-anomalies-*")).await, counts, searches)
}

/// Numbers may differ by what rounding adds up to.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(l), Value::Number(r)) => {
            let (l, r) = (l.as_f64().unwrap(), r.as_f64().unwrap());
            (l - r).abs() <= 1e-9 + 1e-7 * l.abs().max(r.abs())
        }
        (Value::Array(l), Value::Array(r)) => {
            l.len() == r.len() && l.iter().zip(r).all(|(l, r)| is_same(l, r))
        }
        (Value::Object(l), Value::Object(r)) => {
            l.len() == r.len() && l.iter().all(|(name, l)| r.get(name).is_some_and(|r| is_same(l, r)))
        }
        _ => left == right,
    }
}

/// Runs a job with and without.
pub(crate) async fn gives_the_same(server: &Server) {
    server.wipe().await;
    fill(server).await;
    let (raw, raw_counts, raw_searches) = run(server, false).await;
    let (pushed, counts, searches) = run(server, true).await;
    assert!(raw.values().any(|document| document["result_type"] == "record"));
    assert_eq!(raw_counts, counts);
    assert!(raw.keys().eq(pushed.keys()), "{} and {} documents", raw.len(), pushed.len());
    for (id, document) in &raw {
        assert!(is_same(document, &pushed[id]), "{id}:\n{document}\n{}", pushed[id]);
    }
    assert!(searches > raw_searches, "not put together: {raw_searches} and {searches} searches");
    say(&format!("  push-down: {} documents are the same", raw.len()));
    server.wipe().await;
}
