//! Values on their way into and out of SQLite. Several values are a JSON list in a blob, which compares greater than every
//! number and text, so that a query can tell them apart.

use rusqlite::Statement;
use rusqlite::types::{Null, ValueRef};
use serde_json::Value;

use crate::mapping::Cell;
use crate::query::FieldKind;
use crate::query::value::Native;

/// Binds a cell to the statement's parameter `at`, which was cleared.
pub(super) fn bind(statement: &mut Statement<'_>, at: usize, cell: &Cell) -> rusqlite::Result<()> {
    match cell {
        Cell::Null => statement.raw_bind_parameter(at, Null),
        Cell::Int(value) => statement.raw_bind_parameter(at, value),
        Cell::Double(value) => statement.raw_bind_parameter(at, value),
        Cell::Text(text) => statement.raw_bind_parameter(at, text.as_str()),
        Cell::Many(values) => {
            let list: Value = values.iter().map(scalar).collect();
            statement.raw_bind_parameter(at, list.to_string().into_bytes())
        }
    }
}

fn scalar(cell: &Cell) -> Value {
    match cell {
        Cell::Int(value) => (*value).into(),
        Cell::Double(value) => (*value).into(),
        Cell::Text(text) => text.as_str().into(),
        Cell::Null | Cell::Many(_) => Value::Null,
    }
}

/// One value of a column, borrowed from SQLite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// Whole numbers, dates in milliseconds, booleans.
    Int(i64),
    /// Floating-point numbers.
    Double(f64),
    /// Keywords.
    Text(&'a str),
    /// Addresses.
    Ip(u128),
    /// Latitude and longitude.
    Geo(f64, f64),
}

impl Scalar<'_> {
    /// The value as queries know it.
    pub fn to_native(self) -> Native {
        match self {
            Self::Int(value) => Native::Int(value),
            Self::Double(value) => Native::Double(value),
            Self::Text(text) => Native::Text(text.to_owned()),
            Self::Ip(bits) => Native::Ip(bits),
            Self::Geo(lat, lon) => Native::Geo(lat, lon),
        }
    }
}

/// Calls `visit` with each value of a column, in the order of the document.
pub fn for_each(kind: &FieldKind, value: ValueRef<'_>, visit: &mut dyn FnMut(Scalar<'_>)) {
    match value {
        ValueRef::Null => {}
        ValueRef::Integer(value) => visit(Scalar::Int(value)),
        ValueRef::Real(value) => visit(Scalar::Double(value)),
        ValueRef::Text(bytes) => {
            if let Some(scalar) = std::str::from_utf8(bytes).ok().and_then(|text| of_text(kind, text)) {
                visit(scalar);
            }
        }
        ValueRef::Blob(bytes) => {
            let list: Vec<Value> = serde_json::from_slice(bytes).unwrap_or_default();
            for value in &list {
                let scalar = match (value, kind) {
                    (Value::String(text), _) => of_text(kind, text),
                    (Value::Number(number), FieldKind::Double { .. }) => number.as_f64().map(Scalar::Double),
                    (Value::Number(number), _) => number.as_i64().map(Scalar::Int),
                    _ => None,
                };
                if let Some(scalar) = scalar {
                    visit(scalar);
                }
            }
        }
    }
}

fn of_text<'t>(kind: &FieldKind, text: &'t str) -> Option<Scalar<'t>> {
    match kind {
        FieldKind::Ip => u128::from_str_radix(text, 16).ok().map(Scalar::Ip),
        FieldKind::GeoPoint => {
            let (lat, lon) = text.split_once(',')?;
            Some(Scalar::Geo(lat.parse().ok()?, lon.parse().ok()?))
        }
        _ => Some(Scalar::Text(text)),
    }
}
