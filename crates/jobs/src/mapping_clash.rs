//! Fields of a job that cannot lie beside those of other jobs in one results index.
//!
//! Records carry a copy of each by, over, partition and influencer value under the field's own name. A name that is a
//! value in one document (`a`) cannot be an object in another (`a.b`).

use std::collections::BTreeSet;

use serde_json::Value;
use store::{IndicesOptions, indices};
use types::Job;

use crate::service::Jobs;
use crate::{Error, Result};

/// The fields that a job copies into its results.
fn copied(job: &Job) -> BTreeSet<&str> {
    let config = &job.analysis_config;
    let of_detectors = config.detectors.iter().flat_map(|detector| {
        [&detector.by_field_name, &detector.over_field_name, &detector.partition_field_name]
    });
    of_detectors.flatten().chain(&config.influencers).map(String::as_str).collect()
}

/// The shorter of two names of which one is the other's parent.
fn parent<'a>(one: &'a str, other: &'a str) -> Option<&'a str> {
    let is_parent =
        |short: &str, long: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'));
    match () {
        () if is_parent(one, other) => Some(one),
        () if is_parent(other, one) => Some(other),
        () => None,
    }
}

fn clash(field: &str) -> Error {
    Error::BadRequest(format!(
        "This job would cause a mapping clash with existing field [{field}] - avoid the clash by assigning a dedicated \
         results index"
    ))
}

impl Jobs {
    /// # Errors
    /// When a field of the job clashes with one of another job in the same index, or with one that is mapped there.
    pub(crate) async fn check_mapping_clash(&self, jobs: &[Job], job: &Job) -> Result<()> {
        let own = copied(job);
        for other in jobs {
            if other.job_id == job.job_id || other.results_index_name != job.results_index_name {
                continue;
            }
            for theirs in copied(other) {
                if let Some(field) = own.iter().find_map(|field| parent(field, theirs)) {
                    return Err(clash(field));
                }
            }
        }
        self.check_mapped(job, &own).await
    }

    /// What is mapped already, by the service or by whoever wrote documents there.
    async fn check_mapped(&self, job: &Job, own: &BTreeSet<&str>) -> Result<()> {
        let mut asked: BTreeSet<String> = own.iter().map(|field| (*field).to_owned()).collect();
        for field in own {
            asked.extend(field.match_indices('.').map(|(at, _)| field[..at].to_owned()));
        }
        if asked.is_empty() {
            return Ok(());
        }
        let index = indices::results_index(&job.results_index_name);
        let asked: Vec<String> = asked.into_iter().collect();
        let caps = self.inner.store.field_caps(&index, &asked, &IndicesOptions::lenient()).await?;
        let fields = caps.get("fields").and_then(Value::as_object);
        for (field, kinds) in fields.into_iter().flatten() {
            let is_object = kinds
                .as_object()
                .into_iter()
                .flatten()
                .any(|(kind, _)| matches!(kind.as_str(), "object" | "nested"));
            // A value where there are objects, or objects where there is a value; names of the service's own fields are
            // not copied.
            let is_own = own.contains(field.as_str());
            if is_own == is_object && !indices::is_result_field(field) {
                return Err(clash(field));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_clashes_with_what_lies_below_it() {
        assert_eq!(parent("response", "response.code"), Some("response"));
        assert_eq!(parent("response.code", "response"), Some("response"));
        assert_eq!(parent("response", "response_code"), None);
        assert_eq!(parent("a.b", "a.c"), None);
        assert_eq!(parent("a", "a"), None);
    }
}
