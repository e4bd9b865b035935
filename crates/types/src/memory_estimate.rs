//! How much memory a job's model will need, from its configuration and the numbers of values of its fields.
//!
//! The sum is that of the interface, as far as its public examples tell it, so that plans made with either agree:
//! 10 MiB for the job, and for each detector with `B` by values, `P` partitions and `O` population members
//!
//! | detector | KiB |
//! | --- | --- |
//! | not split | 32 |
//! | by | 32 · B |
//! | partition | 48 · P |
//! | by and partition | 48 · P · √B, since no partition has all by values |
//! | over | ¾ · O, times P if there are partitions, plus 32 · B if there are by values |
//!
//! `metric` keeps three models a series and `lat_long` two. An influencer that splits no detector takes 10 KiB for each
//! value that it has in a bucket, categorisation 20 MiB. The total is rounded up to whole MiB.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::detector::{Detector, ML_CATEGORY};
use crate::job::AnalysisConfig;
use crate::{BaseFunction, ByteSize, Invalid, validate};

const MIB: f64 = 1024.0 * 1024.0;
const JOB_MIB: f64 = 10.0;
const CATEGORIZATION_MIB: f64 = 20.0;
const SERIES_KIB: f64 = 32.0;
const PARTITION_KIB: f64 = 48.0;
const MEMBER_KIB: f64 = 0.75;
const INFLUENCER_KIB: f64 = 10.0;
/// Categories are not counted beforehand.
const CATEGORIES: u64 = 500;

/// The body of the request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryEstimateBody {
    /// What will be analysed.
    pub analysis_config: Option<AnalysisConfig>,
    /// Values in all of by, over and partition fields.
    #[serde(default)]
    pub overall_cardinality: BTreeMap<String, u64>,
    /// Values in the fullest bucket of influencers.
    #[serde(default)]
    pub max_bucket_cardinality: BTreeMap<String, u64>,
}

impl MemoryEstimateBody {
    /// The estimate, in whole mebibytes.
    ///
    /// # Errors
    /// When the configuration breaks a rule, or the number of values of a field is needed and missing.
    pub fn estimate(mut self) -> Result<ByteSize, Invalid> {
        let mut config = self
            .analysis_config
            .take()
            .ok_or_else(|| Invalid::x_content("[estimate_model_memory_action] Required [analysis_config]"))?;
        config.complete();
        validate::analysis_config(&config)?;
        let mut kib = 0.0;
        for detector in &config.detectors {
            kib += self.detector_kib(detector)?;
        }
        let split: BTreeSet<&str> =
            config.detectors.iter().flat_map(Detector::split_fields).map(|(_, field)| field).collect();
        for influencer in config.influencers.iter().filter(|field| !split.contains(field.as_str())) {
            kib +=
                INFLUENCER_KIB * needed(&self.max_bucket_cardinality, "max_bucket_cardinality", influencer)?;
        }
        let mut mib = JOB_MIB + kib * 1024.0 / MIB;
        if config.categorization_field_name.is_some() {
            mib += CATEGORIZATION_MIB;
        }
        // A sum beyond any memory is cut off by the conversion, not wrapped.
        Ok(ByteSize::from_mebibytes(mib.ceil() as u64))
    }

    fn detector_kib(&self, detector: &Detector) -> Result<f64, Invalid> {
        let values = |field: &Option<String>| match field.as_deref() {
            None => Ok(None),
            Some(ML_CATEGORY) => Ok(Some(CATEGORIES as f64)),
            Some(field) => needed(&self.overall_cardinality, "overall_cardinality", field).map(Some),
        };
        let by = values(&detector.by_field_name)?;
        let over = values(&detector.over_field_name)?;
        let partitions = values(&detector.partition_field_name)?;
        let models = match detector.function.base {
            BaseFunction::Metric => 3.0,
            BaseFunction::LatLong => 2.0,
            _ => 1.0,
        };
        let kib = match (by, over, partitions) {
            (by, Some(over), partitions) => {
                MEMBER_KIB * over * partitions.unwrap_or(1.0).max(1.0) + by.map_or(0.0, |by| SERIES_KIB * by)
            }
            (None, None, None) => SERIES_KIB,
            (Some(by), None, None) => SERIES_KIB * by,
            (None, None, Some(partitions)) => PARTITION_KIB * partitions,
            (Some(by), None, Some(partitions)) => PARTITION_KIB * partitions * by.sqrt(),
        };
        Ok(models * kib)
    }
}

fn needed(given: &BTreeMap<String, u64>, name: &str, field: &str) -> Result<f64, Invalid> {
    let values = given.get(field).copied();
    values.map(|values| values as f64).ok_or_else(|| {
        Invalid::argument(format!("[{name}] must contain the number of values of the field [{field}]"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(body: &str) -> String {
        let body: MemoryEstimateBody = serde_json::from_str(body).unwrap();
        body.estimate().map_or_else(|error| error.to_string(), |size| size.to_string())
    }

    fn of(split: &str, more: &str) -> String {
        estimate(&format!(
            r#"{{"analysis_config":{{"bucket_span":"15m","detectors":[{{"function":"max","field_name":"v",{split}}}]{more}}},
            "overall_cardinality":{{"a":50000}},"max_bucket_cardinality":{{"i":500}}}}"#
        ))
    }

    #[test]
    fn public_examples_are_met() {
        assert_eq!(of(r#""by_field_name":"a""#, ""), "1573mb");
        assert_eq!(of(r#""over_field_name":"a""#, ""), "47mb");
        assert_eq!(of(r#""partition_field_name":"a""#, ""), "2354mb");
        assert_eq!(of(r#""by_field_name":"a""#, r#","influencers":["a","i"]"#), "1578mb");
        let two_fields = r#"{"analysis_config":{"bucket_span":"5m","detectors":[{"function":"sum","field_name":"bytes",
            "by_field_name":"status","partition_field_name":"app"}],"influencers":["source_ip","dest_ip"]},
            "overall_cardinality":{"status":10,"app":50},"max_bucket_cardinality":{"source_ip":300,"dest_ip":30}}"#;
        assert_eq!(estimate(two_fields), "21mb");
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = "[overall_cardinality] must contain the number of values of the field [b]";
        assert_eq!(of(r#""by_field_name":"b""#, ""), missing);
        assert_eq!(
            of(r#""by_field_name":"a""#, r#","influencers":["j"]"#),
            "[max_bucket_cardinality] must contain the number of values of the field [j]"
        );
        assert_eq!(estimate("{}"), "[estimate_model_memory_action] Required [analysis_config]");
        assert_eq!(estimate(r#"{"analysis_config":{"detectors":[]}}"#), "No detectors configured");
    }

    #[test]
    fn sums_beyond_any_memory_do_not_wrap() {
        let body = r#"{"analysis_config":{"detectors":[{"function":"count","partition_field_name":"a"}]},
            "overall_cardinality":{"a":18446744073709551615}}"#;
        // 2^64 partitions of 48 KiB are 3/64 of 2^64 MiB; the job's own 10 are lost in the rounding.
        assert_eq!(estimate(body), "864691128455135232mb");
    }
}
