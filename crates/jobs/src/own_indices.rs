//! The store as the service uses it for its own documents: an index or alias that somebody has removed is made again when it is
//! written to, with its mapping, in place of one that the store would make up.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use store::{BulkOp, Document, Error, IndicesOptions, Outcome, Result, Scan, ScanRequest, Store, indices};

/// What a job's configuration says of its results.
const RESULTS_INDEX_NAME: &str = "results_index_name";

/// A store that knows which indices the service needs.
#[derive(Clone, Debug)]
pub(crate) struct OwnIndices {
    inner: Arc<dyn Store>,
}

impl OwnIndices {
    pub(crate) fn over(inner: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Self { inner })
    }

    /// Makes the index or alias again that is written to under `name`; says whether it is one of the service's.
    async fn make_again(&self, name: &str) -> Result<bool> {
        if let Some(job_id) = indices::job_of_results_write_alias(name) {
            let config = self.inner.get(indices::CONFIG, &format!("anomaly_detector-{job_id}")).await?;
            let named = config.as_ref().and_then(|config| config.source.get(RESULTS_INDEX_NAME));
            // Without a job there is nobody whose results these are.
            let Some(named) = named.and_then(Value::as_str) else { return Ok(false) };
            let index = indices::results_index(named);
            self.inner.ensure_index(&index, &indices::results_body()).await?;
            self.inner.update_aliases(&indices::results_alias_actions(&index, job_id)).await?;
            return Ok(true);
        }
        let fixed = indices::fixed().into_iter();
        let found =
            fixed.into_iter().find(|(index, body)| *index == name || body["aliases"].get(name).is_some());
        let Some((index, body)) = found else { return Ok(false) };
        if !self.inner.ensure_index(index, &body).await? {
            // The index is there, and has lost its alias.
            self.inner.update_aliases(&indices::fixed_alias_actions(index, &body)).await?;
        }
        Ok(true)
    }
}

#[async_trait]
impl Store for OwnIndices {
    async fn bulk(&self, ops: Vec<BulkOp>) -> Result<Vec<Outcome>> {
        let mut outcomes = self.inner.bulk(ops.clone()).await?;
        let missing: Vec<usize> = outcomes
            .iter()
            .enumerate()
            .filter(|(_, outcome)| matches!(outcome.error, Some(Error::IndexNotFound(_))))
            .map(|(at, _)| at)
            .collect();
        if missing.is_empty() {
            return Ok(outcomes);
        }
        let mut names: Vec<&str> = missing.iter().map(|at| ops[*at].index.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut made = Vec::new();
        for name in names {
            match self.make_again(name).await {
                Ok(true) => {
                    tracing::warn!(index = name, "an index of the service was missing and is made again");
                    made.push(name);
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(index = name, %error, "an index of the service is missing and cannot be made");
                }
            }
        }
        let again: Vec<usize> =
            missing.into_iter().filter(|at| made.contains(&ops[*at].index.as_str())).collect();
        let repeated = self.inner.bulk(again.iter().map(|at| ops[*at].clone()).collect()).await?;
        for (at, outcome) in again.into_iter().zip(repeated) {
            outcomes[at] = outcome;
        }
        Ok(outcomes)
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
