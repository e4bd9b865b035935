//! Reads pipelines.

use dates::interval::duration_ms;
use dates::{CalendarUnit, Interval};
use serde_json::Value;

use super::expression::Expression;
use super::pipeline::{Over, Pipeline, Step};
use super::request::Request;
use crate::error::{Error, Result};
use crate::query::params::{Params, plain};

pub(super) fn pipeline(item: &Request) -> Result<Pipeline> {
    let mut params = Params::new(item.kind, &item.body)?;
    let zeros = match params.text("gap_policy")?.as_deref() {
        None | Some("skip" | "keep_values") => false,
        Some("insert_zeros") => true,
        Some(other) => {
            return Err(Error::illegal(format!(
                "Invalid gap policy: [{other}], accepted values: [insert_zeros, skip, keep_values]"
            )));
        }
    };
    params.ignore(&["format"]);
    let (kind, step) = match item.kind {
        "derivative" => {
            let unit_ms = params.text("unit")?.map(|unit| unit_ms(&unit)).transpose()?;
            ("derivative", Step::Derivative { path: path(&mut params)?, unit_ms })
        }
        "cumulative_sum" => ("simple_value", Step::CumulativeSum { path: path(&mut params)? }),
        "serial_diff" => {
            let lag = params.count("lag")?.unwrap_or(1);
            if lag == 0 {
                return Err(Error::illegal("[lag] must be a positive, non-zero integer."));
            }
            ("simple_value", Step::SerialDiff { path: path(&mut params)?, lag })
        }
        "bucket_script" => {
            let (paths, script) = script(&mut params)?;
            ("simple_value", Step::Script { paths, script })
        }
        "bucket_selector" => {
            let (paths, script) = script(&mut params)?;
            ("bucket_selector", Step::Selector { paths, script })
        }
        "bucket_sort" => ("bucket_sort", sort(&mut params)?),
        sibling => {
            let (kind, over) = match sibling {
                "avg_bucket" => ("simple_value", Over::Avg),
                "sum_bucket" => ("simple_value", Over::Sum),
                "min_bucket" => ("bucket_metric_value", Over::Min),
                "max_bucket" => ("bucket_metric_value", Over::Max),
                "stats_bucket" => ("stats_bucket", Over::Stats),
                _ => {
                    let percents = params
                        .value("percents")
                        .and_then(Value::as_array)
                        .map(|list| list.iter().filter_map(Value::as_f64).collect::<Vec<_>>());
                    let percents = percents.unwrap_or_else(|| vec![1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0]);
                    params.ignore(&["keyed"]);
                    ("percentiles_bucket", Over::Percentiles(percents))
                }
            };
            (kind, Step::Sibling { path: path(&mut params)?, over })
        }
    };
    params.finish_strictly()?;
    Ok(Pipeline { name: item.name.clone(), kind, meta: item.meta.clone(), step, zeros })
}

fn path(params: &mut Params<'_>) -> Result<String> {
    let texts = params.texts("buckets_path")?.unwrap_or_default();
    match texts.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(Error::illegal(format!("Required one [buckets_path] in [{}]", params.name()))),
    }
}

/// The unit of a derivative, in milliseconds; months and years have their mean lengths.
fn unit_ms(text: &str) -> Result<f64> {
    if let Ok(Interval::Calendar(unit)) = Interval::calendar(text) {
        return Ok(match unit {
            CalendarUnit::Second => 1e3,
            CalendarUnit::Minute => 6e4,
            CalendarUnit::Hour => 3.6e6,
            CalendarUnit::Day => 8.64e7,
            CalendarUnit::Week => 6.048e8,
            CalendarUnit::Month => 2.629_746e9,
            CalendarUnit::Quarter => 7.889_238e9,
            CalendarUnit::Year => 3.155_695_2e10,
        });
    }
    match duration_ms(text, "derivative.unit")? {
        0 => Err(Error::illegal("[unit] must not be zero")),
        ms => Ok(ms as f64),
    }
}

fn script(params: &mut Params<'_>) -> Result<(Vec<(String, String)>, Expression)> {
    let name = params.name();
    let paths = match params.required("buckets_path")? {
        Value::Object(map) => map.iter().map(|(name, path)| (name.clone(), plain(path))).collect(),
        Value::String(path) => vec![("_value".to_owned(), path.clone())],
        _ => return Err(Error::illegal(format!("Required [buckets_path] for [{name}] is malformed"))),
    };
    let script = params.required("script")?;
    let source = match script {
        Value::Object(map) => map.get("source").or_else(|| map.get("inline")).map(plain),
        one => Some(plain(one)),
    };
    let source = source.ok_or_else(|| {
        Error::illegal(format!("must specify either [source] for an inline script in [{name}]"))
    })?;
    Ok((paths, Expression::compile(&source)?))
}

fn sort(params: &mut Params<'_>) -> Result<Step> {
    let from = params.count("from")?.unwrap_or(0);
    let size = params.count("size")?;
    let items = match params.value("sort") {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    let mut by = Vec::with_capacity(items.len());
    for item in &items {
        match item {
            Value::String(path) => by.push((path.clone(), false)),
            Value::Object(map) => {
                for (path, how) in map {
                    let direction = how.as_str().or_else(|| how.get("order").and_then(Value::as_str));
                    by.push((path.clone(), direction == Some("desc")));
                }
            }
            other => {
                return Err(Error::illegal(format!("malformed sort [{}] in [bucket_sort]", plain(other))));
            }
        }
    }
    if by.is_empty() && from == 0 && size.is_none() {
        return Err(Error::illegal(
            "[bucket_sort] is configured to perform nothing. Please set either of [sort, from, size]",
        ));
    }
    Ok(Step::Sort { by, from, size })
}
