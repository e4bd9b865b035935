//! The values of documents: found by path, read by kind.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;

use super::field::{Field, FieldKind, Rounding};
use super::geo::point;

/// A value as a field of its kind holds it.
#[derive(Clone, Debug, PartialEq)]
pub enum Native {
    /// Whole numbers, dates in milliseconds, booleans as 0 and 1.
    Int(i64),
    /// Floating-point numbers.
    Double(f64),
    /// Keywords and texts.
    Text(String),
    /// Addresses, IPv4 as IPv6 with `::ffff:` before.
    Ip(u128),
    /// Latitude and longitude in degrees.
    Geo(f64, f64),
}

/// A value that a field cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Reads one value of a document (not an array) as the field holds it. `None` for what leaves no trace: `null` without a
/// substitute, a string above `ignore_above`.
///
/// # Errors
/// When the field cannot hold the value.
pub fn read(field: &Field, value: &Value) -> Result<Option<Native>, Unreadable> {
    let value = match (value, &field.null_value) {
        (Value::Null, Some(substitute)) => substitute,
        (Value::Null, None) => return Ok(None),
        (value, _) => value,
    };
    let native = match &field.kind {
        FieldKind::Keyword { lowercase } => {
            let text = text(value).ok_or(Unreadable)?;
            if field.ignore_above.is_some_and(|most| text.chars().count() > most) {
                return Ok(None);
            }
            Native::Text(if *lowercase { text.to_lowercase() } else { text })
        }
        FieldKind::Text { .. } => Native::Text(text(value).ok_or(Unreadable)?),
        // An empty text is no number, and no error either.
        FieldKind::Integer { .. } | FieldKind::Double { .. } if value.as_str() == Some("") => {
            return Ok(None);
        }
        FieldKind::Integer { min, max, .. } => Native::Int(integer(value, *min, *max).ok_or(Unreadable)?),
        FieldKind::Double { rounding, .. } => Native::Double(double(value, *rounding).ok_or(Unreadable)?),
        FieldKind::Date { format } => Native::Int(format.parse_value(value).map_err(|_| Unreadable)?),
        FieldKind::Boolean => Native::Int(i64::from(boolean(value).ok_or(Unreadable)?)),
        FieldKind::Ip => Native::Ip(value.as_str().and_then(ip).ok_or(Unreadable)?),
        FieldKind::GeoPoint => point(value).map(|(lat, lon)| Native::Geo(lat, lon)).ok_or(Unreadable)?,
    };
    Ok(Some(native))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Decimals are cut off, as `coerce` does.
fn integer(value: &Value, min: i64, max: i64) -> Option<i64> {
    let whole = match value {
        Value::Number(number) => number.as_i64().or_else(|| truncated(number.as_f64()?))?,
        Value::String(text) => {
            let text = text.trim();
            text.parse::<i64>().ok().or_else(|| truncated(text.parse().ok()?))?
        }
        _ => return None,
    };
    (min..=max).contains(&whole).then_some(whole)
}

fn truncated(number: f64) -> Option<i64> {
    // The upper bound, 2^63, has no i64; the lower one, -2^63, has.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number).then_some(number as i64)
}

fn double(value: &Value, rounding: Rounding) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let number = rounding.apply(number);
    number.is_finite().then_some(number)
}

/// `true`, `false`, their strings, and the empty string for `false`.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => match text.as_str() {
            "true" => Some(true),
            "false" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn ip(text: &str) -> Option<u128> {
    let address: IpAddr = text.parse().ok()?;
    Some(match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    })
}

/// The address as Elasticsearch prints it: IPv4 without `::ffff:`.
pub fn print_ip(bits: u128) -> String {
    let v6 = Ipv6Addr::from_bits(bits);
    v6.to_ipv4_mapped().map_or_else(|| v6.to_string(), |v4| v4.to_string())
}

/// Calls `visit` with every value at `path`: dotted keys and nested objects are the same, arrays are gone through. A point
/// as a pair of numbers is one value only if `pairs` says so.
pub fn visit<'v>(source: &'v Value, path: &str, pairs: bool, visit_value: &mut dyn FnMut(&'v Value)) {
    if path.is_empty() {
        return leaves(source, pairs, visit_value);
    }
    match source {
        Value::Array(items) => items.iter().for_each(|item| visit(item, path, pairs, visit_value)),
        Value::Object(map) => {
            if let Some(value) = map.get(path) {
                leaves(value, pairs, visit_value);
            }
            for (dot, _) in path.match_indices('.') {
                if let Some(inner) = map.get(&path[..dot]) {
                    visit(inner, &path[dot + 1..], pairs, visit_value);
                }
            }
        }
        _ => {}
    }
}

fn leaves<'v>(value: &'v Value, pairs: bool, visit_value: &mut dyn FnMut(&'v Value)) {
    match value {
        Value::Array(items) if pairs && items.first().is_some_and(Value::is_number) => visit_value(value),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, pairs, visit_value)),
        other => visit_value(other),
    }
}

/// The values that the field holds in a document whose object at `base` (a nested object's path, or nothing) is `source`;
/// what it cannot hold is left out.
pub fn natives(field: &Field, source: &Value, base: &str) -> Vec<Native> {
    let mut found = Vec::new();
    let Some(path) = relative(&field.source_path, base) else { return found };
    let pairs = matches!(field.kind, FieldKind::GeoPoint);
    visit(source, path, pairs, &mut |value| {
        if let Ok(Some(native)) = read(field, value) {
            found.push(native);
        }
    });
    found
}

/// The path below `base`.
pub(super) fn relative<'p>(path: &'p str, base: &str) -> Option<&'p str> {
    if base.is_empty() { Some(path) } else { path.strip_prefix(base)?.strip_prefix('.') }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(kind: FieldKind, value: Value, expected: Result<Option<Native>, Unreadable>) {
        assert_eq!(read(&Field::plain("f", kind), &value), expected, "{value}");
    }

    #[test]
    fn values_are_coerced_by_kind() {
        check(FieldKind::long(), json!("12"), Ok(Some(Native::Int(12))));
        check(FieldKind::long(), json!(12.9), Ok(Some(Native::Int(12))));
        check(FieldKind::long(), json!(1e30), Err(Unreadable));
        check(FieldKind::Integer { min: -128, max: 127, name: "byte" }, json!(128), Err(Unreadable));
        check(FieldKind::double(), json!("1.5"), Ok(Some(Native::Double(1.5))));
        check(FieldKind::double(), json!("NaN"), Err(Unreadable));
        check(FieldKind::keyword(), json!(1.5), Ok(Some(Native::Text("1.5".into()))));
        check(FieldKind::keyword(), json!({}), Err(Unreadable));
        check(FieldKind::keyword(), json!(null), Ok(None));
        check(FieldKind::Boolean, json!("true"), Ok(Some(Native::Int(1))));
        check(FieldKind::Boolean, json!(""), Ok(Some(Native::Int(0))));
        check(FieldKind::Ip, json!("10.0.0.1"), Ok(Some(Native::Ip(0xffff_0a00_0001))));
        check(FieldKind::GeoPoint, json!([13.4, 52.5]), Ok(Some(Native::Geo(52.5, 13.4))));
        check(FieldKind::GeoPoint, json!("52.5, 13.4"), Ok(Some(Native::Geo(52.5, 13.4))));
        check(FieldKind::GeoPoint, json!({"lat": 91, "lon": 0}), Err(Unreadable));
        assert_eq!(print_ip(0xffff_0a00_0001), "10.0.0.1");
    }

    #[test]
    fn dotted_keys_equal_nested_objects() {
        let source = json!({"a.b": {"c": 1}, "a": [{"b": {"c": [2, 3]}}, {"b.c": 4}]});
        let field = Field::plain("a.b.c", FieldKind::long());
        let mut found = natives(&field, &source, "");
        found.sort_by_key(|n| if let Native::Int(i) = n { *i } else { 0 });
        assert_eq!(found, [1, 2, 3, 4].map(Native::Int));
        assert_eq!(natives(&field, &json!({"c": 5}), "a.b"), [Native::Int(5)]);
    }
}
