//! Scans: order, pages, values.

use search::{BulkParams, Expand, ScanRequest, ScanValue, Search};
use serde_json::{Value, json};

use crate::store;

fn request(indices: &str, query: Value, fields: &[&str], batch_size: usize) -> ScanRequest {
    ScanRequest {
        indices: vec![indices.to_owned()],
        expand: Expand::default(),
        query,
        time_field: "time".into(),
        start_ms: 0,
        end_ms: i64::MAX,
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        batch_size,
    }
}

/// All rows, printed.
fn rows(search: &Search, request: &ScanRequest) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in search.scan(request).unwrap() {
        let batch = batch.unwrap();
        assert!(!batch.is_empty() && batch.len() <= request.batch_size);
        for row in 0..batch.len() {
            let mut text = batch.times_ms[row].to_string();
            for column in &batch.columns {
                text.push_str(&match column.get(row) {
                    ScanValue::Missing => " -".to_owned(),
                    ScanValue::Str(value) => format!(" '{value}'"),
                    ScanValue::Num(value) => format!(" {value}"),
                });
            }
            rows.push(text);
        }
    }
    rows
}

fn fill(search: &Search, index: &str, docs: &[Value]) {
    let mut body = String::new();
    for doc in docs {
        body.push_str(&format!("{{\"index\":{{}}}}\n{doc}\n"));
    }
    assert!(!search.bulk(Some(index), body.as_bytes(), &BulkParams::default()).unwrap().has_errors());
}

#[test]
fn values_come_as_the_engine_wants_them() {
    let (_folder, search) = store();
    let mapping = json!({"mappings": {"properties": {"time": {"type": "date"}}}});
    search.create_index("i", &mapping).unwrap();
    let long = "x".repeat(300);
    fill(
        &search,
        "i",
        &[
            json!({"time": 3, "k": "late", "b": true, "v": 1.5, "n": 7}),
            json!({"time": 1, "k": ["b", "a", "b"], "v": [2.0, 1.0], "o": {"x": "deep"}}),
            json!({"time": 2, "k": long}),
            json!({"k": "no time"}),
        ],
    );
    let all = rows(&search, &request("i", Value::Null, &["k.keyword", "v", "b", "n", "o.x", "nope"], 2));
    assert_eq!(
        all,
        [
            "1 'a,b' '1,2' - - 'deep' -".to_owned(),
            "2 - - - - - -".to_owned(),
            "3 'late' 1.5 'true' 7 - -".to_owned()
        ]
    );
    let texts = rows(&search, &request("i", json!({"exists": {"field": "k"}}), &["k"], 10));
    assert_eq!(texts, ["1 'b,a,b'".to_owned(), format!("2 '{long}'"), "3 'late'".to_owned()]);
    let some = rows(&search, &request("i", json!({"match": {"k": "LATE"}}), &["_index"], 1));
    assert_eq!(some, ["3 'i'"]);
}

#[test]
fn several_indices_are_merged_in_order_of_time() {
    let (_folder, search) = store();
    let mapping = json!({"mappings": {"properties": {"time": {"type": "date"}, "s": {"type": "long"}}}});
    for (number, index) in ["a", "b", "c"].iter().enumerate() {
        search.create_index(index, &mapping).unwrap();
        let docs: Vec<Value> =
            (0..200).map(|n| json!({"time": (n * 7 + number * 3) % 50, "s": number * 1000 + n})).collect();
        fill(&search, index, &docs);
    }
    let whole = rows(&search, &request("a,b,c", Value::Null, &["s"], 10_000));
    assert_eq!(whole.len(), 600);
    for size in [1, 7, 100] {
        assert_eq!(rows(&search, &request("a,b,c", Value::Null, &["s"], size)), whole, "{size}");
    }
    let mut part = request("*", json!({"range": {"s": {"gte": 1000}}}), &["s"], 13);
    (part.start_ms, part.end_ms) = (10, 20);
    let wanted: Vec<String> = whole
        .iter()
        .filter(|row| {
            let (time, s) = row.split_once(' ').unwrap();
            (10..20).contains(&time.parse::<i64>().unwrap()) && s.parse::<i64>().unwrap() >= 1000
        })
        .cloned()
        .collect();
    assert_eq!(rows(&search, &part), wanted);
}

#[test]
fn what_is_missing_is_named() {
    let (_folder, search) = store();
    let error = search.scan(&request("none", Value::Null, &[], 1)).unwrap_err();
    assert_eq!(error.to_string(), "no such index [none]");
    fill(&search, "i", &[json!({"k": "x"})]);
    let error = search.scan(&request("i", Value::Null, &[], 1)).unwrap_err();
    assert_eq!(
        error.root().to_string(),
        "failed to create query: No mapping found for [time] in order to sort on"
    );
}
