//! Index settings: taken flat or nested, with or without `index.`, kept flat and as strings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Settings by their full name: `index.number_of_replicas`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(pub BTreeMap<String, String>);

impl Settings {
    /// Reads settings as clients write them.
    ///
    /// # Errors
    /// When they are not an object.
    pub fn parse(value: &Value) -> Result<BTreeMap<String, Option<String>>> {
        let Value::Object(map) = value else {
            return Err(Error::parsing("settings must be an object"));
        };
        let mut flat = BTreeMap::new();
        for (key, value) in map {
            let key = if key == "index" || key.starts_with("index.") {
                key.clone()
            } else {
                format!("index.{key}")
            };
            flatten(&key, value, &mut flat);
        }
        Ok(flat)
    }

    /// The setting with this full name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Replaces settings; `None` removes one.
    pub fn apply(&mut self, changes: BTreeMap<String, Option<String>>) {
        for (name, value) in changes {
            match value {
                Some(value) => self.0.insert(name, value),
                None => self.0.remove(&name),
            };
        }
    }

    /// As answers show them: nested, or flat.
    pub fn to_json(&self, flat: bool) -> Value {
        let mut root = Map::new();
        for (name, value) in &self.0 {
            let value = list(value);
            if flat {
                root.insert(name.clone(), value);
                continue;
            }
            let mut at = &mut root;
            let mut parts = name.split('.').peekable();
            while let Some(part) = parts.next() {
                if parts.peek().is_none() {
                    at.insert(part.to_owned(), value);
                    break;
                }
                let inner = at.entry(part).or_insert_with(|| Value::Object(Map::new()));
                if !inner.is_object() {
                    *inner = Value::Object(Map::new());
                }
                let Value::Object(inner) = inner else { break };
                at = inner;
            }
        }
        Value::Object(root)
    }
}

/// Lists are kept as their JSON.
fn list(value: &str) -> Value {
    if value.starts_with('[')
        && let Ok(list @ Value::Array(_)) = serde_json::from_str(value)
    {
        return list;
    }
    Value::String(value.to_owned())
}

fn flatten(key: &str, value: &Value, flat: &mut BTreeMap<String, Option<String>>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                flatten(&format!("{key}.{name}"), value, flat);
            }
        }
        Value::Null => {
            flat.insert(key.to_owned(), None);
        }
        Value::String(text) => {
            flat.insert(key.to_owned(), Some(text.clone()));
        }
        Value::Array(items) => {
            let items: Value = items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect();
            flat.insert(key.to_owned(), Some(items.to_string()));
        }
        other => {
            flat.insert(key.to_owned(), Some(other.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flat_and_nested_settings_are_the_same() {
        let mut settings = Settings::default();
        settings.apply(Settings::parse(&json!({"number_of_shards": 1, "index": {"hidden": true}})).unwrap());
        settings.apply(Settings::parse(&json!({"index.mapping.total_fields.limit": "5"})).unwrap());
        let nested = json!({"index": {"hidden": "true", "mapping": {"total_fields": {"limit": "5"}}, "number_of_shards": "1"}});
        assert_eq!(settings.to_json(false), nested);
        settings.apply(Settings::parse(&json!({"hidden": null})).unwrap());
        assert_eq!(settings.get("index.hidden"), None);
    }
}
