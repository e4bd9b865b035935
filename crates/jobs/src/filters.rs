//! Filter lists that rules refer to.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use store::{BulkOp, IndicesOptions, indices};
use types::Job;
use types::calendar::Filter;
use types::id::FilterId;

use crate::config_store::{hits, read, to_json, total};
use crate::open_job::State;
use crate::results::Paging;
use crate::service::{Jobs, Listed};
use crate::{Error, Result, expression};

const ITEMS_MAX: usize = 10_000;

/// Changes to a filter.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterUpdate {
    /// The new description.
    pub description: Option<String>,
    /// Values that are added.
    #[serde(default)]
    pub add_items: Vec<String>,
    /// Values that are removed; each must be there.
    #[serde(default)]
    pub remove_items: Vec<String>,
}

fn doc_id(filter_id: &str) -> String {
    format!("filter_{filter_id}")
}

fn document(filter: &Filter) -> Result<String> {
    let mut json = to_json(filter)?;
    json["type"] = json!("filter");
    Ok(json.to_string())
}

fn sorted(items: Vec<String>) -> Result<Vec<String>> {
    let unique: BTreeSet<String> = items.into_iter().collect();
    if unique.len() > ITEMS_MAX {
        return Err(Error::argument(format!(
            "Filter items are limited to [{ITEMS_MAX}], but [{}] were given",
            unique.len()
        )));
    }
    Ok(unique.into_iter().collect())
}

impl Jobs {
    /// Creates a filter.
    ///
    /// # Errors
    /// When the id is taken or not allowed.
    pub async fn put_filter(
        &self,
        filter_id: &str,
        description: Option<String>,
        items: Vec<String>,
    ) -> Result<Filter> {
        let filter = Filter { filter_id: FilterId::try_from(filter_id)?, description, items: sorted(items)? };
        let op = BulkOp::create(indices::META, doc_id(filter_id), document(&filter)?);
        let outcome = self.inner.store.bulk(vec![op]).await?.pop();
        match outcome.and_then(|outcome| outcome.error) {
            Some(store::Error::VersionConflict(_)) => {
                return Err(Error::Exists(format!("A filter with id [{filter_id}] already exists")));
            }
            Some(error) => return Err(error.into()),
            None => {}
        }
        self.inner.store.refresh(indices::META).await?;
        Ok(filter)
    }

    /// Filters: one by id or wildcard, or, with an empty id, a page of all.
    ///
    /// # Errors
    /// When a filter that is named does not exist.
    pub async fn get_filters(&self, filter_id: &str, paging: Paging) -> Result<Listed<Filter>> {
        let paging = paging.checked()?;
        if !filter_id.is_empty() && filter_id != "_all" && !filter_id.contains(['*', ',']) {
            let filter = self.filter(filter_id).await?;
            return Ok(Listed { count: 1, items: vec![filter] });
        }
        let body = json!({"query": {"term": {"type": "filter"}}, "sort": [{"filter_id": {"order": "asc"}}],
            "from": paging.from, "size": paging.size});
        let mut answer = self.inner.store.search(indices::META, &body, &IndicesOptions::lenient()).await?;
        let count = total(&answer);
        let mut items: Vec<Filter> = self.inner.configs.unreadable.all(indices::META, hits(&mut answer));
        if filter_id.is_empty() || filter_id == "_all" {
            return Ok(Listed { count, items });
        }
        items.retain(|filter| filter_id.split(',').any(|part| expression::matches(part, &filter.filter_id)));
        Ok(Listed { count: items.len() as u64, items })
    }

    pub(crate) async fn filter(&self, filter_id: &str) -> Result<Filter> {
        let id = doc_id(filter_id);
        let found = self.inner.store.get(indices::META, &id).await?;
        read(&id, found.ok_or_else(|| Error::UnknownFilter(filter_id.to_owned()))?.source)
    }

    /// Do all filters exist that the rules of a job need?
    ///
    /// # Errors
    /// When one does not.
    pub(crate) async fn check_filters(&self, job: &Job) -> Result<()> {
        for filter_id in filters_of(job) {
            self.filter(&filter_id).await?;
        }
        Ok(())
    }

    /// Changes a filter; open jobs that use it take the change at once.
    ///
    /// # Errors
    /// When it does not exist, or a value that is to be removed is not there.
    pub async fn update_filter(&self, filter_id: &str, update: FilterUpdate) -> Result<Filter> {
        let mut filter = self.filter(filter_id).await?;
        for item in &update.remove_items {
            let before = filter.items.len();
            filter.items.retain(|known| known != item);
            if filter.items.len() == before {
                return Err(Error::argument(format!(
                    "Cannot remove item [{item}] as it is not present in filter [{filter_id}]"
                )));
            }
        }
        filter.items.extend(update.add_items);
        filter.items = sorted(filter.items)?;
        filter.description = update.description.or(filter.description);
        let op = BulkOp::index(indices::META, doc_id(filter_id), document(&filter)?);
        store::check_all(self.inner.store.bulk(vec![op]).await?)?;
        self.inner.store.refresh(indices::META).await?;
        self.refresh_contexts(|job| uses(job, filter_id)).await?;
        Ok(filter)
    }

    /// Removes a filter that no job uses.
    ///
    /// # Errors
    /// When it does not exist or is used.
    pub async fn delete_filter(&self, filter_id: &str) -> Result<()> {
        self.filter(filter_id).await?;
        let jobs = self.inner.configs.jobs().await?;
        let using: Vec<&str> =
            jobs.iter().filter(|job| uses(job, filter_id)).map(|job| job.job_id.as_str()).collect();
        if !using.is_empty() {
            return Err(Error::Conflict(format!(
                "Cannot delete filter [{filter_id}] currently used by jobs [{}]",
                using.join(", ")
            )));
        }
        self.inner.store.bulk(vec![BulkOp::delete(indices::META, doc_id(filter_id))]).await?;
        self.inner.store.refresh(indices::META).await?;
        Ok(())
    }

    /// Gives open jobs their filters and events anew; says to which jobs that was of concern.
    pub(crate) async fn refresh_contexts(&self, concerns: impl Fn(&Job) -> bool) -> Result<Vec<Job>> {
        let mut concerned = self.inner.configs.jobs().await?;
        concerned.retain(concerns);
        self.to_the_end(|jobs| async move {
            for job in &concerned {
                let open = jobs.inner.open_job(&job.job_id);
                let open = open.filter(|open| open.state() == State::Opened && !open.is_paused());
                if let Some(open) = open {
                    jobs.set_context_of(&open, job).await?;
                }
            }
            Ok(concerned)
        })
        .await
    }
}

/// The filters that a job's rules name.
pub(crate) fn filters_of(job: &Job) -> BTreeSet<String> {
    let rules = job.analysis_config.detectors.iter().flat_map(|detector| &detector.custom_rules);
    rules.flat_map(|rule| rule.scope.values()).map(|filter| to_text(&filter.filter_id)).collect()
}

fn to_text(id: &impl serde::Serialize) -> String {
    serde_json::to_value(id).ok().as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn uses(job: &Job, filter_id: &str) -> bool {
    filters_of(job).contains(filter_id)
}
