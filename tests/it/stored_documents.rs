//! The documents that the service stores: which fields each kind has, since dashboards and watches read them directly.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::jobs::{START_MS, lines, records};
use crate::server::Server;

/// Kind → its id without numbers, and all its fields; a field that holds objects is listed with theirs.
fn described(hits: &Value) -> String {
    let mut kinds: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for hit in hits["hits"]["hits"].as_array().unwrap() {
        let (id, source) = (hit["_id"].as_str().unwrap(), &hit["_source"]);
        let masked = masked(id);
        let kind = source["result_type"].as_str().map_or_else(|| masked.clone(), str::to_owned);
        let entry = kinds.entry(kind).or_insert_with(|| (masked, BTreeSet::new()));
        for (name, value) in source.as_object().unwrap() {
            entry.1.insert(name.clone());
            let inner = match value {
                Value::Array(items) => items.first().cloned().unwrap_or_default(),
                other => other.clone(),
            };
            let inner = inner.as_object().cloned().unwrap_or_default();
            entry.1.extend(inner.keys().map(|key| format!("{name}.{key}")));
        }
    }
    let line = |(kind, (id, fields)): (&String, &(String, BTreeSet<String>))| {
        format!("{kind} [{id}]\n  {}\n", fields.iter().cloned().collect::<Vec<_>>().join(" "))
    };
    kinds.iter().map(line).collect()
}

/// Every run of digits as one `#`.
fn masked(id: &str) -> String {
    let mut masked = String::new();
    for c in id.chars() {
        if !c.is_ascii_digit() {
            masked.push(c);
        } else if !masked.ends_with('#') {
            masked.push('#');
        }
    }
    masked
}

async fn all(server: &Server, index: &str) -> Value {
    server.call("POST", &format!("/{index}/_search"), r#"{"size":10000}"#).await.json()
}

#[tokio::test]
async fn every_kind_of_document_has_its_fields() {
    let server = Server::start().await;
    let job = json!({"analysis_config": {"bucket_span": "1h", "influencers": ["host"], "detectors": [
            {"function": "mean", "field_name": "v", "partition_field_name": "host"}]},
        "data_description": {"time_field": "time"}, "model_plot_config": {"enabled": true}});
    server.call("PUT", "/_ml/anomaly_detectors/j", &job.to_string()).await;
    let event = json!({"events": [{"description": "works", "start_time": START_MS, "end_time": START_MS + 3_600_000}]});
    server.call("PUT", "/_ml/calendars/c", r#"{"job_ids":["j"]}"#).await;
    server.call("POST", "/_ml/calendars/c/events", &event.to_string()).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    server.call("POST", "/_ml/anomaly_detectors/j/_data", &lines(&records(120, 110))).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_close", "").await;
    insta::assert_snapshot!(described(&all(&server, ".ml-anomalies-j").await), @r#"
bucket [j_bucket_#_#]
  anomaly_score bucket_influencers bucket_influencers.anomaly_score bucket_influencers.bucket_span bucket_influencers.influencer_field_name bucket_influencers.initial_anomaly_score bucket_influencers.is_interim bucket_influencers.job_id bucket_influencers.probability bucket_influencers.raw_anomaly_score bucket_influencers.result_type bucket_influencers.timestamp bucket_span event_count initial_anomaly_score is_interim job_id processing_time_ms result_type scheduled_events timestamp
bucket_influencer [j_bucket_influencer_#_#_bucket_time]
  anomaly_score bucket_span influencer_field_name initial_anomaly_score is_interim job_id probability raw_anomaly_score result_type timestamp
influencer [j_influencer_#_#_host_#_#]
  bucket_span host influencer_field_name influencer_field_value influencer_score initial_influencer_score is_interim job_id probability result_type timestamp
j_data_counts [j_data_counts]
  bucket_count earliest_record_timestamp empty_bucket_count input_bytes input_field_count input_record_count invalid_date_count job_id last_data_time latest_bucket_timestamp latest_record_timestamp log_time missing_field_count out_of_order_timestamp_count processed_field_count processed_record_count sparse_bucket_count
j_model_snapshot_# [j_model_snapshot_#]
  description job_id latest_record_time_stamp latest_result_time_stamp min_version model_size_stats model_size_stats.assignment_memory_basis model_size_stats.bucket_allocation_failures_count model_size_stats.categorization_status model_size_stats.categorized_doc_count model_size_stats.dead_category_count model_size_stats.failed_category_count model_size_stats.frequent_category_count model_size_stats.job_id model_size_stats.log_time model_size_stats.memory_status model_size_stats.model_bytes model_size_stats.model_bytes_exceeded model_size_stats.model_bytes_memory_limit model_size_stats.output_memory_allocator_bytes model_size_stats.peak_model_bytes model_size_stats.rare_category_count model_size_stats.result_type model_size_stats.timestamp model_size_stats.total_by_field_count model_size_stats.total_category_count model_size_stats.total_over_field_count model_size_stats.total_partition_field_count quantiles quantiles.job_id quantiles.quantile_state quantiles.timestamp retain snapshot_doc_count snapshot_id timestamp
model_plot [j_model_plot_#_#_#_#_#]
  actual bucket_span detector_index job_id model_feature model_lower model_median model_upper partition_field_name partition_field_value result_type timestamp
model_size_stats [j_model_size_stats_#]
  assignment_memory_basis bucket_allocation_failures_count categorization_status categorized_doc_count dead_category_count failed_category_count frequent_category_count job_id log_time memory_status model_bytes model_bytes_exceeded model_bytes_memory_limit output_memory_allocator_bytes peak_model_bytes rare_category_count result_type timestamp total_by_field_count total_category_count total_over_field_count total_partition_field_count
record [j_record_#_#_#_#_#]
  actual anomaly_score_explanation anomaly_score_explanation.anomaly_characteristics_impact anomaly_score_explanation.anomaly_length anomaly_score_explanation.anomaly_type anomaly_score_explanation.high_variance_penalty anomaly_score_explanation.incomplete_bucket_penalty anomaly_score_explanation.lower_confidence_bound anomaly_score_explanation.multi_bucket_impact anomaly_score_explanation.multimodal_distribution anomaly_score_explanation.single_bucket_impact anomaly_score_explanation.typical_value anomaly_score_explanation.upper_confidence_bound bucket_span detector_index field_name function function_description host influencers influencers.influencer_field_name influencers.influencer_field_values initial_record_score is_interim job_id multi_bucket_impact partition_field_name partition_field_value probability record_score result_type timestamp typical
timing_stats [j_timing_stats]
  average_bucket_processing_time_ms bucket_count exponential_average_bucket_processing_time_ms exponential_average_bucket_processing_time_per_hour_ms job_id maximum_bucket_processing_time_ms minimum_bucket_processing_time_ms result_type total_bucket_processing_time_ms
"#);
    insta::assert_snapshot!(described(&all(&server, ".ml-state*").await), @r#"
j_checkpoint [j_checkpoint]
  clean counts counts.bucket_count counts.earliest_record_timestamp counts.empty_bucket_count counts.input_bytes counts.input_field_count counts.input_record_count counts.invalid_date_count counts.job_id counts.last_data_time counts.latest_bucket_timestamp counts.latest_record_timestamp counts.missing_field_count counts.out_of_order_timestamp_count counts.processed_field_count counts.processed_record_count counts.sparse_bucket_count data_seq epoch feed_position final_end_ms job_id size_stats size_stats.assignment_memory_basis size_stats.bucket_allocation_failures_count size_stats.categorization_status size_stats.categorized_doc_count size_stats.dead_category_count size_stats.failed_category_count size_stats.frequent_category_count size_stats.job_id size_stats.log_time size_stats.memory_status size_stats.model_bytes size_stats.model_bytes_exceeded size_stats.model_bytes_memory_limit size_stats.output_memory_allocator_bytes size_stats.peak_model_bytes size_stats.rare_category_count size_stats.result_type size_stats.timestamp size_stats.total_by_field_count size_stats.total_category_count size_stats.total_over_field_count size_stats.total_partition_field_count skip_to_ms state state.bytes state.chunks state.prefix timing timing.average_bucket_processing_time_ms timing.bucket_count timing.exponential_average_bucket_processing_time_ms timing.exponential_average_bucket_processing_time_per_hour_ms timing.job_id timing.maximum_bucket_processing_time_ms timing.minimum_bucket_processing_time_ms timing.total_bucket_processing_time_ms written_at
j_model_state_## [j_model_state_##]
  job_id state
j_quantiles [j_quantiles]
  job_id quantile_state timestamp
"#);
}

#[tokio::test]
async fn populations_and_categories_have_fields_of_their_own() {
    let server = Server::start().await;
    let crowd = json!({"analysis_config": {"bucket_span": "1h", "influencers": ["user"], "detectors": [
        {"function": "mean", "field_name": "v", "over_field_name": "user"}]}, "data_description": {}});
    let text = json!({"analysis_config": {"bucket_span": "1h", "categorization_field_name": "message", "detectors": [
        {"function": "count", "by_field_name": "mlcategory"}]}, "data_description": {}});
    let mut pushed = Vec::new();
    for slot in 0..60 * 20_i64 {
        let (hour, user) = (slot / 20, slot % 20);
        let v = if hour == 55 && user == 7 { 900.0 } else { 10.0 + ((slot * 7) % 5) as f64 };
        pushed.push(
            json!({"time": START_MS + hour * 3_600_000 + user * 60_000, "user": format!("u{user}"), "v": v,
            "message": format!("Connection from host{} was closed by the server", user % 3)}),
        );
    }
    for (id, job) in [("crowd", crowd), ("text", text)] {
        let uri = format!("/_ml/anomaly_detectors/{id}");
        assert_eq!(server.call("PUT", &uri, &job.to_string()).await.status, 200);
        server.call("POST", &format!("{uri}/_open"), "").await;
        server.call("POST", &format!("{uri}/_data"), &lines(&pushed)).await;
        server.call("POST", &format!("{uri}/_close"), "").await;
    }
    let only = |kind: &str, described: String| {
        let mut found = described.lines().skip_while(|line| !line.starts_with(kind)).take(2);
        format!("{}\n{}\n", found.next().unwrap_or_default(), found.next().unwrap_or_default())
    };
    let crowd = described(&all(&server, ".ml-anomalies-crowd").await);
    insta::assert_snapshot!(only("record", crowd), @r#"
record [crowd_record_#_#_#_#_#]
  actual anomaly_score_explanation anomaly_score_explanation.anomaly_length anomaly_score_explanation.anomaly_type anomaly_score_explanation.lower_confidence_bound anomaly_score_explanation.single_bucket_impact anomaly_score_explanation.typical_value anomaly_score_explanation.upper_confidence_bound bucket_span causes causes.actual causes.field_name causes.function causes.function_description causes.over_field_name causes.over_field_value causes.probability causes.typical detector_index field_name function function_description influencers influencers.influencer_field_name influencers.influencer_field_values initial_record_score is_interim job_id multi_bucket_impact over_field_name over_field_value probability record_score result_type timestamp typical user
"#);
    let text = described(&all(&server, ".ml-anomalies-text").await);
    insta::assert_snapshot!(only("categorizer_stats", text.clone()), @r#"
categorizer_stats [text_categorizer_stats_#_#]
  categorization_status categorized_doc_count dead_category_count failed_category_count frequent_category_count job_id log_time rare_category_count result_type timestamp total_category_count
"#);
    insta::assert_snapshot!(only("category_definition", text), @r#"
category_definition [text_category_definition_#]
  category_id examples grok_pattern job_id max_matching_length mlcategory num_matches preferred_to_categories regex result_type template terms
"#);
}
