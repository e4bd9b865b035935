//! Which aggregations a datafeed can read: one histogram of time, splits by terms, single values as leaves.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// What an aggregation is to a datafeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A histogram of time.
    Histogram,
    /// Pages of combinations, one source of which is a histogram of time.
    Composite,
    /// A split: the value goes into a column of the aggregation's name.
    Terms,
    /// One bucket; only what is below it matters.
    Single,
    /// A number, or a point.
    Leaf,
}

/// The aggregations of one level: name, kind, definition.
pub(super) fn level(aggregations: &Value) -> Result<Vec<(&str, Kind, &Value)>> {
    let object = aggregations.as_object().ok_or_else(not_parsable)?;
    object.iter().map(|(name, body)| Ok((name.as_str(), kind(body)?, body))).collect()
}

/// The aggregations below one.
pub(super) fn below(body: &Value) -> Option<&Value> {
    body.get("aggregations").or_else(|| body.get("aggs"))
}

fn kind(body: &Value) -> Result<Kind> {
    let object: &Map<String, Value> = body.as_object().ok_or_else(not_parsable)?;
    let names = object.keys().map(String::as_str);
    let mut kinds = names.filter(|name| !matches!(*name, "aggs" | "aggregations" | "meta"));
    let kind = match kinds.next().ok_or_else(not_parsable)? {
        "date_histogram" | "histogram" => Kind::Histogram,
        "composite" => Kind::Composite,
        "terms" | "rare_terms" | "significant_terms" => Kind::Terms,
        "filter" | "nested" | "reverse_nested" | "global" | "missing" => Kind::Single,
        "scripted_metric" | "top_hits" | "range" | "filters" | "date_range" | "geohash_grid" => {
            return Err(not_parsable());
        }
        _ => Kind::Leaf,
    };
    Ok(kind)
}

fn not_parsable() -> Error {
    types::Invalid::x_content("Datafeed aggregations are not parsable").into()
}

/// Checks the aggregations of a datafeed.
///
/// # Errors
/// The first rule that is broken.
pub(crate) fn check(aggregations: &Value, time_field: &str) -> Result<()> {
    match histograms(aggregations, time_field, 0)? {
        1 => Ok(()),
        0 => Err(Error::argument("A date_histogram (or histogram) aggregation is required")),
        _ => Err(Error::argument("Aggregations can only have 1 date_histogram or histogram aggregation")),
    }
}

fn histograms(aggregations: &Value, time_field: &str, depth: usize) -> Result<usize> {
    let level = level(aggregations)?;
    let mut found = 0;
    for (_, kind, body) in &level {
        match kind {
            Kind::Histogram => {
                found += 1;
                if let Some(zone) = body.pointer("/date_histogram/time_zone").and_then(Value::as_str)
                    && !matches!(zone, "UTC" | "Z" | "+00:00" | "GMT")
                {
                    return Err(Error::argument(
                        "ML requires date_histogram.time_zone to be UTC, but it is set to another zone",
                    ));
                }
                let children = below(body).and_then(Value::as_object);
                let max =
                    children.and_then(|children| children.get(time_field)).and_then(|max| max.get("max"));
                if max.and_then(|max| max.get("field")).and_then(Value::as_str) != Some(time_field) {
                    return Err(Error::argument(format!(
                        "Date histogram must have nested max aggregation for time_field [{time_field}]"
                    )));
                }
            }
            Kind::Composite => {
                let sources = body.pointer("/composite/sources").and_then(Value::as_array);
                let times = sources.into_iter().flatten().filter_map(Value::as_object).flat_map(Map::values);
                found += times.filter(|source| source.get("date_histogram").is_some()).count();
            }
            Kind::Terms | Kind::Single | Kind::Leaf => {
                if let Some(children) = below(body) {
                    found += histograms(children, time_field, depth + 1)?;
                }
            }
        }
    }
    if found > 0 && level.len() > 1 && depth == 0 {
        return Err(Error::argument(
            "A date_histogram (or histogram) aggregation must be top level or the only child of another aggregation",
        ));
    }
    Ok(found)
}
