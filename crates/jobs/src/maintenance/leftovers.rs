//! What belongs to no job: states, logs and statistics that a job left behind when it was removed half way.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use store::{BulkOp, IndicesOptions, indices};

use super::request::Pace;
use crate::Result;
use crate::service::Jobs;

const PAGE: usize = 10_000;

/// The job of a document in the state index, from its id.
fn job_of(id: &str) -> Option<&str> {
    let whole = ["_quantiles", "_checkpoint"].into_iter().find_map(|end| id.strip_suffix(end));
    let (name, _chunk) = id.rsplit_once('#').unwrap_or((id, ""));
    let part = || {
        let ends = ["_model_state_", "_checkpoint_"];
        ends.into_iter().filter_map(|end| name.rfind(end)).max().map(|at| &name[..at])
    };
    whole
        .or_else(|| name.strip_suffix("_categorizer_state"))
        .or_else(part)
        .filter(|job_id| !job_id.is_empty())
}

impl Jobs {
    /// Says whether there was time for everything.
    pub(super) async fn remove_leftovers(&self, pace: &Pace) -> Result<bool> {
        Ok(self.remove_orphaned_states(pace).await? && self.remove_unused_documents(pace).await?)
    }

    /// Jobs are listed after the states, so that a job that is created meanwhile keeps its own.
    async fn remove_orphaned_states(&self, pace: &Pace) -> Result<bool> {
        self.inner.store.refresh(indices::STATE_PATTERN).await?;
        let ids = self.state_ids().await?;
        let known = self.job_ids().await?;
        let orphans: Vec<(String, String)> = ids
            .into_iter()
            .filter(|(_, id)| job_of(id).is_some_and(|job_id| !known.contains(job_id)))
            .collect();
        for page in orphans.chunks(1000) {
            if !pace.next(self).await {
                return Ok(false);
            }
            let ops = page.iter().map(|(index, id)| BulkOp::delete(index, id)).collect();
            store::check_all(self.inner.store.bulk(ops).await?)?;
        }
        Ok(true)
    }

    /// Also of the jobs whose configuration cannot be read: it may be repaired, and what they have learnt is theirs.
    async fn job_ids(&self) -> Result<BTreeSet<String>> {
        self.inner.configs.job_ids().await
    }

    /// Index and id of every document with a state.
    async fn state_ids(&self) -> Result<Vec<(String, String)>> {
        let mut all = Vec::new();
        let mut after = Value::Null;
        loop {
            let mut body = json!({"query": {"match_all": {}}, "size": PAGE, "_source": false,
                "sort": [{"_doc": {"order": "asc"}}]});
            if !after.is_null() {
                body["search_after"] = after;
            }
            let options = IndicesOptions::lenient();
            let answer = self.inner.store.search(indices::STATE_PATTERN, &body, &options).await?;
            let hits = answer.pointer("/hits/hits").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let text = |hit: &Value, name: &str| {
                hit.get(name).and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
            };
            all.extend(hits.iter().map(|hit| (text(hit, "_index"), text(hit, "_id"))));
            match hits.last().and_then(|hit| hit.get("sort")) {
                Some(sort) if hits.len() == PAGE => after = sort.clone(),
                _ => return Ok(all),
            }
        }
    }

    /// Statistics and logs of jobs that are gone, and of datafeeds whose job has none any more.
    async fn remove_unused_documents(&self, pace: &Pace) -> Result<bool> {
        let known: Vec<String> = self.job_ids().await?.into_iter().collect();
        let mut fed: Vec<String> =
            self.inner.configs.feeds().await?.into_iter().map(|feed| feed.job_id.to_string()).collect();
        if self.inner.configs.unreadable.list().iter().any(|(index, ..)| index == indices::CONFIG) {
            // One of those that cannot be read may be the datafeed of any job.
            fed.clone_from(&known);
        }
        let of_type = |kinds: Value| json!({"terms": {"result_type": kinds}});
        let other = |ids: &[String]| json!({"terms": {"job_id": ids}});
        let has_job = json!({"exists": {"field": "job_id"}});
        let queries = [
            (
                indices::RESULTS_PATTERN,
                json!({"bool": {"filter": [of_type(json!(["timing_stats"])), has_job], "must_not": [other(&known)]}}),
            ),
            (
                indices::RESULTS_PATTERN,
                json!({"bool": {"filter": [of_type(json!(["datafeed_timing_stats"])), has_job],
                    "must_not": [other(&fed)]}}),
            ),
            (indices::DATA_LOG, json!({"bool": {"filter": [has_job], "must_not": [other(&known)]}})),
        ];
        for (index, query) in queries {
            if !pace.next(self).await {
                return Ok(false);
            }
            self.inner.store.refresh(index).await?;
            self.inner.store.delete_by_query(index, &query).await?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::job_of;

    #[test]
    fn the_job_of_a_state_is_read_from_its_id() {
        for (id, job_id) in [
            ("j_quantiles", "j"),
            ("j_checkpoint", "j"),
            ("j_checkpoint_12#1", "j"),
            ("j_model_state_1486591300#2", "j"),
            ("j_categorizer_state#1", "j"),
            ("x_checkpoint_checkpoint_5#1", "x_checkpoint"),
            ("x_model_state_y_quantiles", "x_model_state_y"),
        ] {
            assert_eq!(job_of(id), Some(job_id), "{id}");
        }
        assert_eq!(job_of("something else"), None);
        assert_eq!(job_of("_quantiles"), None);
    }
}
