//! Templates, and things that are only stored and given back.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::facade::Search;
use super::indices::acknowledged;
use crate::catalog::state::Kind;
use crate::catalog::template;
use crate::error::{Error, Result};
use crate::mapping::wildcard::wildcard_matches;
use crate::mapping::{Layout, Mapping, merge};

impl Search {
    /// `PUT /_index_template/{name}`, `/_component_template/{name}`, `/_template/{name}`, or a thing of another kind.
    ///
    /// # Errors
    /// When the template is malformed.
    pub fn put_template(&self, kind: Kind, name: &str, body: &Value) -> Result<Value> {
        if !body.is_object() {
            return Err(Error::parsing("a template must be an object"));
        }
        if matches!(kind, Kind::IndexTemplate | Kind::LegacyTemplate)
            && !matches!(body.get("index_patterns"), Some(Value::Array(_) | Value::String(_)))
        {
            return Err(Error::RequestValidation("1: index patterns are missing;".into()));
        }
        let inner = if kind == Kind::LegacyTemplate { Some(body) } else { body.get("template") };
        if let Some(Value::Object(mappings)) = inner.and_then(|inner| inner.get("mappings")) {
            let merged = merge::merge(&Map::new(), mappings)?;
            Mapping::compile(name, merged, Layout::default(), 0, usize::MAX)?;
        }
        let mut body = body.clone();
        if let Some(Value::String(pattern)) = body.get("index_patterns") {
            body["index_patterns"] = json!([pattern]);
        }
        self.change(|state| {
            if kind == Kind::IndexTemplate {
                let mut probe = state.clone();
                probe.things.retain(|(kind, _), _| *kind == Kind::ComponentTemplate);
                let mut alone = body.clone();
                alone["index_patterns"] = json!(["*"]);
                probe.things.insert((kind, name.to_owned()), Arc::new(alone));
                template::prototype(&probe, "probe")?;
            }
            state.things.insert((kind, name.to_owned()), Arc::new(body));
            Ok(())
        })?;
        Ok(acknowledged())
    }

    /// The stored things of a kind whose names fit `pattern` (comma lists and `*`), by name.
    ///
    /// # Errors
    /// When a name without `*` is not there.
    pub fn stored(&self, kind: Kind, pattern: &str) -> Result<Vec<(String, Arc<Value>)>> {
        let state = self.state();
        let mut found = Vec::new();
        for part in pattern.split(',') {
            let part = if part.is_empty() || part == "_all" { "*" } else { part };
            let before = found.len();
            found.extend(
                state
                    .things
                    .iter()
                    .filter(|((of, name), _)| *of == kind && wildcard_matches(part, name))
                    .map(|((_, name), body)| (name.clone(), Arc::clone(body))),
            );
            if found.len() == before && !part.contains('*') {
                return Err(Error::ResourceNotFound(match kind {
                    Kind::IndexTemplate => format!("index template matching [{part}] not found"),
                    Kind::ComponentTemplate => format!("component template matching [{part}] not found"),
                    Kind::LegacyTemplate | Kind::Stored | Kind::Deleted => format!("[{part}] not found"),
                }));
            }
        }
        Ok(found)
    }

    /// `GET /_index_template/{name}` and its like, in the form that clients expect.
    ///
    /// # Errors
    /// As [`Search::stored`].
    pub fn get_template(&self, kind: Kind, pattern: &str) -> Result<Value> {
        let found = self.stored(kind, pattern)?;
        let listed = |key: &str| -> Value {
            found.iter().map(|(name, body)| json!({ "name": name, key: &**body })).collect()
        };
        Ok(match kind {
            Kind::IndexTemplate => json!({ "index_templates": listed("index_template") }),
            Kind::ComponentTemplate => json!({ "component_templates": listed("component_template") }),
            Kind::LegacyTemplate | Kind::Stored | Kind::Deleted => found
                .iter()
                .map(|(name, body)| (name.clone(), Value::clone(body)))
                .collect::<Map<_, _>>()
                .into(),
        })
    }

    /// `DELETE /_index_template/{name}` and its like.
    ///
    /// # Errors
    /// As [`Search::stored`].
    pub fn delete_template(&self, kind: Kind, pattern: &str) -> Result<Value> {
        let doomed = self.stored(kind, pattern)?;
        self.change(|state| {
            for (name, _) in doomed {
                state.things.remove(&(kind, name));
            }
            Ok(())
        })?;
        Ok(acknowledged())
    }
}
