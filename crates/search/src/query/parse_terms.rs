//! From JSON to [`Query`]: the queries on terms and values.

use serde_json::{Map, Value};

use super::ast::{Bounds, Fuzziness, Node, PatternKind, Query};
use super::params::{Params, plain, scalar_text};
use super::parse::{Frame, refuse_array, single_field};
use crate::error::{Error, Result};

pub(super) fn parse(name: &str, body: &Value) -> Result<Query> {
    match name {
        "ids" => {
            let mut params = Params::new(name, body)?;
            let frame = Frame::read(&mut params)?;
            let ids = params
                .texts("values")?
                .ok_or_else(|| Error::parsing("[ids] requires providing a values element"))?;
            params.ignore(&["type"]);
            params.finish()?;
            Ok(frame.around(Node::Ids(ids)))
        }
        "exists" => {
            let mut params = Params::new(name, body)?;
            let frame = Frame::read(&mut params)?;
            let field = params
                .text("field")?
                .filter(|field| !field.is_empty())
                .ok_or_else(|| Error::parsing("[exists] must be provided with a [field]"))?;
            params.finish()?;
            Ok(frame.around(Node::Exists { field }))
        }
        "terms" => parse_terms(body),
        _ => {
            let map = body.as_object().ok_or_else(|| Error::parsing(format!("[{name}] query malformed")))?;
            let (field, value) = single_field(name, map, &["boost", "_name"])?;
            refuse_array(name, value)?;
            match name {
                "term" => parse_term(field, value),
                "range" => parse_range(field, value),
                "fuzzy" => parse_fuzzy(field, value),
                _ => parse_pattern(name, field, value),
            }
        }
    }
}

fn parse_term(field: &str, value: &Value) -> Result<Query> {
    let mut long = Map::new();
    if !value.is_object() {
        long.insert("value".to_owned(), value.clone());
    }
    let short = Value::Object(long);
    let mut params = Params::new("term", if value.is_object() { value } else { &short })?;
    let frame = Frame::read(&mut params)?;
    let wanted = params.either(&["value", "term"]).cloned();
    let case_insensitive = params.flag("case_insensitive", false)?;
    params.finish()?;
    let value = wanted.ok_or_else(|| Error::illegal("value cannot be null"))?;
    Ok(frame.around(Node::Term { field: field.to_owned(), value, case_insensitive }))
}

fn parse_terms(body: &Value) -> Result<Query> {
    let map = body.as_object().ok_or_else(|| Error::parsing("[terms] query malformed"))?;
    let (field, values) = single_field("terms", map, &["boost", "_name"])
        .map_err(|error| match error {
            Error::IllegalArgument(_) => {
                Error::parsing("[terms] query requires a field name, followed by array of terms or a document lookup specification")
            }
            other => other,
        })?;
    let values = match values {
        Value::Array(values) => values,
        Value::Object(_) => {
            return Err(Error::illegal(
                "[terms] with a lookup in another index is not supported by the embedded store",
            ));
        }
        other => {
            return Err(Error::parsing(format!(
                "[terms] query does not support [{field}] with a single value [{}]",
                plain(other)
            )));
        }
    };
    if values.iter().any(Value::is_null) {
        return Err(Error::illegal("No value specified for terms query"));
    }
    let boost = map.get("boost").and_then(Value::as_f64).unwrap_or(1.0);
    let name = map.get("_name").and_then(scalar_text);
    Ok(Query { node: Node::Terms { field: field.clone(), values: values.clone() }, boost, name })
}

fn parse_range(field: &str, value: &Value) -> Result<Query> {
    let mut params = Params::new("range", value)?;
    let frame = Frame::read(&mut params)?;
    let include_lower = params.flag("include_lower", true)?;
    let include_upper = params.flag("include_upper", true)?;
    let mut bound = |inside: &'static str, outside: &'static str, old: &'static str, include: bool| {
        let closed = params.value(inside).map(|value| (value.clone(), true));
        let open = params.value(outside).map(|value| (value.clone(), false));
        let old = params.value(old).map(|value| (value.clone(), include));
        open.or(closed).or(old)
    };
    let lower = bound("gte", "gt", "from", include_lower);
    let upper = bound("lte", "lt", "to", include_upper);
    let format = params.text("format")?;
    let time_zone = params.text("time_zone")?;
    // `relation` matters to fields that hold ranges; there are none.
    if let Some(relation) = params.text("relation")?
        && !matches!(relation.to_ascii_lowercase().as_str(), "intersects" | "contains" | "within")
    {
        return Err(Error::illegal(format!("[range] query does not support relation [{relation}]")));
    }
    params.finish()?;
    let bounds = Box::new(Bounds { lower, upper, format, time_zone });
    Ok(frame.around(Node::Range { field: field.to_owned(), bounds }))
}

fn parse_pattern(name: &str, field: &str, value: &Value) -> Result<Query> {
    let kind = match name {
        "prefix" => PatternKind::Prefix,
        "wildcard" => PatternKind::Wildcard,
        _ => PatternKind::Regexp,
    };
    let pattern = |text: Option<String>| text.ok_or_else(|| Error::illegal("value cannot be null"));
    if !value.is_object() {
        let pattern = pattern(scalar_text(value))?;
        return Ok(Node::Pattern { field: field.to_owned(), kind, pattern, case_insensitive: false }.into());
    }
    let mut params = Params::new(name, value)?;
    let frame = Frame::read(&mut params)?;
    let mut text = params.text("value")?;
    if kind == PatternKind::Wildcard {
        text = text.or(params.text("wildcard")?);
    }
    if kind == PatternKind::Prefix {
        text = text.or(params.text("prefix")?);
    }
    let case_insensitive = params.flag("case_insensitive", false)?;
    params.ignore(&["rewrite"]);
    if kind == PatternKind::Regexp {
        params.ignore(&["flags", "flags_value", "max_determinized_states"]);
    }
    params.finish()?;
    Ok(frame.around(Node::Pattern {
        field: field.to_owned(),
        kind,
        pattern: pattern(text)?,
        case_insensitive,
    }))
}

fn parse_fuzzy(field: &str, value: &Value) -> Result<Query> {
    if !value.is_object() {
        let value = scalar_text(value).ok_or_else(|| Error::illegal("value cannot be null"))?;
        let fuzziness = Fuzziness { edits: None, prefix_length: 0 };
        return Ok(Node::Fuzzy { field: field.to_owned(), value, fuzziness }.into());
    }
    let mut params = Params::new("fuzzy", value)?;
    let frame = Frame::read(&mut params)?;
    let text = params
        .text("value")?
        .or(params.text("term")?)
        .ok_or_else(|| Error::illegal("query value cannot be null"))?;
    let prefix_length = params.count("prefix_length")?.unwrap_or(0);
    let edits = match params.text("fuzziness")? {
        None => None,
        Some(text) => fuzziness(&text)?,
    };
    params.ignore(&["max_expansions", "transpositions", "rewrite"]);
    params.finish()?;
    let fuzziness = Fuzziness { edits, prefix_length };
    Ok(frame.around(Node::Fuzzy { field: field.to_owned(), value: text, fuzziness }))
}

/// `AUTO` or 0, 1, 2.
pub(super) fn fuzziness(text: &str) -> Result<Option<u8>> {
    match text.to_ascii_uppercase().as_str() {
        "AUTO" | "AUTO:3,6" => Ok(None),
        "0" | "0.0" => Ok(Some(0)),
        "1" | "1.0" => Ok(Some(1)),
        "2" | "2.0" => Ok(Some(2)),
        _ => Err(Error::illegal(format!("Invalid fuzziness value: {text}"))),
    }
}
