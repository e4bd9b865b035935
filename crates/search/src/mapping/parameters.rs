//! Which parameters a mapping and its fields may have. What is not listed is refused by name, and so is what would have to
//! change answers and cannot: a parameter that is accepted has its effect, or concerns only how Lucene stores things.

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::search::source_filter::SourceFilter;

/// Parameters of every field with values.
const COMMON: [&str; 4] = ["type", "meta", "copy_to", "fields"];
/// What the fields of a type may have beside [`COMMON`].
const BY_TYPE: [(&[&str], &[&str]); 10] = [
    (
        &["keyword"],
        &[
            "index",
            "doc_values",
            "store",
            "null_value",
            "ignore_above",
            "normalizer",
            "norms",
            "index_options",
            "eager_global_ordinals",
            "similarity",
            "split_queries_on_whitespace",
            "time_series_dimension",
        ],
    ),
    (&["constant_keyword"], &["value"]),
    (&["wildcard"], &["null_value", "ignore_above"]),
    (
        &["text", "match_only_text", "annotated_text", "search_as_you_type"],
        &[
            "analyzer",
            "search_analyzer",
            "search_quote_analyzer",
            "index",
            "store",
            "norms",
            "index_options",
            "index_prefixes",
            "index_phrases",
            "position_increment_gap",
            "similarity",
            "term_vector",
            "fielddata",
            "fielddata_frequency_filter",
            "eager_global_ordinals",
            "max_shingle_size",
            "doc_values",
        ],
    ),
    (
        &[
            "long",
            "integer",
            "short",
            "byte",
            "double",
            "float",
            "half_float",
            "scaled_float",
            "unsigned_long",
        ],
        &[
            "index",
            "doc_values",
            "store",
            "null_value",
            "ignore_malformed",
            "coerce",
            "scaling_factor",
            "time_series_dimension",
            "time_series_metric",
        ],
    ),
    (
        &["date", "date_nanos"],
        &["index", "doc_values", "store", "null_value", "ignore_malformed", "format", "locale"],
    ),
    (
        &["boolean", "ip"],
        &["index", "doc_values", "store", "null_value", "ignore_malformed", "time_series_dimension"],
    ),
    (
        &["geo_point"],
        &[
            "index",
            "doc_values",
            "store",
            "null_value",
            "ignore_malformed",
            "ignore_z_value",
            "time_series_metric",
        ],
    ),
    (&["binary"], &["doc_values", "store"]),
    (
        &["flattened"],
        &[
            "index",
            "doc_values",
            "null_value",
            "ignore_above",
            "depth_limit",
            "index_options",
            "similarity",
            "eager_global_ordinals",
            "split_queries_on_whitespace",
            "time_series_dimensions",
        ],
    ),
];
/// What an object may have; `include_…` only if it is nested.
const OF_OBJECTS: [&str; 7] =
    ["type", "properties", "dynamic", "enabled", "subobjects", "include_in_root", "include_in_parent"];
/// What stands beside `properties` at the root.
const OF_ROOT: [&str; 13] = [
    "properties",
    "dynamic",
    "enabled",
    "subobjects",
    "date_detection",
    "numeric_detection",
    "dynamic_date_formats",
    "dynamic_templates",
    "runtime",
    "_source",
    "_routing",
    "_meta",
    "_field_names",
];
/// Parameters that are true or false.
const FLAGS: [&str; 11] = [
    "index",
    "doc_values",
    "store",
    "ignore_malformed",
    "coerce",
    "norms",
    "eager_global_ordinals",
    "ignore_z_value",
    "include_in_root",
    "include_in_parent",
    "enabled",
];

/// Checks a mapping as a client sends it.
///
/// # Errors
/// For a parameter that is unknown, has a value that it cannot have, or cannot have its effect here; it is named.
pub(super) fn check(mapping: &Map<String, Value>) -> Result<()> {
    for (key, value) in mapping {
        let nothing = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        match key.as_str() {
            "runtime" if !nothing => return Err(unsupported("", "runtime", "there are no scripts")),
            known if OF_ROOT.contains(&known) => {}
            _ => {
                return Err(malformed(format!(
                    "Root mapping definition has unsupported parameters:  [{key} : {}]",
                    plain(value)
                )));
            }
        }
    }
    flags("_doc", mapping)?;
    objects("", mapping)?;
    kept_source(mapping)?;
    properties("", mapping)
}

/// Which part of a document is stored: `_source` of the mapping.
///
/// # Errors
/// When it is malformed.
pub(super) fn kept_source(mapping: &Map<String, Value>) -> Result<SourceFilter> {
    let mut kept = SourceFilter::default();
    let Some(source) = mapping.get("_source") else { return Ok(kept) };
    let Value::Object(source) = source else {
        return Err(malformed(format!("[_source] must be an object, got [{}]", plain(source))));
    };
    for (key, value) in source {
        let unknown = || malformed(format!("unknown parameter [{key}] on metadata field [_source]"));
        match (key.as_str(), value) {
            ("enabled", value) => kept.enabled = flag("_source", key, value)?,
            ("mode", Value::String(mode)) if mode == "stored" => {}
            ("mode", Value::String(mode)) if mode == "disabled" => kept.enabled = false,
            ("mode", value) => {
                return Err(unsupported("_source", "mode", &format!("[{}] is not known", plain(value))));
            }
            ("includes", value) => kept.includes = patterns(value).ok_or_else(unknown)?,
            ("excludes", value) => kept.excludes = patterns(value).ok_or_else(unknown)?,
            _ => return Err(unknown()),
        }
    }
    Ok(kept)
}

fn patterns(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn properties(path: &str, object: &Map<String, Value>) -> Result<()> {
    let Some(Value::Object(properties)) = object.get("properties") else { return Ok(()) };
    for (name, params) in properties {
        let Value::Object(params) = params else { continue };
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        field(&path, params, false)?;
    }
    Ok(())
}

fn field(path: &str, params: &Map<String, Value>, of_another: bool) -> Result<()> {
    let type_name = match params.get("type") {
        None => "object",
        Some(Value::String(name)) => name.as_str(),
        Some(other) => {
            return Err(malformed(format!(
                "[type] of field [{path}] must be a string, got [{}]",
                plain(other)
            )));
        }
    };
    let unknown =
        |key: &str| malformed(format!("unknown parameter [{key}] on mapper [{path}] of type [{type_name}]"));
    match type_name {
        "object" | "nested" => {
            // Without a type and without properties it is no object, and somebody else says so.
            let typeless = !params.contains_key("type") && !params.contains_key("properties");
            let known = |key: &str| {
                OF_OBJECTS.contains(&key) && (type_name == "nested" || !key.starts_with("include_"))
            };
            if let Some(key) = params.keys().find(|key| !typeless && !known(key)) {
                return Err(unknown(key));
            }
            flags(path, params)?;
            objects(path, params)?;
            return properties(path, params);
        }
        "alias" => {
            let strange = params.keys().find(|key| !matches!(key.as_str(), "type" | "path"));
            return strange.map_or(Ok(()), |key| Err(unknown(key)));
        }
        "version" => return Err(unsupported(path, "type: version", "versions would be ordered as texts")),
        _ => {}
    }
    // A type that nobody knows is refused with a message of its own.
    let Some((_, own)) = BY_TYPE.iter().find(|(types, _)| types.contains(&type_name)) else { return Ok(()) };
    for (key, value) in params {
        if !COMMON.contains(&key.as_str()) && !own.contains(&key.as_str()) {
            return Err(match key.as_str() {
                "script" | "on_script_error" => unsupported(path, key, "there are no scripts"),
                _ => unknown(key),
            });
        }
        if of_another && matches!(key.as_str(), "fields" | "copy_to") {
            return Err(malformed(format!(
                "{key} in multi fields is not allowed. Found the {key} in field [{path}] which is within a multi field."
            )));
        }
        effective(path, key, value, params)?;
    }
    if type_name == "scaled_float" && !params.contains_key("scaling_factor") {
        return Err(malformed(format!("Field [{path}] misses required parameter [scaling_factor]")));
    }
    if type_name != "scaled_float" && params.contains_key("scaling_factor") {
        return Err(unknown("scaling_factor"));
    }
    flags(path, params)?;
    for (name, params) in params.get("fields").and_then(Value::as_object).into_iter().flatten() {
        if let Value::Object(params) = params {
            field(&format!("{path}.{name}"), params, true)?;
        }
    }
    Ok(())
}

/// Refuses values that would change answers, and cannot.
fn effective(path: &str, key: &str, value: &Value, params: &Map<String, Value>) -> Result<()> {
    let text = plain(value);
    let why = match key {
        "fielddata" if text == "true" => "text fields have no field data; use a keyword field instead",
        "similarity" if !matches!(text.as_str(), "BM25" | "default") => "relevance is not computed",
        "split_queries_on_whitespace" if text == "true" => "queries on keywords are never split",
        "position_increment_gap" if text == "0" => "phrases do not go beyond one value",
        "locale" if !matches!(text.as_str(), "" | "ROOT" | "root" | "en" | "en-US" | "en_US" | "en-GB") => {
            "names in dates are English"
        }
        "search_analyzer" | "search_quote_analyzer"
            if params.get("analyzer").map_or_else(|| "standard".to_owned(), plain) != text =>
        {
            "texts and queries have one analyzer"
        }
        "ignore_above" | "scaling_factor" | "depth_limit" | "position_increment_gap" => {
            let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
            return match number {
                Some(number) if number >= 0.0 => Ok(()),
                _ => Err(malformed(format!("Failed to parse value [{text}] of [{key}] on field [{path}]"))),
            };
        }
        _ => return Ok(()),
    };
    Err(unsupported(path, &format!("{key}: {text}"), why))
}

/// What objects and the root have in common.
fn objects(path: &str, params: &Map<String, Value>) -> Result<()> {
    let name = if path.is_empty() { "_doc" } else { path };
    if params.get("dynamic").is_some_and(|value| plain(value) == "runtime") {
        return Err(unsupported(name, "dynamic: runtime", "there are no runtime fields"));
    }
    match params.get("subobjects").map(plain).as_deref() {
        None | Some("true") => Ok(()),
        Some(other) => {
            Err(unsupported(name, &format!("subobjects: {other}"), "dots in names always stand for objects"))
        }
    }
}

fn flags(path: &str, params: &Map<String, Value>) -> Result<()> {
    let is_flag = |key: &str| FLAGS.contains(&key);
    params
        .iter()
        .filter(|(key, _)| is_flag(key))
        .try_for_each(|(key, value)| flag(path, key, value).map(drop))
}

fn flag(path: &str, key: &str, value: &Value) -> Result<bool> {
    match plain(value).as_str() {
        "true" => Ok(true),
        // An empty text has always been taken for no.
        "false" | "" => Ok(false),
        other => Err(malformed(format!(
            "Failed to parse value [{other}] of [{key}] on field [{path}] as only [true] or [false] are allowed."
        ))),
    }
}

fn malformed(why: String) -> Error {
    Error::MapperParsing(format!("Failed to parse mapping: {why}"))
}

fn unsupported(path: &str, parameter: &str, why: &str) -> Error {
    let place = if path.is_empty() { String::new() } else { format!(" on [{path}]") };
    malformed(format!("[{parameter}]{place} is not supported by the embedded store: {why}"))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
