//! A store that holds something for as long as anybody holds the store: the folder of its files, say.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use store::{BulkOp, Document, IndicesOptions, Outcome, Result, Scan, ScanRequest, Store};

/// A store, and what is dropped after it.
#[derive(Debug)]
pub struct Holding<T> {
    inner: Arc<dyn Store>,
    _held: T,
}

impl<T> Holding<T> {
    /// Holds `held` until the last clone of the store is gone.
    pub fn new(inner: Arc<dyn Store>, held: T) -> Self {
        Self { inner, _held: held }
    }
}

#[async_trait]
impl<T: std::fmt::Debug + Send + Sync> Store for Holding<T> {
    async fn bulk(&self, ops: Vec<BulkOp>) -> Result<Vec<Outcome>> {
        self.inner.bulk(ops).await
    }

    async fn get(&self, index: &str, id: &str) -> Result<Option<Document>> {
        self.inner.get(index, id).await
    }

    async fn search(&self, indices: &str, body: &Value, options: &IndicesOptions) -> Result<Value> {
        self.inner.search(indices, body, options).await
    }

    async fn count(&self, indices: &str, query: &Value) -> Result<u64> {
        self.inner.count(indices, query).await
    }

    async fn delete_by_query(&self, indices: &str, query: &Value) -> Result<u64> {
        self.inner.delete_by_query(indices, query).await
    }

    async fn ensure_index(&self, name: &str, body: &Value) -> Result<bool> {
        self.inner.ensure_index(name, body).await
    }

    async fn put_index_template(&self, name: &str, body: &Value) -> Result<()> {
        self.inner.put_index_template(name, body).await
    }

    async fn update_aliases(&self, actions: &Value) -> Result<()> {
        self.inner.update_aliases(actions).await
    }

    async fn get_aliases(&self, aliases: &str) -> Result<Value> {
        self.inner.get_aliases(aliases).await
    }

    async fn delete_index(&self, indices: &str) -> Result<()> {
        self.inner.delete_index(indices).await
    }

    async fn exists(&self, index: &str) -> Result<bool> {
        self.inner.exists(index).await
    }

    async fn field_caps(&self, indices: &str, fields: &[String], options: &IndicesOptions) -> Result<Value> {
        self.inner.field_caps(indices, fields, options).await
    }

    async fn refresh(&self, indices: &str) -> Result<()> {
        self.inner.refresh(indices).await
    }

    async fn scan(&self, request: ScanRequest) -> Result<Scan> {
        self.inner.scan(request).await
    }
}
