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
    }
}
