//! A store in memory, for tests: few queries, no analysis, no aggregations; what it does not know it refuses.

mod matcher;
mod search;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::{BulkOp, Document, IndicesOptions, Outcome, Result, Scan, ScanRequest, Store};
use state::State;

/// A store in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryStore {
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn bulk(&self, ops: Vec<BulkOp>) -> Result<Vec<Outcome>> {
        let mut state = self.state();
        Ok(ops.into_iter().map(|op| state.write(op)).collect())
    }

    async fn get(&self, index: &str, id: &str) -> Result<Option<Document>> {
        Ok(self.state().get(index, id))
    }

    async fn search(&self, indices: &str, body: &Value, options: &IndicesOptions) -> Result<Value> {
        search::search(&self.state(), indices, body, options)
    }

    async fn count(&self, indices: &str, query: &Value) -> Result<u64> {
        let state = self.state();
        Ok(search::matching(&state, indices, Some(query), &IndicesOptions::lenient())?.len() as u64)
    }

    async fn delete_by_query(&self, indices: &str, query: &Value) -> Result<u64> {
        let mut state = self.state();
        let found: Vec<(String, String)> =
            search::matching(&state, indices, Some(query), &IndicesOptions::lenient())?
                .into_iter()
                .map(|hit| (hit.index.to_owned(), hit.id.to_owned()))
                .collect();
        for (index, id) in &found {
            state.remove(index, id);
        }
        Ok(found.len() as u64)
    }

    async fn ensure_index(&self, name: &str, body: &Value) -> Result<bool> {
        Ok(self.state().ensure_index(name, body))
    }

    async fn put_index_template(&self, _name: &str, _body: &Value) -> Result<()> {
        Ok(())
    }

    async fn update_aliases(&self, actions: &Value) -> Result<()> {
        self.state().update_aliases(actions)
    }

    async fn get_aliases(&self, aliases: &str) -> Result<Value> {
        Ok(self.state().aliases_json(aliases))
    }

    async fn delete_index(&self, indices: &str) -> Result<()> {
        self.state().delete_index(indices);
        Ok(())
    }

    async fn exists(&self, index: &str) -> Result<bool> {
        Ok(self.state().exists(index))
    }

    async fn field_caps(&self, indices: &str, fields: &[String], options: &IndicesOptions) -> Result<Value> {
        let state = self.state();
        let hits = search::matching(&state, indices, None, options)?;
        let mut caps = serde_json::Map::new();
        for field in fields {
            let kind = hits.iter().find_map(|hit| match matcher::lookup(hit.source, field)? {
                Value::Number(_) => Some("double"),
                Value::String(_) => Some("keyword"),
                _ => None,
            });
            if let Some(kind) = kind {
                caps.insert(
                    field.clone(),
                    json!({ kind: {"type": kind, "searchable": true, "aggregatable": true} }),
                );
            }
        }
        Ok(json!({ "indices": [], "fields": caps }))
    }

    async fn refresh(&self, _indices: &str) -> Result<()> {
        Ok(())
    }

    async fn scan(&self, request: ScanRequest) -> Result<Scan> {
        let pages = search::scan(&self.state(), &request)?;
        Ok(Scan::new(futures::stream::iter(pages.into_iter().map(Ok))))
    }
}
