//! The rules that a job must keep. The messages are those that clients of the API know.

use crate::detector::{AppliesTo, Detector, ML_CATEGORY};
use crate::function::Takes;
use crate::job::{AnalysisConfig, Job};
use crate::{BaseFunction, Invalid, id};

const FIELD_NAMES_RESERVED: [&str; 3] = ["count", "by", "over"];
const BUCKET_SPAN_MAX_S: i64 = 366 * 86_400;

/// Checks a complete job.
///
/// # Errors
/// The first rule that is broken.
pub fn job(job: &Job) -> Result<(), Invalid> {
    for group in &job.groups {
        id::checked_group(group)?;
        if group == job.job_id.as_str() {
            return Err(Invalid::exists(format!(
                "job and group names must be unique but job [{group}] and group [{group}] have the same name"
            )));
        }
    }
    limits(job)?;
    analysis_config(&job.analysis_config)?;
    let time_field = &job.data_description.time_field;
    if uses_field(&job.analysis_config, time_field) {
        return Err(Invalid::argument("data_description.time_field may not be used in the analysis_config"));
    }
    time_format(&job.data_description.time_format)?;
    let name = job.results_index_name.strip_prefix("custom-").unwrap_or(&job.results_index_name);
    if !id::is_valid_id(name) {
        return Err(Invalid::argument(format!(
            "Invalid results_index_name; '{name}' can contain lowercase alphanumeric (a-z and 0-9), hyphens or \
             underscores; must start and end with alphanumeric"
        )));
    }
    Ok(())
}

fn limits(job: &Job) -> Result<(), Invalid> {
    if let Some(limit) = job.analysis_limits.model_memory_limit
        && limit.mebibytes() < 1
    {
        return Err(Invalid::argument(format!(
            "model_memory_limit must be at least 1 MiB. Value = {}",
            limit.mebibytes()
        )));
    }
    let days = [
        ("renormalization_window_days", job.renormalization_window_days),
        ("results_retention_days", job.results_retention_days),
        ("model_snapshot_retention_days", Some(job.model_snapshot_retention_days)),
        ("daily_model_snapshot_retention_after_days", Some(job.daily_model_snapshot_retention_after_days)),
    ];
    for (name, value) in days {
        if let Some(value) = value.filter(|value| *value < 0) {
            return Err(Invalid::argument(format!("{name} cannot be less than 0. Value = {value}")));
        }
    }
    let (daily, all) = (job.daily_model_snapshot_retention_after_days, job.model_snapshot_retention_days);
    if daily > all {
        return Err(Invalid::argument(format!(
            "daily_model_snapshot_retention_after_days [{daily}] must be between 0 and model_snapshot_retention_days [{all}]"
        )));
    }
    if let Some(interval) = job.background_persist_interval.filter(|interval| interval.as_secs() < 3600) {
        return Err(Invalid::argument(format!(
            "background_persist_interval cannot be less than 3600. Value = {}",
            interval.as_secs()
        )));
    }
    Ok(())
}

/// Checks what is analysed.
///
/// # Errors
/// The first rule that is broken.
pub fn analysis_config(config: &AnalysisConfig) -> Result<(), Invalid> {
    let span_s = config.bucket_span.as_secs();
    if span_s <= 0 || !config.bucket_span.is_whole_seconds() {
        return Err(Invalid::argument(format!(
            "bucket_span cannot be less or equal than 0. Value = {span_s}"
        )));
    }
    if span_s > BUCKET_SPAN_MAX_S {
        return Err(Invalid::argument(format!("bucket_span cannot be more than a year. Value = {span_s}")));
    }
    if let Some(latency) =
        config.latency.filter(|latency| latency.as_millis() < 0 || !latency.is_whole_seconds())
    {
        return Err(Invalid::argument(format!("latency must be a multiple of 1s. Value = {latency}")));
    }
    if let Some(window) = config.model_prune_window {
        let window_s = window.as_secs();
        if window_s % span_s != 0 && window_s < span_s * 20 {
            return Err(Invalid::argument(format!(
                "model_prune_window [{window}] must be a multiple of bucket_span [{}]",
                config.bucket_span
            )));
        }
        if window_s < span_s.saturating_mul(2) {
            return Err(Invalid::argument(format!(
                "model_prune_window [{window}] must be at least 2 times greater than bucket_span [{}]",
                config.bucket_span
            )));
        }
    }
    if config.detectors.is_empty() {
        return Err(Invalid::argument("No detectors configured"));
    }
    for one in &config.detectors {
        detector_in_job(one, config.summary_count_field_name.is_some())?;
    }
    duplicates(&config.detectors)?;
    for influencer in &config.influencers {
        if influencer.is_empty() {
            return Err(Invalid::argument("influencers are not allowed to contain empty strings"));
        }
    }
    categorization(config)
}

/// Checks one detector on its own.
///
/// # Errors
/// The first rule that is broken.
pub fn detector(detector: &Detector) -> Result<(), Invalid> {
    detector_in_job(detector, false)
}

fn detector_in_job(detector: &Detector, summarised: bool) -> Result<(), Invalid> {
    let function = detector.function;
    let name = function.name();
    let base = function.base;
    let nothing_set = detector.field_name.is_none()
        && detector.by_field_name.is_none()
        && detector.over_field_name.is_none();
    if base == BaseFunction::Metric && nothing_set {
        return Err(Invalid::argument(
            "Unless a count or temporal function is used one of field_name, by_field_name or over_field_name must be set",
        ));
    }
    if base == BaseFunction::Metric && summarised {
        return Err(Invalid::argument(
            "The 'metric' function cannot be used in jobs that will take pre-summarized input",
        ));
    }
    let properties = [
        ("field_name", detector.field_name.as_deref(), base.field()),
        ("by_field_name", detector.by_field_name.as_deref(), base.by()),
        ("over_field_name", detector.over_field_name.as_deref(), base.over()),
    ];
    for (property, value, takes) in properties {
        match (takes, value) {
            (Takes::Required, None) => {
                return Err(Invalid::argument(format!(
                    "{property} must be set when the '{name}' function is used"
                )));
            }
            (Takes::Never, Some(_)) => {
                return Err(Invalid::argument(format!("{property} cannot be used with function '{name}'")));
            }
            _ => {}
        }
    }
    if detector.exclude_frequent.is_some() && matches!(base, BaseFunction::Rare | BaseFunction::FreqRare) {
        return Err(Invalid::argument(format!("exclude_frequent cannot be used with function '{name}'")));
    }
    field_names(detector)?;
    rules(detector)
}

fn field_names(detector: &Detector) -> Result<(), Invalid> {
    let field = detector.field_name.as_deref().map(|field| ("field_name", field));
    for (property, value) in field.into_iter().chain(detector.split_fields()) {
        if value.is_empty() || value.contains(['"', '\\']) {
            return Err(Invalid::argument(format!(
                "Invalid field name '{value}'. Field names including over, by and partition fields cannot contain any \
                 of these characters: \",\\"
            )));
        }
        if property != "field_name" && FIELD_NAMES_RESERVED.contains(&value) {
            return Err(Invalid::argument(format!("'{value}' is not a permitted value for {property}")));
        }
    }
    let splits: Vec<(&str, &str)> = detector.split_fields().collect();
    for (position, (property, value)) in splits.iter().enumerate() {
        if let Some((other, _)) = splits[..position].iter().find(|(_, earlier)| earlier == value) {
            return Err(Invalid::argument(format!("{other} and {property} cannot be the same: '{value}'")));
        }
    }
    Ok(())
}

fn rules(detector: &Detector) -> Result<(), Invalid> {
    for rule in &detector.custom_rules {
        if rule.scope.is_empty() && rule.conditions.is_empty() {
            return Err(Invalid::argument(
                "Invalid detector rule: at least scope or a condition is required",
            ));
        }
        let fields: Vec<&str> = detector.split_fields().map(|(_, field)| field).collect();
        for scoped in rule.scope.keys() {
            if fields.is_empty() {
                return Err(Invalid::argument(format!(
                    "Invalid detector rule: scope field '{scoped}' is invalid; detector has no available fields for scoping"
                )));
            }
            if !fields.contains(&scoped.as_str()) {
                return Err(Invalid::argument(format!(
                    "Invalid detector rule: scope field '{scoped}' is invalid; select from [{}]",
                    fields.join(", ")
                )));
            }
        }
        let time_only = detector.function.base.conditions_time_only();
        if time_only && rule.conditions.iter().any(|condition| condition.applies_to != AppliesTo::Time) {
            return Err(Invalid::argument(format!(
                "Invalid detector rule: function {} only supports conditions that apply to time",
                detector.function.name()
            )));
        }
    }
    Ok(())
}

fn duplicates(detectors: &[Detector]) -> Result<(), Invalid> {
    let key = |detector: &Detector| {
        let mut same = detector.clone();
        same.detector_index = None;
        same.detector_description = None;
        same.custom_rules.clear();
        same
    };
    for (position, detector) in detectors.iter().enumerate() {
        if detectors[..position].iter().any(|earlier| key(earlier) == key(detector)) {
            return Err(Invalid::argument(format!(
                "Duplicate detectors are not allowed: [{}]",
                detector.detector_description.clone().unwrap_or_else(|| detector.generated_description())
            )));
        }
    }
    Ok(())
}

fn categorization(config: &AnalysisConfig) -> Result<(), Invalid> {
    let used = config.detectors.iter().any(Detector::uses_category);
    if config.categorization_field_name.is_none() {
        let needs = if used {
            Some(format!("categorization_field_name must be set when {ML_CATEGORY} is used in a detector"))
        } else if config.categorization_filters.is_some() {
            Some("categorization_filters require setting categorization_field_name".to_owned())
        } else if config.categorization_analyzer.is_some() {
            Some("categorization_analyzer requires setting categorization_field_name".to_owned())
        } else {
            None
        };
        return needs.map_or(Ok(()), |message| Err(Invalid::argument(message)));
    }
    if !used {
        return Err(Invalid::argument(
            "categorization_field_name is set but mlcategory is not used in any detector by/over/partition field",
        ));
    }
    if let Some(filters) = &config.categorization_filters {
        category_filters(filters, config.categorization_analyzer.is_some())?;
    }
    let Some(partitioned) = config.per_partition_categorization else { return Ok(()) };
    if partitioned.stop_on_warn && !partitioned.enabled {
        return Err(Invalid::argument(
            "stop_on_warn cannot be true in per_partition_categorization when enabled is false",
        ));
    }
    let categorised = || config.detectors.iter().filter(|detector| detector.uses_category());
    if partitioned.enabled && categorised().any(|detector| detector.partition_field_name.is_none()) {
        return Err(Invalid::argument(
            "partition_field_name must be set for detectors that reference mlcategory when per-partition categorization is enabled",
        ));
    }
    let first = categorised().next().and_then(|detector| detector.partition_field_name.as_deref());
    if partitioned.enabled && categorised().any(|detector| detector.partition_field_name.as_deref() != first)
    {
        return Err(Invalid::argument(
            "partition_field_name must be the same for all detectors that reference mlcategory when per-partition categorization is enabled",
        ));
    }
    Ok(())
}

fn category_filters(filters: &[String], with_analyzer: bool) -> Result<(), Invalid> {
    if with_analyzer {
        return Err(Invalid::argument(
            "categorization_filters cannot be used with categorization_analyzer - instead specify the filters as \
             pattern_replace char_filters in the analyzer",
        ));
    }
    if filters.iter().any(String::is_empty) {
        return Err(Invalid::argument("categorization_filters are not allowed to contain empty strings"));
    }
    let mut sorted: Vec<&String> = filters.iter().collect();
    sorted.sort();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Invalid::argument("categorization_filters contain duplicates"));
    }
    Ok(())
}

fn uses_field(config: &AnalysisConfig, field: &str) -> bool {
    config.analysed_fields().iter().any(|used| used == field)
}

/// `epoch`, `epoch_ms`, or a pattern of the letters that a date pattern may have.
fn time_format(format: &str) -> Result<(), Invalid> {
    if matches!(format, "epoch" | "epoch_ms") {
        return Ok(());
    }
    let mut quoted = false;
    let mut readable = !format.is_empty();
    for letter in format.chars() {
        if letter == '\'' {
            quoted = !quoted;
        } else if !quoted && letter.is_ascii_alphabetic() && !"yuMLdDEaHhKkmsSAnNVzOXxZG".contains(letter) {
            readable = false;
        }
    }
    if readable && !quoted && format.contains(['y', 'u']) {
        return Ok(());
    }
    Err(Invalid::argument(format!("Invalid Time format string '{format}'")))
}

#[cfg(test)]
mod tests {
    use crate::{JobBody, JobId, TimestampMs};

    fn message(analysis_config: &str) -> String {
        let body: JobBody = serde_json::from_str(&format!(
            r#"{{"analysis_config":{analysis_config},"data_description":{{}}}}"#
        ))
        .unwrap();
        body.into_job(JobId::try_from("j").unwrap(), TimestampMs(0))
            .map_or_else(|error| error.to_string(), |_| "ok".to_owned())
    }

    #[test]
    fn broken_rules_are_named() {
        for (config, expected) in [
            (r#"{}"#, "No detectors configured"),
            (
                r#"{"detectors":[{"function":"mean"}]}"#,
                "field_name must be set when the 'mean' function is used",
            ),
            (
                r#"{"detectors":[{"function":"count","field_name":"x"}]}"#,
                "field_name cannot be used with function 'count'",
            ),
            (
                r#"{"detectors":[{"function":"rare"}]}"#,
                "by_field_name must be set when the 'rare' function is used",
            ),
            (
                r#"{"detectors":[{"function":"count"},{"function":"count","detector_index":5}]}"#,
                "Duplicate detectors are not allowed: [count]",
            ),
            (
                r#"{"detectors":[{"function":"mean","field_name":"time"}]}"#,
                "data_description.time_field may not be used in the analysis_config",
            ),
            (
                r#"{"bucket_span":"0s","detectors":[{"function":"count"}]}"#,
                "bucket_span cannot be less or equal than 0. Value = 0",
            ),
            (
                r#"{"detectors":[{"function":"count","by_field_name":"a","partition_field_name":"a"}]}"#,
                "by_field_name and partition_field_name cannot be the same: 'a'",
            ),
            (
                r#"{"detectors":[{"function":"count","by_field_name":"mlcategory"}]}"#,
                "categorization_field_name must be set when mlcategory is used in a detector",
            ),
            (
                r#"{"detectors":[{"function":"count","custom_rules":[{}]}]}"#,
                "Invalid detector rule: at least scope or a condition is required",
            ),
            (r#"{"bucket_span":"1h","detectors":[{"function":"count"}]}"#, "ok"),
        ] {
            assert_eq!(message(config), expected, "{config}");
        }
    }

    #[test]
    fn patterns_of_times_are_checked() {
        for (format, good) in [
            ("epoch", true),
            ("yyyy-MM-dd'T'HH:mm:ssX", true),
            ("", false),
            ("blurgh", false),
            ("yyyy-'x", false),
        ] {
            assert_eq!(super::time_format(format).is_ok(), good, "{format}");
        }
    }
}
