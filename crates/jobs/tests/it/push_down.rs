//! A datafeed whose documents the store has put together gives what it gives when it reads them one by one.

use std::sync::Arc;

use jobs::{Options, StartDatafeed};
use proptest::prelude::*;
use serde_json::{Value, json};
use store::{BulkOp, Store, check_all};
use tokio::runtime::Runtime;
use types::TimestampMs;

use crate::rig::*;

const BUCKETS: i64 = 24;

/// Results, counts, and how often was searched.
type Outcome = (Vec<(String, Value)>, Value, u64);

/// Numbers may differ by what rounding adds up to; everything else is the same.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(l), Value::Number(r)) => {
            let (l, r) = (l.as_f64().unwrap_or(f64::NAN), r.as_f64().unwrap_or(f64::NAN));
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

fn assert_same(raw: &Outcome, grouped: &Outcome) {
    assert_eq!(raw.1, grouped.1, "counts");
    let ids = |outcome: &Outcome| outcome.0.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(raw), ids(grouped));
    for ((id, raw), (_, grouped)) in raw.0.iter().zip(&grouped.0) {
        assert!(is_same(raw, grouped), "{id}:\n{raw}\n{grouped}");
    }
}

async fn fill(store: &Arc<dyn Store>, documents: &[Value]) {
    let mapping = json!({"mappings": {"properties": {"t": {"type": "date"}, "host": {"type": "keyword"},
        "user": {"type": "keyword"}, "ok": {"type": "boolean"}, "status": {"type": "integer"},
        "v": {"type": "double"}, "n": {"type": "long"}, "f": {"type": "float"}}}});
    store.ensure_index("logs", &mapping).await.unwrap();
    let ops = documents.iter().enumerate();
    let ops = ops.map(|(n, doc)| BulkOp::index("logs", format!("{n:08}"), doc.to_string())).collect();
    check_all(store.bulk(ops).await.unwrap()).unwrap();
}

/// A run over documents, read one by one or put together.
fn run(runtime: &Runtime, config: &Value, documents: &[Value], push_down: bool, from_ms: i64) -> Outcome {
    runtime.block_on(async {
        let store = store().await;
        fill(&store, documents).await;
        let jobs = service_over(Arc::clone(&store), Options { push_down, ..Options::default() }).await;
        let body = json!({"analysis_config": config, "data_description": {"time_field": "t"},
            "model_plot_config": {"enabled": true}, "datafeed_config": {"indices": ["logs"]}});
        jobs.put_job("j", serde_json::from_value(body).unwrap(), None).await.unwrap();
        jobs.open_job("j").await.unwrap();
        let end = Some(TimestampMs(START_MS + BUCKETS * SPAN_MS - 70_000));
        let times = StartDatafeed { start: Some(TimestampMs(from_ms)), end };
        jobs.start_datafeed("j", times).await.unwrap();
        until_closed(&jobs, "j").await;
        let searches = jobs.datafeed_stats("j", true).await.unwrap().items.remove(0).timing_stats;
        let searches = searches["search_count"].as_u64().unwrap();
        (results(&store, "j").await, counts(&jobs, "j").await, searches)
    })
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn detectors() -> Vec<Value> {
    vec![
        json!({"function": "count"}),
        json!({"function": "high_non_zero_count", "by_field_name": "host"}),
        json!({"function": "mean", "field_name": "v", "partition_field_name": "host"}),
        json!({"function": "high_sum", "field_name": "n", "by_field_name": "host", "use_null": true}),
        json!({"function": "low_non_null_sum", "field_name": "v", "by_field_name": "status"}),
        json!({"function": "min", "field_name": "n", "over_field_name": "host"}),
        json!({"function": "max", "field_name": "v", "by_field_name": "ok", "partition_field_name": "host"}),
        json!({"function": "metric", "field_name": "n"}),
        json!({"function": "distinct_count", "field_name": "status", "by_field_name": "host"}),
        json!({"function": "sum", "field_name": "status"}),
    ]
}

/// Texts and numbers as documents have them: usually there, sometimes missing, `null`, or several.
fn document() -> impl Strategy<Value = Value> {
    let host = prop_oneof![
        30 => prop::sample::select(vec![json!("a"), json!("b")]),
        2 => Just(json!("")),
        2 => Just(Value::Null),
    ];
    let time = prop_oneof![
        6 => 0..BUCKETS * SPAN_MS,
        1 => (0..BUCKETS).prop_map(|bucket| bucket * SPAN_MS),
        1 => (1..=BUCKETS).prop_map(|bucket| bucket * SPAN_MS - 1),
    ];
    let number = prop_oneof![
        20 => (-1000i32..1000).prop_map(|n| json!(f64::from(n) / 8.0)),
        1 => Just(json!(12345.678)),
        1 => Just(Value::Null),
    ];
    let whole = prop_oneof![20 => (-50i64..5000).prop_map(|n| json!(n)), 1 => Just(json!("17"))];
    let lists = prop_oneof![
        3000 => Just(json!({})),
        1 => Just(json!({"v": [1.5, 2.5]})),
        1 => Just(json!({"v": [3.5]})),
        1 => Just(json!({"v": []})),
        1 => Just(json!({"n": [4, 4]})),
        1 => Just(json!({"host": ["a", "b"]})),
        1 => Just(json!({"v": 1e200})),
    ];
    let left_out = prop_oneof![6 => Just(""), 1 => Just("host"), 1 => Just("v"), 1 => Just("n")];
    (time, host, number, whole, prop::bool::ANY, lists, left_out).prop_map(
        |(time, host, v, n, ok, lists, left_out)| {
            let status = if ok { 200 } else { 500 };
            let mut document =
                json!({"t": START_MS + time, "host": host, "v": v, "n": n, "ok": ok, "status": status});
            let object = document.as_object_mut().unwrap();
            object.shift_remove(left_out);
            object.extend(lists.as_object().unwrap().clone());
            document
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn results_are_those_of_the_documents(
        mut documents in prop::collection::vec(document(), 900..1500),
        chosen in prop::sample::subsequence(detectors(), 1..5),
        influencers in prop::sample::subsequence(vec!["host", "ok"], 0..=2),
        late in prop::bool::ANY,
    ) {
        // Peaks, so that there are records and influencers to compare.
        let last = START_MS + (BUCKETS - 3) * SPAN_MS;
        documents.extend((0..200).map(|n| json!({"t": last + n, "host": "a", "v": 9000.0, "n": 90_000, "ok": true})));
        let config = json!({"bucket_span": "5m", "detectors": chosen, "influencers": influencers});
        let from_ms = if late { START_MS + 2 * SPAN_MS + 17 } else { 0 };
        let runtime = runtime();
        let raw = run(&runtime, &config, &documents, false, from_ms);
        assert_same(&raw, &run(&runtime, &config, &documents, true, from_ms));
    }
}

/// Documents that differ little: 40 in each bucket.
fn plain() -> Vec<Value> {
    let document = |n: i64| {
        json!({"t": START_MS + n * SPAN_MS / 40, "host": if n % 3 == 0 { "a" } else { "b" }, "v": (n % 7) as f64,
            "n": n % 11, "f": 0.1 * (n % 5) as f64, "user": format!("u{n}"), "status": 200, "ok": true})
    };
    (0..BUCKETS * 40).map(document).collect()
}

fn config(function: &str, field: &str, influencer: &str) -> Value {
    json!({"bucket_span": "5m", "influencers": [influencer],
        "detectors": [{"function": function, "field_name": field, "partition_field_name": "host"}]})
}

#[test]
fn it_is_chosen_where_groups_are_few_and_types_are_exact() {
    let runtime = runtime();
    for (config, expected) in [
        (config("mean", "v", "host"), true),
        (config("distinct_count", "status", "ok"), true),
        // A group for each document, a number that is stored otherwise than it is written, a function that needs all values.
        (config("mean", "v", "user"), false),
        (config("mean", "f", "host"), false),
        (config("median", "v", "host"), false),
        (config("sum", "user", "host"), false),
    ] {
        let raw = run(&runtime, &config, &plain(), false, 0);
        let grouped = run(&runtime, &config, &plain(), true, 0);
        assert_same(&raw, &grouped);
        assert_eq!(grouped.2 > raw.2, expected, "{config}: {} and {} searches", raw.2, grouped.2);
    }
}

#[test]
fn buckets_with_lists_are_read_document_by_document() {
    let runtime = runtime();
    for (list, field) in [(json!([1.0, 900.0]), "v"), (json!(["a", "b"]), "host"), (json!(1e200), "v")] {
        let mut documents = plain();
        documents[500][field] = list;
        let config = config("sum", "v", "host");
        let raw = run(&runtime, &config, &documents, false, 0);
        let grouped = run(&runtime, &config, &documents, true, 0);
        assert_same(&raw, &grouped);
        let without = run(&runtime, &config, &plain(), true, 0);
        assert!(grouped.2 > without.2, "{field}: {} and {} searches", without.2, grouped.2);
    }
}
