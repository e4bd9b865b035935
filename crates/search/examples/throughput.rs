//! Documents per second of CPU, for writing and for scanning: `cargo run --release -p search --example throughput`.

#![allow(clippy::print_stdout, reason = "it is what the example is for")]

use std::sync::Arc;
use std::time::Instant;

use search::{BulkParams, Expand, Options, ScanRequest, ScanValue, Search, SearchParams};
use serde_json::{Value, json};

const DOCS: i64 = 1_000_000;
const BULK: i64 = 5_000;

/// Seconds of CPU that this process has used, from `/proc/self/stat`: user and system time in ticks of 10 ms.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn measure<T>(what: &str, docs: i64, work: impl FnOnce() -> T) -> T {
    let (cpu, wall) = (cpu_s(), Instant::now());
    let result = work();
    let (cpu, wall) = (cpu_s() - cpu, wall.elapsed().as_secs_f64());
    println!("{what:<28} {cpu:7.2} CPU-s {wall:7.2} s {:>10.0} docs/CPU-s", docs as f64 / cpu.max(0.01));
    result
}

fn bodies() -> Vec<String> {
    (0..DOCS / BULK)
        .map(|bulk| {
            let mut body = String::new();
            for n in bulk * BULK..(bulk + 1) * BULK {
                let doc = json!({"timestamp": 1_700_000_000_000_i64 + n * 864, "host": format!("host-{}", n * 7919 % 1000),
                    "status": 200 + n % 4 * 100, "value": (n * 31 % 1009) as f64 / 10.0,
                    "message": format!("request {n} to /api/v1/items took a while and then finished")});
                body.push_str(&format!("{{\"index\":{{}}}}\n{doc}\n"));
            }
            body
        })
        .collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("search-throughput-{}", std::process::id()));
    let search = Search::open(&folder, Arc::new(|| 1_700_000_000_000), Options::default())?;
    let mapping = json!({"mappings": {"properties": {"timestamp": {"type": "date"}, "host": {"type": "keyword"},
        "status": {"type": "long"}, "value": {"type": "double"}, "message": {"type": "text"}}}});
    search.create_index("logs", &mapping)?;
    let bodies = bodies();
    measure("bulk", DOCS, || -> Result<(), search::Error> {
        for body in &bodies {
            let answer = search.bulk(Some("logs"), body.as_bytes(), &BulkParams::default())?;
            assert!(!answer.has_errors());
        }
        Ok(())
    })?;
    for fields in [vec!["host", "value", "status"], vec!["host", "value", "message"]] {
        let request = ScanRequest {
            indices: vec!["logs".into()],
            expand: Expand::default(),
            query: Value::Null,
            time_field: "timestamp".into(),
            start_ms: 0,
            end_ms: i64::MAX,
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            batch_size: 1000,
        };
        measure(&format!("scan {}", fields.join(",")), DOCS, || -> Result<(), search::Error> {
            let (mut text, mut rows) = (0, 0);
            for batch in search.scan(&request)? {
                let batch = batch?;
                rows += batch.len();
                for row in 0..batch.len() {
                    for column in &batch.columns {
                        if let ScanValue::Str(value) = column.get(row) {
                            text += value.len();
                        }
                    }
                }
            }
            assert!(text > 0 && rows as i64 == DOCS, "{rows} rows");
            Ok(())
        })?;
    }
    let body = json!({"size": 0, "aggs": {"t": {"date_histogram": {"field": "timestamp", "fixed_interval": "1h"},
        "aggs": {"h": {"terms": {"field": "host"}, "aggs": {"v": {"avg": {"field": "value"}}}}}}}});
    measure("histogram x terms x avg", DOCS, || search.search("logs", &SearchParams::default(), &body))?;
    let body = json!({"size": 100, "sort": [{"timestamp": "desc"}], "query": {"term": {"host": "host-5"}}});
    measure("latest 100 of a host", 1, || search.search("logs", &SearchParams::default(), &body))?;
    drop(search);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
