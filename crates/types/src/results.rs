//! What the engine finds, in the form in which it is stored, and the ids under which it is stored.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::result_ids::{ResultPlace, ValueId};
use crate::{JobId, TimestampMs};

/// Causes kept for a record of a population.
pub const CAUSES_MAX: usize = 10;

/// One span of time of one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// The job.
    pub job_id: JobId,
    /// Start of the bucket.
    pub timestamp: TimestampMs,
    /// Current score, 0–100: the initial one, lowered by as much as the job has often had buckets as anomalous since.
    pub anomaly_score: f64,
    /// Length in seconds.
    pub bucket_span: i64,
    /// Score when the bucket closed; never changes.
    pub initial_anomaly_score: f64,
    /// Input records in the bucket.
    pub event_count: u64,
    /// Was the bucket still open?
    pub is_interim: bool,
    /// What made it anomalous, one entry per influencer field and `bucket_time`.
    pub bucket_influencers: Vec<BucketInfluencer>,
    /// Time it took, in milliseconds.
    pub processing_time_ms: u64,
    /// Calendar events that overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheduled_events: Vec<String>,
    /// `bucket`.
    pub result_type: ResultType,
}

/// The part of one influencer field in a bucket's score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketInfluencer {
    /// The job.
    pub job_id: JobId,
    /// `bucket_influencer`.
    pub result_type: ResultType,
    /// An influencer field, or `bucket_time`.
    pub influencer_field_name: String,
    /// Score when the bucket closed.
    pub initial_anomaly_score: f64,
    /// Current score.
    pub anomaly_score: f64,
    /// Before normalisation.
    pub raw_anomaly_score: f64,
    /// Joint probability.
    pub probability: f64,
    /// Start of the bucket.
    pub timestamp: TimestampMs,
    /// Length in seconds.
    pub bucket_span: i64,
    /// Was the bucket still open?
    pub is_interim: bool,
}

/// One value of an influencer field in one bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Influencer {
    /// The job.
    pub job_id: JobId,
    /// `influencer`.
    pub result_type: ResultType,
    /// The field.
    pub influencer_field_name: String,
    /// The value.
    pub influencer_field_value: String,
    /// Current score.
    pub influencer_score: f64,
    /// Score when the bucket closed.
    pub initial_influencer_score: f64,
    /// Joint probability of the records that it influences.
    pub probability: f64,
    /// Length in seconds.
    pub bucket_span: i64,
    /// Start of the bucket.
    pub timestamp: TimestampMs,
    /// Was the bucket still open?
    pub is_interim: bool,
    /// A copy under the field's own name, so that results can be filtered by it.
    #[serde(flatten)]
    pub copies: Map<String, Value>,
}

/// An anomaly: one series (or member of a population) in one bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The job.
    pub job_id: JobId,
    /// `record`.
    pub result_type: ResultType,
    /// Chance of a value at least as unlikely, in (0, 1].
    pub probability: f64,
    /// −5 (only this bucket) … 5 (only the buckets before).
    pub multi_bucket_impact: f64,
    /// Current score.
    pub record_score: f64,
    /// Score when the bucket closed.
    pub initial_record_score: f64,
    /// Length in seconds.
    pub bucket_span: i64,
    /// Which detector.
    pub detector_index: usize,
    /// Was the bucket still open?
    pub is_interim: bool,
    /// Start of the bucket.
    pub timestamp: TimestampMs,
    /// The fields and values by which the series is split.
    #[serde(flatten)]
    pub split: Split,
    /// The function as configured.
    pub function: String,
    /// Its base name.
    pub function_description: String,
    /// The field that it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_name: Option<String>,
    /// What was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typical: Option<Vec<f64>>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Vec<f64>>,
    /// Populations: what the member did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causes: Option<Vec<Cause>>,
    /// Values that explain the anomaly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub influencers: Option<Vec<InfluencedBy>>,
    /// Positions, for `lat_long`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo_results: Option<GeoResults>,
    /// Why the score is what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly_score_explanation: Option<Explanation>,
    /// Copies of the split and influencer values under the fields' own names.
    #[serde(flatten)]
    pub copies: Map<String, Value>,
}

/// Names and values of the by, over and partition fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in the API")]
pub struct Split {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_field_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_field_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_field_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_field_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_field_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_field_value: Option<String>,
}

impl Split {
    /// Of the by, over and partition values, for document ids.
    pub fn value_id(&self) -> ValueId {
        let values = [&self.by_field_value, &self.over_field_value, &self.partition_field_value];
        ValueId::of_each(&values.map(|value| value.as_deref().unwrap_or("")))
    }

    /// The same as text.
    pub fn id_part(&self) -> String {
        self.value_id().to_string()
    }
}

/// One of the things that a member of a population did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Chance of it.
    pub probability: f64,
    /// The fields and values by which it is split.
    #[serde(flatten)]
    pub split: Split,
    /// The function as configured.
    pub function: String,
    /// Its base name.
    pub function_description: String,
    /// What was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typical: Option<Vec<f64>>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Vec<f64>>,
    /// The field that it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_name: Option<String>,
    /// Positions, for `lat_long`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo_results: Option<GeoResults>,
}

/// Values of one influencer field that explain a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfluencedBy {
    /// The field.
    pub influencer_field_name: String,
    /// Its values.
    pub influencer_field_values: Vec<String>,
}

/// Positions as `lat,lon`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeoResults {
    /// Where it was.
    pub actual_point: String,
    /// Where it usually is.
    pub typical_point: String,
}

/// Why a record's score is what it is; the numbers are those that were used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// `spike`, `dip` or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly_type: Option<String>,
    /// Buckets since the anomaly began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly_length: Option<u32>,
    /// Weight of this bucket's deviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_bucket_impact: Option<i32>,
    /// Weight of the last buckets together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_bucket_impact: Option<i32>,
    /// Weight of length and size against history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly_characteristics_impact: Option<i32>,
    /// Lower end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_confidence_bound: Option<f64>,
    /// What was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typical_value: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_confidence_bound: Option<f64>,
    /// Was the score reduced because the series varies much?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_variance_penalty: Option<bool>,
    /// Was the score reduced because the bucket has few samples?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_bucket_penalty: Option<bool>,
    /// Has the series several usual levels?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multimodal_distribution: Option<bool>,
    /// Rare: is it the first time?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_field_first_occurrence: Option<bool>,
    /// Rare: how rare against the other values, log10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_field_relative_rarity: Option<f64>,
}

/// The model's bounds for one series and bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelPlot {
    /// The job.
    pub job_id: JobId,
    /// `model_plot`.
    pub result_type: ResultType,
    /// Start of the bucket.
    pub timestamp: TimestampMs,
    /// Length in seconds.
    pub bucket_span: i64,
    /// Which detector.
    pub detector_index: usize,
    /// What is modelled, in single quotes.
    pub model_feature: String,
    /// Lower end of the 95 % interval.
    pub model_lower: f64,
    /// Upper end of the 95 % interval.
    pub model_upper: f64,
    /// What was expected.
    pub model_median: f64,
    /// What was seen; absent when there were no data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<f64>,
    /// The fields and values by which the series is split.
    #[serde(flatten)]
    pub split: Split,
}

/// A category of log messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryDefinition {
    /// The job.
    pub job_id: JobId,
    /// `category_definition`.
    pub result_type: ResultType,
    /// From 1.
    pub category_id: u64,
    /// Tokens that all messages share.
    pub terms: String,
    /// Matches the messages.
    pub regex: String,
    /// Longest message and ten per cent.
    pub max_matching_length: u64,
    /// Some messages, sorted.
    pub examples: Vec<String>,
    /// A pattern for ingest pipelines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grok_pattern: Option<String>,
    /// Messages seen.
    pub num_matches: u64,
    /// Categories that this one takes messages from.
    pub preferred_to_categories: Vec<u64>,
    /// The template with `***` for what varies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The partition field, when categories are per partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_field_name: Option<String>,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_field_value: Option<String>,
    /// The id as text, so that results can be filtered by it.
    pub mlcategory: String,
}

/// What a stored document holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as in the API")]
pub enum ResultType {
    Bucket,
    BucketInfluencer,
    Influencer,
    Record,
    ModelPlot,
    CategoryDefinition,
    ModelSizeStats,
    CategorizerStats,
    ModelForecast,
    ModelForecastRequestStats,
}

impl Bucket {
    /// Id of its document.
    pub fn doc_id(&self) -> String {
        place(&self.job_id, self.timestamp, self.bucket_span).bucket()
    }
}

impl BucketInfluencer {
    /// Id of its document.
    pub fn doc_id(&self) -> String {
        place(&self.job_id, self.timestamp, self.bucket_span).bucket_influencer(&self.influencer_field_name)
    }
}

impl Influencer {
    /// Id of its document.
    pub fn doc_id(&self) -> String {
        let value = ValueId::of(&self.influencer_field_value);
        place(&self.job_id, self.timestamp, self.bucket_span).influencer(&self.influencer_field_name, value)
    }
}

impl Record {
    /// Which of the records of one series and bucket it is, where there are several.
    pub fn feature(&self) -> Option<&str> {
        (self.function == "metric").then_some(self.function_description.as_str())
    }

    /// Id of its document.
    pub fn doc_id(&self) -> String {
        let place = place(&self.job_id, self.timestamp, self.bucket_span);
        place.record(self.detector_index, self.split.value_id(), self.feature())
    }
}

fn place(job_id: &JobId, timestamp: TimestampMs, bucket_span: i64) -> ResultPlace<'_> {
    ResultPlace { job_id, timestamp, bucket_span }
}

impl ModelPlot {
    /// Id of its document. `metric` plots three features: all but the first are told apart by name.
    pub fn doc_id(&self) -> String {
        let feature = match self.model_feature.split_whitespace().next() {
            Some("'minimum") => "_min",
            Some("'maximum") => "_max",
            _ => "",
        };
        format!(
            "{}_model_plot_{}_{}_{}_{}{feature}",
            self.job_id,
            self.timestamp,
            self.bucket_span,
            self.detector_index,
            self.split.id_part()
        )
    }
}

impl CategoryDefinition {
    /// Id of its document.
    pub fn doc_id(&self) -> String {
        format!("{}_category_definition_{}", self.job_id, self.category_id)
    }
}
