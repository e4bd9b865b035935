//! The forms in which points and states of forecasts are stored.

use engine::{ForecastPoint, ForecastSeries};
use serde::{Deserialize, Serialize};
use types::results::{ResultType, Split};
use types::{JobId, TimestampMs};

/// How far a forecast is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Scheduled,
    Started,
    Finished,
    Failed,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Started => "started",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

/// The state of one forecast. Documents that others wrote may lack most of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RequestStats {
    pub(super) job_id: JobId,
    pub(super) result_type: ResultType,
    pub(super) forecast_id: String,
    #[serde(default)]
    pub(super) processed_record_count: u64,
    #[serde(default)]
    pub(super) forecast_messages: Vec<String>,
    #[serde(default)]
    pub(super) timestamp: TimestampMs,
    #[serde(default)]
    pub(super) forecast_start_timestamp: TimestampMs,
    #[serde(default)]
    pub(super) forecast_end_timestamp: TimestampMs,
    #[serde(default)]
    pub(super) forecast_create_timestamp: TimestampMs,
    /// Absent when it is kept for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) forecast_expiry_timestamp: Option<TimestampMs>,
    #[serde(default)]
    pub(super) forecast_memory_bytes: u64,
    #[serde(default)]
    pub(super) processing_time_ms: u64,
    /// 0–1.
    #[serde(default)]
    pub(super) forecast_progress: f64,
    #[serde(default = "scheduled")]
    pub(super) forecast_status: Status,
}

fn scheduled() -> Status {
    Status::Scheduled
}

impl RequestStats {
    pub(super) fn doc_id(&self) -> String {
        format!("{}_model_forecast_request_stats_{}", self.job_id, self.forecast_id)
    }
}

/// One point of one series.
#[derive(Debug, Serialize)]
pub(super) struct PointDocument<'a> {
    job_id: &'a JobId,
    forecast_id: &'a str,
    result_type: ResultType,
    bucket_span: i64,
    detector_index: usize,
    timestamp: TimestampMs,
    model_feature: &'a str,
    forecast_lower: f64,
    forecast_upper: f64,
    forecast_prediction: f64,
    #[serde(flatten)]
    split: &'a Split,
}

impl<'a> PointDocument<'a> {
    pub(super) fn new(
        job_id: &'a JobId,
        forecast_id: &'a str,
        series: &'a ForecastSeries<'_>,
        point: ForecastPoint,
    ) -> Self {
        Self {
            job_id,
            forecast_id,
            result_type: ResultType::ModelForecast,
            bucket_span: point.bucket_span,
            detector_index: series.detector_index,
            timestamp: point.timestamp,
            model_feature: series.model_feature,
            forecast_lower: point.forecast_lower,
            forecast_upper: point.forecast_upper,
            forecast_prediction: point.forecast_prediction,
            split: &series.split,
        }
    }

    /// Id of its document. `metric` has three features: all but the first are told apart by name.
    pub(super) fn doc_id(&self) -> String {
        let feature = match self.model_feature.split_whitespace().next() {
            Some("'minimum") => "_min",
            Some("'maximum") => "_max",
            _ => "",
        };
        format!(
            "{}_model_forecast_{}_{}_{}_{}_{}{feature}",
            self.job_id,
            self.forecast_id,
            self.timestamp,
            self.bucket_span,
            self.detector_index,
            self.split.id_part()
        )
    }
}
