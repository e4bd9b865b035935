//! Names, mappings and templates of the indices that the service owns.

use serde_json::{Map, Value, json};

/// Jobs and datafeeds.
pub const CONFIG: &str = ".ml-config";
/// Calendars, events, filters.
pub const META: &str = ".ml-meta";
/// The index with model states; read by [`STATE_PATTERN`], written by [`STATE_WRITE`].
pub const STATE: &str = ".ml-state-000001";
/// Write alias of the state.
pub const STATE_WRITE: &str = ".ml-state-write";
/// All indices with model states.
pub const STATE_PATTERN: &str = ".ml-state*";
/// Messages.
pub const NOTIFICATIONS: &str = ".ml-notifications-000002";
/// Write alias of the messages.
pub const NOTIFICATIONS_WRITE: &str = ".ml-notifications-write";
/// Annotations.
pub const ANNOTATIONS: &str = ".ml-annotations-000001";
/// Write alias of the annotations.
pub const ANNOTATIONS_WRITE: &str = ".ml-annotations-write";
/// Read alias of the annotations.
pub const ANNOTATIONS_READ: &str = ".ml-annotations-read";
/// Which jobs and datafeeds run.
pub const TASKS: &str = ".auspex-tasks";
/// Records that were pushed and are not yet part of a checkpoint.
pub const DATA_LOG: &str = ".auspex-data-log";
/// How the aliases begin through which results are written.
const RESULTS_WRITE_PREFIX: &str = ".ml-anomalies-.write-";
/// All results of all jobs.
pub const RESULTS_PATTERN: &str = ".ml-anomalies-*";

/// The index that holds a job's results, from the job's `results_index_name` (`shared` or `custom-…`).
pub fn results_index(results_index_name: &str) -> String {
    format!(".ml-anomalies-{results_index_name}")
}

/// The alias through which a job's results are read.
pub fn results_read_alias(job_id: &str) -> String {
    format!(".ml-anomalies-{job_id}")
}

/// The alias through which a job's results are written.
pub fn results_write_alias(job_id: &str) -> String {
    format!("{RESULTS_WRITE_PREFIX}{job_id}")
}

/// Is it the name of an alias that the service writes through? Such a name never stands for an index: a store that has lost the
/// alias must not make up an index in its place.
pub fn is_write_alias(name: &str) -> bool {
    let fixed = [STATE_WRITE, NOTIFICATIONS_WRITE, ANNOTATIONS_WRITE];
    // A prefix may stand before own names.
    fixed.iter().any(|alias| name.ends_with(alias)) || name.contains(RESULTS_WRITE_PREFIX)
}

/// The job whose results are written through this alias.
pub fn job_of_results_write_alias(name: &str) -> Option<&str> {
    name.strip_prefix(RESULTS_WRITE_PREFIX)
}

/// The actions that give one of the [`fixed`] indices the aliases in its `body`.
pub fn fixed_alias_actions(index: &str, body: &Value) -> Value {
    let aliases = body["aliases"].as_object().into_iter().flatten();
    let actions: Vec<Value> = aliases
        .map(|(alias, options)| {
            let mut add = options.clone();
            add["index"] = json!(index);
            add["alias"] = json!(alias);
            json!({ "add": add })
        })
        .collect();
    json!({ "actions": actions })
}

/// The actions that give a job its aliases on an index.
pub fn results_alias_actions(index: &str, job_id: &str) -> Value {
    json!({"actions": [
        {"add": {"index": index, "alias": results_read_alias(job_id), "is_hidden": true,
                 "filter": {"term": {"job_id": {"value": job_id}}}}},
        {"add": {"index": index, "alias": results_write_alias(job_id), "is_hidden": true}}
    ]})
}

/// The actions that take a job's aliases from an index.
pub fn results_alias_removal(index: &str, job_id: &str) -> Value {
    json!({"actions": [
        {"remove": {"index": index, "alias": results_read_alias(job_id)}},
        {"remove": {"index": index, "alias": results_write_alias(job_id)}}
    ]})
}

/// The indices that exist whether there are jobs or not: name and body of the request that creates them.
pub fn fixed() -> Vec<(&'static str, Value)> {
    vec![
        (CONFIG, body(config_mapping(), json!({}))),
        (META, body(meta_mapping(), json!({}))),
        (STATE, body(json!({"dynamic": false}), json!({STATE_WRITE: {"is_hidden": true}}))),
        (NOTIFICATIONS, body(notifications_mapping(), json!({NOTIFICATIONS_WRITE: {"is_hidden": true}}))),
        (
            ANNOTATIONS,
            body(
                annotations_mapping(),
                json!({ANNOTATIONS_READ: {"is_hidden": true}, ANNOTATIONS_WRITE: {"is_hidden": true}}),
            ),
        ),
        (TASKS, body(tasks_mapping(), json!({}))),
        (DATA_LOG, body(data_log_mapping(), json!({}))),
    ]
}

/// The body of the request that creates an index for results.
pub fn results_body() -> Value {
    let mut body = body(results_mapping(), json!({}));
    body["settings"]["index"]["query"] = json!({"default_field": "all_field_values"});
    body
}

/// Templates, so that indices that others create under these names have the same mappings, and so have those that a write makes
/// again after somebody has removed them: name and body.
pub fn templates() -> Vec<(&'static str, Value)> {
    let template = |pattern: &str, body: Value| json!({"index_patterns": [pattern], "priority": 2_147_483_647, "template": body});
    vec![
        (CONFIG, template(CONFIG, body(config_mapping(), json!({})))),
        (META, template(META, body(meta_mapping(), json!({})))),
        (TASKS, template(TASKS, body(tasks_mapping(), json!({})))),
        (DATA_LOG, template(DATA_LOG, body(data_log_mapping(), json!({})))),
        (ANNOTATIONS, template(ANNOTATIONS, body(annotations_mapping(), json!({})))),
        (".ml-anomalies-", template(".ml-anomalies-*", results_body())),
        (".ml-state", template(".ml-state*", body(json!({"dynamic": false}), json!({})))),
        (".ml-notifications-000002", template(NOTIFICATIONS, body(notifications_mapping(), json!({})))),
    ]
}

fn body(mut mappings: Value, aliases: Value) -> Value {
    let digest = format!("{:016x}", fnv_1a(mappings.to_string().as_bytes()));
    mappings["_meta"] = json!({"version": types::job::JOB_VERSION, "auspex_mappings": digest});
    json!({
        "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1", "hidden": true}},
        "mappings": mappings,
        "aliases": aliases,
    })
}

/// FNV-1a, 64 bits. Stands beside the version in `_meta`, so that mappings that changed within a version are found out.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn typed(kind: &str, fields: &[&str], into: &mut Map<String, Value>) {
    for field in fields {
        let property = match kind {
            "date" => json!({"type": "date", "format": "strict_date_optional_time||epoch_millis"}),
            kind => json!({ "type": kind }),
        };
        into.insert((*field).to_owned(), property);
    }
}

fn config_mapping() -> Value {
    let mut properties = Map::new();
    typed(
        "keyword",
        &["job_id", "job_type", "config_type", "datafeed_id", "groups", "indices"],
        &mut properties,
    );
    typed("date", &["create_time", "finished_time"], &mut properties);
    json!({"dynamic": false, "properties": properties})
}

fn meta_mapping() -> Value {
    let mut properties = Map::new();
    typed(
        "keyword",
        &["type", "calendar_id", "job_ids", "filter_id", "event_id", "items", "description"],
        &mut properties,
    );
    typed("date", &["start_time", "end_time"], &mut properties);
    json!({"dynamic": false, "properties": properties})
}

fn notifications_mapping() -> Value {
    let mut properties = Map::new();
    typed("keyword", &["job_id", "job_type", "level", "node_name"], &mut properties);
    typed("date", &["timestamp"], &mut properties);
    typed("boolean", &["cleared"], &mut properties);
    properties.insert(
        "message".to_owned(),
        json!({"type": "text", "fields": {"raw": {"type": "keyword", "ignore_above": 1024}}}),
    );
    json!({"dynamic": false, "properties": properties})
}

fn annotations_mapping() -> Value {
    let mut properties = Map::new();
    typed(
        "keyword",
        &[
            "create_username",
            "modified_username",
            "job_id",
            "type",
            "event",
            "partition_field_name",
            "partition_field_value",
            "over_field_name",
            "over_field_value",
            "by_field_name",
            "by_field_value",
        ],
        &mut properties,
    );
    typed("date", &["create_time", "modified_time", "timestamp", "end_timestamp"], &mut properties);
    typed("long", &["detector_index"], &mut properties);
    typed("text", &["annotation"], &mut properties);
    json!({"dynamic": false, "properties": properties})
}

fn tasks_mapping() -> Value {
    let mut properties = Map::new();
    typed("keyword", &["task", "job_id", "datafeed_id", "state"], &mut properties);
    json!({"dynamic": false, "properties": properties})
}

fn data_log_mapping() -> Value {
    let mut properties = Map::new();
    typed("keyword", &["job_id"], &mut properties);
    typed("long", &["seq"], &mut properties);
    json!({"dynamic": false, "properties": properties})
}

const RESULT_KEYWORDS: [&str; 24] = [
    "job_id",
    "result_type",
    "influencer_field_name",
    "influencer_field_value",
    "function",
    "function_description",
    "field_name",
    "by_field_name",
    "by_field_value",
    "over_field_name",
    "over_field_value",
    "partition_field_name",
    "partition_field_value",
    "model_feature",
    "forecast_id",
    "forecast_status",
    "forecast_messages",
    "snapshot_id",
    "min_version",
    "memory_status",
    "categorization_status",
    "scheduled_events",
    "assignment_memory_basis",
    "mlcategory",
];
const RESULT_DATES: [&str; 13] = [
    "timestamp",
    "log_time",
    "latest_record_time_stamp",
    "latest_result_time_stamp",
    "earliest_record_timestamp",
    "latest_record_timestamp",
    "last_data_time",
    "latest_empty_bucket_timestamp",
    "latest_sparse_bucket_timestamp",
    "forecast_start_timestamp",
    "forecast_end_timestamp",
    "forecast_create_timestamp",
    "forecast_expiry_timestamp",
];
const RESULT_DOUBLES: [&str; 18] = [
    "anomaly_score",
    "initial_anomaly_score",
    "raw_anomaly_score",
    "probability",
    "record_score",
    "initial_record_score",
    "influencer_score",
    "initial_influencer_score",
    "multi_bucket_impact",
    "actual",
    "typical",
    "model_lower",
    "model_median",
    "model_upper",
    "forecast_lower",
    "forecast_upper",
    "forecast_prediction",
    "forecast_progress",
];
const RESULT_LONGS: [&str; 34] = [
    "bucket_span",
    "event_count",
    "processing_time_ms",
    "model_bytes",
    "peak_model_bytes",
    "model_bytes_exceeded",
    "model_bytes_memory_limit",
    "total_by_field_count",
    "total_over_field_count",
    "total_partition_field_count",
    "bucket_allocation_failures_count",
    "categorized_doc_count",
    "total_category_count",
    "frequent_category_count",
    "rare_category_count",
    "dead_category_count",
    "failed_category_count",
    "category_id",
    "max_matching_length",
    "num_matches",
    "preferred_to_categories",
    "forecast_memory_bytes",
    "processed_record_count",
    "processed_field_count",
    "input_bytes",
    "input_record_count",
    "input_field_count",
    "invalid_date_count",
    "missing_field_count",
    "out_of_order_timestamp_count",
    "empty_bucket_count",
    "sparse_bucket_count",
    "bucket_count",
    "output_memory_allocator_bytes",
];

/// Is it one of the fields that every results index has?
pub fn is_result_field(field: &str) -> bool {
    let first = field.split('.').next().unwrap_or(field);
    results_mapping()["properties"].get(first).is_some()
}

fn results_mapping() -> Value {
    let mut properties = Map::new();
    typed("keyword", &RESULT_KEYWORDS, &mut properties);
    typed("date", &RESULT_DATES, &mut properties);
    typed("double", &RESULT_DOUBLES, &mut properties);
    typed("long", &RESULT_LONGS, &mut properties);
    typed("integer", &["detector_index", "snapshot_doc_count"], &mut properties);
    typed("boolean", &["is_interim", "retain"], &mut properties);
    typed("text", &["terms", "examples", "description"], &mut properties);
    for copied in ["by_field_value", "over_field_value", "partition_field_value", "influencer_field_value"] {
        properties.insert(copied.to_owned(), json!({"type": "keyword", "copy_to": ["all_field_values"]}));
    }
    properties.insert("all_field_values".to_owned(), json!({"type": "text", "analyzer": "whitespace"}));
    for pattern in ["regex", "grok_pattern"] {
        properties.insert(pattern.to_owned(), json!({"type": "keyword", "ignore_above": 32_000}));
    }
    let geo = json!({"properties": {"actual_point": {"type": "geo_point"}, "typical_point": {"type": "geo_point"}}});
    properties.insert("geo_results".to_owned(), geo);
    properties.insert("quantiles".to_owned(), json!({"type": "object", "enabled": false}));
    properties.insert("bucket_influencers".to_owned(), nested(bucket_influencer_fields()));
    properties.insert("influencers".to_owned(), nested(influencer_fields()));
    properties.insert("causes".to_owned(), nested(cause_fields()));
    let keyword = json!([{"strings_as_keywords": {"match": "*", "match_mapping_type": "string",
        "mapping": {"type": "keyword"}}}]);
    json!({"dynamic_templates": keyword, "properties": properties})
}

fn nested(properties: Map<String, Value>) -> Value {
    json!({"type": "nested", "properties": properties})
}

fn bucket_influencer_fields() -> Map<String, Value> {
    let mut fields = Map::new();
    typed("keyword", &["job_id", "result_type", "influencer_field_name"], &mut fields);
    typed("double", &RESULT_DOUBLES[..4], &mut fields);
    typed("date", &["timestamp"], &mut fields);
    typed("long", &["bucket_span"], &mut fields);
    typed("boolean", &["is_interim"], &mut fields);
    fields
}

fn influencer_fields() -> Map<String, Value> {
    let mut fields = Map::new();
    typed("keyword", &["influencer_field_name"], &mut fields);
    fields.insert(
        "influencer_field_values".to_owned(),
        json!({"type": "keyword", "copy_to": ["all_field_values"]}),
    );
    fields
}

fn cause_fields() -> Map<String, Value> {
    let mut fields = Map::new();
    typed("keyword", &RESULT_KEYWORDS[4..13], &mut fields);
    typed("double", &["actual", "typical", "probability"], &mut fields);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_result_has_one_type() {
        let mut all: Vec<&str> = RESULT_KEYWORDS.to_vec();
        all.extend(RESULT_DATES);
        all.extend(RESULT_DOUBLES);
        all.extend(RESULT_LONGS);
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn every_index_tells_its_mappings() {
        let mut digests = Vec::new();
        for (name, body) in fixed().into_iter().chain([("results", results_body())]) {
            let meta = &body["mappings"]["_meta"];
            assert_eq!(meta["version"], types::job::JOB_VERSION, "{name}");
            digests.push(meta["auspex_mappings"].as_str().unwrap().to_owned());
        }
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 8, "different mappings have different digests");
        assert_eq!(fnv_1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn fields_of_results_are_those_that_are_mapped() {
        for field in
            ["by_field_value", "influencers.influencer_field_name", "regex", "quantiles", "geo_results"]
        {
            assert!(is_result_field(field), "{field}");
        }
        assert!(!is_result_field("user") && !is_result_field("properties"));
    }

    #[test]
    fn job_aliases_are_filtered_for_reading_only() {
        let actions = results_alias_actions(".ml-anomalies-shared", "j");
        assert_eq!(actions["actions"][0]["add"]["filter"]["term"]["job_id"]["value"], "j");
        assert_eq!(actions["actions"][1]["add"]["alias"], ".ml-anomalies-.write-j");
        assert!(actions["actions"][1]["add"].get("filter").is_none());
        assert_eq!(job_of_results_write_alias(&results_write_alias("j")), Some("j"));
    }

    #[test]
    fn what_is_written_through_is_known_for_an_alias() {
        for name in [STATE_WRITE, NOTIFICATIONS_WRITE, ANNOTATIONS_WRITE, "team-a.ml-state-write"] {
            assert!(is_write_alias(name), "{name}");
        }
        assert!(is_write_alias(&results_write_alias("j")));
        for name in [STATE, CONFIG, "logs-write", ".ml-anomalies-shared"] {
            assert!(!is_write_alias(name), "{name}");
        }
        let (index, body) = fixed().into_iter().find(|(index, _)| *index == ANNOTATIONS).unwrap();
        let actions = fixed_alias_actions(index, &body);
        assert_eq!(actions["actions"][0]["add"]["index"], ANNOTATIONS);
        assert_eq!(actions["actions"].as_array().unwrap().len(), 2);
    }
}
