//! What an answer must be: `match`, `is_true`, `is_false`, `length`, comparisons, `contains`, `exists`.

use regex::Regex;
use serde_json::{Number, Value};

use super::path::Stash;

/// Checks one assertion about the last answer.
pub(super) fn check(kind: &str, body: &Value, answer: &Value, stash: &Stash) -> Result<(), String> {
    match kind {
        "is_true" | "is_false" | "exists" => {
            let path = body.as_str().ok_or_else(|| format!("[{kind}] needs a path"))?;
            let value = stash.part(answer, path)?;
            let holds = match kind {
                "exists" => value.is_some(),
                "is_true" => value.as_ref().is_some_and(is_true),
                _ => !value.as_ref().is_some_and(is_true),
            };
            if holds {
                Ok(())
            } else {
                Err(format!("[{kind}: {path}] does not hold, found {}", shown(value.as_ref())))
            }
        }
        _ => {
            let pairs = body.as_object().ok_or_else(|| format!("[{kind}] needs a path and a value"))?;
            for (path, expected) in pairs {
                let expected = stash.filled_in(expected)?;
                let value = stash.part(answer, path)?;
                compare(kind, value.as_ref(), &expected)
                    .map_err(|why| format!("[{kind}: {path}] {why} in {answer}"))?;
            }
            Ok(())
        }
    }
}

fn compare(kind: &str, value: Option<&Value>, expected: &Value) -> Result<(), String> {
    if kind == "match" && expected.is_null() && value.is_none_or(Value::is_null) {
        return Ok(());
    }
    let Some(value) = value else { return Err(format!("expected {expected}, found nothing")) };
    let holds = match kind {
        "match" => matches(value, expected)?,
        "length" => length(value).zip(number(expected)).is_some_and(|(found, wanted)| found == wanted),
        "gt" | "gte" | "lt" | "lte" => {
            let (Some(found), Some(wanted)) = (number(value), number(expected)) else {
                return Err(format!("{value} and {expected} cannot be compared"));
            };
            match kind {
                "gt" => found > wanted,
                "gte" => found >= wanted,
                "lt" => found < wanted,
                _ => found <= wanted,
            }
        }
        "contains" => contains(value, expected)?,
        other => return Err(format!("the step [{other}] is not known")),
    };
    if holds { Ok(()) } else { Err(format!("expected {expected}, found {value}")) }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

/// As in the public format: everything but nothing, `false`, `0` and the empty text.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty() && text != "false",
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    }
}

fn length(value: &Value) -> Option<f64> {
    let length = match value {
        Value::Array(items) => items.len(),
        Value::Object(object) => object.len(),
        Value::String(text) => text.chars().count(),
        _ => return None,
    };
    Some(length as f64)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A text between slashes is a pattern, in which white space says nothing.
pub(super) fn pattern(text: &str) -> Option<Result<Regex, String>> {
    let inner = text.trim().strip_prefix('/')?.strip_suffix('/')?;
    Some(Regex::new(&format!("(?xs){inner}")).map_err(|error| error.to_string()))
}

fn matches(value: &Value, expected: &Value) -> Result<bool, String> {
    if let Some(pattern) = expected.as_str().and_then(pattern) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return Ok(pattern?.is_match(&text));
    }
    Ok(equal(value, expected))
}

/// Equal, where whole and decimal numbers are the same kind.
fn equal(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Number(a), Value::Number(b)) => a == b || Number::as_f64(a) == Number::as_f64(b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Is there an element that is or holds what is expected? Or a part of a text?
fn contains(value: &Value, expected: &Value) -> Result<bool, String> {
    let holds = |item: &Value| match (item, expected) {
        (Value::Object(item), Value::Object(expected)) => {
            expected.iter().all(|(key, wanted)| item.get(key).is_some_and(|found| equal(found, wanted)))
        }
        (item, expected) => equal(item, expected),
    };
    match value {
        Value::Array(items) => Ok(items.iter().any(holds)),
        Value::String(text) => Ok(expected.as_str().is_some_and(|part| text.contains(part))),
        other => Err(format!("{other} cannot contain anything")),
    }
}

#[test]
fn assertions_hold_and_fail() {
    let stash = Stash::default();
    let answer =
        serde_json::json!({"a": [1, 2.0], "s": "abc", "o": {"k": 1}, "f": false, "list": [{"x": 1, "y": 2}]});
    let check = |kind: &str, body: Value| check(kind, &body, &answer, &stash);
    for (kind, body) in [
        ("match", serde_json::json!({"a": [1.0, 2]})),
        ("match", serde_json::json!({"s": "/a .* c$/"})),
        ("match", serde_json::json!({"nothing": null})),
        ("is_true", Value::from("a")),
        ("is_false", Value::from("f")),
        ("is_false", Value::from("no.such")),
        ("exists", Value::from("f")),
        ("length", serde_json::json!({"a": 2})),
        ("gte", serde_json::json!({"a.1": 2})),
        ("contains", serde_json::json!({"list": {"x": 1}})),
    ] {
        assert_eq!(check(kind, body.clone()), Ok(()), "{kind} {body}");
    }
    for (kind, body) in [
        ("match", serde_json::json!({"a": [1]})),
        ("match", serde_json::json!({"s": "/^b/"})),
        ("match", serde_json::json!({"o": {"k": 1, "l": 2}})),
        ("is_true", Value::from("f")),
        ("is_false", Value::from("a")),
        ("length", serde_json::json!({"a": 3})),
        ("gt", serde_json::json!({"a.1": 2})),
        ("contains", serde_json::json!({"list": {"x": 2}})),
        ("nonsense", serde_json::json!({"a": 1})),
    ] {
        assert!(check(kind, body.clone()).is_err(), "{kind} {body}");
    }
}
