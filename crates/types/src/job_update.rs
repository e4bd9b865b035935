//! Changes to an existing job.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::detector::DetectionRule;
use crate::job::{AnalysisLimits, Job, ModelPlotConfig, PerPartitionCategorization};
use crate::{Invalid, TimeSpan, categorization, validate};

/// The body of a job update; what is absent stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `Job`")]
pub struct JobUpdate {
    pub job_id: Option<String>,
    pub description: Option<String>,
    pub groups: Option<Vec<String>>,
    pub detectors: Option<Vec<DetectorUpdate>>,
    #[serde(alias = "model_debug_config")]
    pub model_plot_config: Option<ModelPlotConfig>,
    pub analysis_limits: Option<AnalysisLimits>,
    pub renormalization_window_days: Option<i64>,
    pub background_persist_interval: Option<TimeSpan>,
    pub model_snapshot_retention_days: Option<i64>,
    pub daily_model_snapshot_retention_after_days: Option<i64>,
    pub results_retention_days: Option<i64>,
    pub categorization_filters: Option<Vec<String>>,
    pub per_partition_categorization: Option<PerPartitionCategorization>,
    pub custom_settings: Option<Value>,
    pub allow_lazy_open: Option<bool>,
    pub model_prune_window: Option<TimeSpan>,
}

/// A change to one detector.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorUpdate {
    /// Which one.
    pub detector_index: usize,
    /// Its new description.
    pub description: Option<String>,
    /// Its new rules; they replace the old ones.
    pub custom_rules: Option<Vec<DetectionRule>>,
}

impl JobUpdate {
    /// The job with the changes, checked by the same rules as a new one.
    ///
    /// # Errors
    /// When a detector does not exist or the outcome breaks a rule.
    pub fn applied_to(&self, job: &Job) -> Result<Job, Invalid> {
        let mut job = job.clone();
        set_some(&mut job.description, &self.description);
        if let Some(groups) = &self.groups {
            job.groups.clone_from(groups);
            job.groups.sort();
            job.groups.dedup();
        }
        for change in self.detectors.iter().flatten() {
            apply_detector(&mut job, change)?;
        }
        if let Some(plot) = &self.model_plot_config {
            let mut plot = plot.clone();
            plot.annotations_enabled = Some(plot.annotations_enabled.unwrap_or(plot.enabled));
            job.model_plot_config = Some(plot);
        }
        if let Some(limits) = &self.analysis_limits {
            if let Some(examples) = limits.categorization_examples_limit
                && Some(examples) != job.analysis_limits.categorization_examples_limit
            {
                return Err(Invalid::argument("categorization_examples_limit cannot be updated"));
            }
            job.analysis_limits.model_memory_limit =
                limits.model_memory_limit.or(job.analysis_limits.model_memory_limit);
        }
        set_some(&mut job.renormalization_window_days, &self.renormalization_window_days);
        set_some(&mut job.background_persist_interval, &self.background_persist_interval);
        set_some(&mut job.results_retention_days, &self.results_retention_days);
        set_some(&mut job.custom_settings, &self.custom_settings);
        if let Some(filters) = &self.categorization_filters {
            let config = &mut job.analysis_config;
            // An analyzer that was made of filters makes room for the new ones.
            config.categorization_analyzer = config
                .categorization_analyzer
                .take()
                .filter(|analyzer| !categorization::is_of_filters(analyzer));
            config.categorization_filters = Some(filters.clone());
        }
        set_some(&mut job.analysis_config.model_prune_window, &self.model_prune_window);
        if let Some(days) = self.model_snapshot_retention_days {
            job.model_snapshot_retention_days = days;
        }
        if let Some(days) = self.daily_model_snapshot_retention_after_days {
            job.daily_model_snapshot_retention_after_days = days;
        }
        job.allow_lazy_open = self.allow_lazy_open.unwrap_or(job.allow_lazy_open);
        self.apply_per_partition(&mut job)?;
        validate::job(&job)?;
        job.analysis_config.filters_to_analyzer();
        Ok(job)
    }

    fn apply_per_partition(&self, job: &mut Job) -> Result<(), Invalid> {
        let Some(change) = self.per_partition_categorization else { return Ok(()) };
        let current = job.analysis_config.per_partition_categorization;
        if change.enabled != current.is_some_and(|config| config.enabled) {
            return Err(Invalid::argument("per_partition_categorization.enabled cannot be updated"));
        }
        job.analysis_config.per_partition_categorization = Some(change);
        Ok(())
    }
}

fn set_some<T: Clone>(target: &mut Option<T>, change: &Option<T>) {
    if change.is_some() {
        target.clone_from(change);
    }
}

fn apply_detector(job: &mut Job, change: &DetectorUpdate) -> Result<(), Invalid> {
    let Some(detector) = job.analysis_config.detectors.get_mut(change.detector_index) else {
        return Err(Invalid::argument(format!(
            "Supplied detector_index [{}] is >= the number of detectors [{}]",
            change.detector_index,
            job.analysis_config.detectors.len()
        )));
    };
    set_some(&mut detector.detector_description, &change.description);
    if let Some(rules) = &change.custom_rules {
        detector.custom_rules.clone_from(rules);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JobBody, JobId, TimestampMs};

    #[test]
    fn an_update_changes_what_it_names_and_keeps_the_rest() {
        let body: JobBody =
            serde_json::from_str(r#"{"description":"a","analysis_config":{"detectors":[{"function":"count"}]},"data_description":{}}"#).unwrap();
        let job = body.into_job(JobId::try_from("j").unwrap(), TimestampMs(0)).unwrap();
        let update: JobUpdate = serde_json::from_str(
            r#"{"groups":["b","a"],"detectors":[{"detector_index":0,"description":"d"}]}"#,
        )
        .unwrap();
        let changed = update.applied_to(&job).unwrap();
        assert_eq!(
            (changed.groups, changed.description.as_deref()),
            (vec!["a".to_owned(), "b".to_owned()], Some("a"))
        );
        assert_eq!(changed.analysis_config.detectors[0].detector_description.as_deref(), Some("d"));
        let wrong: JobUpdate = serde_json::from_str(r#"{"detectors":[{"detector_index":3}]}"#).unwrap();
        assert!(wrong.applied_to(&job).is_err());
    }
}
