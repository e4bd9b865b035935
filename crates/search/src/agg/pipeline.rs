//! Pipelines: aggregations over the answers of others.

use serde_json::{Map, Value, json};

use super::expression::Expression;
use super::metric::Moments;
use super::output::{Bucket, Named, Output, number};
use crate::error::{Error, Result};

/// One pipeline.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) meta: Option<Value>,
    pub(super) step: Step,
    /// Is a bucket without a value taken as zero (`insert_zeros`), rather than skipped?
    pub(super) zeros: bool,
}

/// What a pipeline does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The difference to the bucket before; per unit of so many milliseconds, if asked for.
    Derivative {
        path: String,
        unit_ms: Option<f64>,
    },
    CumulativeSum {
        path: String,
    },
    /// The difference to the bucket so many before.
    SerialDiff {
        path: String,
        lag: usize,
    },
    /// A calculation in every bucket.
    Script {
        paths: Vec<(String, String)>,
        script: Expression,
    },
    /// Keeps the buckets in which a calculation is true.
    Selector {
        paths: Vec<(String, String)>,
        script: Expression,
    },
    Sort {
        by: Vec<(String, bool)>,
        from: usize,
        size: Option<usize>,
    },
    /// Over the buckets of a sibling.
    Sibling {
        path: String,
        over: Over,
    },
}

/// What is answered about a sibling's buckets.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Over {
    Avg,
    Sum,
    Min,
    Max,
    Stats,
    Percentiles(Vec<f64>),
}

/// The pipelines that look at all buckets of their parent, in the order of the request.
pub(super) fn apply_parents(pipelines: &[Pipeline], buckets: &mut Vec<Bucket>) -> Result<()> {
    for pipeline in pipelines {
        match &pipeline.step {
            Step::Sibling { .. } => {}
            Step::Derivative { path, unit_ms } => derivative(pipeline, path, *unit_ms, buckets)?,
            Step::CumulativeSum { path } => {
                let mut sum = 0.0;
                for bucket in buckets.iter_mut() {
                    sum += value(bucket, path)?.filter(|v| v.is_finite()).unwrap_or(0.0);
                    push(bucket, pipeline, Output::metric(Some(sum)));
                }
            }
            Step::SerialDiff { path, lag } => {
                let values =
                    buckets.iter().map(|b| gap(pipeline, value(b, path)?)).collect::<Result<Vec<_>>>()?;
                for place in *lag..buckets.len() {
                    if let (Some(now), Some(before)) = (values[place], values[place - lag]) {
                        push(&mut buckets[place], pipeline, Output::metric(Some(now - before)));
                    }
                }
            }
            Step::Script { paths, script } => {
                for bucket in buckets.iter_mut() {
                    if let Some(result) = evaluate(pipeline, paths, script, bucket)? {
                        push(bucket, pipeline, Output::metric(Some(result)));
                    }
                }
            }
            Step::Selector { paths, script } => {
                let mut kept = Vec::with_capacity(buckets.len());
                for bucket in buckets.drain(..) {
                    if evaluate(pipeline, paths, script, &bucket)?.is_some_and(|result| result != 0.0) {
                        kept.push(bucket);
                    }
                }
                *buckets = kept;
            }
            Step::Sort { by, from, size } => sort(by, *from, *size, buckets)?,
        }
    }
    Ok(())
}

/// Every bucket but the first has a derivative; beside a gap it has no value.
fn derivative(pipeline: &Pipeline, path: &str, unit_ms: Option<f64>, buckets: &mut [Bucket]) -> Result<()> {
    let mut before: Option<(f64, Option<f64>)> = None;
    for bucket in buckets {
        let now = gap(pipeline, value(bucket, path)?)?.unwrap_or(f64::NAN);
        let key = bucket.key_number();
        if let Some((value, at)) = before {
            let mut map = Map::from_iter([("value".to_owned(), number(now - value))]);
            if let (Some(unit), Some(at), Some(key)) = (unit_ms, at, key) {
                map.insert("normalized_value".to_owned(), number((now - value) / ((key - at) / unit)));
            }
            push(bucket, pipeline, Output::Metric(map));
        }
        before = Some((now, key));
    }
    Ok(())
}

fn evaluate(
    pipeline: &Pipeline,
    paths: &[(String, String)],
    script: &Expression,
    bucket: &Bucket,
) -> Result<Option<f64>> {
    let mut variables = Vec::with_capacity(paths.len());
    for (name, path) in paths {
        // A gap in one of the values leaves the bucket out.
        let Some(value) = gap(pipeline, value(bucket, path)?)? else { return Ok(None) };
        variables.push((name.as_str(), value));
    }
    script.evaluate(&variables).map(Some)
}

/// The value whose place is nearest to the fraction: unlike `percentiles`, nothing lies between two values.
fn nearest(sorted: &[f64], fraction: f64) -> f64 {
    let place = (fraction * sorted.len().saturating_sub(1) as f64).round();
    // Percentages are checked to lie between 0 and 100.
    sorted.get(place as usize).copied().unwrap_or(f64::NAN)
}

/// A value that is there, or what stands for a gap.
fn gap(pipeline: &Pipeline, value: Option<f64>) -> Result<Option<f64>> {
    Ok(value.filter(|v| v.is_finite()).or_else(|| pipeline.zeros.then_some(0.0)))
}

fn push(bucket: &mut Bucket, pipeline: &Pipeline, output: Output) {
    bucket.subs.push(Named {
        name: pipeline.name.clone(),
        kind: pipeline.kind,
        meta: pipeline.meta.clone(),
        output,
    });
}

fn sort(by: &[(String, bool)], from: usize, size: Option<usize>, buckets: &mut Vec<Bucket>) -> Result<()> {
    let mut keyed = Vec::with_capacity(buckets.len());
    for bucket in buckets.drain(..) {
        let mut keys = Vec::with_capacity(by.len());
        for (path, _) in by {
            // Keys may be text.
            let text = (path == "_key")
                .then(|| bucket.head.get("key").and_then(Value::as_str).map(str::to_owned))
                .flatten();
            keys.push((value(&bucket, path)?.filter(|v| v.is_finite()), text));
        }
        keyed.push((keys, bucket));
    }
    // Buckets without a value to sort by are left out.
    keyed.retain(|(keys, _)| keys.iter().all(|(number, text)| number.is_some() || text.is_some()));
    keyed.sort_by(|(a, _), (b, _)| {
        by.iter()
            .zip(a.iter().zip(b))
            .map(|((_, descending), (x, y))| {
                let ordering = x.1.cmp(&y.1).then(x.0.unwrap_or(0.0).total_cmp(&y.0.unwrap_or(0.0)));
                if *descending { ordering.reverse() } else { ordering }
            })
            .find(|ordering| ordering.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    buckets.extend(keyed.into_iter().map(|(_, bucket)| bucket).skip(from).take(size.unwrap_or(usize::MAX)));
    Ok(())
}

/// The pipelines over the buckets of a sibling.
pub(super) fn apply_siblings(pipelines: &[Pipeline], named: &mut Vec<Named>) -> Result<()> {
    for pipeline in pipelines {
        let Step::Sibling { path, over } = &pipeline.step else { continue };
        let (first, rest) = path.split_once('>').ok_or_else(|| {
            Error::illegal(format!("buckets_path must reference a multi-bucket aggregation: [{path}]"))
        })?;
        let sibling =
            named.iter().find(|one| one.name == first.trim()).ok_or_else(|| no_aggregation(path))?;
        let Output::Multi { buckets, .. } = &sibling.output else { return Err(no_aggregation(path)) };
        let mut pairs = Vec::new();
        for bucket in buckets {
            if let Some(found) = gap(pipeline, value(bucket, rest.trim())?)? {
                let key = bucket.head.get("key_as_string").or_else(|| bucket.head.get("key"));
                let key = key.map_or_else(|| bucket.name.clone(), crate::query::params::plain);
                pairs.push((key, found));
            }
        }
        let output = summary(over, &pairs);
        let meta = pipeline.meta.clone();
        named.push(Named { name: pipeline.name.clone(), kind: pipeline.kind, meta, output });
    }
    Ok(())
}

fn summary(over: &Over, pairs: &[(String, f64)]) -> Output {
    let mut moments = Moments::default();
    pairs.iter().for_each(|(_, value)| moments.add(*value));
    let some = |value: f64| (moments.count > 0).then_some(value);
    match over {
        Over::Avg => Output::metric(some(moments.sum / moments.count as f64)),
        Over::Sum => Output::metric(Some(moments.sum)),
        Over::Stats => Output::Metric(moments.stats()),
        Over::Min | Over::Max => {
            let best = if *over == Over::Min { moments.min } else { moments.max };
            let keys: Vec<&str> =
                pairs.iter().filter(|(_, value)| *value == best).map(|(key, _)| key.as_str()).collect();
            let mut map = Map::from_iter([("value".to_owned(), some(best).map_or(Value::Null, number))]);
            map.insert("keys".to_owned(), json!(keys));
            Output::Metric(map)
        }
        Over::Percentiles(percents) => {
            let mut values: Vec<f64> = pairs.iter().map(|(_, value)| *value).collect();
            values.sort_unstable_by(f64::total_cmp);
            let map: Map<String, Value> = percents
                .iter()
                .map(|percent| {
                    (super::output::double_text(*percent), number(nearest(&values, percent / 100.0)))
                })
                .collect();
            Output::Metric(Map::from_iter([("values".to_owned(), Value::Object(map))]))
        }
    }
}

fn no_aggregation(path: &str) -> Error {
    Error::illegal(format!("No aggregation found for path [{path}]"))
}

/// The number that a path leads to from a bucket; `None` for a gap.
fn value(bucket: &Bucket, path: &str) -> Result<Option<f64>> {
    match path {
        "_count" => return Ok(Some(bucket.count as f64)),
        "_key" => return Ok(bucket.key_number()),
        _ => {}
    }
    let (head, rest) =
        path.split_once('>').map_or((path, None), |(head, rest)| (head.trim(), Some(rest.trim())));
    let (name, property) = property(head);
    let found = bucket.subs.iter().find(|one| one.name == head || one.name == name);
    let Some(found) = found else {
        return Err(no_aggregation(path));
    };
    let property = if found.name == head { None } else { property };
    // An empty bucket is a gap, whatever its sums are.
    let gap_if_empty =
        |value: Option<f64>| if bucket.count == 0 && found.kind != "simple_value" { None } else { value };
    match (&found.output, rest) {
        (Output::Metric(map), None) => Ok(gap_if_empty(metric_value(map, property))),
        (Output::Single { count, subs }, Some(rest)) => {
            let inner = Bucket {
                name: String::new(),
                head: Map::new(),
                count: *count,
                extra: Map::new(),
                subs: subs.clone(),
            };
            value(&inner, rest)
        }
        (Output::Single { count, .. }, None) => Ok(Some(*count as f64)),
        (Output::Multi { buckets, .. }, rest) => {
            let Some(key) = property else {
                if rest.is_none() || property == Some("_bucket_count") {
                    return Ok(Some(buckets.len() as f64));
                }
                return Err(no_aggregation(path));
            };
            if key == "_bucket_count" {
                return Ok(Some(buckets.len() as f64));
            }
            match buckets.iter().find(|one| one.name == key) {
                None => Ok(None),
                Some(inner) => value(inner, rest.unwrap_or("_count")),
            }
        }
        (Output::Metric(_), Some(_)) => Err(no_aggregation(path)),
    }
}

/// `a.max`, `a[50.0]`, `a['key']` → name and property.
fn property(head: &str) -> (&str, Option<&str>) {
    if let Some((name, rest)) = head.split_once('[') {
        return (name, Some(rest.trim_end_matches(']').trim_matches(['\'', '"'])));
    }
    head.split_once('.').map_or((head, None), |(name, property)| (name, Some(property)))
}

fn metric_value(map: &Map<String, Value>, property: Option<&str>) -> Option<f64> {
    let name = property.unwrap_or("value");
    if let Some(found) = map.get(name) {
        return found.as_f64();
    }
    if let Some(bounds) =
        map.get("std_deviation_bounds").and_then(|bounds| bounds.get(name.strip_prefix("std_")?))
    {
        return bounds.as_f64();
    }
    let values = map.get("values")?;
    let percent: f64 = name.parse().ok()?;
    match values {
        Value::Object(values) => values.get(&super::output::double_text(percent))?.as_f64(),
        Value::Array(items) => {
            items.iter().find(|item| item["key"].as_f64() == Some(percent))?.get("value")?.as_f64()
        }
        _ => None,
    }
}
