//! A mapping changed by another one: fields are added, some parameters replaced, types never changed.

use serde_json::{Map, Value};

use super::parameters;
use crate::error::{Error, Result};

/// The mapping `old` with what `new` adds to it.
///
/// # Errors
/// When a field would get another type, or parameters that it cannot have.
pub fn merge(old: &Map<String, Value>, new: &Map<String, Value>) -> Result<Map<String, Value>> {
    parameters::check(new)?;
    let mut merged = old.clone();
    merge_object(&mut merged, new, "")?;
    Ok(merged)
}

fn merge_object(old: &mut Map<String, Value>, new: &Map<String, Value>, path: &str) -> Result<()> {
    for (key, value) in new {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                let target = old.entry("properties").or_insert_with(|| Value::Object(Map::new()));
                let Value::Object(target) = target else { continue };
                for (name, params) in properties {
                    merge_property(target, path, name, params)?;
                }
            }
            ("properties", _) => {
                return Err(Error::MapperParsing(
                    "Failed to parse mapping: [properties] must be an object".into(),
                ));
            }
            _ => {
                old.insert(key.clone(), value.clone());
            }
        }
    }
    Ok(())
}

/// Dotted names stand for objects within objects.
fn merge_property(target: &mut Map<String, Value>, path: &str, name: &str, params: &Value) -> Result<()> {
    if let Some((first, rest)) = name.split_once('.') {
        let inner: Map<String, Value> = [(rest.to_owned(), params.clone())].into_iter().collect();
        let object: Map<String, Value> =
            [("properties".to_owned(), Value::Object(inner))].into_iter().collect();
        return merge_property(target, path, first, &Value::Object(object));
    }
    let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let Value::Object(params) = params else {
        return Err(Error::MapperParsing(format!(
            "Failed to parse mapping: Expected map for property [fields] on field [{path}] but got a different value"
        )));
    };
    let Some(Value::Object(existing)) = target.get_mut(name) else {
        let mut fresh = Map::new();
        merge_object(&mut fresh, params, &path)?;
        target.insert(name.to_owned(), Value::Object(fresh));
        return Ok(());
    };
    let (old_type, new_type) = (type_of(existing), type_of(params));
    match (is_object(old_type), is_object(new_type)) {
        (true, true) if old_type == new_type || !params.contains_key("type") => {
            merge_object(existing, params, &path)
        }
        (true, true) => Err(Error::illegal(format!(
            "cannot change object mapping from {}",
            if old_type == "nested" { "nested to non-nested" } else { "non-nested to nested" }
        ))),
        (true, false) => {
            Err(Error::illegal(format!("can't merge a non object mapping [{path}] with an object mapping")))
        }
        (false, true) => {
            Err(Error::illegal(format!("can't merge a non-nested mapping [{path}] with an object mapping")))
        }
        (false, false) => merge_leaf(existing, params, &path),
    }
}

fn merge_leaf(old: &mut Map<String, Value>, new: &Map<String, Value>, path: &str) -> Result<()> {
    let (old_type, new_type) = (type_of(old).to_owned(), type_of(new));
    if old_type != new_type {
        return Err(Error::illegal(format!(
            "mapper [{path}] cannot be changed from type [{old_type}] to [{new_type}]"
        )));
    }
    for (key, value) in new {
        match key.as_str() {
            "fields" => {
                let Value::Object(fields) = value else { continue };
                let target = old.entry("fields").or_insert_with(|| Value::Object(Map::new()));
                let Value::Object(target) = target else { continue };
                for (name, params) in fields {
                    merge_property(target, path, name, params)?;
                }
            }
            "format" | "analyzer" | "normalizer" | "doc_values" | "index" | "scaling_factor"
                if old.get(key).is_some_and(|kept| kept != value) =>
            {
                return Err(Error::illegal(format!(
                    "Mapper for [{path}] conflicts with existing mapper:\n\tCannot update parameter [{key}] from [{}] to [{}]",
                    plain(&old[key]),
                    plain(value)
                )));
            }
            _ => {
                old.insert(key.clone(), value.clone());
            }
        }
    }
    Ok(())
}

fn type_of(params: &Map<String, Value>) -> &str {
    params.get("type").and_then(Value::as_str).unwrap_or("object")
}

fn is_object(type_name: &str) -> bool {
    matches!(type_name, "object" | "nested")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(old: Value, new: Value) -> Result<Value> {
        merge(old.as_object().unwrap(), new.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn fields_are_added_and_types_kept() {
        let old =
            json!({"properties": {"a": {"type": "long"}, "o": {"properties": {"b": {"type": "keyword"}}}}});
        let new =
            json!({"properties": {"o.c": {"type": "date"}, "a": {"type": "long", "meta": {"unit": "ms"}}}});
        assert_eq!(
            merged(old.clone(), new).unwrap(),
            json!({"properties": {"a": {"type": "long", "meta": {"unit": "ms"}},
                "o": {"properties": {"b": {"type": "keyword"}, "c": {"type": "date"}}}}})
        );
        let error = merged(old.clone(), json!({"properties": {"a": {"type": "keyword"}}})).unwrap_err();
        assert_eq!(error.to_string(), "mapper [a] cannot be changed from type [long] to [keyword]");
        assert!(merged(old.clone(), json!({"properties": {"o": {"type": "keyword"}}})).is_err());
        assert!(merged(old, json!({"properties": {"a": {"properties": {}}}})).is_err());
    }
}
