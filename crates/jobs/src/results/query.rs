//! What all result queries share: filters, paging, order, tidy documents.

use serde_json::{Map, Value, json};
use store::{IndicesOptions, indices};
use types::TimestampMs;

use crate::config_store::{hits, total};
use crate::service::{Jobs, Listed};
use crate::{Error, Result};

const WINDOW_MAX: i64 = 10_000;
const TIME_FIELDS: [&str; 16] = [
    "timestamp",
    "log_time",
    "latest_record_time_stamp",
    "latest_result_time_stamp",
    "earliest_record_timestamp",
    "latest_record_timestamp",
    "last_data_time",
    "latest_empty_bucket_timestamp",
    "latest_sparse_bucket_timestamp",
    "latest_bucket_timestamp",
    "create_time",
    "modified_time",
    "forecast_start_timestamp",
    "forecast_end_timestamp",
    "forecast_create_timestamp",
    "forecast_expiry_timestamp",
];

/// Which part of what matches is shown.
#[derive(Clone, Copy, Debug)]
pub struct Paging {
    /// How many are left out.
    pub from: i64,
    /// How many are shown.
    pub size: i64,
}

impl Default for Paging {
    fn default() -> Self {
        Self { from: 0, size: 100 }
    }
}

impl Paging {
    /// # Errors
    /// When a number is negative or the window too large.
    pub(crate) fn checked(self) -> Result<Self> {
        for (name, value) in [("from", self.from), ("size", self.size)] {
            if value < 0 {
                return Err(Error::argument(format!("Parameter [{name}] cannot be < 0")));
            }
        }
        if self.from.saturating_add(self.size) > WINDOW_MAX {
            return Err(Error::argument(format!(
                "The sum of parameters [from] and [size] cannot be higher than {WINDOW_MAX}. Please use filters to \
                 reduce the number of results."
            )));
        }
        Ok(self)
    }
}

/// A search among a job's results while it is put together.
#[derive(Debug)]
pub(crate) struct Search {
    filters: Vec<Value>,
    must_not: Vec<Value>,
    sort: Vec<Value>,
    paging: Paging,
}

impl Search {
    pub(crate) fn of(result_type: &str) -> Self {
        Self::with(json!({"term": {"result_type": result_type}}))
    }

    pub(crate) fn having(field: &str) -> Self {
        Self::with(json!({"exists": {"field": field}}))
    }

    fn with(filter: Value) -> Self {
        Self { filters: vec![filter], must_not: Vec::new(), sort: Vec::new(), paging: Paging::default() }
    }

    pub(crate) fn filter(mut self, filter: Value) -> Self {
        self.filters.push(filter);
        self
    }

    /// From the first time on, before the second.
    ///
    /// # Errors
    /// When the end is before the start.
    pub(crate) fn between(mut self, start: Option<TimestampMs>, end: Option<TimestampMs>) -> Result<Self> {
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            return Err(Error::argument(format!(
                "Invalid time range: end time '{end}' is earlier than start time '{start}'."
            )));
        }
        let mut range = Map::new();
        range.extend(start.map(|start| ("gte".to_owned(), json!(start))));
        range.extend(end.map(|end| ("lt".to_owned(), json!(end))));
        if !range.is_empty() {
            self.filters.push(json!({"range": {"timestamp": range}}));
        }
        Ok(self)
    }

    pub(crate) fn at_least(mut self, field: &str, floor: f64) -> Self {
        if floor > 0.0 {
            self.filters.push(json!({"range": {field: {"gte": floor}}}));
        }
        self
    }

    pub(crate) fn without_interim(mut self, wanted: bool) -> Self {
        if wanted {
            self.must_not.push(json!({"term": {"is_interim": true}}));
        }
        self
    }

    pub(crate) fn sorted(mut self, field: &str, descending: bool) -> Self {
        let order = if descending { "desc" } else { "asc" };
        self.sort.push(json!({field: {"order": order}}));
        self
    }

    pub(crate) fn paged(mut self, paging: Paging) -> Self {
        self.paging = paging;
        self
    }

    /// The body of the search.
    pub(crate) fn body(&self) -> Value {
        let query = json!({"bool": {"filter": self.filters, "must_not": self.must_not}});
        let mut body = json!({"query": query, "from": self.paging.from, "size": self.paging.size,
            "track_total_hits": true});
        if !self.sort.is_empty() {
            body["sort"] = Value::Array(self.sort.clone());
        }
        body
    }
}

impl Jobs {
    /// Runs a search among the results of a job that exists; answers ids with documents.
    pub(crate) async fn search_results(
        &self,
        job_id: &str,
        search: &Search,
    ) -> Result<Listed<(String, Value)>> {
        let alias = indices::results_read_alias(job_id);
        let mut answer = self.inner.store.search(&alias, &search.body(), &IndicesOptions::lenient()).await?;
        let count = total(&answer);
        let mut items = hits(&mut answer);
        for (_, source) in &mut items {
            with_numeric_times(source);
        }
        Ok(Listed { count, items })
    }

    /// As [`Jobs::search_results`], with what result documents always show.
    pub(crate) async fn search_documents(&self, job_id: &str, search: &Search) -> Result<Listed<Value>> {
        let found = self.search_results(job_id, search).await?;
        let items = found.items.into_iter().map(|(_, mut source)| {
            if let Some(object) = source.as_object_mut() {
                object.entry("is_interim").or_insert(json!(false));
            }
            source
        });
        Ok(Listed { count: found.count, items: items.collect() })
    }

    /// # Errors
    /// When there is no such job.
    pub(crate) async fn must_exist(&self, job_id: &str) -> Result<()> {
        self.inner.configs.job(job_id).await.map(drop)
    }
}

/// Turns the times of a stored document into milliseconds; others may have written them as text.
pub fn with_numeric_times(document: &mut Value) {
    match document {
        Value::Object(object) => {
            for (name, value) in object {
                if TIME_FIELDS.contains(&name.as_str()) {
                    if let Some(ms) = value.as_str().and_then(time_ms) {
                        *value = json!(ms);
                    }
                } else if value.is_object() || value.is_array() {
                    with_numeric_times(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(with_numeric_times),
        _ => {}
    }
}

fn time_ms(text: &str) -> Option<i64> {
    if let Ok(ms) = text.parse() {
        return Some(ms);
    }
    let timestamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let date = text.parse::<jiff::civil::DateTime>().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(date).ok()
    })?;
    Some(timestamp.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_stored_documents_become_numbers() {
        let mut document = json!({"timestamp": "2016-06-01T00:00:00Z", "by_field_value": "2016-06-01",
            "bucket_influencers": [{"timestamp": "1464739200000"}], "log_time": 7});
        with_numeric_times(&mut document);
        assert_eq!(
            document,
            json!({"timestamp": 1_464_739_200_000_i64, "by_field_value": "2016-06-01",
                "bucket_influencers": [{"timestamp": 1_464_739_200_000_i64}], "log_time": 7})
        );
    }

    #[test]
    fn windows_are_limited() {
        assert!(Paging { from: 0, size: -1 }.checked().is_err());
        let error = Paging { from: 9_990, size: 11 }.checked().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("The sum of parameters [from] and [size] cannot be higher than 10000")
        );
    }
}
