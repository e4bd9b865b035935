//! Saved states of a job's model.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::stats::ModelSizeStats;
use crate::{JobId, TimestampMs};

/// The version that states of now are marked with: the lowest that can load them.
pub const STATE_VERSION: &str = "8.3.0";

/// Describes one saved state; the state itself lies in chunks in the state index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSnapshot {
    /// The job.
    pub job_id: JobId,
    /// Lowest version that can load it.
    #[serde(default = "min_version")]
    pub min_version: String,
    /// When it was saved.
    pub timestamp: TimestampMs,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Epoch seconds of its creation, as text.
    pub snapshot_id: String,
    /// Number of state documents.
    #[serde(default)]
    pub snapshot_doc_count: u64,
    /// Size of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_size_stats: Option<ModelSizeStats>,
    /// Newest record that the model has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_record_time_stamp: Option<TimestampMs>,
    /// Newest bucket with results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_result_time_stamp: Option<TimestampMs>,
    /// The normaliser's state; stored, not shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<Value>,
    /// Does it survive retention?
    #[serde(default)]
    pub retain: bool,
}

fn min_version() -> String {
    "6.4.0".to_owned()
}

impl ModelSnapshot {
    /// Id of its document.
    pub fn doc_id(&self) -> String {
        format!("{}_model_snapshot_{}", self.job_id, self.snapshot_id)
    }
}
