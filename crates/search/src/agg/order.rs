//! The order of buckets: `{"_count": "desc"}`, `{"metric.max": "asc"}`, lists of them.

use std::cmp::Ordering;

use serde_json::Value;

use super::node::Children;
use crate::error::{Error, Result};

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) by: By,
    pub(super) descending: bool,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum By {
    Key,
    Count,
    /// A metric: the names of the path, with the property last.
    Metric(Vec<String>),
}

impl Order {
    /// Reads an order or a list of them.
    pub(super) fn parse(value: &Value) -> Result<Vec<Self>> {
        match value {
            Value::Array(items) => items.iter().map(Self::one).collect(),
            one => Ok(vec![Self::one(one)?]),
        }
    }

    fn one(value: &Value) -> Result<Self> {
        let bad = || Error::parsing("Must specify at least one field for [order]");
        let (key, direction) =
            value.as_object().filter(|map| map.len() == 1).and_then(|m| m.iter().next()).ok_or_else(bad)?;
        let descending = match direction.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("asc") => false,
            Some("desc") => true,
            _ => return Err(Error::parsing(format!("Unknown order direction [{direction}]"))),
        };
        let by = match key.as_str() {
            "_key" | "_term" | "_time" => By::Key,
            "_count" => By::Count,
            path => By::Metric(path_names(path)),
        };
        Ok(Self { by, descending })
    }

    /// Refuses a path that leads to no metric.
    pub(super) fn check(orders: &[Self], children: &Children) -> Result<()> {
        for order in orders {
            if let By::Metric(path) = &order.by {
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                if children.order_value(super::node::NOBODY, &names).is_none() {
                    return Err(Error::IllegalArgument(format!(
                        "Invalid aggregation order path [{}]. The provided aggregation [{}] either does not exist, or is \
                         a pipeline aggregation and cannot be used to sort the buckets.",
                        path.join("."),
                        path.first().map_or("", String::as_str)
                    )));
                }
            }
        }
        Ok(())
    }

    /// Compares two buckets of an aggregation. What is no number comes last, whichever the direction.
    pub(super) fn compare(
        orders: &[Self],
        children: &Children,
        a: (u32, u64),
        b: (u32, u64),
        keys: impl Fn() -> Ordering,
    ) -> Ordering {
        for order in orders {
            let ordering = match &order.by {
                By::Key => keys(),
                By::Count => a.1.cmp(&b.1),
                By::Metric(path) => {
                    let names: Vec<&str> = path.iter().map(String::as_str).collect();
                    let value = |bucket| children.order_value(bucket, &names).unwrap_or(f64::NAN);
                    let (x, y) = (value(a.0), value(b.0));
                    match (x.is_nan(), y.is_nan()) {
                        (true, true) => Ordering::Equal,
                        (true, false) => return Ordering::Greater,
                        (false, true) => return Ordering::Less,
                        (false, false) => x.total_cmp(&y),
                    }
                }
            };
            let ordering = if order.descending { ordering.reverse() } else { ordering };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        keys()
    }
}

/// `a>b.max`, `a[max]` → `a`, `b`, `max`.
fn path_names(path: &str) -> Vec<String> {
    let mut names: Vec<String> = path.split('>').map(|name| name.trim().to_owned()).collect();
    let last = names.pop().unwrap_or_default();
    match last.split_once(['.', '[']) {
        Some((name, property)) => names.extend([name.to_owned(), property.trim_end_matches(']').to_owned()]),
        None => names.push(last),
    }
    names
}
