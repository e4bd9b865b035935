//! What `human` and `error_trace` add to an answer.

use serde_json::{Map, Value};
use types::TimestampMs;

/// Times of jobs and results, which get a twin that people can read.
const TIMES: [&str; 12] = [
    "timestamp",
    "create_time",
    "finished_time",
    "log_time",
    "earliest_record_timestamp",
    "latest_record_timestamp",
    "last_data_time",
    "latest_empty_bucket_timestamp",
    "latest_sparse_bucket_timestamp",
    "latest_bucket_timestamp",
    "latest_record_time_stamp",
    "latest_result_time_stamp",
];

/// Adds `<name>_string` behind every time that is a number of milliseconds.
pub(super) fn add_times(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(add_times),
        Value::Object(object) => {
            let mut readable = Map::new();
            for (name, mut child) in std::mem::take(object) {
                add_times(&mut child);
                let time = child.as_i64().filter(|_| TIMES.contains(&name.as_str()));
                if let Some(ms) = time {
                    readable.insert(format!("{name}_string"), Value::String(TimestampMs(ms).to_iso()));
                }
                readable.insert(name, child);
            }
            *object = readable;
        }
        _ => {}
    }
}

/// Adds `stack_trace` to an error and its causes. There is no stack of a Java machine to show: it says again what went
/// wrong, so that programs that look for it find text.
pub(super) fn add_trace(answer: &mut Value) {
    let Some(error) = answer.get_mut("error") else { return };
    traced(error);
    for cause in error.get_mut("root_cause").and_then(Value::as_array_mut).into_iter().flatten() {
        traced(cause);
    }
    let mut link = error.get_mut("caused_by");
    while let Some(cause) = link {
        traced(cause);
        link = cause.get_mut("caused_by");
    }
}

fn traced(error: &mut Value) {
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    if let (Some(exception), Some(reason)) = (text("type"), text("reason")) {
        error["stack_trace"] = Value::String(format!("{exception}: {reason}"));
    }
}

#[test]
fn times_get_a_twin_and_errors_a_trace() {
    let mut value = serde_json::json!({"jobs": [{"create_time": 0, "x": 1}]});
    add_times(&mut value);
    assert_eq!(
        value,
        serde_json::json!({"jobs": [{"create_time_string": "1970-01-01T00:00:00.000Z", "create_time": 0, "x": 1}]})
    );
    let mut value = serde_json::json!({"error": {"type": "a", "reason": "b", "root_cause": [{"type": "a", "reason": "b"}],
        "caused_by": {"type": "c", "reason": "d", "caused_by": {"type": "e", "reason": "f"}}}});
    add_trace(&mut value);
    assert_eq!(value["error"]["caused_by"]["caused_by"]["stack_trace"], "e: f");
    assert_eq!(
        (&value["error"]["stack_trace"], &value["error"]["root_cause"][0]["stack_trace"]),
        (&"a: b".into(), &"a: b".into())
    );
}
