//! From the answer to an aggregation to rows.

use serde_json::{Map, Value, json};
use store::{Column, Page};

use super::aggregation::{Kind, below, level};
use crate::Result;

/// One row: a combination of a bucket of time and values of the splits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Start of the bucket of the histogram.
    pub(super) key_ms: i64,
    /// Time of the newest document in it.
    pub(super) time_ms: i64,
    pub(super) doc_count: u64,
    pub(super) values: Map<String, Value>,
}

#[derive(Clone, Default)]
struct Context {
    key_ms: Option<i64>,
    time_ms: Option<i64>,
    doc_count: u64,
    values: Map<String, Value>,
}

/// The rows of an answer, in order of time. Empty buckets make no rows.
///
/// # Errors
/// When the aggregations are not those that a datafeed can have.
pub(super) fn rows(aggregations: &Value, answer: &Value, time_field: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    walk(aggregations, answer, time_field, Context::default(), &mut rows)?;
    rows.sort_by_key(|row| row.key_ms);
    Ok(rows)
}

fn walk(
    config: &Value,
    answer: &Value,
    time_field: &str,
    mut context: Context,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let level = level(config)?;
    for (name, kind, _) in level.iter().filter(|(_, kind, _)| *kind == Kind::Leaf) {
        debug_assert_eq!(*kind, Kind::Leaf);
        let value = answer.get(*name).map(leaf).unwrap_or_default();
        if *name == time_field {
            context.time_ms = value.as_f64().map(|ms| ms as i64).or(context.time_ms);
        } else if !value.is_null() {
            context.values.insert((*name).to_owned(), value);
        }
    }
    let mut split = false;
    for (name, kind, body) in level {
        if kind == Kind::Leaf {
            continue;
        }
        split = true;
        let Some(found) = answer.get(name) else { continue };
        if kind == Kind::Single {
            let inside = Context { doc_count: count(found), ..context.clone() };
            if inside.doc_count > 0 {
                descend(body, found, time_field, inside, rows)?;
            }
            continue;
        }
        for bucket in found.get("buckets").and_then(Value::as_array).into_iter().flatten() {
            if count(bucket) == 0 {
                continue;
            }
            let mut inside = Context { doc_count: count(bucket), ..context.clone() };
            match kind {
                Kind::Histogram => {
                    inside.key_ms = bucket.get("key").and_then(Value::as_f64).map(|ms| ms as i64)
                }
                Kind::Terms => {
                    inside.values.insert(name.to_owned(), key(bucket));
                }
                _ => composite(body, bucket, &mut inside),
            }
            descend(body, bucket, time_field, inside, rows)?;
        }
    }
    if !split && let Some(key_ms) = context.key_ms {
        rows.push(Row {
            key_ms,
            time_ms: context.time_ms.unwrap_or(key_ms),
            doc_count: context.doc_count,
            values: context.values,
        });
    }
    Ok(())
}

fn descend(
    body: &Value,
    bucket: &Value,
    time_field: &str,
    inside: Context,
    rows: &mut Vec<Row>,
) -> Result<()> {
    match below(body) {
        Some(children) => walk(children, bucket, time_field, inside, rows),
        None => walk(&json!({}), bucket, time_field, inside, rows),
    }
}

fn composite(body: &Value, bucket: &Value, inside: &mut Context) {
    let sources = body.pointer("/composite/sources").and_then(Value::as_array);
    for (name, source) in sources.into_iter().flatten().filter_map(Value::as_object).flatten() {
        let Some(value) = bucket.get("key").and_then(|key| key.get(name)) else { continue };
        if source.get("date_histogram").is_some() {
            inside.key_ms = value.as_f64().map(|ms| ms as i64);
        } else if !value.is_null() {
            inside.values.insert(name.clone(), value.clone());
        }
    }
}

fn count(bucket: &Value) -> u64 {
    bucket.get("doc_count").and_then(Value::as_u64).unwrap_or(0)
}

fn key(bucket: &Value) -> Value {
    // Booleans and dates have a text beside the number; the number of other keys is what the detector reads.
    match (bucket.get("key_as_string"), bucket.get("key")) {
        (Some(text), Some(Value::Number(_))) if text == "true" || text == "false" => text.clone(),
        (_, key) => key.cloned().unwrap_or_default(),
    }
}

/// The single value of a metric: a number, the one percentile, or a point as `lat,lon`.
fn leaf(metric: &Value) -> Value {
    if let Some(value) = metric.get("value") {
        return value.clone();
    }
    if let Some(location) = metric.get("location") {
        let part = |name: &str| location.get(name).and_then(Value::as_f64);
        if let (Some(lat), Some(lon)) = (part("lat"), part("lon")) {
            return json!(format!("{lat},{lon}"));
        }
    }
    match metric.get("values") {
        Some(Value::Object(values)) => values.values().next().cloned().unwrap_or_default(),
        Some(Value::Array(values)) => {
            values.first().and_then(|value| value.get("value")).cloned().unwrap_or_default()
        }
        _ => Value::Null,
    }
}

/// Rows as a page with the wanted columns; `summary` is the field that takes the number of documents.
pub(super) fn page(rows: &[Row], fields: &[String]) -> (Page, Vec<i64>) {
    let mut page = Page { times_ms: rows.iter().map(|row| row.time_ms).collect(), ..Page::default() };
    for field in fields {
        let mut column = Column::default();
        for row in rows {
            match row.values.get(field) {
                None if field == "doc_count" => column.push_num(row.doc_count as f64),
                value => column.push_json(value),
            }
        }
        page.columns.push(column);
    }
    (page, rows.iter().map(|row| row.key_ms).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_terms_and_metrics_become_rows() {
        let config = json!({"buckets": {"date_histogram": {"field": "t", "fixed_interval": "5m"}, "aggregations": {
            "t": {"max": {"field": "t"}},
            "host": {"terms": {"field": "host"}, "aggs": {"v": {"avg": {"field": "v"}},
                "p": {"percentiles": {"field": "v", "percents": [95]}}}}}}});
        let answer = json!({"buckets": {"buckets": [
            {"key": 300_000, "doc_count": 3, "t": {"value": 400_000.0}, "host": {"buckets": [
                {"key": "a", "doc_count": 2, "v": {"value": 1.5}, "p": {"values": {"95.0": 2.0}}},
                {"key": "b", "doc_count": 1, "v": {"value": null}, "p": {"values": {"95.0": 3.0}}}]}},
            {"key": 600_000, "doc_count": 0, "t": {"value": null}, "host": {"buckets": []}}]}});
        let found = rows(&config, &answer, "t").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].key_ms, found[0].time_ms, found[0].doc_count), (300_000, 400_000, 2));
        assert_eq!(Value::Object(found[0].values.clone()), json!({"host": "a", "v": 1.5, "p": 2.0}));
        assert_eq!(Value::Object(found[1].values.clone()), json!({"host": "b", "p": 3.0}));
        let fields = ["v".to_owned(), "host".to_owned(), "doc_count".to_owned()];
        let (page, positions) = page(&found, &fields);
        assert_eq!((page.columns.len(), positions), (3, vec![300_000, 300_000]));
        assert_eq!(page.columns[2].get(1), store::Cell::Num(1.0));
    }

    #[test]
    fn composites_take_their_splits_from_the_key() {
        let config = json!({"c": {"composite": {"sources": [{"when": {"date_histogram": {"field": "t"}}},
            {"host": {"terms": {"field": "host"}}}]}, "aggs": {"t": {"max": {"field": "t"}}, "n": {"sum": {"field": "n"}}}}});
        let answer = json!({"c": {"buckets": [
            {"key": {"when": 600_000, "host": "a"}, "doc_count": 1, "t": {"value": 600_001.0}, "n": {"value": 7.0}},
            {"key": {"when": 300_000, "host": "b"}, "doc_count": 1, "t": {"value": 300_001.0}, "n": {"value": 8.0}}]}});
        let found = rows(&config, &answer, "t").unwrap();
        assert_eq!((found[0].key_ms, found[1].time_ms), (300_000, 600_001));
        assert_eq!(Value::Object(found[0].values.clone()), json!({"host": "b", "n": 8.0}));
    }

    #[test]
    fn histograms_under_terms_are_put_in_order() {
        let config = json!({"host": {"terms": {"field": "host"}, "aggs": {"b": {"date_histogram": {"field": "t"},
            "aggs": {"t": {"max": {"field": "t"}}}}}}});
        let bucket = |key: i64| json!({"key": key, "doc_count": 1, "t": {"value": key + 5}});
        let answer = json!({"host": {"buckets": [
            {"key": "a", "doc_count": 2, "b": {"buckets": [bucket(100), bucket(200)]}},
            {"key": "b", "doc_count": 1, "b": {"buckets": [bucket(100)]}}]}});
        let keys: Vec<i64> = rows(&config, &answer, "t").unwrap().iter().map(|row| row.key_ms).collect();
        assert_eq!(keys, [100, 100, 200]);
    }
}
