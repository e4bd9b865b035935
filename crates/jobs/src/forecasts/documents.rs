//! The forms in which points and states of forecasts are stored.

use engine::{ForecastPoint, ForecastSeries};
use serde::Serialize;
use serde_json::Value;
use types::results::{ResultType, Split};
use types::{JobId, TimestampMs};

/// How far a forecast is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

/// The state of one forecast.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RequestStats {
    pub(super) job_id: JobId,
    pub(super) result_type: ResultType,
    pub(super) forecast_id: String,
    pub(super) processed_record_count: u64,
    pub(super) forecast_messages: Vec<String>,
    pub(super) timestamp: TimestampMs,
    pub(super) forecast_start_timestamp: TimestampMs,
    pub(super) forecast_end_timestamp: TimestampMs,
    pub(super) forecast_create_timestamp: TimestampMs,
    /// Absent when it is kept for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) forecast_expiry_timestamp: Option<TimestampMs>,
    pub(super) forecast_memory_bytes: u64,
    pub(super) processing_time_ms: u64,
    /// 0–1.
    pub(super) forecast_progress: f64,
    pub(super) forecast_status: Status,
}

impl RequestStats {
    /// Reads a stored document whose times are numbers. Others may have written it: what it lacks is zero, and only a
    /// document without a job or an id is none.
    pub(super) fn read(source: &Value) -> Option<Self> {
        let text = |name: &str| source.get(name).and_then(Value::as_str);
        let number = |name: &str| source.get(name).and_then(Value::as_f64).unwrap_or(0.0);
        let count = |name: &str| number(name).max(0.0) as u64;
        let time = |name: &str| source.get(name).and_then(Value::as_i64).map(TimestampMs);
        let messages = source.get("forecast_messages").and_then(Value::as_array);
        Some(Self {
            job_id: JobId::try_from(text("job_id")?).ok()?,
            result_type: ResultType::ModelForecastRequestStats,
            forecast_id: text("forecast_id")?.to_owned(),
            processed_record_count: count("processed_record_count"),
            forecast_messages: messages
                .into_iter()
                .flatten()
                .filter_map(|m| m.as_str().map(str::to_owned))
                .collect(),
            timestamp: time("timestamp").unwrap_or_default(),
            forecast_start_timestamp: time("forecast_start_timestamp").unwrap_or_default(),
            forecast_end_timestamp: time("forecast_end_timestamp").unwrap_or_default(),
            forecast_create_timestamp: time("forecast_create_timestamp").unwrap_or_default(),
            forecast_expiry_timestamp: time("forecast_expiry_timestamp"),
            forecast_memory_bytes: count("forecast_memory_bytes"),
            processing_time_ms: count("processing_time_ms"),
            forecast_progress: number("forecast_progress"),
            forecast_status: match text("forecast_status") {
                Some("finished") => Status::Finished,
                Some("failed") => Status::Failed,
                Some("started") => Status::Started,
                _ => Status::Scheduled,
            },
        })
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn states_are_read_as_far_as_they_go() {
        let source = json!({"job_id": "j", "forecast_id": "f", "forecast_status": "finished",
            "processing_time_ms": 1.5, "forecast_expiry_timestamp": 7});
        let stats = RequestStats::read(&source).unwrap();
        assert_eq!((stats.forecast_status, stats.processing_time_ms), (Status::Finished, 1));
        assert_eq!(stats.forecast_expiry_timestamp, Some(TimestampMs(7)));
        assert_eq!(RequestStats::read(&serde_json::to_value(&stats).unwrap()), Some(stats));
        assert_eq!(RequestStats::read(&json!({"job_id": "j"})), None);
    }
}
