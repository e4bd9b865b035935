//! The port, answered by a cluster.

use std::sync::Arc;

use async_trait::async_trait;
use elasticsearch::http::Method;
use serde_json::{Map, Value, json};

use super::answer::bulk_outcomes;
use super::scan;
use super::transport::Transport;
use crate::config::ClusterConfig;
use crate::{
    Action, BulkOp, Document, Error, IndicesOptions, Outcome, Result, Scan, ScanRequest, Store, Version,
};

/// Removals by query are repeated so often when documents change under them.
const REMOVALS_MAX: usize = 5;

/// A cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    transport: Arc<Transport>,
    /// Does it break ties of searches over a point in time by itself?
    points_in_time: bool,
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

/// Elasticsearch adds a tie-break to searches over points in time since 7.12; OpenSearch leaves it to the caller.
fn has_points_in_time(info: &Value) -> bool {
    let version = info.get("version");
    let text = |key: &str| version.and_then(|version| version.get(key)).and_then(Value::as_str);
    if text("distribution").is_some() {
        return false;
    }
    let mut numbers =
        text("number").unwrap_or_default().split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (7, 12)
}

/// Operations as lines, and whether they may be carried out twice.
fn lines(ops: &[BulkOp]) -> (String, bool) {
    let mut lines = String::with_capacity(ops.len() * 256);
    let mut repeatable = true;
    for op in ops {
        let (action, document) = match &op.action {
            Action::Index(json) => ("index", Some(json.clone())),
            Action::Create(json) => ("create", Some(json.clone())),
            Action::Update(json) => ("update", Some(format!("{{\"doc\":{json}}}"))),
            Action::Delete => ("delete", None),
        };
        // A repetition of these would find what the first attempt has done, and tell a conflict or write twice.
        repeatable &= op.id.is_some() && op.expected.is_none() && !matches!(op.action, Action::Create(_));
        let mut target = Map::new();
        target.insert("_index".to_owned(), json!(op.index));
        target.extend(op.id.as_ref().map(|id| ("_id".to_owned(), json!(id))));
        if let Some(version) = op.expected {
            target.insert("if_seq_no".to_owned(), json!(version.seq_no));
            target.insert("if_primary_term".to_owned(), json!(version.primary_term));
        }
        lines.push_str(&json!({ action: target }).to_string());
        lines.push('\n');
        if let Some(document) = document {
            lines.push_str(&document);
            lines.push('\n');
        }
    }
    (lines, repeatable)
}

impl Cluster {
    /// Asks the cluster what it is.
    pub(crate) async fn open(config: &ClusterConfig) -> Result<Self> {
        let transport = Arc::new(Transport::new(config)?);
        let info = transport.call(Method::Get, "/", &[], None).await?;
        Ok(Self { transport, points_in_time: has_points_in_time(&info) })
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

fn number(answer: &Value, key: &str) -> u64 {
    answer.get(key).and_then(Value::as_u64).unwrap_or(0)
}

#[async_trait]
impl Store for Cluster {
    async fn bulk(&self, ops: Vec<BulkOp>) -> Result<Vec<Outcome>> {
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        let (lines, repeatable) = lines(&ops);
        let answer = self.transport.call_lines("/_bulk", lines, repeatable).await?;
        bulk_outcomes(&answer, ops.len())
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
        self.call(Method::Post, &path, options, Some(body)).await
    }

    async fn count(&self, indices: &str, query: &Value) -> Result<u64> {
        let path = format!("/{}/_count", encoded(indices));
        let body = json!({ "query": query });
        let answer = self.call(Method::Post, &path, &IndicesOptions::lenient(), Some(&body)).await?;
        Ok(number(&answer, "count"))
    }

    async fn delete_by_query(&self, indices: &str, query: &Value) -> Result<u64> {
        let path = format!("/{}/_delete_by_query", encoded(indices));
        let options = options_query(&IndicesOptions::lenient());
        let mut parameters: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
        parameters.extend([("conflicts", "proceed"), ("refresh", "true")]);
        let body = json!({ "query": query });
        let mut deleted = 0;
        for _ in 0..REMOVALS_MAX {
            let answer = self.transport.call(Method::Post, &path, &parameters, Some(&body)).await?;
            deleted += number(&answer, "deleted");
            if number(&answer, "version_conflicts") == 0 {
                return Ok(deleted);
            }
        }
        Err(Error::VersionConflict(
            "documents were changed again and again while they were removed".to_owned(),
        ))
    }

    async fn ensure_index(&self, name: &str, body: &Value) -> Result<bool> {
        let path = format!("/{}", encoded(name));
        match self.transport.call(Method::Put, &path, &[], Some(body)).await {
            Ok(_) => Ok(true),
            Err(Error::Refused { exception, .. }) if exception == "resource_already_exists_exception" => {
                Ok(false)
            }
            Err(other) => Err(other),
        }
    }

    async fn put_index_template(&self, name: &str, body: &Value) -> Result<()> {
        let path = format!("/_index_template/{}", encoded(name));
        self.transport.call(Method::Put, &path, &[], Some(body)).await.map(drop)
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
        scan::open(Arc::clone(&self.transport), request, self.points_in_time).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clusters_that_break_ties_scan_points_in_time() {
        for (version, expected) in [
            (json!({"number": "8.15.0"}), true),
            (json!({"number": "7.12.0"}), true),
            (json!({"number": "7.10.2"}), false),
            (json!({"number": "2.11.0", "distribution": "opensearch"}), false),
        ] {
            assert_eq!(has_points_in_time(&json!({ "version": version })), expected, "{version}");
        }
    }

    #[test]
    fn ids_are_escaped_and_patterns_are_not() {
        assert_eq!(encoded("j_model_state_1#2/é"), "j_model_state_1%232%2F%C3%A9");
        assert_eq!(encoded(".ml-*,a"), ".ml-*,a");
    }

    #[test]
    fn writes_that_would_see_themselves_are_not_repeated() {
        let plain = BulkOp::index("i", "1", "{}".to_owned());
        assert_eq!(
            lines(std::slice::from_ref(&plain)),
            ("{\"index\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{}\n".to_owned(), true)
        );
        assert!(!lines(&[plain.clone(), BulkOp::create("i", "1", "{}".to_owned())]).1);
        assert!(!lines(&[plain.expecting(Version { seq_no: 1, primary_term: 1 })]).1);
        assert_eq!(
            lines(&[BulkOp::update("i", "1", "{}".to_owned())]).0.lines().nth(1),
            Some("{\"doc\":{}}")
        );
    }
}
