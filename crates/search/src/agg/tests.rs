//! Aggregations against examples, and against a brute force that is written differently.

use std::collections::BTreeMap;

use dates::DateFormat;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::error::Result;
use crate::query::value::natives;
use crate::query::{Field, FieldKind, FieldTypes};

/// A mapping of a few fields; `inner` is nested.
pub(crate) struct Mapping;

impl FieldTypes for Mapping {
    fn field(&self, path: &str) -> Option<Field> {
        let kind = match path {
            "time" => FieldKind::Date { format: DateFormat::default_format() },
            "host" | "inner.name" | "_id" => FieldKind::keyword(),
            "value" | "inner.score" => FieldKind::double(),
            "count" => FieldKind::long(),
            "up" => FieldKind::Boolean,
            "place" => FieldKind::GeoPoint,
            "text" => FieldKind::Text { analyzer: crate::analysis::Analyzer::Standard },
            _ => return None,
        };
        Some(Field::plain(path, kind))
    }
    fn expand(&self, pattern: &str) -> Vec<String> {
        let all = ["time", "host", "inner.name", "value", "inner.score", "count", "up", "place", "text"];
        let fits =
            |name: &&str| pattern == "*" || pattern.strip_suffix('*').is_some_and(|p| name.starts_with(p));
        all.into_iter().filter(fits).map(str::to_owned).collect()
    }
    fn is_nested(&self, path: &str) -> bool {
        path == "inner"
    }
    fn is_seen_from(&self, nested: &str, scope: &str) -> bool {
        nested == scope
    }
    fn is_object(&self, path: &str) -> bool {
        path == "inner"
    }
    fn index_name(&self) -> &str {
        "test"
    }
}

/// Answers hits by their number.
struct Numbers;

impl HitSource for Numbers {
    fn load(&mut self, _: &Value, hits: &[Hit]) -> Result<Vec<Value>> {
        Ok(hits.iter().map(|hit| json!({"_id": hit.address.seq.to_string(), "sort": hit.sort})).collect())
    }
}

fn fill(collector: &mut Collector, documents: &[Value], number: usize, batch: &mut Batch) {
    let scopes = collector.scopes().to_vec();
    for (row, document) in documents.iter().enumerate() {
        for (place, scope) in scopes.iter().enumerate() {
            let objects: Vec<Value> = match scope.path.as_str() {
                "" => vec![document.clone()],
                path => document[path].as_array().cloned().unwrap_or_default(),
            };
            for object in objects {
                for (column, spec) in scope.columns.iter().enumerate() {
                    for native in natives(&spec.field, &object, &scope.path) {
                        batch.scopes[place].columns[column].push_native(&native, collector.dictionary());
                    }
                    batch.scopes[place].columns[column].end_row();
                }
                for (mask, filter) in scope.filters.iter().enumerate() {
                    let predicate = filter.resolve_in(&Mapping, 0, &scope.path).unwrap();
                    batch.scopes[place].masks[mask].push(predicate.matches_in("", &object, &scope.path));
                }
                match place {
                    0 => batch.scopes[0].end_row(DocAddress { index: 0, seq: (number + row) as i64 }),
                    _ => batch.scopes[place].end_nested_row(row as u32),
                }
            }
        }
    }
}

fn run(aggs: &Value, documents: &[Value]) -> Result<Value> {
    run_in(aggs, documents, 3, MAX_BUCKETS)
}

fn run_in(aggs: &Value, documents: &[Value], batch_size: usize, max_buckets: usize) -> Result<Value> {
    let request = Aggregations::parse(aggs)?;
    let mut collector = Collector::new(&request, &Mapping, 0)?.with_max_buckets(max_buckets);
    let mut batch = collector.new_batch();
    for population in [Population::Query, Population::All] {
        if population == Population::All && !collector.needs_all() {
            continue;
        }
        for (number, part) in documents.chunks(batch_size).enumerate() {
            fill(&mut collector, part, number * batch_size, &mut batch);
            collector.push(population, &batch)?;
            batch.clear();
        }
    }
    collector.finish(false, &mut Numbers).map(Value::Object)
}

fn documents() -> Vec<Value> {
    vec![
        json!({"time": "2026-01-01T00:10", "host": "a", "value": 1, "count": 1, "up": true, "place": [10, 50],
            "inner": [{"name": "x", "score": 1}, {"name": "y", "score": 2}]}),
        json!({"time": "2026-01-01T00:50", "host": ["a", "b", "a"], "value": 3, "count": 2, "up": false, "inner": [{"name": "x", "score": 5}]}),
        json!({"time": "2026-01-01T02:10", "host": "b", "value": 5, "count": 2, "place": [20, 40]}),
        json!({"time": "2026-01-01T02:20", "count": 7}),
    ]
}

fn check(aggs: Value, expected: Value) {
    assert_eq!(run(&aggs, &documents()).unwrap()["a"], expected, "{aggs}");
}

#[test]
fn terms_count_documents_once() {
    check(
        json!({"a": {"terms": {"field": "host"}, "aggs": {"m": {"avg": {"field": "value"}}}}}),
        json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
            {"key": "a", "doc_count": 2, "m": {"value": 2.0}}, {"key": "b", "doc_count": 2, "m": {"value": 4.0}}]}),
    );
    check(
        json!({"a": {"terms": {"field": "host", "order": {"m": "desc"}, "size": 1}, "aggs": {"m": {"max": {"field": "value"}}}}}),
        json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 2, "buckets": [
            {"key": "b", "doc_count": 2, "m": {"value": 5.0}}]}),
    );
    check(
        json!({"a": {"terms": {"field": "host", "missing": "none", "exclude": "b.*", "order": {"_key": "desc"}}}}),
        json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
            {"key": "none", "doc_count": 1}, {"key": "a", "doc_count": 2}]}),
    );
    check(
        json!({"a": {"terms": {"field": "up"}}}),
        json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
            {"key": 0, "key_as_string": "false", "doc_count": 1}, {"key": 1, "key_as_string": "true", "doc_count": 1}]}),
    );
}

#[test]
fn histograms_fill_gaps_and_bounds() {
    check(
        json!({"a": {"date_histogram": {"field": "time", "fixed_interval": "1h"}}}),
        json!({"buckets": [
            {"key_as_string": "2026-01-01T00:00:00.000Z", "key": 1_767_225_600_000_i64, "doc_count": 2},
            {"key_as_string": "2026-01-01T01:00:00.000Z", "key": 1_767_229_200_000_i64, "doc_count": 0},
            {"key_as_string": "2026-01-01T02:00:00.000Z", "key": 1_767_232_800_000_i64, "doc_count": 2}]}),
    );
    check(
        json!({"a": {"date_histogram": {"field": "time", "calendar_interval": "day", "time_zone": "+01:00",
            "format": "yyyy-MM-dd", "keyed": true, "extended_bounds": {"min": "2025-12-31", "max": "2026-01-01"}}}}),
        json!({"buckets": {
            "2025-12-31": {"key_as_string": "2025-12-31", "key": 1_767_135_600_000_i64, "doc_count": 0},
            "2026-01-01": {"key_as_string": "2026-01-01", "key": 1_767_222_000_000_i64, "doc_count": 4}}}),
    );
    check(
        json!({"a": {"histogram": {"field": "value", "interval": 2, "offset": 1, "min_doc_count": 1}}}),
        json!({"buckets": [{"key": 1.0, "doc_count": 1}, {"key": 3.0, "doc_count": 1}, {"key": 5.0, "doc_count": 1}]}),
    );
}

#[test]
fn single_and_fixed_buckets() {
    check(json!({"a": {"filter": {"term": {"host": "a"}}}}), json!({"doc_count": 2}));
    check(json!({"a": {"missing": {"field": "host"}}}), json!({"doc_count": 1}));
    check(json!({"a": {"global": {}}}), json!({"doc_count": 4}));
    check(
        json!({"a": {"filters": {"filters": {"x": {"term": {"host": "a"}}}, "other_bucket": true}}}),
        json!({"buckets": {"x": {"doc_count": 2}, "_other_": {"doc_count": 2}}}),
    );
    check(
        json!({"a": {"range": {"field": "value", "ranges": [{"to": 3}, {"from": 3, "key": "up"}]}}}),
        json!({"buckets": [{"key": "*-3.0", "to": 3.0, "doc_count": 1}, {"key": "up", "from": 3.0, "doc_count": 2}]}),
    );
    check(
        json!({"a": {"date_range": {"field": "time", "format": "yyyy-MM-dd", "ranges": [{"to": "2026-01-01||/d"}]}}}),
        json!({"buckets": [{"key": "*-2026-01-01", "to": 1_767_225_600_000.0, "to_as_string": "2026-01-01", "doc_count": 0}]}),
    );
}

#[test]
fn nested_objects_and_back() {
    check(
        json!({"a": {"nested": {"path": "inner"}, "aggs": {"n": {"terms": {"field": "inner.name"}, "aggs": {
            "s": {"max": {"field": "inner.score"}}, "back": {"reverse_nested": {}, "aggs": {"v": {"sum": {"field": "value"}}}}}}}}}),
        json!({"doc_count": 3, "n": {"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
            {"key": "x", "doc_count": 2, "s": {"value": 5.0}, "back": {"doc_count": 2, "v": {"value": 4.0}}},
            {"key": "y", "doc_count": 1, "s": {"value": 2.0}, "back": {"doc_count": 1, "v": {"value": 1.0}}}]}}),
    );
    check(json!({"a": {"max": {"field": "inner.score"}}}), json!({"value": null}));
}

#[test]
fn metrics() {
    check(
        json!({"a": {"stats": {"field": "value"}}}),
        json!({"count": 3, "min": 1.0, "max": 5.0, "avg": 3.0, "sum": 9.0}),
    );
    check(json!({"a": {"avg": {"field": "nothing"}}}), json!({"value": null}));
    check(json!({"a": {"sum": {"field": "nothing"}}}), json!({"value": 0.0}));
    check(json!({"a": {"value_count": {"field": "host"}}}), json!({"value": 4}));
    check(json!({"a": {"cardinality": {"field": "host"}}}), json!({"value": 2}));
    check(
        json!({"a": {"max": {"field": "time"}}}),
        json!({"value": 1_767_234_000_000.0, "value_as_string": "2026-01-01T02:20:00.000Z"}),
    );
    check(
        json!({"a": {"percentiles": {"field": "value", "percents": [50]}}}),
        json!({"values": {"50.0": 3.0}}),
    );
    check(
        json!({"a": {"percentile_ranks": {"field": "value", "values": [3]}}}),
        json!({"values": {"3.0": 66.666_666_666_666_67}}),
    );
    check(json!({"a": {"median_absolute_deviation": {"field": "value"}}}), json!({"value": 2.0}));
    check(
        json!({"a": {"weighted_avg": {"value": {"field": "value"}, "weight": {"field": "count"}}}}),
        json!({"value": 3.4}),
    );
    check(
        json!({"a": {"top_hits": {"size": 1, "sort": [{"time": "desc"}]}}}),
        json!({"hits": {"total": {"value": 4, "relation": "eq"}, "max_score": null,
            "hits": [{"_id": "3", "sort": [1_767_234_000_000_i64]}]}}),
    );
    check(
        json!({"a": {"top_metrics": {"metrics": {"field": "value"}, "sort": {"time": "asc"}}}}),
        json!({"top": [{"sort": [1_767_226_200_000_i64], "metrics": {"value": 1.0}}]}),
    );
    check(
        json!({"a": {"geo_centroid": {"field": "place"}}}),
        json!({"location": {"lat": 45.0, "lon": 15.0}, "count": 2}),
    );
}

#[test]
fn composite_pages_through_everything() {
    let sources = json!([{"h": {"terms": {"field": "host", "missing_bucket": true}}},
        {"t": {"date_histogram": {"field": "time", "fixed_interval": "1h", "order": "desc"}}}]);
    let whole = run(&json!({"a": {"composite": {"size": 100, "sources": sources}}}), &documents()).unwrap();
    let mut paged = Vec::new();
    let mut after = Value::Null;
    loop {
        let page =
            run(&json!({"a": {"composite": {"size": 2, "sources": sources, "after": after}}}), &documents())
                .unwrap();
        let buckets = page["a"]["buckets"].as_array().unwrap().clone();
        if buckets.is_empty() {
            assert!(page["a"].get("after_key").is_none());
            break;
        }
        paged.extend(buckets);
        after = page["a"]["after_key"].clone();
    }
    assert_eq!(json!(paged), whole["a"]["buckets"]);
    assert_eq!(paged[0], json!({"key": {"h": null, "t": 1_767_232_800_000_i64}, "doc_count": 1}));
    assert_eq!(paged.len(), 4);
}

#[test]
fn pipelines_over_buckets() {
    let histogram = |pipelines: Value| {
        let mut subs = json!({"m": {"sum": {"field": "value"}}}).as_object().cloned().unwrap();
        subs.extend(pipelines.as_object().cloned().unwrap());
        json!({"a": {"date_histogram": {"field": "time", "fixed_interval": "1h"}, "aggs": subs},
            "best": {"max_bucket": {"buckets_path": "a>m"}}, "mean": {"avg_bucket": {"buckets_path": "a>_count"}}})
    };
    let answer = run(
        &histogram(json!({"d": {"derivative": {"buckets_path": "m", "unit": "1h"}}, "c": {"cumulative_sum": {"buckets_path": "m"}},
            "s": {"bucket_script": {"buckets_path": {"x": "m", "n": "_count"}, "script": "params.x / params.n"}}})),
        &documents(),
    )
    .unwrap();
    let buckets = answer["a"]["buckets"].as_array().unwrap();
    assert_eq!(buckets[0].get("d"), None);
    // The second hour is empty: neither its own derivative nor the next one has a value.
    assert_eq!(buckets[1]["d"], json!({"value": null, "normalized_value": null}));
    assert_eq!(buckets[2]["d"], json!({"value": null, "normalized_value": null}));
    assert_eq!((&buckets[2]["c"], &buckets[2]["s"]), (&json!({"value": 9.0}), &json!({"value": 2.5})));
    assert_eq!(answer["best"], json!({"value": 5.0, "keys": ["2026-01-01T02:00:00.000Z"]}));
    assert_eq!(answer["mean"]["value"], json!(4.0 / 3.0));
    let kept = run(
        &histogram(json!({"k": {"bucket_selector": {"buckets_path": {"x": "m"}, "script": "params.x > 4"}},
        "o": {"bucket_sort": {"sort": [{"m": "desc"}], "size": 1}}})),
        &documents(),
    )
    .unwrap();
    assert_eq!(kept["a"]["buckets"].as_array().unwrap().len(), 1);
}

#[test]
fn wrong_requests_are_refused() {
    for (aggs, exception, reason) in [
        (
            json!({"a": {"avg": {"field": "value", "foo": 1}}}),
            "x_content_parse_exception",
            "[avg] unknown field [foo]",
        ),
        (
            json!({"a": {"terms": {"field": "text"}}}),
            "search_phase_execution_exception",
            "Fielddata is disabled on [text]",
        ),
        (
            json!({"a": {"avg": {"field": "host"}}}),
            "search_phase_execution_exception",
            "of type [keyword] is not supported for aggregation [avg]",
        ),
        (json!({"a": {"terms": {"script": "x"}}}), "illegal_argument_exception", "[script]"),
        (
            json!({"a": {"terms": {"field": "host", "order": {"no": "asc"}}}}),
            "search_phase_execution_exception",
            "Invalid aggregation order path [no]",
        ),
        (
            json!({"a": {"date_histogram": {"field": "time"}}}),
            "illegal_argument_exception",
            "Invalid interval",
        ),
        (json!({"a": {"filter": {"foo": {}}}}), "parsing_exception", "unknown query [foo]"),
        (
            json!({"a": {"terms": {"field": "host"}}, "b": {"max_bucket": {"buckets_path": "x>y"}}}),
            "illegal_argument_exception",
            "No aggregation found for path [x>y]",
        ),
    ] {
        let error = run(&aggs, &documents()).unwrap_err();
        assert_eq!((error.exception(), error.status()), (exception, 400), "{aggs}");
        assert!(error.root().to_string().contains(reason), "{aggs}: {error}");
    }
    let many = json!({"a": {"terms": {"field": "count"}}});
    let error = run_in(&many, &documents(), 3, 2).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("Trying to create too many buckets. Must be less than or equal to: [2]")
    );
    assert_eq!(
        run_in(
            &json!({"a": {"date_histogram": {"field": "time", "fixed_interval": "1ms"}}}),
            &documents(),
            3,
            65_536
        )
        .unwrap_err()
        .exception(),
        "too_many_buckets_exception"
    );
}

#[test]
fn typed_keys_name_the_types() {
    let request =
        Aggregations::parse(&json!({"h": {"terms": {"field": "host"}}, "m": {"avg": {"field": "value"}}}))
            .unwrap();
    let collector = Collector::new(&request, &Mapping, 0).unwrap();
    let answer = collector.finish(true, &mut Numbers).unwrap();
    assert_eq!(answer.keys().collect::<Vec<_>>(), ["sterms#h", "avg#m"]);
}

/// Documents and, for each host, the values.
type Cell = (u64, BTreeMap<String, Vec<Option<f64>>>);

fn any_document() -> impl Strategy<Value = Value> {
    let host = prop::option::of(prop::collection::vec("[a-d]", 0..3));
    let value = prop::option::of(-20_i32..20);
    (0_i64..200_000_000, host, value).prop_map(|(time, host, value)| {
        let mut map = Map::from_iter([("time".to_owned(), json!(time + 1_767_225_600_000))]);
        map.extend(host.map(|host| ("host".to_owned(), json!(host))));
        map.extend(value.map(|value| ("value".to_owned(), json!(value))));
        Value::Object(map)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn histogram_by_terms_equals_brute_force(documents in prop::collection::vec(any_document(), 1..60), batch in 1_usize..20) {
        let aggs = json!({"a": {"date_histogram": {"field": "time", "fixed_interval": "5h", "min_doc_count": 1}, "aggs": {
            "h": {"terms": {"field": "host", "size": 3}, "aggs": {"m": {"avg": {"field": "value"}}}}}}});
        let answer = run_in(&aggs, &documents, batch, MAX_BUCKETS).unwrap();
        let mut cells: BTreeMap<i64, Cell> = BTreeMap::new();
        for document in &documents {
            let time = document["time"].as_i64().unwrap();
            let cell = cells.entry(time - time % 18_000_000).or_default();
            cell.0 += 1;
            let mut hosts: Vec<&str> = document["host"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            hosts.sort_unstable();
            hosts.dedup();
            for host in hosts {
                cell.1.entry(host.to_owned()).or_default().push(document["value"].as_f64());
            }
        }
        let expected: Vec<Value> = cells.into_iter().map(|(key, (count, hosts))| {
            let mut hosts: Vec<(String, Vec<Option<f64>>)> = hosts.into_iter().collect();
            hosts.sort_by_key(|(_, values)| std::cmp::Reverse(values.len()));
            let other: usize = hosts.iter().skip(3).map(|(_, values)| values.len()).sum();
            let buckets: Vec<Value> = hosts.into_iter().take(3).map(|(host, values)| {
                let numbers: Vec<f64> = values.iter().flatten().copied().collect();
                let mean = (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64);
                json!({"key": host, "doc_count": values.len(), "m": {"value": mean}})
            }).collect();
            json!({"key_as_string": DateFormat::default_format().print(key, &dates::Zone::utc()), "key": key, "doc_count": count,
                "h": {"doc_count_error_upper_bound": 0, "sum_other_doc_count": other, "buckets": buckets}})
        }).collect();
        prop_assert_eq!(&answer["a"]["buckets"], &Value::Array(expected));
    }
}
