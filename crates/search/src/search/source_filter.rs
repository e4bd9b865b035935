//! `_source`: which part of a document is given back.

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::mapping::wildcard::wildcard_matches;

/// Which part of a document is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFilter {
    /// Is any?
    pub enabled: bool,
    /// Paths with `*`; empty for all.
    pub includes: Vec<String>,
    /// Paths with `*`.
    pub excludes: Vec<String>,
}

impl Default for SourceFilter {
    fn default() -> Self {
        Self { enabled: true, includes: Vec::new(), excludes: Vec::new() }
    }
}

impl SourceFilter {
    /// Nothing is given back.
    pub fn none() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// Reads `_source` of a body: a boolean, a path, a list, or `includes` and `excludes`.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(value: &Value) -> Result<Self> {
        let list = |value: &Value| -> Result<Vec<String>> {
            match value {
                Value::String(one) => Ok(vec![one.clone()]),
                Value::Array(items) => items
                    .iter()
                    .map(|item| {
                        item.as_str()
                            .map(str::to_owned)
                            .ok_or_else(|| Error::parsing("[_source] expects strings"))
                    })
                    .collect(),
                _ => Err(Error::parsing("[_source] expects strings")),
            }
        };
        match value {
            Value::Bool(true) => Ok(Self::default()),
            Value::Bool(false) => Ok(Self::none()),
            Value::String(_) | Value::Array(_) => Ok(Self { includes: list(value)?, ..Self::default() }),
            Value::Object(map) => {
                let mut filter = Self::default();
                for (key, value) in map {
                    match key.as_str() {
                        "includes" | "include" => filter.includes = list(value)?,
                        "excludes" | "exclude" => filter.excludes = list(value)?,
                        other => {
                            return Err(Error::parsing(format!("Unknown key for a VALUE in [{other}].")));
                        }
                    }
                }
                Ok(filter)
            }
            _ => Err(Error::parsing(
                "Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] for [_source]",
            )),
        }
    }

    /// Is the whole document given back?
    pub fn is_all(&self) -> bool {
        self.enabled && self.includes.is_empty() && self.excludes.is_empty()
    }

    /// Is a value at `path` given back?
    pub fn keeps(&self, path: &str) -> bool {
        let within = |patterns: &[String]| {
            let ends = path.match_indices('.').map(|(dot, _)| dot).chain([path.len()]);
            ends.into_iter().any(|end| patterns.iter().any(|pattern| wildcard_matches(pattern, &path[..end])))
        };
        self.enabled && (self.includes.is_empty() || within(&self.includes)) && !within(&self.excludes)
    }

    /// What is left of a document; nothing if none is wanted.
    pub fn apply(&self, source: Value) -> Option<Value> {
        if !self.enabled {
            return None;
        }
        if self.is_all() {
            return Some(source);
        }
        let inside = self.includes.is_empty();
        Some(self.filtered(source, "", inside).unwrap_or_else(|| Value::Object(Map::new())))
    }

    /// The same for a document as it is stored.
    ///
    /// # Errors
    /// When the document is damaged.
    pub fn apply_text(&self, source: &str) -> Result<Option<Value>> {
        if !self.enabled {
            return Ok(None);
        }
        let value: Value = serde_json::from_str(source)
            .map_err(|error| Error::Corrupt(format!("a document's source is damaged: {error}")))?;
        Ok(self.apply(value))
    }

    fn filtered(&self, value: Value, path: &str, inside: bool) -> Option<Value> {
        match value {
            Value::Object(map) => {
                let was_empty = map.is_empty();
                let mut kept = Map::new();
                for (key, value) in map {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    if self.excludes.iter().any(|pattern| wildcard_matches(pattern, &path)) {
                        continue;
                    }
                    let inside =
                        inside || self.includes.iter().any(|pattern| wildcard_matches(pattern, &path));
                    if let Some(value) = self.filtered(value, &path, inside) {
                        kept.insert(key, value);
                    }
                }
                (!kept.is_empty() || (inside && (was_empty || path.is_empty())))
                    .then_some(Value::Object(kept))
            }
            Value::Array(items) => {
                let was_empty = items.is_empty();
                let kept: Vec<Value> =
                    items.into_iter().filter_map(|item| self.filtered(item, path, inside)).collect();
                (!kept.is_empty() || (inside && was_empty)).then_some(Value::Array(kept))
            }
            leaf => inside.then_some(leaf),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(filter: Value, expected: Option<Value>) {
        let source = json!({"a": 1, "o": {"b": 2, "c": [{"d": 3, "e": 4}]}, "z": []});
        assert_eq!(SourceFilter::parse(&filter).unwrap().apply(source), expected, "{filter}");
    }

    #[test]
    fn parts_of_documents() {
        check(json!(false), None);
        check(json!("a"), Some(json!({"a": 1})));
        check(json!(["o.c.d", "z"]), Some(json!({"o": {"c": [{"d": 3}]}, "z": []})));
        check(json!({"includes": "o", "excludes": "o.c.*"}), Some(json!({"o": {"b": 2}})));
        check(json!({"excludes": ["o"]}), Some(json!({"a": 1, "z": []})));
        check(json!("none"), Some(json!({})));
        assert!(SourceFilter::parse(&json!(7)).is_err());
    }
}
