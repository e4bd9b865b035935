//! Forms of answers that many resources of `/_ml` share.

use jobs::Listed;
use serde::Serialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::Params;

/// Is it an error when a pattern matches nothing? With the names of old.
pub(super) const MATCH: &str = "allow_no_match allow_no_jobs allow_no_datafeeds";

pub(super) fn allow_no_match(params: &Params) -> Result<bool, ApiError> {
    for name in ["allow_no_match", "allow_no_jobs", "allow_no_datafeeds"] {
        if params.text(name).is_some() {
            return params.flag(name, true);
        }
    }
    Ok(true)
}

pub(super) fn acknowledged() -> Value {
    json!({ "acknowledged": true })
}

/// A value of ours as JSON.
pub(super) fn json(value: impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(value).map_err(|error| {
        tracing::error!(%error, "an answer cannot be printed");
        ApiError::internal()
    })
}

/// `{"count": n, "<name>": [..]}`
pub(super) fn listed<T: Serialize>(name: &str, found: &Listed<T>) -> Result<Value, ApiError> {
    let mut answer = json!({ "count": found.count });
    answer[name] = json(&found.items)?;
    Ok(answer)
}

/// Takes away what the server made, so that configurations can be sent back.
pub(super) fn without_generated(items: &mut Value) {
    const GENERATED: [&str; 8] = [
        "create_time",
        "finished_time",
        "job_type",
        "job_version",
        "model_snapshot_id",
        "blocked",
        "deleting",
        "authorization",
    ];
    for item in items.as_array_mut().into_iter().flatten() {
        if let Some(object) = item.as_object_mut() {
            for name in GENERATED {
                object.shift_remove(name);
            }
        }
        without_feed_defaults(item);
        if let Some(feed) = item.get_mut("datafeed_config") {
            without_feed_defaults(feed);
        }
        let detectors = item.pointer_mut("/analysis_config/detectors").and_then(Value::as_array_mut);
        for detector in detectors.into_iter().flatten().filter_map(Value::as_object_mut) {
            detector.shift_remove("detector_index");
        }
    }
}

/// What a datafeed has when nobody says anything is no part of what somebody said.
fn without_feed_defaults(feed: &mut Value) {
    let defaults = [
        ("query", json!({ "match_all": { "boost": 1.0 } })),
        ("scroll_size", json!(1000)),
        ("chunking_config", json!({ "mode": "auto" })),
        ("delayed_data_check_config", json!({ "enabled": true })),
        (
            "indices_options",
            json!({ "expand_wildcards": ["open"], "ignore_unavailable": false, "allow_no_indices": true,
                "ignore_throttled": true }),
        ),
    ];
    let Some(feed) = feed.as_object_mut().filter(|feed| feed.contains_key("indices")) else { return };
    feed.shift_remove("authorization");
    for (name, default) in defaults {
        if feed.get(name) == Some(&default) {
            feed.shift_remove(name);
        }
    }
}
