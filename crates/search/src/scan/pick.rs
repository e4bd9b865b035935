//! A few keys out of a document's JSON, the rest skipped without being built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The outermost keys that lead to fields.
#[derive(Clone, Debug, Default)]
pub struct Picker {
    paths: Vec<String>,
}

impl Picker {
    /// Picks what leads to these paths.
    pub fn new(paths: Vec<String>) -> Self {
        Self { paths }
    }

    /// Is nothing wanted?
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The document with the wanted keys only.
    ///
    /// # Errors
    /// When the document is damaged.
    pub fn pick(&self, source: &str) -> Result<Value> {
        let mut deserializer = serde_json::Deserializer::from_str(source);
        self.deserialize(&mut deserializer)
            .map(Value::Object)
            .map_err(|error| Error::Corrupt(format!("a document's source is damaged: {error}")))
    }

    fn wants(&self, key: &str) -> bool {
        self.paths
            .iter()
            .any(|path| path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }
}

impl<'de> DeserializeSeed<'de> for &Picker {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &Picker {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> std::result::Result<Self::Value, A::Error> {
        let mut picked = Map::new();
        while let Some(key) = access.next_key::<std::borrow::Cow<'de, str>>()? {
            if self.wants(&key) {
                picked.insert(key.into_owned(), access.next_value()?);
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        Ok(picked)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wanted_keys_are_kept_whole() {
        let picker = Picker::new(vec!["a.b".into(), "c".into()]);
        let source = r#"{"x":[1,{}],"a":{"b":1,"z":2},"a.b":3,"ab":4,"c":null}"#;
        assert_eq!(picker.pick(source).unwrap(), json!({"a": {"b": 1, "z": 2}, "a.b": 3, "c": null}));
        assert!(picker.pick("[]").is_err());
    }
}
