//! The port: what the service needs of a search cluster.

use std::pin::Pin;

use async_trait::async_trait;
use futures::Stream;
use serde_json::Value;

use crate::{BulkOp, Outcome, Page, Result, Version};

/// A store of JSON documents that is asked in Elasticsearch's query DSL.
///
/// Index expressions are names, aliases, wildcards, or comma lists of them. Writes are visible to searches once
/// [`Store::refresh`] was called on their index.
#[async_trait]
pub trait Store: std::fmt::Debug + Send + Sync {
    /// Carries out many writes; the answer has one outcome for each, in their order.
    ///
    /// # Errors
    /// When the request as a whole failed; refusals of single writes are in their outcomes.
    async fn bulk(&self, ops: Vec<BulkOp>) -> Result<Vec<Outcome>>;

    /// One document by its id, in real time. A missing document or index is `None`.
    ///
    /// # Errors
    /// When the store is away.
    async fn get(&self, index: &str, id: &str) -> Result<Option<Document>>;

    /// Searches; `body` and answer are those of `_search`.
    ///
    /// # Errors
    /// When the query is refused, an index is missing (see `options`), or the store is away.
    async fn search(&self, indices: &str, body: &Value, options: &IndicesOptions) -> Result<Value>;

    /// Counts the documents that match. Missing indices count as empty.
    ///
    /// # Errors
    /// When the query is refused or the store is away.
    async fn count(&self, indices: &str, query: &Value) -> Result<u64>;

    /// Removes the documents that match, and says how many. Missing indices count as empty. What was removed is not seen
    /// by later searches.
    ///
    /// # Errors
    /// When the query is refused, documents changed meanwhile, or the store is away.
    async fn delete_by_query(&self, indices: &str, query: &Value) -> Result<u64>;

    /// Creates an index with `body` (`settings`, `mappings`, `aliases`) unless there is one; says whether it was created.
    ///
    /// # Errors
    /// When the body is refused or the store is away.
    async fn ensure_index(&self, name: &str, body: &Value) -> Result<bool>;

    /// Creates or replaces an index template. A cluster's indices that match it already get its mappings added, where their
    /// `_meta` is another one.
    ///
    /// # Errors
    /// When the body is refused or the store is away.
    async fn put_index_template(&self, name: &str, body: &Value) -> Result<()>;

    /// Carries out alias actions, the body of `_aliases`: `{"actions": [...]}`.
    ///
    /// # Errors
    /// When an action is refused or the store is away.
    async fn update_aliases(&self, actions: &Value) -> Result<()>;

    /// The aliases that match an expression: `{index: {"aliases": {alias: {..}}}}`; empty when there are none.
    ///
    /// # Errors
    /// When the store is away.
    async fn get_aliases(&self, aliases: &str) -> Result<Value>;

    /// Removes indices. Missing ones are ignored.
    ///
    /// # Errors
    /// When the store is away.
    async fn delete_index(&self, indices: &str) -> Result<()>;

    /// Is there such an index or alias?
    ///
    /// # Errors
    /// When the store is away.
    async fn exists(&self, index: &str) -> Result<bool>;

    /// The answer of `_field_caps`: `{"indices": [..], "fields": {..}}`.
    ///
    /// # Errors
    /// When an index is missing (see `options`) or the store is away.
    async fn field_caps(&self, indices: &str, fields: &[String], options: &IndicesOptions) -> Result<Value>;

    /// Makes earlier writes visible to searches. Missing indices are ignored.
    ///
    /// # Errors
    /// When the store is away.
    async fn refresh(&self, indices: &str) -> Result<()>;

    /// Reads documents in order of time, in pages, columns only.
    ///
    /// # Errors
    /// When the query is refused or an index is missing; later failures are items of the stream.
    async fn scan(&self, request: ScanRequest) -> Result<Scan>;
}

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The index that holds it.
    pub index: String,
    /// Its id.
    pub id: String,
    /// Its state.
    pub version: Version,
    /// Its content.
    pub source: Value,
}

/// What missing, closed and hidden indices mean to a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndicesOptions {
    /// Ignore names without an index.
    pub ignore_unavailable: bool,
    /// A wildcard without a match is no error.
    pub allow_no_indices: bool,
    /// `open`, `closed`, `hidden`.
    pub expand_wildcards: Vec<String>,
}

impl Default for IndicesOptions {
    fn default() -> Self {
        Self { ignore_unavailable: false, allow_no_indices: true, expand_wildcards: vec!["open".to_owned()] }
    }
}

impl IndicesOptions {
    /// Missing indices are empty, hidden ones are seen: for the service's own indices.
    pub fn lenient() -> Self {
        Self {
            ignore_unavailable: true,
            allow_no_indices: true,
            expand_wildcards: vec!["open".to_owned(), "hidden".to_owned()],
        }
    }

    /// Reads the `indices_options` of a datafeed; what is absent keeps its default.
    pub fn from_json(value: &Value) -> Self {
        let mut options = Self::default();
        if let Some(flag) = value.get("ignore_unavailable").and_then(Value::as_bool) {
            options.ignore_unavailable = flag;
        }
        if let Some(flag) = value.get("allow_no_indices").and_then(Value::as_bool) {
            options.allow_no_indices = flag;
        }
        if let Some(words) = value.get("expand_wildcards").and_then(Value::as_array) {
            options.expand_wildcards =
                words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
        }
        options
    }
}

/// Which documents a scan reads, and what of them.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// Index expressions.
    pub indices: Vec<String>,
    /// Which documents; query DSL.
    pub query: Value,
    /// Fields computed when read; the body of `runtime_mappings`.
    pub runtime_mappings: Option<Value>,
    /// Fields computed by scripts; the body of `script_fields`.
    pub script_fields: Option<Value>,
    /// The field with the time.
    pub time_field: String,
    /// First millisecond.
    pub start_ms: i64,
    /// End, excluded.
    pub end_ms: i64,
    /// The wanted fields, without the time.
    pub fields: Vec<String>,
    /// Documents in a page, at least 1.
    pub page_size: usize,
    /// What missing indices mean.
    pub options: IndicesOptions,
}

/// The pages of a scan, in order of time. Documents of the same time come in an order that is the same in every scan of
/// unchanged indices, as far as the store can give it.
pub struct Scan(Pin<Box<dyn Stream<Item = Result<Page>> + Send>>);

impl Scan {
    /// Wraps a stream of pages.
    pub fn new(pages: impl Stream<Item = Result<Page>> + Send + 'static) -> Self {
        Self(Box::pin(pages))
    }

    /// The next page; `None` at the end.
    ///
    /// # Errors
    /// When the store failed; the scan is over then.
    pub async fn next(&mut self) -> Result<Option<Page>> {
        futures::StreamExt::next(&mut self.0).await.transpose()
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scan")
    }
}
