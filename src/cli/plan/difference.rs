//! What differs between two configurations, value by value.

use serde::Serialize;
use serde_json::{Map, Value};
use types::TimeSpan;

/// Fields that hold spans of time, which can be written in several ways.
const SPANS: [&str; 8] = [
    "bucket_span",
    "latency",
    "model_prune_window",
    "background_persist_interval",
    "query_delay",
    "frequency",
    "time_span",
    "check_window",
];

/// One value that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Difference {
    /// `analysis_config.detectors[0].function`
    pub(super) path: String,
    /// What the server has; null when nothing.
    pub(super) before: Value,
    /// What the file says; null when nothing.
    pub(super) after: Value,
}

/// All differences, in the order of the fields.
pub(super) fn between(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", "", before, after, &mut found);
    found
}

fn compare(path: &str, name: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => compare_objects(path, a, b, found),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() && b.iter().any(Value::is_object) => {
            for (index, (before, after)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{index}]"), name, before, after, found);
            }
        }
        _ if same(name, before, after) => {}
        _ => found.push(Difference { path: path.to_owned(), before: before.clone(), after: after.clone() }),
    }
}

fn compare_objects(path: &str, a: &Map<String, Value>, b: &Map<String, Value>, found: &mut Vec<Difference>) {
    let missing = &Value::Null;
    let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        compare(&path, name, a.get(name).unwrap_or(missing), b.get(name).unwrap_or(missing), found);
    }
}

fn same(name: &str, before: &Value, after: &Value) -> bool {
    if before == after {
        return true;
    }
    match (before, after) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::String(a), Value::String(b)) if SPANS.contains(&name) => {
            match (TimeSpan::parse(a, name), TimeSpan::parse(b, name)) {
                (Ok(a), Ok(b)) => a == b,
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_compared_one_by_one() {
        let before = json!({"a": {"b": 1, "c": [1, 2]}, "d": [{"e": 1}], "bucket_span": "15m"});
        let after = json!({"a": {"b": 1.0, "c": [1]}, "d": [{"e": 2}], "bucket_span": "900s", "f": true});
        let found = between(&before, &after);
        let paths: Vec<&str> = found.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["a.c", "d[0].e", "f"]);
        assert_eq!((&found[2].before, &found[2].after), (&Value::Null, &json!(true)));
        assert!(between(&before, &before).is_empty());
    }

    #[test]
    fn text_that_looks_like_a_time_is_one_only_in_fields_for_times() {
        let name = |value: &str| json!({"description": value});
        assert_eq!(between(&name("60s"), &name("1m")).len(), 1);
    }
}
