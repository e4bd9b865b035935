//! The service or the cluster is killed in the middle of a run: afterwards everything is as if nothing had happened.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::server::{Server, say};
use crate::service::{Service, assert_same, results};

const HOSTS: i64 = 3;
const BUCKETS: i64 = 240;
const START_MS: i64 = 1_735_689_600_000;
const TOTAL: u64 = (BUCKETS * 60 * HOSTS) as u64;

/// Documents every minute for each host, with outliers now and then.
async fn fill(server: &Server) {
    let mapping = json!({"mappings": {"properties": {"time": {"type": "date"}, "host": {"type": "keyword"},
        "v": {"type": "double"}}}});
    assert_eq!(server.ask("PUT", "/series", Some(&mapping)).await.0, 200);
    for day in 0..BUCKETS / 24 {
        let mut lines = String::new();
        for minute in day * 1440..(day + 1) * 1440 {
            for host in 0..HOSTS {
                let calm = 20.0 + ((minute * 31 + host * 17) % 13) as f64;
                let v = if minute % 4001 > 3990 && host == 1 { calm * 40.0 } else { calm };
                let document =
                    json!({"time": START_MS + minute * 60_000, "host": format!("h{host}"), "v": v});
                let _ = writeln!(lines, "{{\"index\":{{}}}}\n{document}");
            }
        }
        let (_, answer) = server.ask("POST", "/series/_bulk?refresh=true", Some(&Value::String(lines))).await;
        assert_eq!(answer["errors"], false);
    }
}

/// A service whose own indices have a prefix of their own: each run begins with nothing.
fn service(server: &Server, prefix: &str) -> Service {
    let variables = [
        ("AUSPEX_STORE_INDEX_PREFIX", prefix),
        ("AUSPEX_CHECKPOINT_RECORDS", "6000"),
        // Otherwise it is over before it can be killed.
        ("AUSPEX_STORE_PUSH_DOWN", "false"),
    ];
    Service::start(&["--store", &server.url], &variables)
}

async fn start_feed(service: &Service) {
    let job = json!({"analysis_config": {"bucket_span": "1h", "influencers": ["host"], "detectors": [
        {"function": "mean", "field_name": "v", "partition_field_name": "host"}]},
        "data_description": {"time_field": "time"}});
    service.done("PUT", "/_ml/anomaly_detectors/j", Some(&job)).await;
    let feed = json!({"job_id": "j", "indices": ["series"], "scroll_size": 2000});
    service.done("PUT", "/_ml/datafeeds/datafeed-j", Some(&feed)).await;
    service.done("POST", "/_ml/anomaly_detectors/j/_open", None).await;
    let end = START_MS + BUCKETS * 3_600_000;
    service.done("POST", &format!("/_ml/datafeeds/datafeed-j/_start?start={START_MS}&end={end}"), None).await;
}

/// Kills service and cluster at several points of a run.
pub(crate) async fn loses_nothing(server: &mut Server) {
    fill(server).await;
    let calm = service(server, "calm");
    start_feed(&calm).await;
    calm.wait("j", |_| false).await;
    let expected = results(&server.url, "calm.ml-anomalies-*").await;
    assert!(expected.values().any(|document| document["result_type"] == "record"));
    assert_eq!(calm.progress("j").await.unwrap().0, TOTAL);
    drop(calm);
    let mut interrupted = 0;
    for (number, fraction) in [0.0, 0.3, 0.6].into_iter().enumerate() {
        let prefix = format!("service-{number}");
        let killed = service(server, &prefix);
        start_feed(&killed).await;
        let done = killed.wait("j", |processed| processed as f64 >= TOTAL as f64 * fraction).await;
        interrupted += usize::from(!done);
        drop(killed);
        let again = service(server, &prefix);
        again.wait("j", |_| false).await;
        let found = results(&server.url, &format!("{prefix}.ml-anomalies-*")).await;
        assert_same(&expected, &found, &format!("service killed at {fraction}"));
        assert_eq!(again.progress("j").await.unwrap().0, TOTAL, "records are counted once");
    }
    for (number, fraction) in [0.1, 0.5].into_iter().enumerate() {
        let prefix = format!("cluster-{number}");
        let service = service(server, &prefix);
        start_feed(&service).await;
        let done = service.wait("j", |processed| processed as f64 >= TOTAL as f64 * fraction).await;
        interrupted += usize::from(!done);
        server.kill().await;
        server.restart();
        service.wait("j", |_| false).await;
        let found = results(&server.url, &format!("{prefix}.ml-anomalies-*")).await;
        assert_same(&expected, &found, &format!("cluster killed at {fraction}"));
        assert_eq!(service.progress("j").await.unwrap().0, TOTAL, "records are counted once");
    }
    assert!(interrupted >= 3, "the datafeed was faster than the test");
    say(&format!("  {} documents are the same after {interrupted} interruptions", expected.len()));
}
