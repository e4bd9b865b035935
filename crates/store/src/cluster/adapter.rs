//! The port, answered by a cluster.

use std::sync::Arc;

use async_trait::async_trait;
use elasticsearch::http::Method;
use serde_json::{Value, json};

use super::bulk::bulk;
use super::features::Features;
use super::transport::Transport;
use super::{removal, scan};
use crate::config::ClusterConfig;
use crate::{BulkOp, Document, Error, IndicesOptions, Outcome, Result, Scan, ScanRequest, Store, Version};

/// Parts of an answer would be taken for all of it.
const COMPLETE: (&str, &str) = ("allow_partial_search_results", "false");

/// A cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    transport: Arc<Transport>,
    features: Features,
}

/// A part of a path: what has a meaning in URLs is escaped, commas and wildcards stay.
pub(super) fn encoded(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.,*~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Options of indices as parameters.
pub(super) fn options_query(options: &IndicesOptions) -> Vec<(&'static str, String)> {
    let words = if options.expand_wildcards.is_empty() {
        "none".to_owned()
    } else {
        options.expand_wildcards.join(",")
    };
    vec![
        ("ignore_unavailable", options.ignore_unavailable.to_string()),
        ("allow_no_indices", options.allow_no_indices.to_string()),
        ("expand_wildcards", words),
    ]
}

impl Cluster {
    /// Asks the cluster whether it is there, and what it is.
    pub(crate) async fn open(config: &ClusterConfig) -> Result<Self> {
        let transport = Arc::new(Transport::new(config)?);
        let info = transport.call(Method::Get, "/", &[], None).await?;
        if info.pointer("/version/number").and_then(Value::as_str).is_none() {
            return Err(Error::Config(format!(
                "what answers at [{}] is neither Elasticsearch nor OpenSearch",
                config.urls.join(",")
            )));
        }
        Ok(Self { transport, features: Features::default() })
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(super) fn features(&self) -> &Features {
        &self.features
    }

    /// Adds what this version of the service needs to the mappings of indices that an older one made; `_meta` tells which.
    async fn upgrade(&self, pattern: &str, mappings: &Value) -> Result<()> {
        let Some(wanted) = mappings.get("_meta") else { return Ok(()) };
        let path = format!("/{}/_mapping", encoded(pattern));
        let found = self.call(Method::Get, &path, &IndicesOptions::lenient(), None).await?;
        let old = found.as_object().into_iter().flatten();
        let old = old.filter(|(_, index)| index.pointer("/mappings/_meta") != Some(wanted));
        for (name, _) in old {
            let path = format!("/{}/_mapping", encoded(name));
            match self.transport.call(Method::Put, &path, &[], Some(mappings)).await {
                // Fields that are mapped otherwise stay so: documents can still be written.
                Err(Error::Refused { status: 400, reason, .. }) => {
                    tracing::warn!(index = name, reason, "the mappings of an index could not be upgraded");
                }
                other => drop(other?),
            }
        }
        Ok(())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        options: &IndicesOptions,
        body: Option<&Value>,
    ) -> Result<Value> {
        let query = options_query(options);
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.transport.call(method, path, &query, body).await
    }
}

pub(super) fn number(answer: &Value, key: &str) -> u64 {
    answer.get(key).and_then(Value::as_u64).unwrap_or(0)
}

#[async_trait]
impl Store for Cluster {
    async fn bulk(&self, ops: Vec<BulkOp>) -> Result<Vec<Outcome>> {
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        bulk(self, &self.transport, ops).await
    }

    async fn get(&self, index: &str, id: &str) -> Result<Option<Document>> {
        let path = format!("/{}/_doc/{}", encoded(index), encoded(id));
        let mut answer = match self.transport.call(Method::Get, &path, &[], None).await {
            Ok(answer) => answer,
            Err(Error::IndexNotFound(_) | Error::Refused { status: 404, .. }) => return Ok(None),
            Err(other) => return Err(other),
        };
        let version =
            Version { seq_no: number(&answer, "_seq_no"), primary_term: number(&answer, "_primary_term") };
        let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (index, id) = (text("_index"), text("_id"));
        let source = answer.get_mut("_source").map(Value::take).unwrap_or_default();
        Ok(Some(Document { index, id, version, source }))
    }

    async fn search(&self, indices: &str, body: &Value, options: &IndicesOptions) -> Result<Value> {
        let path = format!("/{}/_search", encoded(indices));
        let options = options_query(options);
        let mut query: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
        query.push(COMPLETE);
        self.transport.call(Method::Post, &path, &query, Some(body)).await
    }

    async fn count(&self, indices: &str, query: &Value) -> Result<u64> {
        let path = format!("/{}/_count", encoded(indices));
        let body = json!({ "query": query });
        let answer = self.call(Method::Post, &path, &IndicesOptions::lenient(), Some(&body)).await?;
        if answer.pointer("/_shards/failed").and_then(Value::as_u64).unwrap_or(0) > 0 {
            return Err(Error::Unavailable("some shards did not count".to_owned()));
        }
        Ok(number(&answer, "count"))
    }

    async fn delete_by_query(&self, indices: &str, query: &Value) -> Result<u64> {
        removal::delete_by_query(self, indices, query).await
    }

    async fn ensure_index(&self, name: &str, body: &Value) -> Result<bool> {
        let path = format!("/{}", encoded(name));
        match self.transport.call(Method::Put, &path, &[], Some(body)).await {
            Ok(_) => Ok(true),
            Err(Error::Refused { exception, .. }) if exception == "resource_already_exists_exception" => {
                let mappings = body.get("mappings").unwrap_or(&Value::Null);
                self.upgrade(name, mappings).await.map(|()| false)
            }
            Err(other) => Err(other),
        }
    }

    async fn put_index_template(&self, name: &str, body: &Value) -> Result<()> {
        let path = format!("/_index_template/{}", encoded(name));
        self.transport.call(Method::Put, &path, &[], Some(body)).await?;
        // A template says nothing to indices that are there already.
        let mappings = body.pointer("/template/mappings").unwrap_or(&Value::Null);
        let patterns = body.get("index_patterns").and_then(Value::as_array).into_iter().flatten();
        for pattern in patterns.filter_map(Value::as_str) {
            self.upgrade(pattern, mappings).await?;
        }
        Ok(())
    }

    async fn update_aliases(&self, actions: &Value) -> Result<()> {
        self.transport.call(Method::Post, "/_aliases", &[], Some(actions)).await.map(drop)
    }

    async fn get_aliases(&self, aliases: &str) -> Result<Value> {
        let path = format!("/_alias/{}", encoded(aliases));
        match self.transport.call(Method::Get, &path, &[("expand_wildcards", "all")], None).await {
            Err(Error::Refused { status: 404, .. } | Error::IndexNotFound(_)) => Ok(json!({})),
            other => other,
        }
    }

    async fn delete_index(&self, indices: &str) -> Result<()> {
        let path = format!("/{}", encoded(indices));
        match self.transport.call(Method::Delete, &path, &[("ignore_unavailable", "true")], None).await {
            Err(Error::IndexNotFound(_)) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn exists(&self, index: &str) -> Result<bool> {
        let path = format!("/{}", encoded(index));
        match self.transport.call(Method::Head, &path, &[], None).await {
            Ok(_) => Ok(true),
            Err(Error::Refused { status: 404, .. } | Error::IndexNotFound(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    async fn field_caps(&self, indices: &str, fields: &[String], options: &IndicesOptions) -> Result<Value> {
        let path = format!("/{}/_field_caps", encoded(indices));
        let mut query = options_query(options);
        query.push(("fields", fields.join(",")));
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.transport.call(Method::Get, &path, &query, None).await
    }

    async fn refresh(&self, indices: &str) -> Result<()> {
        let path = format!("/{}/_refresh", encoded(indices));
        self.call(Method::Post, &path, &IndicesOptions::lenient(), None).await.map(drop)
    }

    async fn scan(&self, request: ScanRequest) -> Result<Scan> {
        scan::open(Arc::clone(&self.transport), request, &self.features).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_escaped_and_patterns_are_not() {
        assert_eq!(encoded("j_model_state_1#2/é"), "j_model_state_1%232%2F%C3%A9");
        assert_eq!(encoded(".ml-*,a"), ".ml-*,a");
    }
}
