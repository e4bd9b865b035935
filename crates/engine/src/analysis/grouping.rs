//! Which jobs can do with sums in place of records, and what is to be added up for them.

use types::detector::ML_CATEGORY;
use types::{BaseFunction, Job};

/// How the records of a bucket can be put together without a loss for the job's detectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Of each analysed field, in their order: is it only read as a number, so that count, sum, minimum and maximum do?
    /// Records that are put together agree in all the others.
    pub is_number: Vec<bool>,
}

impl Grouping {
    /// `None` when a detector needs the records one by one, or the job has summaries or categories already.
    pub fn of(job: &Job) -> Option<Self> {
        let config = &job.analysis_config;
        if config.summary_count_field_name.is_some() || config.categorization_field_name.is_some() {
            return None;
        }
        let fields = config.analysed_fields();
        let mut is_number = vec![true; fields.len()];
        let mut is_key = |name: Option<&str>| {
            if let Some(at) = fields.iter().position(|field| Some(field.as_str()) == name) {
                is_number[at] = false;
            }
        };
        for detector in &config.detectors {
            let splits = [&detector.by_field_name, &detector.over_field_name, &detector.partition_field_name];
            for split in splits {
                if split.as_deref() == Some(ML_CATEGORY) {
                    return None;
                }
                is_key(split.as_deref());
            }
            match detector.function.base {
                BaseFunction::DistinctCount => is_key(detector.field_name.as_deref()),
                BaseFunction::Count
                | BaseFunction::NonZeroCount
                | BaseFunction::Min
                | BaseFunction::Max
                | BaseFunction::Mean
                | BaseFunction::Metric
                | BaseFunction::Sum
                | BaseFunction::NonNullSum => {}
                BaseFunction::LatLong
                | BaseFunction::InfoContent
                | BaseFunction::Median
                | BaseFunction::Varp
                | BaseFunction::Rare
                | BaseFunction::FreqRare
                | BaseFunction::TimeOfDay
                | BaseFunction::TimeOfWeek => return None,
            }
        }
        config.influencers.iter().for_each(|influencer| is_key(Some(influencer)));
        Some(Self { is_number })
    }
}

#[cfg(test)]
mod tests {
    use types::{JobBody, JobId, TimestampMs};

    use super::*;

    fn grouping(config: &str) -> Option<Vec<bool>> {
        let body = format!(r#"{{"analysis_config":{config},"data_description":{{}}}}"#);
        let body: JobBody = serde_json::from_str(&body).unwrap();
        let job = body.into_job(JobId::try_from("j").unwrap(), TimestampMs(0)).unwrap();
        Grouping::of(&job).map(|grouping| grouping.is_number)
    }

    #[test]
    fn fields_are_keys_or_numbers() {
        let detectors = r#"{"detectors":[{"function":"high_mean","field_name":"v","by_field_name":"h"},
            {"function":"distinct_count","field_name":"u","over_field_name":"c"},{"function":"sum","field_name":"h"}],
            "influencers":["i"]}"#;
        assert_eq!(grouping(detectors), Some(vec![true, false, false, false, false]));
        assert_eq!(grouping(r#"{"detectors":[{"function":"low_count"}]}"#), Some(vec![]));
        for other in [
            r#"{"detectors":[{"function":"count"},{"function":"median","field_name":"v"}]}"#,
            r#"{"detectors":[{"function":"rare","by_field_name":"v"}]}"#,
            r#"{"detectors":[{"function":"mean","field_name":"v"}],"summary_count_field_name":"n"}"#,
            r#"{"detectors":[{"function":"count","by_field_name":"mlcategory"}],"categorization_field_name":"m"}"#,
        ] {
            assert_eq!(grouping(other), None, "{other}");
        }
    }
}
