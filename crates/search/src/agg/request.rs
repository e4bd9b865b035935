//! From JSON to a tree of aggregations: names, types and nesting. What stands inside each is read when a mapping is there.

use serde_json::Value;

use crate::error::{Error, Result};

/// The aggregations of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregations {
    pub(super) items: Vec<Request>,
}

/// One aggregation of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) body: Value,
    pub(super) meta: Option<Value>,
    pub(super) subs: Aggregations,
}

/// Aggregations with buckets.
const BUCKETS: [&str; 13] = [
    "terms",
    "date_histogram",
    "histogram",
    "range",
    "date_range",
    "filter",
    "filters",
    "missing",
    "global",
    "nested",
    "reverse_nested",
    "composite",
    "sampler",
];

/// Aggregations with numbers.
const METRICS: [&str; 16] = [
    "min",
    "max",
    "avg",
    "sum",
    "value_count",
    "stats",
    "extended_stats",
    "cardinality",
    "percentiles",
    "percentile_ranks",
    "median_absolute_deviation",
    "weighted_avg",
    "top_hits",
    "top_metrics",
    "geo_centroid",
    "geo_bounds",
];

/// Aggregations over others.
pub(super) const PIPELINES: [&str; 12] = [
    "derivative",
    "cumulative_sum",
    "serial_diff",
    "bucket_script",
    "bucket_selector",
    "bucket_sort",
    "avg_bucket",
    "sum_bucket",
    "min_bucket",
    "max_bucket",
    "stats_bucket",
    "percentiles_bucket",
];

/// Deeper aggregations are refused, before they exhaust the stack.
const MAX_DEPTH: usize = 50;

impl Aggregations {
    /// Reads what stands under `aggs`.
    ///
    /// # Errors
    /// For an unknown type of aggregation, a wrong name, a malformed body.
    pub fn parse(value: &Value) -> Result<Self> {
        parse(value, 0)
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The names of the outermost aggregations.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.name.as_str())
    }
}

fn parse(value: &Value, depth: usize) -> Result<Aggregations> {
    if depth > MAX_DEPTH {
        return Err(Error::illegal("The aggregations are nested too deep"));
    }
    let map = value.as_object().ok_or_else(|| Error::parsing("Expected [START_OBJECT] under [aggs]"))?;
    let items = map.iter().map(|(name, body)| one(name, body, depth)).collect::<Result<_>>()?;
    Ok(Aggregations { items })
}

fn one(name: &str, body: &Value, depth: usize) -> Result<Request> {
    if name.is_empty() || name.contains(['[', ']', '>']) {
        return Err(Error::parsing(format!(
            "Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', and '>'"
        )));
    }
    let map = body.as_object().ok_or_else(|| {
        Error::parsing(format!(
            "Aggregation definition for [{name}] starts with a [VALUE], expected a [START_OBJECT]."
        ))
    })?;
    let mut found: Option<(&'static str, &Value)> = None;
    let mut meta = None;
    let mut subs = Aggregations::default();
    for (key, value) in map {
        match key.as_str() {
            "meta" if value.is_object() => meta = Some(value.clone()),
            "aggs" | "aggregations" => {
                if !subs.is_empty() {
                    return Err(Error::parsing(format!(
                        "Found two sub aggregation definitions under [{name}]"
                    )));
                }
                subs = parse(value, depth + 1)?;
            }
            kind => {
                let mut known = BUCKETS.iter().chain(&METRICS).chain(&PIPELINES);
                let kind = known
                    .find(|known| **known == kind)
                    .ok_or_else(|| Error::parsing(format!("Unknown aggregation type [{kind}]")))?;
                if let Some((first, _)) = found {
                    return Err(Error::parsing(format!(
                        "Found two aggregation type definitions in [{name}]: [{first}] and [{kind}]"
                    )));
                }
                if !value.is_object() {
                    return Err(Error::parsing(format!(
                        "Expected [START_OBJECT] under [{kind}], but got a [VALUE] in [{name}]"
                    )));
                }
                found = Some((kind, value));
            }
        }
    }
    let (kind, body) =
        found.ok_or_else(|| Error::parsing(format!("Missing definition for aggregation [{name}]")))?;
    if !subs.is_empty() && !BUCKETS.contains(&kind) {
        return Err(Error::illegal(format!(
            "Aggregator [{name}] of type [{kind}] cannot accept sub-aggregations"
        )));
    }
    if kind == "global" && depth > 0 {
        return Err(Error::illegal(format!(
            "Aggregation [{name}] cannot have a global sub-aggregation: it must be at the top"
        )));
    }
    if kind == "composite" && depth > 0 {
        return Err(Error::illegal("[composite] aggregation cannot be used with a parent aggregation"));
    }
    Ok(Request { name: name.to_owned(), kind, body: body.clone(), meta, subs })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_and_malformed_aggregations_are_refused() {
        for (aggs, message) in [
            (json!({"a": {"foo": {}}}), "Unknown aggregation type [foo]"),
            (json!({"a": {"scripted_metric": {}}}), "Unknown aggregation type [scripted_metric]"),
            (json!({"a": {}}), "Missing definition for aggregation [a]"),
            (
                json!({"a": {"avg": {}, "sum": {}}}),
                "Found two aggregation type definitions in [a]: [avg] and [sum]",
            ),
            (json!({"a": {"avg": {}, "aggs": {"b": {"sum": {}}}}}), "cannot accept sub-aggregations"),
            (json!({"a>b": {"avg": {}}}), "Invalid aggregation name [a>b]"),
            (json!({"a": {"terms": {}, "aggs": {"g": {"global": {}}}}}), "must be at the top"),
        ] {
            let error = Aggregations::parse(&aggs).unwrap_err();
            assert!(error.to_string().contains(message), "{aggs}: {error}");
            assert_eq!(error.status(), 400);
        }
    }
}
