//! What an answer of the cluster means.

use serde_json::Value;

use crate::{Error, Outcome, Result, Version};

/// The failure that an answer tells, if it tells one.
pub(super) fn failure(status: u16, body: &Value) -> Option<Error> {
    if status < 400 {
        return None;
    }
    let error = body.get("error").unwrap_or(body);
    let root = error.pointer("/root_cause/0").unwrap_or(error);
    Some(described(status, root, error))
}

fn described(status: u16, root: &Value, error: &Value) -> Error {
    let text = |key: &str| root.get(key).or_else(|| error.get(key)).and_then(Value::as_str);
    let exception = text("type").unwrap_or("exception").to_owned();
    let reason = text("reason").or_else(|| error.as_str()).unwrap_or("no reason given").to_owned();
    match exception.as_str() {
        "index_not_found_exception" => {
            Error::IndexNotFound(text("index").or_else(|| text("resource.id")).unwrap_or_default().to_owned())
        }
        "version_conflict_engine_exception" => Error::VersionConflict(reason),
        _ => Error::Refused { status, exception, reason },
    }
}

/// The outcomes of a bulk request, item by item; a request that answers 200 may have refused every one.
///
/// # Errors
/// When there are not as many items as operations.
pub(super) fn bulk_outcomes(body: &Value, operations: usize) -> Result<Vec<Outcome>> {
    let items = body.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.len() != operations {
        return Err(Error::Answer(format!("{operations} operations were sent, {} answered", items.len())));
    }
    items.iter().map(outcome).collect()
}

fn outcome(item: &Value) -> Result<Outcome> {
    let body = item.as_object().and_then(|item| item.values().next());
    let body = body.ok_or_else(|| Error::Answer("an item of a bulk answer is empty".to_owned()))?;
    let number = |key: &str| body.get(key).and_then(Value::as_u64);
    let status = number("status").and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
    let version = number("_seq_no").zip(number("_primary_term"));
    Ok(Outcome {
        id: body.get("_id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        status,
        version: version.map(|(seq_no, primary_term)| Version { seq_no, primary_term }),
        error: body.get("error").map(|error| described(status, error, error)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn failures_take_the_root_cause() {
        let body = json!({"error": {"root_cause": [{"type": "parsing_exception", "reason": "unknown query [x]"}],
            "type": "search_phase_execution_exception", "reason": "all shards failed"}, "status": 400});
        assert_eq!(failure(400, &body).unwrap().to_string(), "unknown query [x]");
        let body = json!({"error": {"type": "index_not_found_exception", "reason": "no such index [i]", "index": "i"}});
        assert!(matches!(failure(404, &body), Some(Error::IndexNotFound(index)) if index == "i"));
        assert!(failure(200, &json!({})).is_none());
        assert!(failure(503, &json!("busy")).unwrap().is_transient());
    }

    #[test]
    fn every_item_of_a_bulk_answer_is_read() {
        let body = json!({"errors": true, "items": [
            {"index": {"_id": "1", "status": 201, "_seq_no": 4, "_primary_term": 2}},
            {"create": {"_id": "2", "status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "r"}}},
            {"index": {"_id": "3", "status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "q"}}},
            {"delete": {"_id": "4", "status": 404, "_seq_no": 5, "_primary_term": 2}}]});
        let outcomes = bulk_outcomes(&body, 4).unwrap();
        assert_eq!(outcomes[0].version, Some(Version { seq_no: 4, primary_term: 2 }));
        assert!(matches!(outcomes[1].error, Some(Error::VersionConflict(_))));
        assert!(outcomes[2].error.as_ref().unwrap().is_transient());
        assert!(outcomes[3].error.is_none());
        assert!(bulk_outcomes(&body, 5).is_err());
    }
}
