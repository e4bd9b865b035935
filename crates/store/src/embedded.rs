//! The embedded store: `search` inside this process, asked on threads that may block.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream;
use search::catalog::state::Kind;
use search::document::by_query::ByQueryParams;
use search::{BulkParams, Expand, Search, SearchParams};
use serde_json::{Map, Value, json};
use types::Clock;

use crate::{
    Action, BulkOp, Column, Document, Error, IndicesOptions, Outcome, Page, Result, Scan, ScanRequest, Store,
    Version,
};

/// The embedded store.
#[derive(Clone, Debug)]
pub(crate) struct Embedded {
    search: Search,
}

impl Embedded {
    /// Opens the store in `folder`.
    pub(crate) async fn open(folder: &Path, clock: Arc<dyn Clock>, durable: bool) -> Result<Self> {
        let folder = folder.to_owned();
        let options = search::Options { durable, ..search::Options::default() };
        let now: search::cluster::facade::Clock = Arc::new(move || clock.now().0);
        let opened = tokio::task::spawn_blocking(move || Search::open(&folder, now, options)).await;
        Ok(Self { search: opened.map_err(|_| Error::Interrupted)?? })
    }

    pub(crate) fn new(search: Search) -> Self {
        Self { search }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Search) -> search::Result<T> + Send + 'static,
    ) -> Result<T> {
        let search = self.search.clone();
        let answer = tokio::task::spawn_blocking(move || question(&search)).await;
        Ok(answer.map_err(|_| Error::Interrupted)??)
    }
}

impl From<search::Error> for Error {
    fn from(error: search::Error) -> Self {
        match error {
            search::Error::IndexNotFound { index } => Self::IndexNotFound(index),
            conflict @ search::Error::VersionConflict { .. } => Self::VersionConflict(conflict.to_string()),
            search::Error::SearchPhase { cause, .. } => Self::from(*cause),
            other => Self::Refused {
                status: other.status(),
                exception: other.exception().to_owned(),
                reason: match std::error::Error::source(&other) {
                    Some(source) => format!("{other}: {source}"),
                    None => other.to_string(),
                },
            },
        }
    }
}

fn expand(options: &IndicesOptions) -> Expand {
    let word = |wanted: &str| options.expand_wildcards.iter().any(|word| word == wanted || word == "all");
    Expand {
        ignore_unavailable: options.ignore_unavailable,
        allow_no_indices: options.allow_no_indices,
        open: word("open"),
        closed: word("closed"),
        hidden: word("hidden"),
    }
}

fn lenient() -> Expand {
    expand(&IndicesOptions::lenient())
}

/// Operations as the lines of a bulk request.
fn lines(ops: &[BulkOp]) -> Vec<u8> {
    let mut body = Vec::with_capacity(ops.len() * 256);
    for op in ops {
        let (action, document) = match &op.action {
            Action::Index(json) => ("index", Some(json)),
            Action::Create(json) => ("create", Some(json)),
            Action::Update(json) => ("update", Some(json)),
            Action::Delete => ("delete", None),
        };
        let mut target = Map::new();
        target.insert("_index".to_owned(), json!(op.index));
        if let Some(id) = &op.id {
            target.insert("_id".to_owned(), json!(id));
        }
        if crate::indices::is_write_alias(&op.index) {
            target.insert("require_alias".to_owned(), json!(true));
        }
        if let Some(version) = op.expected {
            target.insert("if_seq_no".to_owned(), json!(version.seq_no));
            target.insert("if_primary_term".to_owned(), json!(version.primary_term));
        }
        body.extend_from_slice(json!({ action: target }).to_string().as_bytes());
        body.push(b'\n');
        match (document, &op.action) {
            (Some(json), Action::Update(_)) => {
                body.extend_from_slice(b"{\"doc\":");
                body.extend_from_slice(json.as_bytes());
                body.extend_from_slice(b"}\n");
            }
            (Some(json), _) => {
                body.extend_from_slice(json.as_bytes());
                body.push(b'\n');
            }
            (None, _) => {}
        }
    }
    body
}

fn outcome(item: search::BulkItem) -> Outcome {
    let status = item.status();
    match item.result {
        Ok(written) => Outcome {
            id: written.id,
            status,
            version: Some(Version { seq_no: unsigned(written.seq), primary_term: 1 }),
            error: None,
        },
        Err(error) => {
            let id = item.id.map(String::from).unwrap_or_default();
            Outcome { id, status, version: None, error: Some((*error).into()) }
        }
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[async_trait]
impl Store for Embedded {
    async fn bulk(&self, ops: Vec<BulkOp>) -> Result<Vec<Outcome>> {
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.ask(move |search| search.bulk(None, &lines(&ops), &BulkParams::default())).await?;
        Ok(answer.items.into_iter().map(outcome).collect())
    }

    async fn get(&self, index: &str, id: &str) -> Result<Option<Document>> {
        let (index, id) = (index.to_owned(), id.to_owned());
        let name = index.clone();
        let found = self.ask(move |search| match search.get_source(&index, &id) {
            Err(search::Error::IndexNotFound { .. }) => Ok(None),
            other => other,
        });
        let Some(stored) = found.await? else { return Ok(None) };
        let source =
            serde_json::from_str(&stored.source).map_err(|error| Error::Answer(error.to_string()))?;
        let version = Version { seq_no: unsigned(stored.seq), primary_term: 1 };
        Ok(Some(Document { index: name, id: stored.id, version, source }))
    }

    async fn search(&self, indices: &str, body: &Value, options: &IndicesOptions) -> Result<Value> {
        let (indices, body) = (indices.to_owned(), body.clone());
        let params =
            SearchParams { expand: expand(options), all_or_nothing: true, ..SearchParams::default() };
        self.ask(move |search| search.search(&indices, &params, &body)).await
    }

    async fn count(&self, indices: &str, query: &Value) -> Result<u64> {
        let (indices, body) = (indices.to_owned(), json!({ "query": query }));
        let params = SearchParams { expand: lenient(), all_or_nothing: true, ..SearchParams::default() };
        let answer = self.ask(move |search| search.count(&indices, &params, &body)).await?;
        Ok(answer.get("count").and_then(Value::as_u64).unwrap_or(0))
    }

    async fn delete_by_query(&self, indices: &str, query: &Value) -> Result<u64> {
        let (indices, body) = (indices.to_owned(), json!({ "query": query }));
        let params = ByQueryParams { expand: lenient(), ..ByQueryParams::default() };
        let answer = self.ask(move |search| search.delete_by_query(&indices, &body, &params)).await?;
        if answer.version_conflicts > 0 {
            return Err(Error::VersionConflict(format!(
                "{} documents were changed while they were removed",
                answer.version_conflicts
            )));
        }
        Ok(answer.done as u64)
    }

    async fn ensure_index(&self, name: &str, body: &Value) -> Result<bool> {
        let (name, body) = (name.to_owned(), body.clone());
        self.ask(move |search| match search.create_index(&name, &body) {
            Ok(_) => Ok(true),
            Err(search::Error::IndexExists { .. }) => Ok(false),
            Err(other) => Err(other),
        })
        .await
    }

    async fn put_index_template(&self, name: &str, body: &Value) -> Result<()> {
        let (name, body) = (name.to_owned(), body.clone());
        self.ask(move |search| search.put_template(Kind::IndexTemplate, &name, &body)).await.map(drop)
    }

    async fn update_aliases(&self, actions: &Value) -> Result<()> {
        let actions = actions.clone();
        self.ask(move |search| search.update_aliases(&actions)).await.map(drop)
    }

    async fn get_aliases(&self, aliases: &str) -> Result<Value> {
        let aliases = aliases.to_owned();
        self.ask(move |search| search.get_aliases("", &aliases, lenient())).await.map(|(found, _)| found)
    }

    async fn delete_index(&self, indices: &str) -> Result<()> {
        let indices = indices.to_owned();
        self.ask(move |search| search.delete_index(&indices, lenient())).await.map(drop)
    }

    async fn exists(&self, index: &str) -> Result<bool> {
        let index = index.to_owned();
        self.ask(move |search| search.index_exists(&index, Expand { hidden: true, ..Expand::default() }))
            .await
    }

    async fn field_caps(&self, indices: &str, fields: &[String], options: &IndicesOptions) -> Result<Value> {
        let (indices, fields, expand) = (indices.to_owned(), fields.to_vec(), expand(options));
        self.ask(move |search| search.field_caps(&indices, &fields, false, expand)).await
    }

    async fn refresh(&self, _indices: &str) -> Result<()> {
        // Writes are visible at once.
        Ok(())
    }

    async fn scan(&self, request: ScanRequest) -> Result<Scan> {
        for (name, value) in
            [("runtime_mappings", &request.runtime_mappings), ("script_fields", &request.script_fields)]
        {
            if value.as_ref().and_then(Value::as_object).is_some_and(|fields| !fields.is_empty()) {
                return Err(Error::refused(
                    "illegal_argument_exception",
                    format!("[{name}] is not supported by the embedded store"),
                ));
            }
        }
        let wanted = search::ScanRequest {
            indices: request.indices,
            expand: expand(&request.options),
            query: request.query,
            time_field: request.time_field,
            start_ms: request.start_ms,
            end_ms: request.end_ms,
            fields: request.fields,
            batch_size: request.page_size,
        };
        let scan = self.ask(move |search| search.scan(&wanted)).await?;
        Ok(Scan::new(stream::unfold(Some(scan), next_page)))
    }
}

/// Reads the next batch on a thread that may block.
async fn next_page(scan: Option<search::Scan>) -> Option<(Result<Page>, Option<search::Scan>)> {
    let mut scan = scan?;
    let read = tokio::task::spawn_blocking(move || {
        let batch = scan.next();
        (batch, scan)
    });
    match read.await {
        Err(_) => Some((Err(Error::Interrupted), None)),
        Ok((None, _)) => None,
        Ok((Some(Err(error)), _)) => Some((Err(error.into()), None)),
        Ok((Some(Ok(batch)), scan)) => {
            let columns = batch.columns.into_iter().map(Column::from).collect();
            Some((Ok(Page { times_ms: batch.times_ms, columns }), Some(scan)))
        }
    }
}
