//! Speed of a datafeed from the store to stored results; run by hand with `--ignored --nocapture`.

use std::time::Instant;

use jobs::StartDatafeed;
use serde_json::json;
use store::{BulkOp, check_all};
use types::TimestampMs;

use crate::rig::*;

const DOCUMENTS: i64 = 400_000;

/// Processor time of this process so far, in seconds, where the system tells it.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        stat.split_whitespace().skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    fields.iter().sum::<f64>() / 100.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures speed"]
async fn a_datafeed_keeps_up() {
    let jobs = service().await;
    let mapping = json!({"mappings": {"properties": {"t": {"type": "date"}, "host": {"type": "keyword"},
        "v": {"type": "double"}, "code": {"type": "keyword"}}}});
    jobs.store().ensure_index("logs", &mapping).await.unwrap();
    for first in (0..DOCUMENTS).step_by(20_000) {
        let ops = (first..first + 20_000).map(|n| {
            let document =
                json!({"t": START_MS + n * 500, "host": format!("h{}", n % 20), "v": n % 97, "code": "200"});
            BulkOp::index("logs", format!("{n}"), document.to_string())
        });
        check_all(jobs.store().bulk(ops.collect()).await.unwrap()).unwrap();
    }
    let config = json!({"analysis_config": {"bucket_span": "5m", "influencers": ["code"],
        "detectors": [{"function": "mean", "field_name": "v", "by_field_name": "host"}]},
        "data_description": {"time_field": "t"}, "datafeed_config": {"indices": ["logs"]}});
    jobs.put_job("j", serde_json::from_value(config).unwrap(), None).await.unwrap();
    jobs.open_job("j").await.unwrap();
    let (began, cpu) = (Instant::now(), cpu_s());
    let end = Some(TimestampMs(START_MS + DOCUMENTS * 500));
    jobs.start_datafeed("j", StartDatafeed { start: Some(TimestampMs(0)), end }).await.unwrap();
    until_closed(&jobs, "j").await;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_s() - cpu);
    let documents = DOCUMENTS as f64;
    println!(
        "{:.0} documents/s, {:.0} documents per second of processor time",
        documents / wall,
        documents / cpu
    );
    assert_eq!(counts(&jobs, "j").await["processed_record_count"].as_i64(), Some(DOCUMENTS));
}
