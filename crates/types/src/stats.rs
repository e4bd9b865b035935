//! Counts and sizes of a job.

use serde::{Deserialize, Serialize};

use crate::results::{ResultType, Split};
use crate::{JobId, TimestampMs};

/// What became of the records; cumulative over the job's life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "named as in the API")]
pub struct DataCounts {
    pub job_id: String,
    pub processed_record_count: u64,
    pub processed_field_count: u64,
    pub input_bytes: u64,
    pub input_field_count: u64,
    pub invalid_date_count: u64,
    pub missing_field_count: u64,
    pub out_of_order_timestamp_count: u64,
    pub empty_bucket_count: u64,
    pub sparse_bucket_count: u64,
    pub bucket_count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest_record_timestamp: Option<TimestampMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_record_timestamp: Option<TimestampMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_data_time: Option<TimestampMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_empty_bucket_timestamp: Option<TimestampMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_sparse_bucket_timestamp: Option<TimestampMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_bucket_timestamp: Option<TimestampMs>,
    pub input_record_count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_time: Option<TimestampMs>,
}

impl DataCounts {
    /// Zeros for a job.
    pub fn new(job_id: &JobId) -> Self {
        Self { job_id: job_id.as_str().to_owned(), ..Self::default() }
    }

    /// Id of the document that keeps them.
    pub fn doc_id(job_id: &JobId) -> String {
        format!("{job_id}_data_counts")
    }
}

/// How full the model's memory is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryStatus {
    /// Below the limit.
    #[default]
    Ok,
    /// Near the limit: idle series are forgotten sooner.
    SoftLimit,
    /// At the limit: no new series.
    HardLimit,
}

/// Does the categorised text look like log messages?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CategorizationStatus {
    /// It does.
    #[default]
    Ok,
    /// It does not.
    Warn,
}

/// Size of the model and of what is in it. What a stored document lacks is zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in the API")]
pub struct ModelSizeStats {
    pub job_id: JobId,
    #[serde(default = "model_size_stats")]
    pub result_type: ResultType,
    #[serde(default)]
    pub model_bytes: u64,
    #[serde(default)]
    pub peak_model_bytes: u64,
    #[serde(default)]
    pub model_bytes_exceeded: u64,
    #[serde(default)]
    pub model_bytes_memory_limit: u64,
    /// What the model takes when it is written out; known once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_memory_allocator_bytes: Option<u64>,
    #[serde(default)]
    pub total_by_field_count: u64,
    #[serde(default)]
    pub total_over_field_count: u64,
    #[serde(default)]
    pub total_partition_field_count: u64,
    #[serde(default)]
    pub bucket_allocation_failures_count: u64,
    #[serde(default)]
    pub memory_status: MemoryStatus,
    #[serde(default = "memory_limit_basis")]
    pub assignment_memory_basis: String,
    #[serde(default)]
    pub categorized_doc_count: u64,
    #[serde(default)]
    pub total_category_count: u64,
    #[serde(default)]
    pub frequent_category_count: u64,
    #[serde(default)]
    pub rare_category_count: u64,
    #[serde(default)]
    pub dead_category_count: u64,
    #[serde(default)]
    pub failed_category_count: u64,
    #[serde(default)]
    pub categorization_status: CategorizationStatus,
    #[serde(default)]
    pub log_time: TimestampMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<TimestampMs>,
    /// Series whose models are smaller than usual for want of memory; Auspex only, left out when there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub compact_series_count: u64,
    /// Series of which only a sketch is kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sketched_series_count: u64,
    /// Members of populations, rare values and places of series that were forgotten for want of memory since the job began.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub evicted_entity_count: u64,
    /// Results whose scores are no longer renormalised, though inside the window, since there were too many of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unrenormalized_result_count: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn model_size_stats() -> ResultType {
    ResultType::ModelSizeStats
}

fn memory_limit_basis() -> String {
    "model_memory_limit".to_owned()
}

impl ModelSizeStats {
    /// What a job without a model shows.
    pub fn empty(job_id: &JobId, limit_bytes: u64, log_time: TimestampMs) -> Self {
        Self {
            job_id: job_id.clone(),
            result_type: ResultType::ModelSizeStats,
            model_bytes: 0,
            peak_model_bytes: 0,
            model_bytes_exceeded: 0,
            model_bytes_memory_limit: limit_bytes,
            output_memory_allocator_bytes: None,
            total_by_field_count: 0,
            total_over_field_count: 0,
            total_partition_field_count: 0,
            bucket_allocation_failures_count: 0,
            memory_status: MemoryStatus::Ok,
            assignment_memory_basis: memory_limit_basis(),
            categorized_doc_count: 0,
            total_category_count: 0,
            frequent_category_count: 0,
            rare_category_count: 0,
            dead_category_count: 0,
            failed_category_count: 0,
            categorization_status: CategorizationStatus::Ok,
            log_time,
            timestamp: None,
            compact_series_count: 0,
            sketched_series_count: 0,
            evicted_entity_count: 0,
            unrenormalized_result_count: 0,
        }
    }

    /// Id of its document.
    pub fn doc_id(&self) -> String {
        format!("{}_model_size_stats_{}", self.job_id, self.log_time)
    }
}

/// Categories of a job, or of one of its partitions when categories are per partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in the API")]
pub struct CategorizerStats {
    pub job_id: JobId,
    pub result_type: ResultType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_field_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_field_value: Option<String>,
    pub categorized_doc_count: u64,
    pub total_category_count: u64,
    pub frequent_category_count: u64,
    pub rare_category_count: u64,
    pub dead_category_count: u64,
    pub failed_category_count: u64,
    pub categorization_status: CategorizationStatus,
    /// When it was counted, in the time of the data.
    pub log_time: TimestampMs,
    /// Start of the newest bucket that is final, or of the open one before there is any.
    pub timestamp: TimestampMs,
}

impl CategorizerStats {
    /// Id of its document: one for each partition, which is written over.
    pub fn doc_id(&self) -> String {
        let split = Split { partition_field_value: self.partition_field_value.clone(), ..Split::default() };
        format!("{}_categorizer_stats_{}", self.job_id, split.id_part())
    }
}

/// How long buckets took, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "named as in the API")]
pub struct TimingStats {
    pub job_id: String,
    pub bucket_count: u64,
    pub total_bucket_processing_time_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_bucket_processing_time_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_bucket_processing_time_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_bucket_processing_time_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponential_average_bucket_processing_time_ms: Option<f64>,
    pub exponential_average_bucket_processing_time_per_hour_ms: f64,
}

impl TimingStats {
    /// Adds one bucket that took `ms` milliseconds.
    pub fn add(&mut self, ms: f64, bucket_span_s: i64) {
        const WEIGHT: f64 = 0.01;
        self.bucket_count += 1;
        self.total_bucket_processing_time_ms += ms;
        let least = self.minimum_bucket_processing_time_ms.unwrap_or(ms).min(ms);
        let most = self.maximum_bucket_processing_time_ms.unwrap_or(ms).max(ms);
        let average =
            self.exponential_average_bucket_processing_time_ms.map_or(ms, |old| old + WEIGHT * (ms - old));
        self.minimum_bucket_processing_time_ms = Some(least);
        self.maximum_bucket_processing_time_ms = Some(most);
        self.average_bucket_processing_time_ms =
            Some(self.total_bucket_processing_time_ms / self.bucket_count as f64);
        self.exponential_average_bucket_processing_time_ms = Some(average);
        self.exponential_average_bucket_processing_time_per_hour_ms =
            average * 3600.0 / bucket_span_s.max(1) as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_of_others_may_lack_most_of_it() {
        let sizes: ModelSizeStats = serde_json::from_value(json!({"job_id": "j", "model_bytes": 5})).unwrap();
        let job_id = JobId::try_from("j").unwrap();
        let empty = ModelSizeStats::empty(&job_id, 0, TimestampMs(0));
        assert_eq!(sizes, ModelSizeStats { model_bytes: 5, ..empty });
        let counts: DataCounts = serde_json::from_value(json!({"job_id": "j", "input_bytes": 7})).unwrap();
        assert_eq!(counts, DataCounts { input_bytes: 7, ..DataCounts::new(&job_id) });
        let timing: TimingStats = serde_json::from_value(json!({"job_id": "j", "bucket_count": 3})).unwrap();
        assert_eq!(timing.bucket_count, 3);
    }
}
