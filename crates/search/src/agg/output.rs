//! Answers of aggregations as a tree, on which pipelines work, and as the JSON that clients read.

use serde_json::{Map, Value, json};

/// An aggregation's answer under its name.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    /// What stands before `#` in typed keys: `sterms`, `date_histogram`, `avg`.
    pub(super) kind: &'static str,
    pub(super) meta: Option<Value>,
    pub(super) output: Output,
}

/// An aggregation's answer.
#[derive(Clone, Debug)]
pub(super) enum Output {
    /// A metric: its JSON, whose numbers pipelines and orders read by name.
    Metric(Map<String, Value>),
    /// One bucket.
    Single { count: u64, subs: Vec<Named> },
    /// Several buckets; `head` and `tail` stand before and behind them.
    Multi { head: Map<String, Value>, buckets: Vec<Bucket>, keyed: bool, tail: Map<String, Value> },
}

/// One of several buckets.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// Its name in a keyed answer, and in paths of pipelines.
    pub(super) name: String,
    /// What stands before `doc_count`: `key_as_string`, `key`, `from`, `to`.
    pub(super) head: Map<String, Value>,
    pub(super) count: u64,
    /// What stands between `doc_count` and the aggregations: `doc_count_error_upper_bound`.
    pub(super) extra: Map<String, Value>,
    pub(super) subs: Vec<Named>,
}

impl Bucket {
    /// The key as a number, for pipelines.
    pub(super) fn key_number(&self) -> Option<f64> {
        self.head.get("key").and_then(Value::as_f64)
    }
}

impl Output {
    pub(super) fn metric(value: Option<f64>) -> Self {
        Self::Metric(Map::from_iter([("value".to_owned(), value.map_or(Value::Null, number))]))
    }

    fn render(self, typed: bool) -> Map<String, Value> {
        match self {
            Self::Metric(map) => map,
            Self::Single { count, subs } => {
                let mut map = Map::from_iter([("doc_count".to_owned(), json!(count))]);
                map.extend(render(subs, typed));
                map
            }
            Self::Multi { head, buckets, keyed, tail } => {
                let mut map = head;
                let buckets = buckets.into_iter().map(|bucket| {
                    let mut object = bucket.head;
                    object.insert("doc_count".to_owned(), json!(bucket.count));
                    object.extend(bucket.extra);
                    object.extend(render(bucket.subs, typed));
                    (bucket.name, Value::Object(object))
                });
                let buckets = if keyed {
                    Value::Object(buckets.collect())
                } else {
                    Value::Array(buckets.map(|(_, object)| object).collect())
                };
                map.insert("buckets".to_owned(), buckets);
                map.extend(tail);
                map
            }
        }
    }
}

/// The JSON of several answers; with `typed`, names are `<kind>#<name>`.
pub(super) fn render(named: Vec<Named>, typed: bool) -> Map<String, Value> {
    named
        .into_iter()
        .map(|one| {
            let key = if typed { format!("{}#{}", one.kind, one.name) } else { one.name };
            let mut body = Map::new();
            if let Some(meta) = one.meta {
                body.insert("meta".to_owned(), meta);
            }
            body.extend(one.output.render(typed));
            (key, Value::Object(body))
        })
        .collect()
}

/// Infinity and no-number are never printed.
pub(super) fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// A number as keys print it: `50.0`, never `50`.
pub(super) fn double_text(value: f64) -> String {
    number(value).to_string()
}
