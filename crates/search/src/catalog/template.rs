//! What a new index gets from templates: from the composable one with the highest priority, or else from all legacy ones.

use serde_json::{Map, Value};

use super::state::{Kind, State};
use crate::error::{Error, Result};
use crate::mapping::wildcard::wildcard_matches;

/// Settings, mappings and aliases for a new index, each as clients write them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prototype {
    /// Settings.
    pub settings: Map<String, Value>,
    /// The mapping.
    pub mappings: Map<String, Value>,
    /// Aliases.
    pub aliases: Map<String, Value>,
}

impl Prototype {
    /// Adds what a template (or the request to create the index) says, which wins over what was there.
    pub fn add(&mut self, body: &Value) {
        let parts = [
            ("settings", &mut self.settings),
            ("mappings", &mut self.mappings),
            ("aliases", &mut self.aliases),
        ];
        for (key, target) in parts {
            if let Some(Value::Object(addition)) = body.get(key) {
                overlay(target, addition);
            }
        }
    }
}

/// Puts `addition` over `target`, object by object.
fn overlay(target: &mut Map<String, Value>, addition: &Map<String, Value>) {
    for (key, value) in addition {
        match (target.get_mut(key), value) {
            // A field that is declared anew is declared wholly anew.
            (Some(Value::Object(old)), Value::Object(new))
                if !(old.contains_key("type") && new.contains_key("type")) =>
            {
                overlay(old, new);
            }
            (Some(Value::Array(old)), Value::Array(new)) if key == "dynamic_templates" => {
                let named = |value: &Value| value.as_object().and_then(|map| map.keys().next().cloned());
                for template in new {
                    old.retain(|kept| named(kept) != named(template));
                    old.push(template.clone());
                }
            }
            _ => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

/// What templates say about a new index of this name.
///
/// # Errors
/// When a template names a component that is not there.
pub fn prototype(state: &State, index: &str) -> Result<Prototype> {
    let mut prototype = Prototype::default();
    let composable = state
        .things
        .iter()
        .filter(|((kind, _), body)| *kind == Kind::IndexTemplate && fits(body, index))
        .max_by_key(|(_, body)| body.get("priority").and_then(Value::as_i64).unwrap_or(0));
    if let Some(((_, name), body)) = composable {
        let components = body.get("composed_of").and_then(Value::as_array).into_iter().flatten();
        for component in components.filter_map(Value::as_str) {
            match state.things.get(&(Kind::ComponentTemplate, component.to_owned())) {
                Some(component) => prototype.add(&component["template"]),
                None => {
                    return Err(Error::illegal(format!(
                        "index template [{name}] specifies component templates [{component}] that do not exist"
                    )));
                }
            }
        }
        if let Some(own) = body.get("template") {
            prototype.add(own);
        }
        return Ok(prototype);
    }
    let mut legacy: Vec<&Value> = state
        .things
        .iter()
        .filter(|((kind, _), body)| *kind == Kind::LegacyTemplate && fits(body, index))
        .map(|(_, body)| &**body)
        .collect();
    legacy.sort_by_key(|body| body.get("order").and_then(Value::as_i64).unwrap_or(0));
    for body in legacy {
        prototype.add(body);
    }
    Ok(prototype)
}

fn fits(body: &Value, index: &str) -> bool {
    match body.get("index_patterns") {
        Some(Value::String(pattern)) => wildcard_matches(pattern, index),
        Some(Value::Array(patterns)) => {
            patterns.iter().filter_map(Value::as_str).any(|pattern| wildcard_matches(pattern, index))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    #[test]
    fn the_highest_priority_wins_over_legacy_templates() {
        let mut state = State::default();
        let mut put =
            |kind, name: &str, body: Value| state.things.insert((kind, name.to_owned()), Arc::new(body));
        put(Kind::LegacyTemplate, "old", json!({"index_patterns": ["*"], "settings": {"x": 1}}));
        put(
            Kind::LegacyTemplate,
            "older",
            json!({"index_patterns": ["b*"], "order": -1, "settings": {"x": 2, "y": 2}}),
        );
        put(
            Kind::ComponentTemplate,
            "c",
            json!({"template": {"mappings": {"properties": {"f": {"type": "long"}}}}}),
        );
        put(Kind::IndexTemplate, "low", json!({"index_patterns": "a*", "template": {"settings": {"z": 1}}}));
        put(
            Kind::IndexTemplate,
            "high",
            json!({"index_patterns": ["a*"], "priority": 5, "composed_of": ["c"],
            "template": {"mappings": {"properties": {"f": {"type": "keyword"}, "g": {"type": "date"}}}}}),
        );
        let a = prototype(&state, "abc").unwrap();
        assert_eq!(
            Value::Object(a.mappings),
            json!({"properties": {"f": {"type": "keyword"}, "g": {"type": "date"}}})
        );
        assert!(a.settings.is_empty());
        assert_eq!(Value::Object(prototype(&state, "b").unwrap().settings), json!({"x": 1, "y": 2}));
    }
}
