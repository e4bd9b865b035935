//! Reading documents or aggregations through the store.

use std::sync::Arc;

use serde_json::{Value, json};
use store::{IndicesOptions, Scan, ScanRequest, Store};
use types::Job;
use types::datafeed::{ChunkingMode, Datafeed, histogram_interval_ms};

use super::aggregation::{Kind, level};
use super::rows::{Row, rows};
use crate::Result;

const COMPOSITE_SIZE: u64 = 10_000;
const INTERVALS_PER_CHUNK: i64 = 1000;

/// Where a datafeed reads.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) store: Arc<dyn Store>,
    pub(super) feed: Datafeed,
    pub(super) time_field: String,
    pub(super) fields: Vec<String>,
    pub(super) options: IndicesOptions,
    page_size: usize,
}

impl Source {
    pub(super) fn new(
        store: Arc<dyn Store>,
        feed: Datafeed,
        job: &Job,
        fields: Vec<String>,
        page_size: usize,
    ) -> Self {
        Self {
            store,
            options: IndicesOptions::from_json(&feed.indices_options),
            time_field: job.data_description.time_field.clone(),
            fields,
            page_size: page_size.max(feed.scroll_size as usize),
            feed,
        }
    }

    pub(super) fn is_aggregated(&self) -> bool {
        self.feed.aggregations.is_some()
    }

    /// Length of a piece of history that is read at once: whole buckets of the histogram if there is one.
    pub(super) fn chunk_ms(&self) -> Option<i64> {
        let interval =
            histogram_interval_ms(self.feed.aggregations.as_ref()).filter(|interval| *interval > 0);
        let chunk = match self.feed.chunking_config.mode {
            ChunkingMode::Manual => self.feed.chunking_config.time_span.map(|span| span.as_millis().max(1)),
            ChunkingMode::Auto => interval.map(|interval| interval.saturating_mul(INTERVALS_PER_CHUNK)),
            ChunkingMode::Off => None,
        };
        chunk.map(|chunk| interval.map_or(chunk, |interval| (chunk / interval).max(1) * interval))
    }

    pub(super) fn indices(&self) -> String {
        self.feed.indices.join(",")
    }

    pub(super) fn query(&self, start_ms: i64, end_ms: i64) -> Value {
        let range =
            json!({"range": {&self.time_field: {"gte": start_ms, "lt": end_ms, "format": "epoch_millis"}}});
        json!({"bool": {"filter": [self.feed.query, range]}})
    }

    /// Documents in a span of time.
    pub(super) async fn scan(&self, start_ms: i64, end_ms: i64) -> Result<Scan> {
        let request = ScanRequest {
            indices: self.feed.indices.clone(),
            query: self.feed.query.clone(),
            runtime_mappings: self.feed.runtime_mappings.clone(),
            script_fields: self.feed.script_fields.clone(),
            time_field: self.time_field.clone(),
            start_ms,
            end_ms,
            fields: self.fields.clone(),
            page_size: self.page_size,
            options: self.options.clone(),
        };
        Ok(self.store.scan(request).await?)
    }

    /// The time of the first document in a span of time.
    pub(super) async fn first_time(&self, start_ms: i64, end_ms: i64) -> Result<Option<i64>> {
        let mut body = json!({"query": self.query(start_ms, end_ms), "size": 1, "_source": false,
            "track_total_hits": false, "sort": [{&self.time_field: {"order": "asc"}}]});
        if let Some(runtime) = &self.feed.runtime_mappings {
            body["runtime_mappings"] = runtime.clone();
        }
        let answer = self.store.search(&self.indices(), &body, &self.options).await?;
        Ok(answer.pointer("/hits/hits/0/sort/0").and_then(Value::as_i64))
    }

    /// The rows of the aggregations in a span of time.
    pub(super) async fn aggregate(&self, start_ms: i64, end_ms: i64) -> Result<Vec<Row>> {
        let Some(mut aggregations) = self.feed.aggregations.clone() else { return Ok(Vec::new()) };
        let composite = level(&aggregations)?
            .iter()
            .find(|(_, kind, _)| *kind == Kind::Composite)
            .map(|(name, ..)| (*name).to_owned());
        let mut all = Vec::new();
        if let Some(name) = &composite {
            let size = &mut aggregations[name]["composite"]["size"];
            if size.is_null() {
                *size = json!(COMPOSITE_SIZE);
            }
        }
        loop {
            let mut body = json!({"query": self.query(start_ms, end_ms), "size": 0, "aggs": aggregations});
            if let Some(runtime) = &self.feed.runtime_mappings {
                body["runtime_mappings"] = runtime.clone();
            }
            let answer = self.store.search(&self.indices(), &body, &self.options).await?;
            let found = answer.get("aggregations").unwrap_or(&Value::Null);
            all.extend(rows(&aggregations, found, &self.time_field)?);
            let after = composite.as_ref().and_then(|name| found.get(name)?.get("after_key").cloned());
            match (&composite, after) {
                (Some(name), Some(after)) => aggregations[name]["composite"]["after"] = after,
                _ => break,
            }
        }
        if composite.is_some() {
            all.sort_by_key(|row| row.key_ms);
        }
        Ok(all)
    }
}
