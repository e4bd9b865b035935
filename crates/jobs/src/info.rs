//! Defaults and limits, as `_ml/info` shows them.

use serde_json::{Value, json};
use types::job::MEMORY_LIMIT_DEFAULT;

use crate::anomaly_detectors::in_gigabytes;
use crate::service::Jobs;

impl Jobs {
    /// The body of `_ml/info`; `analyzer` is the default categorization analyzer.
    pub fn info(&self, analyzer: &Value) -> Value {
        let max = self.inner.max_model_memory_limit();
        let shown = in_gigabytes(max.map_or(MEMORY_LIMIT_DEFAULT, |max| max.min(MEMORY_LIMIT_DEFAULT)));
        let machine_mb = self.inner.options.memory_bytes / (1024 * 1024);
        let effective_mb = max.map_or(machine_mb, |max| max.mebibytes().min(machine_mb));
        let mut limits = json!({
            "effective_max_model_memory_limit": format!("{effective_mb}mb"),
            "total_ml_memory": format!("{machine_mb}mb"),
        });
        if let Some(max) = max {
            limits["max_model_memory_limit"] = json!(in_gigabytes(max));
        }
        json!({
            "defaults": {
                "anomaly_detectors": {
                    "categorization_analyzer": analyzer,
                    "model_memory_limit": shown,
                    "categorization_examples_limit": 4,
                    "model_snapshot_retention_days": 10,
                    "daily_model_snapshot_retention_after_days": 1,
                },
                "datafeeds": {"scroll_size": 1000},
            },
            "upgrade_mode": self.upgrade_mode(),
            "native_code": {"version": types::job::JOB_VERSION, "build_hash": "auspex"},
            "limits": limits,
        })
    }
}
