//! Which documents match a query; the few queries that the service itself asks.

use std::cmp::Ordering;

use dates::DateFormat;
use serde_json::Value;

use super::state::wildcard;
use crate::{Error, Result};

/// Does a document match?
///
/// # Errors
/// When the query is not among those that are known.
pub(super) fn matches(query: &Value, id: &str, source: &Value) -> Result<bool> {
    let Some((kind, body)) = query.as_object().and_then(|object| object.iter().next()) else {
        return Err(Error::refused("parsing_exception", "query malformed, empty clause found"));
    };
    match kind.as_str() {
        "match_all" => Ok(true),
        "match_none" => Ok(false),
        "bool" => matches_bool(body, id, source),
        "ids" => {
            Ok(body.get("values").and_then(Value::as_array).is_some_and(|ids| ids.iter().any(|v| v == id)))
        }
        "exists" => {
            Ok(body.get("field").and_then(Value::as_str).is_some_and(|f| lookup(source, f).is_some()))
        }
        "term" | "terms" | "range" | "prefix" | "wildcard" => matches_field(kind, body, source),
        other => Err(Error::refused("parsing_exception", format!("unknown query [{other}]"))),
    }
}

fn matches_bool(body: &Value, id: &str, source: &Value) -> Result<bool> {
    let clauses = |name: &str| -> Vec<Value> {
        match body.get(name) {
            Some(Value::Array(items)) => items.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        }
    };
    for clause in clauses("must").iter().chain(&clauses("filter")) {
        if !matches(clause, id, source)? {
            return Ok(false);
        }
    }
    for clause in &clauses("must_not") {
        if matches(clause, id, source)? {
            return Ok(false);
        }
    }
    let should = clauses("should");
    let needed = should.len().min(usize::from(body.get("must").is_none() && body.get("filter").is_none()));
    let needed = body.get("minimum_should_match").and_then(Value::as_u64).map_or(needed, |n| n as usize);
    let mut met = 0;
    for clause in &should {
        met += usize::from(matches(clause, id, source)?);
    }
    Ok(met >= needed)
}

fn matches_field(kind: &str, body: &Value, source: &Value) -> Result<bool> {
    let Some((field, test)) = body.as_object().and_then(|b| b.iter().find(|(key, _)| *key != "boost")) else {
        return Err(Error::refused("parsing_exception", format!("[{kind}] query malformed, no field")));
    };
    let Some(value) = lookup(source, field) else { return Ok(false) };
    let values: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let wanted = test.get("value").unwrap_or(test);
    Ok(values.into_iter().any(|value| match kind {
        "term" => same(value, wanted),
        "terms" => test.as_array().is_some_and(|wanted| wanted.iter().any(|wanted| same(value, wanted))),
        "prefix" => text(value).starts_with(&text(wanted)),
        "wildcard" => wildcard(&text(wanted), &text(value)),
        _ => test.as_object().is_some_and(|bounds| {
            bounds.iter().all(|(bound, limit)| {
                let order = compare(value, limit);
                match bound.as_str() {
                    "gte" | "from" => order != Ordering::Less,
                    "gt" => order == Ordering::Greater,
                    "lte" | "to" => order != Ordering::Greater,
                    "lt" => order == Ordering::Less,
                    _ => true,
                }
            })
        }),
    }))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn same(value: &Value, wanted: &Value) -> bool {
    value == wanted || text(value) == text(wanted) || number(value).is_some_and(|n| number(wanted) == Some(n))
}

/// A number, also one that is written as text, or a date in milliseconds.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok().or_else(|| {
            let looks_like_a_date = text.len() >= 10 && text.as_bytes().get(4) == Some(&b'-');
            let parsed = looks_like_a_date.then(|| DateFormat::default_format().parse_value(value).ok())?;
            parsed.map(|ms| ms as f64)
        }),
        _ => None,
    }
}

/// Numbers and dates by value, everything else as text.
pub(super) fn compare(left: &Value, right: &Value) -> Ordering {
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left.total_cmp(&right),
        _ => text(left).cmp(&text(right)),
    }
}

/// The value of a field: under its whole name, or along the path that its dots make. `null` is no value.
pub(super) fn lookup<'a>(source: &'a Value, field: &str) -> Option<&'a Value> {
    let object = source.as_object()?;
    let found = object.get(field).or_else(|| {
        field.match_indices('.').find_map(|(at, _)| {
            let inner = object.get(&field[..at])?;
            lookup(inner, &field[at + 1..])
        })
    })?;
    (!found.is_null()).then_some(found)
}
