//! `filter_path`: the parts of an answer that a client asked for.

use serde_json::{Map, Value};

/// Patterns such as `hits.hits._id`, `**.name`, `-took`.
#[derive(Debug)]
pub(super) struct FilterPath {
    include: Vec<Vec<String>>,
    exclude: Vec<Vec<String>>,
}

impl FilterPath {
    /// Reads a comma list; `None` when it asks for nothing in particular.
    pub(super) fn parse(list: &str) -> Option<Self> {
        let steps = |pattern: &str| pattern.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (mut include, mut exclude) = (Vec::new(), Vec::new());
        for pattern in list.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
            match pattern.strip_prefix('-') {
                Some(unwanted) => exclude.push(steps(unwanted)),
                None => include.push(steps(pattern)),
            }
        }
        (!include.is_empty() || !exclude.is_empty()).then_some(Self { include, exclude })
    }

    /// What is left of an answer.
    pub(super) fn apply(&self, mut value: Value) -> Value {
        if !self.include.is_empty() {
            let patterns: Vec<&[String]> = self.include.iter().map(Vec::as_slice).collect();
            let empty = if value.is_array() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
            value = included(value, &patterns).unwrap_or(empty);
        }
        if !self.exclude.is_empty() {
            let patterns: Vec<&[String]> = self.exclude.iter().map(Vec::as_slice).collect();
            value = excluded(value, &patterns);
        }
        value
    }
}

fn included(value: Value, patterns: &[&[String]]) -> Option<Value> {
    match value {
        Value::Object(object) => {
            let mut kept = Map::new();
            for (key, child) in object {
                let next = advanced(patterns, &key);
                if next.iter().any(|pattern| pattern.is_empty()) {
                    kept.insert(key, child);
                } else if !next.is_empty()
                    && let Some(child) = included(child, &next)
                {
                    kept.insert(key, child);
                }
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let kept: Vec<Value> = items.into_iter().filter_map(|item| included(item, patterns)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

fn excluded(value: Value, patterns: &[&[String]]) -> Value {
    match value {
        Value::Object(object) => {
            let mut kept = Map::new();
            for (key, child) in object {
                let next = advanced(patterns, &key);
                if !next.iter().any(|pattern| pattern.is_empty()) {
                    kept.insert(key, if next.is_empty() { child } else { excluded(child, &next) });
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| excluded(item, patterns)).collect()),
        other => other,
    }
}

/// What is left of the patterns after a step to `key`; an empty pattern is met.
fn advanced<'a>(patterns: &[&'a [String]], key: &str) -> Vec<&'a [String]> {
    let mut next: Vec<&[String]> = Vec::new();
    let mut add = |pattern: &'a [String]| {
        if !next.contains(&pattern) {
            next.push(pattern);
        }
    };
    for &pattern in patterns {
        let Some((step, rest)) = pattern.split_first() else { continue };
        if step == "**" {
            add(pattern);
            if rest.is_empty() {
                add(rest);
            } else if matches(&rest[0], key) {
                add(&rest[1..]);
            }
        } else if matches(step, key) {
            add(rest);
        }
    }
    next
}

/// `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(paths: &str, expected: &Value) {
        let answer = json!({"took": 1, "hits": {"total": {"value": 2}, "hits": [{"_id": "a", "_source": {"x": 1}}, {"_id": "b"}]}});
        assert_eq!(&FilterPath::parse(paths).unwrap().apply(answer), expected, "{paths}");
    }

    #[test]
    fn paths_choose_parts() {
        check("took", &json!({"took": 1}));
        check("hits.hits._id", &json!({"hits": {"hits": [{"_id": "a"}, {"_id": "b"}]}}));
        check("hits.t*", &json!({"hits": {"total": {"value": 2}}}));
        check("**._id", &json!({"hits": {"hits": [{"_id": "a"}, {"_id": "b"}]}}));
        check("nothing", &json!({}));
        check("-hits", &json!({"took": 1}));
        check("hits.hits,-**._source", &json!({"hits": {"hits": [{"_id": "a"}, {"_id": "b"}]}}));
        assert!(FilterPath::parse(" , ").is_none());
    }
}
