//! From JSON to [`Query`]: the queries on points.

use serde_json::Value;

use super::ast::{Node, Query};
use super::geo::point;
use super::params::{Params, plain};
use super::parse::{Frame, single_field};
use crate::error::{Error, Result};

pub(super) fn parse(name: &str, body: &Value) -> Result<Query> {
    let map = body.as_object().ok_or_else(|| Error::parsing(format!("[{name}] query malformed")))?;
    let beside = [
        "boost",
        "_name",
        "validation_method",
        "ignore_unmapped",
        "type",
        "distance",
        "distance_type",
        "unit",
    ];
    let (field, value) = single_field(name, map, &beside)?;
    let mut params = Params::new(name, body)?;
    let frame = Frame::read(&mut params)?;
    let node = if name == "geo_bounding_box" {
        Node::GeoBox { field: field.clone(), corners: corners(value)? }
    } else {
        let distance = params
            .value("distance")
            .ok_or_else(|| Error::illegal("geo_distance requires 'distance' to be specified"))?;
        let centre = point(value)
            .ok_or_else(|| Error::Parse(format!("failed to parse geo_point [{}]", plain(value))))?;
        Node::GeoDistance { field: field.clone(), centre, metres: metres(&plain(distance))? }
    };
    Ok(frame.around(node))
}

/// Top, left, bottom, right, from two opposite corners or from the four sides.
fn corners(value: &Value) -> Result<[f64; 4]> {
    let bad = || Error::Parse(format!("failed to parse bounding box [{value}]"));
    let side = |key: &str| value.get(key).and_then(Value::as_f64);
    if let (Some(top), Some(left), Some(bottom), Some(right)) =
        (side("top"), side("left"), side("bottom"), side("right"))
    {
        return if top >= bottom { Ok([top, left, bottom, right]) } else { Err(bad()) };
    }
    let corner = |key: &str| value.get(key).and_then(point);
    let ((top, left), (bottom, right)) = match (corner("top_left"), corner("bottom_right")) {
        (Some(top_left), Some(bottom_right)) => (top_left, bottom_right),
        _ => match (corner("top_right"), corner("bottom_left")) {
            (Some((top, right)), Some((bottom, left))) => ((top, left), (bottom, right)),
            _ => return Err(bad()),
        },
    };
    if top < bottom {
        return Err(Error::illegal(format!("top is below bottom corner: {top} vs. {bottom}")));
    }
    Ok([top, left, bottom, right])
}

/// `200km`, `12 mi`; metres without a unit.
fn metres(text: &str) -> Result<f64> {
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let factor = match unit {
        "" | "m" | "meters" => 1.0,
        "km" | "kilometers" => 1_000.0,
        "mi" | "miles" => 1_609.344,
        "yd" | "yards" => 0.9144,
        "ft" | "feet" => 0.3048,
        "in" | "inch" => 0.0254,
        "cm" | "centimeters" => 0.01,
        "mm" | "millimeters" => 0.001,
        "nmi" | "NM" | "nauticalmiles" => 1_852.0,
        _ => return Err(Error::illegal(format!("failed to parse distance [{text}]"))),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if number >= 0.0 && number.is_finite() => Ok(number * factor),
        _ => Err(Error::illegal(format!("failed to parse distance [{text}]"))),
    }
}
