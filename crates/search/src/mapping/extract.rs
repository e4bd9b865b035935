//! From a document to its columns, and to the mapping that it asks for.

use serde_json::{Map, Value, json};

use super::compiled::{Child, Dynamic, Mapping, ObjectNode};
use super::leaf::Leaf;
use crate::error::{Error, Result};
use crate::query::FieldKind;
use crate::query::value::{Native, read, visit};

/// What a column holds for one document.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    /// No value.
    #[default]
    Null,
    /// Whole numbers, dates in milliseconds, booleans.
    Int(i64),
    /// Floating-point numbers.
    Double(f64),
    /// Keywords; addresses as 32 hexadecimal digits, points as `lat,lon`.
    Text(String),
    /// Several values, none of them `Null` or `Many`.
    Many(Vec<Cell>),
}

impl Cell {
    fn add(&mut self, value: Cell) {
        match self {
            Self::Null => *self = value,
            Self::Many(values) => values.push(value),
            _ => *self = Self::Many(vec![std::mem::take(self), value]),
        }
    }
}

impl From<Native> for Cell {
    fn from(native: Native) -> Self {
        match native {
            Native::Int(value) => Self::Int(value),
            Native::Double(value) => Self::Double(value),
            Native::Text(text) => Self::Text(text),
            Native::Ip(bits) => Self::Text(format!("{bits:032x}")),
            Native::Geo(lat, lon) => Self::Text(format!("{lat},{lon}")),
        }
    }
}

/// A document read with a mapping.
#[derive(Debug)]
pub struct Extracted {
    /// The columns, as the mapping's layout has them.
    pub cells: Vec<Cell>,
    /// The mapping of fields that were met for the first time. The document must be read again after it was merged.
    pub additions: Option<Map<String, Value>>,
}

impl Mapping {
    /// Reads a document. `id` is for messages.
    ///
    /// # Errors
    /// When a field cannot hold a value, or an undeclared field is not allowed.
    pub fn extract(&self, id: &str, source: &Value) -> Result<Extracted> {
        let Value::Object(object) = source else {
            return Err(Error::DocumentParsing { reason: "failed to parse".into(), cause: None });
        };
        if self.body.get("enabled") == Some(&Value::Bool(false)) {
            // The whole document is kept, and not looked at.
            return Ok(Extracted { cells: vec![Cell::Null; self.layout.columns.len()], additions: None });
        }
        let mut walk = Walk {
            mapping: self,
            id,
            cells: vec![Cell::Null; self.layout.columns.len()],
            additions: Map::new(),
        };
        if self.copies {
            let augmented = self.augmented(source);
            if let Value::Object(object) = &augmented {
                walk.object(&self.root, object)?;
            }
        } else {
            walk.object(&self.root, object)?;
        }
        let additions = if walk.additions.is_empty() {
            None
        } else {
            Some(Map::from_iter([("properties".to_owned(), Value::Object(walk.additions))]))
        };
        Ok(Extracted { cells: walk.cells, additions })
    }

    /// The document with the values of `copy_to` where they are copied to: what columns are filled from, and what queries
    /// are matched against.
    pub fn augmented(&self, source: &Value) -> Value {
        let mut copied: Vec<(&str, Value)> = Vec::new();
        for leaf in self.leaves.iter().filter(|leaf| leaf.field.path == leaf.field.source_path) {
            for target in &leaf.copy_to {
                visit(source, &leaf.field.source_path, false, &mut |value| {
                    copied.push((target, value.clone()));
                });
            }
        }
        let mut augmented = source.clone();
        for (target, value) in copied {
            let Some(object) = augmented.as_object_mut() else { break };
            match object.entry(target) {
                serde_json::map::Entry::Vacant(entry) => {
                    entry.insert(json!([value]));
                }
                serde_json::map::Entry::Occupied(mut entry) => match entry.get_mut() {
                    Value::Array(values) => values.push(value),
                    single => *single = json!([single.take(), value]),
                },
            }
        }
        augmented
    }
}

struct Walk<'a> {
    mapping: &'a Mapping,
    id: &'a str,
    cells: Vec<Cell>,
    additions: Map<String, Value>,
}

impl<'a> Walk<'a> {
    fn object(&mut self, node: &'a ObjectNode, object: &Map<String, Value>) -> Result<()> {
        for (key, value) in object {
            self.entry(node, key, value)?;
        }
        Ok(())
    }

    fn entry(&mut self, node: &'a ObjectNode, key: &str, value: &Value) -> Result<()> {
        if let Some(child) = node.children.get(key) {
            return self.child(child, value);
        }
        if let Some((first, rest)) = key.split_once('.') {
            match node.children.get(first) {
                Some(Child::Object(inner)) => return self.entry(inner, rest, value),
                Some(Child::Ignored) => return Ok(()),
                Some(Child::Leaf(_)) | None => {}
            }
        }
        if key.is_empty() || key.split('.').any(str::is_empty) {
            let reason = format!("field name cannot be an empty string or have empty parts: [{key}]");
            return Err(Error::DocumentParsing { reason, cause: None });
        }
        match node.dynamic {
            Dynamic::False => Ok(()),
            Dynamic::Strict => {
                let parent = if node.path.is_empty() { "_doc" } else { &node.path };
                let reason = format!(
                    "mapping set to strict, dynamic introduction of [{key}] within [{parent}] is not allowed"
                );
                Err(Error::DocumentParsing { reason, cause: None })
            }
            Dynamic::True => {
                let path = if node.path.is_empty() { key.to_owned() } else { format!("{}.{key}", node.path) };
                self.introduce(&path, value);
                Ok(())
            }
        }
    }

    fn child(&mut self, child: &'a Child, value: &Value) -> Result<()> {
        match child {
            Child::Ignored => Ok(()),
            Child::Leaf(numbers) => {
                for number in numbers {
                    self.leaf(&self.mapping.leaves[*number], value)?;
                }
                Ok(())
            }
            Child::Object(node) => match value {
                Value::Null => Ok(()),
                Value::Object(object) => self.object(node, object),
                Value::Array(items) => {
                    for item in items {
                        self.child(child, item)?;
                    }
                    Ok(())
                }
                _ => {
                    let kind = if node.nested { "nested object" } else { "object" };
                    let reason = format!(
                        "{kind} mapping for [{path}] tried to parse field [{path}] as object, but found a concrete value",
                        path = node.path
                    );
                    Err(Error::DocumentParsing { reason, cause: None })
                }
            },
        }
    }

    fn leaf(&mut self, leaf: &Leaf, value: &Value) -> Result<()> {
        if let Value::Array(items) = value {
            let pair =
                matches!(leaf.field.kind, FieldKind::GeoPoint) && items.first().is_some_and(Value::is_number);
            if !pair {
                for item in items {
                    self.leaf(leaf, item)?;
                }
                return Ok(());
            }
        }
        let refused = !leaf.coerce
            && value.is_string()
            && matches!(leaf.field.kind, FieldKind::Integer { .. } | FieldKind::Double { .. });
        let read = if refused { Err(crate::query::value::Unreadable) } else { read(&leaf.field, value) };
        match read {
            Ok(Some(native)) => {
                if let Some(column) = leaf.column {
                    self.cells[column as usize].add(native.into());
                }
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(_) if leaf.ignore_malformed => Ok(()),
            Err(_) => Err(malformed(leaf, value, self.id)),
        }
    }

    /// Adds the mapping of an undeclared field, and of all that is below it.
    fn introduce(&mut self, path: &str, value: &Value) {
        if let Some(mapping) = self.mapping.rules.mapping(path, value) {
            if insert(&mut self.additions, path, mapping.clone()) && !value.is_object() {
                return;
            }
            if mapping.get("type").is_some_and(|kind| kind != "object" && kind != "nested") {
                return;
            }
        }
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    if !key.is_empty() && !key.split('.').any(str::is_empty) {
                        self.introduce(&format!("{path}.{key}"), value);
                    }
                }
            }
            Value::Array(items) => {
                for item in items.iter().filter(|item| item.is_object()) {
                    self.introduce(path, item);
                }
            }
            _ => {}
        }
    }
}

/// Puts a mapping at a dotted path of `properties`; what is there already stays. Says whether it was put.
fn insert(properties: &mut Map<String, Value>, path: &str, mapping: Value) -> bool {
    let Some((first, rest)) = path.split_once('.') else {
        if properties.contains_key(path) {
            return false;
        }
        properties.insert(path.to_owned(), mapping);
        return true;
    };
    let inner = properties.entry(first).or_insert_with(|| json!({"properties": {}}));
    let Some(inner) = inner.as_object_mut() else { return false };
    if inner.get("type").is_some_and(|kind| kind != "object" && kind != "nested") {
        return false;
    }
    let inner = inner.entry("properties").or_insert_with(|| json!({}));
    inner.as_object_mut().is_some_and(|inner| insert(inner, rest, mapping))
}

fn malformed(leaf: &Leaf, value: &Value, id: &str) -> Error {
    let shown = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let shown: String = shown.chars().take(100).collect();
    let cause = match &leaf.field.kind {
        FieldKind::Date { format } => {
            Error::Parse(format!("failed to parse date field [{shown}] with format [{}]", format.source()))
        }
        _ if value.is_object() => Error::illegal("Can't get text on a START_OBJECT"),
        FieldKind::Integer { name, .. } if value.is_number() => {
            Error::illegal(format!("Numeric value ({shown}) out of range of {name}"))
        }
        _ => Error::illegal(format!("For input string: \"{shown}\"")),
    };
    Error::DocumentParsing {
        reason: format!(
            "failed to parse field [{}] of type [{}] in document with id '{id}'. Preview of field's value: '{shown}'",
            leaf.field.path, leaf.type_name
        ),
        cause: Some(Box::new(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::*;

    fn mapping(body: Value) -> std::sync::Arc<Mapping> {
        Mapping::compile("i", body.as_object().unwrap().clone(), Layout::default(), 1, 1000).unwrap()
    }

    #[test]
    fn values_reach_their_columns() {
        let mapping = mapping(json!({"properties": {
            "a": {"type": "long"}, "o": {"properties": {"k": {"type": "keyword"}}},
            "t": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 3}}},
            "n": {"type": "nested", "properties": {"x": {"type": "long"}}}}}));
        let read =
            mapping.extract("1", &json!({"a": "5", "o.k": ["x", "y"], "t": "abc", "n": [{"x": 1}]})).unwrap();
        assert!(read.additions.is_none());
        assert_eq!(
            read.cells,
            [
                Cell::Int(5),
                Cell::Many(vec![Cell::Text("x".into()), Cell::Text("y".into())]),
                Cell::Text("abc".into())
            ]
        );
        let error = mapping.extract("1", &json!({"a": "x"})).unwrap_err();
        assert!(
            error.to_string().starts_with("failed to parse field [a] of type [long] in document with id '1'")
        );
        assert!(mapping.extract("1", &json!({"o": 5})).is_err());
        assert!(mapping.extract("1", &json!({"n": [{"x": "y"}]})).is_err());
    }

    #[test]
    fn undeclared_fields_are_introduced() {
        let mapping = mapping(json!({}));
        let source = json!({"a.b": 1, "a": {"c": [{"d": true}, {"e": 1.5}]}, "z": null});
        let read = mapping.extract("1", &source).unwrap();
        assert_eq!(
            Value::Object(read.additions.unwrap()),
            json!({"properties": {"a": {"properties": {"b": {"type": "long"},
                "c": {"properties": {"d": {"type": "boolean"}, "e": {"type": "float"}}}}}}})
        );
    }

    #[test]
    fn strict_refuses_and_false_ignores() {
        let strict = mapping(json!({"dynamic": "strict"}));
        assert_eq!(
            strict.extract("1", &json!({"x": 1})).unwrap_err().to_string(),
            "mapping set to strict, dynamic introduction of [x] within [_doc] is not allowed"
        );
        let silent = mapping(json!({"dynamic": false}));
        assert!(silent.extract("1", &json!({"x": 1})).unwrap().additions.is_none());
    }

    #[test]
    fn copies_are_seen_at_their_target() {
        let mapping = mapping(json!({"properties": {"a": {"type": "keyword", "copy_to": "all"},
            "b": {"type": "keyword", "copy_to": ["all"]}, "all": {"type": "keyword"}}}));
        let read = mapping.extract("1", &json!({"a": "x", "b": "y"})).unwrap();
        assert_eq!(read.cells[2], Cell::Many(vec![Cell::Text("x".into()), Cell::Text("y".into())]));
    }
}
