//! The configuration of an anomaly detection job: the body that clients send, and the complete form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bytes::ByteSize;
use crate::detector::{Detector, ML_CATEGORY};
use crate::{Invalid, JobId, TimeSpan, TimestampMs, categorization, validate};

/// The version that jobs and snapshots carry, so that clients of 8.x accept them.
pub const JOB_VERSION: &str = "8.19.0";
/// Memory of a job that does not say how much it may take.
pub const MEMORY_LIMIT_DEFAULT: ByteSize = ByteSize::from_mebibytes(1024);
const EXAMPLES_LIMIT_DEFAULT: u64 = 4;

/// What is analysed and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalysisConfig {
    /// Length of a bucket; buckets are aligned to the epoch.
    #[serde(default = "five_minutes")]
    pub bucket_span: TimeSpan,
    /// The field whose text is put into categories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categorization_field_name: Option<String>,
    /// Regular expressions removed from the text before it is categorised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categorization_filters: Option<Vec<String>>,
    /// How the text is cut into tokens: a name or an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categorization_analyzer: Option<Value>,
    /// Categories per partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_partition_categorization: Option<PerPartitionCategorization>,
    /// How late a record may be; only for pushed data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<TimeSpan>,
    /// The records are already summarised; this field says how many each stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary_count_field_name: Option<String>,
    /// The questions asked.
    #[serde(default)]
    pub detectors: Vec<Detector>,
    /// Fields whose values may explain an anomaly.
    #[serde(default)]
    pub influencers: Vec<String>,
    /// Series idle for longer are forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_prune_window: Option<TimeSpan>,
    /// Accepted for compatibility; has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multivariate_by_fields: Option<bool>,
}

fn five_minutes() -> TimeSpan {
    TimeSpan::from_secs(300)
}

/// Categories of their own for each partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerPartitionCategorization {
    /// Is it on?
    #[serde(default)]
    pub enabled: bool,
    /// Stop categorising a partition whose text does not look like log messages.
    #[serde(default)]
    pub stop_on_warn: bool,
}

/// Limits of the analysis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalysisLimits {
    /// Memory that the model may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_memory_limit: Option<ByteSize>,
    /// Examples kept for each category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categorization_examples_limit: Option<u64>,
}

/// How the time is read from a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataDescription {
    /// The field with the time.
    #[serde(default = "time_field")]
    pub time_field: String,
    /// `epoch` (seconds), `epoch_ms`, or a date pattern.
    #[serde(default = "epoch_ms")]
    pub time_format: String,
    /// Only `xcontent` (JSON); accepted and not shown.
    #[serde(default, skip_serializing)]
    pub format: Option<String>,
    /// Accepted for compatibility with old configurations; has no effect.
    #[serde(default, skip_serializing)]
    pub field_delimiter: Option<String>,
}

fn time_field() -> String {
    "time".to_owned()
}

fn epoch_ms() -> String {
    "epoch_ms".to_owned()
}

/// Are model bounds written for each bucket?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPlotConfig {
    /// Is it on?
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Only these by or partition values, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// Are model changes written as annotations? Follows `enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations_enabled: Option<bool>,
}

fn yes() -> bool {
    true
}

/// Why a job cannot be used just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// `delete`, `reset` or `revert`.
    pub reason: String,
    /// The task that does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
}

/// The body of a request that creates or validates a job; all that may be set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `Job`")]
pub struct JobBody {
    pub job_id: Option<String>,
    pub description: Option<String>,
    pub groups: Option<Vec<String>>,
    pub analysis_config: Option<AnalysisConfig>,
    pub analysis_limits: Option<AnalysisLimits>,
    pub data_description: Option<DataDescription>,
    /// Checked by the datafeed's own rules.
    pub datafeed_config: Option<Value>,
    #[serde(alias = "model_debug_config")]
    pub model_plot_config: Option<ModelPlotConfig>,
    /// An older name of `model_plot_config`, taken by validation.
    pub model_plot: Option<ModelPlotConfig>,
    pub allow_lazy_open: Option<bool>,
    pub background_persist_interval: Option<TimeSpan>,
    pub custom_settings: Option<Value>,
    pub renormalization_window_days: Option<i64>,
    pub results_retention_days: Option<i64>,
    pub model_snapshot_retention_days: Option<i64>,
    pub daily_model_snapshot_retention_after_days: Option<i64>,
    pub results_index_name: Option<String>,
    pub model_snapshot_id: Option<Value>,
    pub create_time: Option<Value>,
    pub finished_time: Option<Value>,
    pub job_version: Option<Value>,
    pub job_type: Option<Value>,
}

/// A complete, valid job configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub job_id: JobId,
    /// Always `anomaly_detector`.
    pub job_type: String,
    /// The version that created it.
    pub job_version: String,
    /// Groups that it belongs to, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was created.
    pub create_time: TimestampMs,
    /// When it was last closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_time: Option<TimestampMs>,
    /// What is analysed and how.
    pub analysis_config: AnalysisConfig,
    /// Limits, filled in.
    pub analysis_limits: AnalysisLimits,
    /// How the time is read.
    pub data_description: DataDescription,
    /// Model bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_plot_config: Option<ModelPlotConfig>,
    /// How far back scores are renormalised; default max(30 days, 100 buckets).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renormalization_window_days: Option<i64>,
    /// How often the state is saved while the job is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_persist_interval: Option<TimeSpan>,
    /// How long snapshots are kept.
    pub model_snapshot_retention_days: i64,
    /// After how long only one snapshot a day is kept.
    pub daily_model_snapshot_retention_after_days: i64,
    /// How long results are kept; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results_retention_days: Option<i64>,
    /// Free form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_settings: Option<Value>,
    /// The snapshot that is restored when the job opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_snapshot_id: Option<String>,
    /// `shared`, or `custom-<name>`.
    pub results_index_name: String,
    /// May it wait for room when it is opened?
    pub allow_lazy_open: bool,
    /// Present while the job is being deleted, reset or reverted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
}

impl JobBody {
    /// Checks the body and fills in every default.
    ///
    /// # Errors
    /// The first rule that is broken, in the words that clients know.
    pub fn into_job(self, job_id: JobId, now: TimestampMs) -> Result<Job, Invalid> {
        self.refuse_generated_fields()?;
        let mut analysis_config =
            self.analysis_config.ok_or_else(|| Invalid::argument("An analysis_config must be set"))?;
        let data_description =
            self.data_description.ok_or_else(|| Invalid::argument("A data_description must be set"))?;
        analysis_config.complete();
        let limits = self
            .analysis_limits
            .unwrap_or(AnalysisLimits { model_memory_limit: None, categorization_examples_limit: None });
        let mut groups = self.groups.unwrap_or_default();
        groups.sort();
        groups.dedup();
        let retention = self.model_snapshot_retention_days.unwrap_or(10);
        let mut job = Job {
            job_id,
            job_type: "anomaly_detector".to_owned(),
            job_version: JOB_VERSION.to_owned(),
            groups,
            description: self.description,
            create_time: now,
            finished_time: None,
            analysis_config,
            analysis_limits: AnalysisLimits {
                model_memory_limit: Some(limits.model_memory_limit.unwrap_or(MEMORY_LIMIT_DEFAULT)),
                categorization_examples_limit: Some(
                    limits.categorization_examples_limit.unwrap_or(EXAMPLES_LIMIT_DEFAULT),
                ),
            },
            data_description,
            model_plot_config: self.model_plot_config.or(self.model_plot).map(ModelPlotConfig::completed),
            renormalization_window_days: self.renormalization_window_days,
            background_persist_interval: self.background_persist_interval,
            model_snapshot_retention_days: retention,
            daily_model_snapshot_retention_after_days: self
                .daily_model_snapshot_retention_after_days
                .unwrap_or_else(|| retention.min(1)),
            results_retention_days: self.results_retention_days,
            custom_settings: self.custom_settings,
            model_snapshot_id: None,
            results_index_name: results_index(self.results_index_name),
            allow_lazy_open: self.allow_lazy_open.unwrap_or(false),
            blocked: None,
        };
        validate::job(&job)?;
        job.analysis_config.filters_to_analyzer();
        Ok(job)
    }

    fn refuse_generated_fields(&self) -> Result<(), Invalid> {
        let generated = [
            ("job_type", self.job_type.as_ref().filter(|kind| kind.as_str() != Some("anomaly_detector"))),
            ("model_snapshot_id", self.model_snapshot_id.as_ref()),
            ("create_time", self.create_time.as_ref()),
            ("finished_time", self.finished_time.as_ref()),
            ("job_version", self.job_version.as_ref()),
        ];
        let set: Vec<&str> =
            generated.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect();
        if set.is_empty() {
            return Ok(());
        }
        Err(Invalid::argument(format!(
            "The job is configured with fields [{}] that are illegal to set at job creation",
            set.join(", ")
        )))
    }
}

fn results_index(name: Option<String>) -> String {
    match name {
        None => "shared".to_owned(),
        Some(name) if name == "shared" || name.starts_with("custom-") => name,
        Some(name) => format!("custom-{name}"),
    }
}

impl ModelPlotConfig {
    fn completed(mut self) -> Self {
        self.annotations_enabled = Some(self.annotations_enabled.unwrap_or(self.enabled));
        self
    }
}

impl AnalysisConfig {
    /// Numbers the detectors, describes them, and fills in the prune window.
    pub fn complete(&mut self) {
        for (index, detector) in self.detectors.iter_mut().enumerate() {
            detector.detector_index = Some(index);
            if detector.detector_description.as_ref().is_none_or(String::is_empty) {
                detector.detector_description = Some(detector.generated_description());
            }
        }
        if self.model_prune_window.is_none() {
            let thirty_days = 30 * 86_400;
            let twenty_buckets = self.bucket_span.as_secs().saturating_mul(20);
            self.model_prune_window = Some(TimeSpan::from_secs(thirty_days.max(twenty_buckets)));
        }
    }

    /// Filters are the old form of an analyzer that begins with replacements.
    pub(crate) fn filters_to_analyzer(&mut self) {
        if let Some(filters) = self.categorization_filters.take() {
            self.categorization_analyzer = Some(categorization::analyzer_of_filters(&filters));
        }
    }

    /// The length of a bucket in seconds.
    pub fn bucket_span_s(&self) -> i64 {
        self.bucket_span.as_secs()
    }

    /// All fields that are read from a record (without the time field), each once, in a fixed order: first the
    /// fields of the detectors, then influencers, the summary count and the categorised field.
    pub fn analysed_fields(&self) -> Vec<String> {
        let mut fields: Vec<String> = Vec::new();
        let mut add = |field: Option<&str>| {
            if let Some(field) = field.filter(|field| *field != ML_CATEGORY)
                && !fields.iter().any(|known| known == field)
            {
                fields.push(field.to_owned());
            }
        };
        for detector in &self.detectors {
            add(detector.field_name.as_deref());
            add(detector.by_field_name.as_deref());
            add(detector.over_field_name.as_deref());
            add(detector.partition_field_name.as_deref());
        }
        for influencer in &self.influencers {
            add(Some(influencer));
        }
        add(self.summary_count_field_name.as_deref());
        add(self.categorization_field_name.as_deref());
        fields
    }
}

impl Job {
    /// Memory that the model may take, in bytes.
    pub fn model_memory_limit_bytes(&self) -> u64 {
        self.analysis_limits.model_memory_limit.unwrap_or(MEMORY_LIMIT_DEFAULT).bytes()
    }

    /// Examples kept for each category.
    pub fn categorization_examples_limit(&self) -> usize {
        usize::try_from(self.analysis_limits.categorization_examples_limit.unwrap_or(EXAMPLES_LIMIT_DEFAULT))
            .unwrap_or(usize::MAX)
    }

    /// How far back scores are renormalised, in milliseconds.
    pub fn renormalization_window_ms(&self) -> i64 {
        const DAY_MS: i64 = 86_400_000;
        let spans = self.analysis_config.bucket_span.as_millis().saturating_mul(100);
        self.renormalization_window_days
            .map_or_else(|| spans.max(30 * DAY_MS), |days| days.saturating_mul(DAY_MS))
    }

    /// Is the job a population analysis in any of its detectors?
    pub fn has_population(&self) -> bool {
        self.analysis_config.detectors.iter().any(|detector| detector.over_field_name.is_some())
    }

    /// Are model bounds written?
    pub fn model_plot_enabled(&self) -> bool {
        self.model_plot_config.as_ref().is_some_and(|config| config.enabled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(body: &str) -> Result<Job, Invalid> {
        let body: JobBody = serde_json::from_str(body).unwrap();
        body.into_job(JobId::try_from("j").unwrap(), TimestampMs(1))
    }

    #[test]
    fn defaults_are_filled_in() {
        let job =
            job(r#"{"analysis_config":{"detectors":[{"function":"count"}]},"data_description":{}}"#).unwrap();
        let json = serde_json::to_value(&job).unwrap();
        assert_eq!(json["analysis_config"]["bucket_span"], "5m");
        assert_eq!(json["analysis_config"]["model_prune_window"], "30d");
        assert_eq!(json["analysis_config"]["detectors"][0]["detector_description"], "count");
        assert_eq!(json["analysis_limits"]["model_memory_limit"], "1024mb");
        assert_eq!(
            json["data_description"],
            serde_json::json!({"time_field":"time","time_format":"epoch_ms"})
        );
        assert_eq!(json["results_index_name"], "shared");
        assert_eq!(json["daily_model_snapshot_retention_after_days"], 1);
        assert_eq!(serde_json::from_value::<Job>(json).unwrap(), job);
    }

    #[test]
    fn fields_that_the_server_makes_are_refused() {
        let error = job(r#"{"analysis_config":{"detectors":[{"function":"count"}]},"data_description":{},"create_time":1}"#).unwrap_err();
        assert!(error.to_string().contains("[create_time]"), "{error}");
    }

    #[test]
    fn analysed_fields_are_listed_once() {
        let job = job(
            r#"{"analysis_config":{"detectors":[{"function":"mean","field_name":"v","by_field_name":"h"},
            {"function":"max","field_name":"v","by_field_name":"h"}],"influencers":["h","z"]},"data_description":{}}"#,
        )
        .unwrap();
        assert_eq!(job.analysis_config.analysed_fields(), ["v", "h", "z"]);
    }
}
