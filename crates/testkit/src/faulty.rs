//! A store that fails, or falls silent, where the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::Value;
use store::{BulkOp, Document, Error, IndicesOptions, Outcome, Result, Scan, ScanRequest, Store};

/// What happens when the writes that are allowed have been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Requests never return, as if the process had been killed.
    Silence,
    /// So many requests fail as if the store were away; then it is back.
    Away(u64),
}

/// Passes requests on until a number of writes was made.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    writes_left: AtomicI64,
    failures_left: AtomicU64,
    fault: Fault,
    fell: tokio::sync::watch::Sender<bool>,
}

impl FaultyStore {
    /// Lets `writes` writing requests through, then shows the fault.
    pub fn new(inner: Arc<dyn Store>, writes: i64, fault: Fault) -> Self {
        let failures = if let Fault::Away(count) = fault { count } else { 0 };
        Self {
            inner,
            writes_left: AtomicI64::new(writes),
            failures_left: AtomicU64::new(failures),
            fault,
            fell: tokio::sync::watch::Sender::new(false),
        }
    }

    /// Returns once the fault has shown.
    pub async fn fallen(&self) {
        // The sender lives as long as `self`: waiting cannot fail.
        let _ = self.fell.subscribe().wait_for(|fell| *fell).await;
    }

    async fn write(&self) -> Result<()> {
        if self.writes_left.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        self.fell.send_replace(true);
        match self.fault {
            Fault::Silence => std::future::pending().await,
            Fault::Away(_) => {
                let left =
                    self.failures_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
                if left.is_ok() { Err(Error::Unavailable("as the test wants".to_owned())) } else { Ok(()) }
            }
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn bulk(&self, ops: Vec<BulkOp>) -> Result<Vec<Outcome>> {
        self.write().await?;
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
        self.write().await?;
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
