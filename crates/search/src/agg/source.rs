//! Where an aggregation takes its values from: a column, or nothing for an unmapped field; and how values are printed.

use std::sync::Arc;

use dates::{DateFormat, Zone};
use serde_json::Value;

use super::batch::{Batch, Column, Values};

/// A field's values in a scope.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) scope: usize,
    /// Absent for an unmapped field.
    pub(super) column: Option<usize>,
    /// What a row without a value is taken to have.
    pub(super) missing: Option<f64>,
    pub(super) print: Print,
}

impl Source {
    pub(super) fn column<'b>(&self, batch: &'b Batch) -> Option<&'b Column> {
        self.column.map(|column| &batch.scopes[self.scope].columns[column])
    }

    /// Calls `visit` with the place in `rows` and each value, as a floating-point number.
    #[inline]
    pub(super) fn numbers(&self, batch: &Batch, rows: &[u32], mut visit: impl FnMut(usize, f64)) {
        let Some(column) = self.column(batch) else {
            if let Some(missing) = self.missing {
                (0..rows.len()).for_each(|place| visit(place, missing));
            }
            return;
        };
        match column.values() {
            Values::Int(values) => self.each(column, rows, |at| values[at] as f64, visit),
            Values::Double(values) => self.each(column, rows, |at| values[at], visit),
            // Terms and points are only counted.
            Values::Term(_) | Values::Geo(_) => self.each(column, rows, |_| 0.0, visit),
        }
    }

    #[inline]
    fn each(
        &self,
        column: &Column,
        rows: &[u32],
        value: impl Fn(usize) -> f64,
        mut visit: impl FnMut(usize, f64),
    ) {
        if column.is_single() {
            for (place, row) in rows.iter().enumerate() {
                visit(place, value(*row as usize));
            }
            return;
        }
        for (place, row) in rows.iter().enumerate() {
            let range = column.range(*row);
            if let (true, Some(missing)) = (range.is_empty(), self.missing) {
                visit(place, missing);
            }
            range.for_each(|at| visit(place, value(at)));
        }
    }
}

/// How a field's values are printed beside their numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Print {
    /// Not at all.
    Plain,
    /// `true`, `false`.
    Boolean,
    /// As dates.
    Date(Arc<DateFormat>, Zone),
}

impl Print {
    /// The text beside a number, if there is one.
    pub(super) fn text(&self, value: f64) -> Option<String> {
        match self {
            Self::Plain => None,
            Self::Boolean => Some(if value == 0.0 { "false" } else { "true" }.to_owned()),
            Self::Date(format, zone) => value.is_finite().then(|| format.print(value as i64, zone)),
        }
    }

    /// A `…_as_string` entry.
    pub(super) fn entry(&self, value: f64) -> Option<Value> {
        self.text(value).map(Value::String)
    }
}
