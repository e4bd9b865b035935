//! Names of the service's own indices with something before them, for a cluster whose own licence owns them already.
//!
//! Inside the service the names stay as they are: they get the prefix on their way out and lose it on their way back.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::{BulkOp, Document, Error, IndicesOptions, Outcome, Result, Scan, ScanRequest, Store};

/// How the names of own indices begin.
const OWN: [&str; 5] = [".ml-", ".auspex-", ".watches", ".triggered_watches", ".watcher-history"];

/// A store in which own names are prefixed.
#[derive(Debug)]
pub(crate) struct Prefixed<S> {
    inner: S,
    prefix: String,
}

impl<S: Store> Prefixed<S> {
    /// # Errors
    /// When no index could have a name with this prefix.
    pub(crate) fn new(inner: S, prefix: &str) -> Result<Self> {
        let first = prefix.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.');
        let rest = prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c));
        if !first || !rest || prefix.len() > 60 || OWN.iter().any(|own| prefix.starts_with(own)) {
            return Err(Error::Config(format!(
                "the prefix of index names [{prefix}] must be at most 60 lower-case letters, digits and [-_.], must not \
                 begin with [-_], and must not be like a name of the service itself"
            )));
        }
        Ok(Self { inner, prefix: prefix.to_owned() })
    }

    /// One name or pattern; `-` excludes, and names in other clusters are theirs.
    fn name_out(&self, name: &str) -> String {
        let (minus, bare) = name.strip_prefix('-').map_or(("", name), |bare| ("-", bare));
        if OWN.iter().any(|own| bare.starts_with(own)) && !bare.contains(':') {
            return format!("{minus}{}{bare}", self.prefix);
        }
        name.to_owned()
    }

    fn out(&self, expression: &str) -> String {
        expression.split(',').map(|name| self.name_out(name)).collect::<Vec<_>>().join(",")
    }

    fn back<'a>(&self, name: &'a str) -> &'a str {
        match name.strip_prefix(&self.prefix) {
            Some(bare) if OWN.iter().any(|own| bare.starts_with(own)) => bare,
            _ => name,
        }
    }

    fn op(&self, op: &mut BulkOp) {
        op.index = self.name_out(&op.index);
    }

    /// The bodies of index creations and templates name aliases and patterns.
    fn body_out(&self, body: &Value) -> Value {
        let mut body = body.clone();
        for path in ["/aliases", "/template/aliases"] {
            if let Some(Value::Object(aliases)) = body.pointer_mut(path) {
                *aliases = std::mem::take(aliases)
                    .into_iter()
                    .map(|(alias, options)| (self.name_out(&alias), options))
                    .collect();
            }
        }
        if let Some(Value::Array(patterns)) = body.get_mut("index_patterns") {
            for pattern in patterns {
                self.text_out(pattern);
            }
        }
        body
    }

    fn text_out(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.out(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.text_out(item)),
            _ => {}
        }
    }

    fn actions_out(&self, actions: &Value) -> Value {
        let mut actions = actions.clone();
        let list = actions.get_mut("actions").and_then(Value::as_array_mut);
        for action in list.into_iter().flatten().filter_map(Value::as_object_mut) {
            for options in action.values_mut() {
                for key in ["index", "indices", "alias", "aliases"] {
                    if let Some(value) = options.get_mut(key) {
                        self.text_out(value);
                    }
                }
            }
        }
        actions
    }

    fn hits_back(&self, hits: Option<&mut Value>) {
        for hit in hits.and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(Value::String(index)) = hit.get_mut("_index") {
                *index = self.back(index).to_owned();
            }
        }
    }

    fn error_back(&self, error: Error) -> Error {
        match error {
            Error::IndexNotFound(name) => Error::IndexNotFound(self.back(&name).to_owned()),
            other => other,
        }
    }
}

#[async_trait]
impl<S: Store> Store for Prefixed<S> {
    async fn bulk(&self, mut ops: Vec<BulkOp>) -> Result<Vec<Outcome>> {
        ops.iter_mut().for_each(|op| self.op(op));
        self.inner.bulk(ops).await
    }

    async fn get(&self, index: &str, id: &str) -> Result<Option<Document>> {
        let found = self.inner.get(&self.out(index), id).await?;
        Ok(found.map(|mut document| {
            document.index = self.back(&document.index).to_owned();
            document
        }))
    }

    async fn search(&self, indices: &str, body: &Value, options: &IndicesOptions) -> Result<Value> {
        let found = self.inner.search(&self.out(indices), body, options).await;
        let mut answer = found.map_err(|error| self.error_back(error))?;
        self.hits_back(answer.pointer_mut("/hits/hits"));
        Ok(answer)
    }

    async fn count(&self, indices: &str, query: &Value) -> Result<u64> {
        self.inner.count(&self.out(indices), query).await
    }

    async fn delete_by_query(&self, indices: &str, query: &Value) -> Result<u64> {
        self.inner.delete_by_query(&self.out(indices), query).await
    }

    async fn ensure_index(&self, name: &str, body: &Value) -> Result<bool> {
        self.inner.ensure_index(&self.out(name), &self.body_out(body)).await
    }

    async fn put_index_template(&self, name: &str, body: &Value) -> Result<()> {
        self.inner.put_index_template(&self.out(name), &self.body_out(body)).await
    }

    async fn update_aliases(&self, actions: &Value) -> Result<()> {
        self.inner.update_aliases(&self.actions_out(actions)).await
    }

    async fn get_aliases(&self, aliases: &str) -> Result<Value> {
        let Value::Object(found) = self.inner.get_aliases(&self.out(aliases)).await? else {
            return Ok(json!({}));
        };
        let mut indices = Map::new();
        for (index, mut content) in found {
            if let Some(Value::Object(aliases)) = content.get_mut("aliases") {
                *aliases = std::mem::take(aliases)
                    .into_iter()
                    .map(|(alias, options)| (self.back(&alias).to_owned(), options))
                    .collect();
            }
            indices.insert(self.back(&index).to_owned(), content);
        }
        Ok(Value::Object(indices))
    }

    async fn delete_index(&self, indices: &str) -> Result<()> {
        self.inner.delete_index(&self.out(indices)).await
    }

    async fn exists(&self, index: &str) -> Result<bool> {
        self.inner.exists(&self.out(index)).await
    }

    async fn field_caps(&self, indices: &str, fields: &[String], options: &IndicesOptions) -> Result<Value> {
        let found = self.inner.field_caps(&self.out(indices), fields, options).await;
        let mut answer = found.map_err(|error| self.error_back(error))?;
        for index in answer.get_mut("indices").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::String(name) = index {
                *name = self.back(name).to_owned();
            }
        }
        Ok(answer)
    }

    async fn refresh(&self, indices: &str) -> Result<()> {
        self.inner.refresh(&self.out(indices)).await
    }

    async fn scan(&self, mut request: ScanRequest) -> Result<Scan> {
        for index in &mut request.indices {
            *index = self.out(index);
        }
        self.inner.scan(request).await.map_err(|error| self.error_back(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    fn prefixed() -> Prefixed<MemoryStore> {
        Prefixed::new(MemoryStore::default(), "team-a").unwrap()
    }

    #[test]
    fn own_names_only_get_the_prefix() {
        let store = prefixed();
        assert_eq!(store.out(".ml-config,logs-*,-.ml-state*"), "team-a.ml-config,logs-*,-team-a.ml-state*");
        assert_eq!(store.out("far:.ml-anomalies-*"), "far:.ml-anomalies-*");
        assert_eq!(
            (store.back("team-a.ml-config"), store.back("team-a-logs")),
            (".ml-config", "team-a-logs")
        );
        let body = json!({"index_patterns": [".ml-x*"], "template": {"aliases": {".ml-y": {}}}});
        assert_eq!(
            store.body_out(&body),
            json!({"index_patterns": ["team-a.ml-x*"], "template": {"aliases": {"team-a.ml-y": {}}}})
        );
    }

    #[test]
    fn prefixes_that_no_index_can_have_are_refused() {
        for prefix in ["Big", "-a", "_a", "a b", "a/", ".ml-"] {
            assert!(Prefixed::new(MemoryStore::default(), prefix).is_err(), "{prefix}");
        }
    }

    #[tokio::test]
    async fn what_is_written_under_a_name_is_found_under_it() {
        let store = prefixed();
        store.bulk(vec![BulkOp::index(".ml-config", "1", "{}".to_owned())]).await.unwrap();
        assert_eq!(store.get(".ml-config", "1").await.unwrap().unwrap().index, ".ml-config");
        assert!(store.inner.exists("team-a.ml-config").await.unwrap());
        let all = store.search(".ml-*", &json!({}), &IndicesOptions::lenient()).await.unwrap();
        assert_eq!(all["hits"]["hits"][0]["_index"], ".ml-config");
    }
}
