//! Defaults and limits, as `_ml/info` shows them.

use serde_json::{Value, json};

use crate::service::Jobs;

impl Jobs {
    /// The body of `_ml/info`; `analyzer` is the default categorization analyzer.
    pub fn info(&self, analyzer: &Value) -> Value {
        let max = self.inner.max_model_memory_limit();
        let default_limit = max.map_or(1024, |max| max.mebibytes().min(1024));
        let shown = if default_limit == 1024 { "1gb".to_owned() } else { format!("{default_limit}mb") };
        let mut limits = json!({});
        if let Some(max) = max {
            limits["max_model_memory_limit"] = json!(max.to_string());
            limits["effective_max_model_memory_limit"] = json!(max.to_string());
            limits["total_ml_memory"] = json!(max.to_string());
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
            "upgrade_mode": false,
            "native_code": {"version": types::job::JOB_VERSION, "build_hash": "auspex"},
            "limits": limits,
        })
    }
}
