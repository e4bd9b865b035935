//! Records, influencers and categories.

use serde_json::{Value, json};
use types::TimestampMs;

use super::{Paging, Search};
use crate::service::{Jobs, Listed};
use crate::{Error, Result};

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub struct RecordsQuery {
    /// From here on.
    pub start: Option<TimestampMs>,
    /// Before this.
    pub end: Option<TimestampMs>,
    /// Leave interim results out.
    pub exclude_interim: bool,
    /// The least score.
    pub record_score: f64,
    /// Which part.
    pub paging: Paging,
    /// By which field; `record_score` when absent.
    pub sort: Option<String>,
    /// Highest first when absent.
    pub desc: Option<bool>,
}

/// Which influencers are wanted.
#[derive(Clone, Debug, Default)]
pub struct InfluencersQuery {
    /// From here on.
    pub start: Option<TimestampMs>,
    /// Before this.
    pub end: Option<TimestampMs>,
    /// Leave interim results out.
    pub exclude_interim: bool,
    /// The least score.
    pub influencer_score: f64,
    /// Which part.
    pub paging: Paging,
    /// By which field; `influencer_score` when absent.
    pub sort: Option<String>,
    /// Highest first when absent.
    pub desc: Option<bool>,
}

/// Which categories are wanted.
#[derive(Clone, Debug, Default)]
pub struct CategoriesQuery {
    /// Only this one; then no paging may be given.
    pub category_id: Option<u64>,
    /// Of this partition.
    pub partition_field_value: Option<String>,
    /// Which part; 0 and 100 when absent.
    pub paging: Option<Paging>,
}

impl Jobs {
    /// Records of a job.
    ///
    /// # Errors
    /// When the job does not exist or parameters contradict each other.
    pub async fn records(&self, job_id: &str, query: &RecordsQuery) -> Result<Listed<Value>> {
        self.must_exist(job_id).await?;
        let search = Search::of("record")
            .between(query.start, query.end)?
            .at_least("record_score", query.record_score)
            .without_interim(query.exclude_interim)
            .paged(query.paging.checked()?);
        self.search_documents(job_id, &ordered(search, query.sort.as_deref(), "record_score", query.desc))
            .await
    }

    /// Influencers of a job.
    ///
    /// # Errors
    /// When the job does not exist or parameters contradict each other.
    pub async fn influencers(&self, job_id: &str, query: &InfluencersQuery) -> Result<Listed<Value>> {
        self.must_exist(job_id).await?;
        let search = Search::of("influencer")
            .between(query.start, query.end)?
            .at_least("influencer_score", query.influencer_score)
            .without_interim(query.exclude_interim)
            .paged(query.paging.checked()?);
        self.search_documents(job_id, &ordered(search, query.sort.as_deref(), "influencer_score", query.desc))
            .await
    }

    /// Categories of a job, by id.
    ///
    /// # Errors
    /// When the job does not exist or parameters contradict each other.
    pub async fn categories(&self, job_id: &str, query: &CategoriesQuery) -> Result<Listed<Value>> {
        self.must_exist(job_id).await?;
        if query.category_id.is_some() && query.paging.is_some() {
            return Err(Error::argument(
                "Both [category_id, page] are specified; they cannot be used together",
            ));
        }
        let mut search = Search::having("category_id")
            .sorted("category_id", false)
            .paged(query.paging.unwrap_or_default().checked()?);
        if let Some(id) = query.category_id {
            search = search.filter(json!({"term": {"category_id": id}}));
        }
        if let Some(value) = &query.partition_field_value {
            search = search.filter(json!({"term": {"partition_field_value": value}}));
        }
        let found = self.search_results(job_id, &search).await?;
        Ok(Listed { count: found.count, items: found.items.into_iter().map(|(_, source)| source).collect() })
    }
}

fn ordered(search: Search, sort: Option<&str>, default: &str, desc: Option<bool>) -> Search {
    let descending = desc.unwrap_or(true);
    let field = sort.unwrap_or(default);
    let search = search.sorted(field, descending);
    let search = if field == "timestamp" { search } else { search.sorted("timestamp", descending) };
    if field == default { search } else { search.sorted(default, descending) }
}
