//! Parts of an answer by their path, and values that were stashed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Values kept under a name, and the last answer.
#[derive(Debug, Default)]
pub(super) struct Stash(BTreeMap<String, Value>);

impl Stash {
    pub(super) fn keep(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn value(&self, name: &str) -> Result<Value, String> {
        let found = self.0.get(name).cloned();
        found.ok_or_else(|| format!("nothing was stashed as [{name}]"))
    }

    /// Puts stashed values where `$name` or `${name}` stands, everywhere in a value.
    pub(super) fn filled_in(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => self.text_filled_in(text)?,
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.filled_in(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(object) => {
                let mut filled = Map::new();
                for (key, value) in object {
                    filled.insert(key.clone(), self.filled_in(value)?);
                }
                Value::Object(filled)
            }
            other => other.clone(),
        })
    }

    fn text_filled_in(&self, text: &str) -> Result<Value, String> {
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if let Some(name) = text.strip_prefix('$').filter(|name| is_name(name)) {
            return self.value(name);
        }
        if text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(is_name) {
            return self.value(&text[2..text.len() - 1]);
        }
        let mut filled = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let Some(length) = rest[at..].find('}') else { break };
            filled.push_str(&rest[..at]);
            let value = self.value(&rest[at + 2..at + length])?;
            filled.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            rest = &rest[at + length + 1..];
        }
        filled.push_str(rest);
        Ok(Value::String(filled))
    }

    /// The part of `answer` at a path; `$body` or nothing is all of it. Steps may be stashed values.
    pub(super) fn part(&self, answer: &Value, path: &str) -> Result<Option<Value>, String> {
        if path.is_empty() || path == "$body" {
            return Ok(Some(answer.clone()));
        }
        if let Some(name) = path.strip_prefix('$').filter(|name| self.0.contains_key(*name)) {
            return self.value(name).map(Some);
        }
        let mut current = answer.clone();
        for step in steps(path.strip_prefix("$body.").unwrap_or(path)) {
            let step = match self.text_filled_in(&step)? {
                Value::String(step) => step,
                other => other.to_string(),
            };
            let next = match &current {
                Value::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)).cloned(),
                Value::Object(object) if step == "_arbitrary_key_" => {
                    object.keys().next().map(|key| Value::String(key.clone()))
                }
                Value::Object(object) => object.get(&step).cloned(),
                _ => None,
            };
            match next {
                Some(next) => current = next,
                None => return Ok(None),
            }
        }
        Ok(Some(current))
    }
}

/// The steps of a path, which are separated by dots; `\.` is a dot in a name.
fn steps(path: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut letters = path.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = steps.len() - 1;
        match letter {
            '\\' if letters.peek() == Some(&'.') => {
                letters.next();
                steps[last].push('.');
            }
            '.' => steps.push(String::new()),
            other => steps[last].push(other),
        }
    }
    steps
}

#[test]
fn paths_and_stashed_values_lead_to_parts() {
    let mut stash = Stash::default();
    stash.keep("n", Value::from(1));
    let answer = serde_json::json!({"a": [{"b.c": 1}, {"b.c": 2}]});
    assert_eq!(stash.part(&answer, r"a.1.b\.c").unwrap(), Some(Value::from(2)));
    assert_eq!(stash.part(&answer, r"a.$n.b\.c").unwrap(), Some(Value::from(2)));
    assert_eq!(stash.part(&answer, "a.7").unwrap(), None);
    assert_eq!(stash.filled_in(&serde_json::json!(["$n", "x${n}y"])).unwrap(), serde_json::json!([1, "x1y"]));
    assert!(stash.filled_in(&Value::from("$unknown")).is_err());
}
