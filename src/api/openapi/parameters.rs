//! What query parameters mean, for the description and for the check that every request passes.

use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::extract::{parse_flag, parse_number};

/// Switches, wherever they occur.
const FLAGS: &str = "allow_no_match allow_no_jobs allow_no_datafeeds allow_no_forecasts exclude_generated force \
    wait_for_completion delete_user_annotations calc_interim exclude_interim desc expand delete_intervening_results \
    close_job allow_no_indices ignore_unavailable ignore_throttled local flat_settings include_defaults \
    include_type_name analyze_wildcard lenient realtime require_alias v help track_scores seq_no_primary_term explain \
    rest_total_hits_as_int typed_keys request_cache ccs_minimize_roundtrips allow_partial_search_results \
    only_expunge_deletes wait_if_ongoing write_index_only preserve_existing all_shards rewrite include_unmapped pretty \
    human error_trace";
/// Whole numbers, wherever they occur.
const COUNTS: &str = "from size top_n max_docs batched_reduce_size max_concurrent_shard_requests \
    max_concurrent_searches pre_filter_shard_size retry_on_conflict lines_to_sample line_merge_size_limit \
    documents_to_sample";
/// Scores.
const SCORES: &str = "anomaly_score record_score influencer_score overall_score";
/// Spans of time.
const SPANS: &str = "timeout master_timeout scroll keep_alive bucket_span search_timeout duration expires_in";
/// Points in time.
const TIMES: &str = "start end advance_time skip_time reset_start reset_end";

/// Meanings that the name alone does not tell.
const MEANINGS: [(&str, &str); 24] = [
    ("advance_time", "Time has come to here: all buckets before it are final"),
    ("allow_no_match", "Is a pattern that matches nothing no error?"),
    ("anomaly_score", "Only buckets with at least this score"),
    ("bucket_span", "Length of the overall buckets; not shorter than the longest of the jobs"),
    ("calc_interim", "Write interim results of the bucket that is open"),
    ("close_job", "Close the job as well"),
    ("delete_intervening_results", "Remove the results since, so that the time since can be analysed again"),
    ("delete_user_annotations", "Remove the annotations that people wrote as well"),
    ("desc", "Highest first"),
    ("end", "Before this: ISO 8601 with a zone, or milliseconds since 1970"),
    ("exclude_generated", "Leave out what the server made, so that the answer can be sent back"),
    ("exclude_interim", "Leave out results that are not final"),
    ("expand", "Show the records of each bucket"),
    ("force", "Also when it is in use, or failed"),
    ("from", "Leave out so many"),
    ("influencer_score", "Only influencers with at least this score"),
    ("overall_score", "Only overall buckets with at least this score"),
    ("record_score", "Only records with at least this score"),
    ("size", "Show at most so many"),
    ("skip_time", "Jump to here; buckets before it have no results"),
    ("sort", "By which field"),
    ("start", "From here on: ISO 8601 with a zone, or milliseconds since 1970"),
    ("top_n", "How many of the jobs' highest scores are averaged"),
    ("wait_for_completion", "Answer when it is done, not at once with a task"),
];

fn is_among(names: &str, name: &str) -> bool {
    names.split_ascii_whitespace().any(|known| known == name)
}

/// The parameter as the description lists it.
pub(super) fn described(name: &str) -> Value {
    let mut parameter = json!({ "name": name, "in": "query", "schema": schema(name) });
    if let Ok(at) = MEANINGS.binary_search_by_key(&name, |(known, _)| *known) {
        parameter["description"] = json!(MEANINGS[at].1);
    }
    parameter
}

fn schema(name: &str) -> Value {
    if is_among(FLAGS, name) {
        // A bare name is on.
        json!({ "type": "string", "enum": ["true", "false", ""] })
    } else if is_among(COUNTS, name) {
        json!({ "type": "integer" })
    } else if is_among(SCORES, name) {
        json!({ "type": "number" })
    } else if is_among(SPANS, name) {
        json!({ "type": "string", "examples": ["30s"] })
    } else if is_among(TIMES, name) {
        json!({ "type": "string", "examples": ["2026-01-01T00:00:00Z"] })
    } else {
        json!({ "type": "string" })
    }
}

/// Refuses a value that cannot be one of this parameter's, also where the route would not look at it.
///
/// # Errors
/// When the value is not a switch, a whole number or a score, and the parameter is.
pub(in crate::api) fn check(name: &str, value: &str) -> Result<(), ApiError> {
    if is_among(FLAGS, name) {
        parse_flag(value).map(drop)
    } else if is_among(COUNTS, name) {
        parse_number::<i64>(name, value).map(drop)
    } else if is_among(SCORES, name) {
        parse_number::<f64>(name, value).map(drop)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meanings_are_sorted_and_values_are_checked() {
        assert!(MEANINGS.is_sorted_by_key(|(name, _)| *name));
        assert!(described("force")["description"].is_string());
        assert!(check("force", "").is_ok() && check("force", "yes").is_err());
        assert!(check("size", "-1").is_ok() && check("size", "1.5").is_err());
        assert!(check("record_score", "7.5").is_ok() && check("record_score", "high").is_err());
        assert!(check("sort", "anything").is_ok());
    }
}
