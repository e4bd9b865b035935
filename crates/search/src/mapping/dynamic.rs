//! Mappings for fields that nobody declared: guessed from the first value, or taken from dynamic templates.

use dates::{DateFormat, Missing, Zone};
use serde_json::{Map, Value, json};

use super::wildcard::wildcard_matches;
use crate::error::{Error, Result};

/// How undeclared fields are mapped.
#[derive(Debug)]
pub(super) struct DynamicRules {
    date_detection: bool,
    numeric_detection: bool,
    date_formats: Vec<DateFormat>,
    templates: Vec<Template>,
}

#[derive(Debug)]
struct Template {
    conditions: Vec<(Condition, Vec<String>)>,
    regex: bool,
    mapping: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Match,
    Unmatch,
    PathMatch,
    PathUnmatch,
    Type,
}

/// The formats that make a string a date, unless the mapping names others.
const DATE_FORMATS: [&str; 2] =
    ["strict_date_optional_time", "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis"];

impl DynamicRules {
    pub(super) fn parse(body: &Map<String, Value>) -> Result<Self> {
        let flag = |name: &str, otherwise| body.get(name).and_then(Value::as_bool).unwrap_or(otherwise);
        let date_formats = match body.get("dynamic_date_formats") {
            Some(Value::Array(formats)) => formats
                .iter()
                .filter_map(Value::as_str)
                .map(DateFormat::new)
                .collect::<dates::Result<Vec<_>>>()
                .map_err(|error| Error::MapperParsing(format!("Failed to parse mapping: {error}")))?,
            _ => DATE_FORMATS.into_iter().map(DateFormat::new).collect::<dates::Result<_>>()?,
        };
        let templates = match body.get("dynamic_templates") {
            None => Vec::new(),
            Some(Value::Array(list)) => list.iter().map(Template::parse).collect::<Result<_>>()?,
            Some(_) => return Err(Error::MapperParsing("Failed to parse mapping: Dynamic template syntax error. An array of named objects is expected.".into())),
        };
        Ok(Self {
            date_detection: flag("date_detection", true),
            numeric_detection: flag("numeric_detection", false),
            date_formats,
            templates,
        })
    }

    /// The mapping of an undeclared field at `path` whose first value is this; nothing if the value tells nothing.
    pub(super) fn mapping(&self, path: &str, value: &Value) -> Option<Value> {
        let (detected, standard) = match value {
            Value::Null => return None,
            Value::Bool(_) => ("boolean", json!({"type": "boolean"})),
            Value::Number(number) if number.is_f64() => ("double", json!({"type": "float"})),
            Value::Number(_) => ("long", json!({"type": "long"})),
            Value::Array(items) => {
                return items.iter().find_map(|item| self.mapping(path, item));
            }
            Value::Object(_) => ("object", json!({})),
            Value::String(text) => self.of_text(text),
        };
        let name = path.rsplit('.').next().unwrap_or(path);
        match self.templates.iter().find(|template| template.applies(path, name, detected)) {
            Some(template) => Some(template.instantiate(name, detected, &standard)),
            None if detected == "object" => None,
            None => Some(standard),
        }
    }

    fn of_text(&self, text: &str) -> (&'static str, Value) {
        // A pure number is too likely not to be a date.
        let number = text.parse::<f64>().is_ok();
        if self.date_detection && !number {
            let fitting =
                self.date_formats.iter().find(|f| f.parse(text, &Zone::utc(), Missing::Earliest).is_ok());
            if let Some(format) = fitting {
                let mut mapping = json!({"type": "date"});
                if format.source() != "strict_date_optional_time" {
                    mapping["format"] = json!(format.source());
                }
                return ("date", mapping);
            }
        }
        if self.numeric_detection && number {
            return match text.parse::<i64>() {
                Ok(_) => ("long", json!({"type": "long"})),
                Err(_) => ("double", json!({"type": "float"})),
            };
        }
        let keyword = json!({"keyword": {"type": "keyword", "ignore_above": 256}});
        ("string", json!({"type": "text", "fields": keyword}))
    }
}

impl Template {
    fn parse(value: &Value) -> Result<Self> {
        let malformed = |why: String| Error::MapperParsing(format!("Failed to parse mapping: {why}"));
        let (name, body) =
            value
                .as_object()
                .filter(|map| map.len() == 1)
                .and_then(|map| map.iter().next())
                .ok_or_else(|| malformed("A dynamic template must be defined with a name".into()))?;
        let body = body
            .as_object()
            .ok_or_else(|| malformed(format!("dynamic template [{name}] must be an object")))?;
        let mut template = Self { conditions: Vec::new(), regex: false, mapping: json!({}) };
        for (key, value) in body {
            let condition = match key.as_str() {
                "match" => Condition::Match,
                "unmatch" => Condition::Unmatch,
                "path_match" => Condition::PathMatch,
                "path_unmatch" => Condition::PathUnmatch,
                "match_mapping_type" => Condition::Type,
                "match_pattern" => {
                    template.regex = value == "regex";
                    continue;
                }
                "mapping" | "runtime" => {
                    template.mapping = value.clone();
                    continue;
                }
                other => {
                    return Err(malformed(format!("Illegal dynamic template parameter: [{other}]")));
                }
            };
            let patterns = match value {
                Value::String(one) => vec![one.clone()],
                Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                _ => return Err(malformed(format!("[{key}] of dynamic template [{name}] must be a string"))),
            };
            if template.regex || (condition == Condition::Match && body.get("match_pattern").is_some()) {
                for pattern in &patterns {
                    regex::Regex::new(pattern).map_err(|error| malformed(error.to_string()))?;
                }
            }
            template.conditions.push((condition, patterns));
        }
        Ok(template)
    }

    fn applies(&self, path: &str, name: &str, detected: &str) -> bool {
        let fits = |pattern: &String, text: &str| {
            if self.regex {
                regex::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| regex.is_match(text))
            } else {
                wildcard_matches(pattern, text)
            }
        };
        self.conditions.iter().all(|(condition, patterns)| match condition {
            Condition::Match => patterns.iter().any(|p| fits(p, name)),
            Condition::Unmatch => !patterns.iter().any(|p| fits(p, name)),
            Condition::PathMatch => patterns.iter().any(|p| wildcard_matches(p, path)),
            Condition::PathUnmatch => !patterns.iter().any(|p| wildcard_matches(p, path)),
            Condition::Type => patterns.iter().any(|p| p == "*" || p == detected),
        })
    }

    /// The template's mapping with `{name}` and `{dynamic_type}` filled in; the type that was detected if it names none.
    fn instantiate(&self, name: &str, detected: &str, standard: &Value) -> Value {
        let type_name = if detected == "string" { "text" } else { detected };
        let mut mapping = filled(&self.mapping, name, type_name);
        if let Some(object) = mapping.as_object_mut()
            && !object.contains_key("type")
            && detected != "object"
        {
            object.insert("type".into(), standard["type"].clone());
        }
        mapping
    }
}

fn filled(value: &Value, name: &str, dynamic_type: &str) -> Value {
    let replace = |text: &str| text.replace("{name}", name).replace("{dynamic_type}", dynamic_type);
    match value {
        Value::String(text) => Value::String(replace(text)),
        Value::Array(items) => items.iter().map(|item| filled(item, name, dynamic_type)).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (replace(key), filled(value, name, dynamic_type))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: Value, path: &str, value: Value, expected: Option<Value>) {
        let rules = DynamicRules::parse(body.as_object().unwrap()).unwrap();
        assert_eq!(rules.mapping(path, &value), expected, "{path}: {value}");
    }

    #[test]
    fn types_are_guessed_from_values() {
        let text = json!({"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}});
        check(json!({}), "a", json!(1), Some(json!({"type": "long"})));
        check(json!({}), "a", json!(1.5), Some(json!({"type": "float"})));
        check(json!({}), "a", json!([null, true]), Some(json!({"type": "boolean"})));
        check(json!({}), "a", json!("2026-01-01T00:00:00Z"), Some(json!({"type": "date"})));
        check(json!({}), "a", json!("2026"), Some(text.clone()));
        check(json!({"date_detection": false}), "a", json!("2026-01-01"), Some(text));
        check(json!({"numeric_detection": true}), "a", json!("7"), Some(json!({"type": "long"})));
        check(json!({}), "a", json!([]), None);
    }

    #[test]
    fn templates_come_first() {
        let body = json!({"dynamic_templates": [
            {"ids": {"match": "*_id", "mapping": {"type": "keyword"}}},
            {"strings": {"match_mapping_type": "string", "path_match": "tags.*", "mapping": {"type": "keyword", "meta": {"n": "{name}"}}}}]});
        check(body.clone(), "o.host_id", json!(7), Some(json!({"type": "keyword"})));
        check(body.clone(), "tags.x", json!("v"), Some(json!({"type": "keyword", "meta": {"n": "x"}})));
        check(body, "tags.y", json!(7), Some(json!({"type": "long"})));
    }
}
