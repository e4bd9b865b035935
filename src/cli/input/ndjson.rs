//! JSON records, one object a line. Blank lines are left out.

use memchr::memchr;

use super::batch::{Rows, Span};
use super::error::InputError;
use super::field_tree::FieldTree;
use super::json::{RawValue, read_object};
use super::number::parse_f64;
use super::schema::{Parsed, RecordSchema};

/// Integers with more digits are given as text: as a floating point number two ids could become one.
const EXACT_DIGITS: usize = 15;

/// Some editors put it at the front of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

#[derive(Debug)]
pub(super) struct NdjsonParser {
    schema: RecordSchema,
    tree: FieldTree,
    /// The distinct names in the tree: the time first.
    values: Vec<RawValue>,
    /// Which of `values` each wanted field is.
    slots: Vec<usize>,
    /// Line of the next row.
    line: u64,
}

impl NdjsonParser {
    pub(super) fn new(schema: RecordSchema) -> Self {
        let mut names = vec![schema.time_field.clone()];
        let mut slots = Vec::new();
        for field in &schema.fields {
            let slot = names.iter().position(|n| n == field).unwrap_or(names.len());
            if slot == names.len() {
                names.push(field.clone());
            }
            slots.push(slot);
        }
        let values = vec![RawValue::Missing; names.len()];
        Self { schema, tree: FieldTree::new(&names), values, slots, line: 1 }
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Parses the lines that are complete in `data`.
    pub(super) fn parse(&mut self, data: &mut [u8], at_end: bool, rows: &mut Rows) -> Parsed {
        let mut parsed = Parsed { bytes: 0, error: None };
        while parsed.bytes < data.len() {
            let from = parsed.bytes;
            let (to, next) = match memchr(b'\n', &data[from..]) {
                Some(length) => (from + length, from + length + 1),
                None if at_end => (data.len(), data.len()),
                None => break,
            };
            if let Err(error) = self.row(data, from, to, rows) {
                parsed.error = Some(error);
                break;
            }
            parsed.bytes = next;
            self.line += 1;
        }
        parsed
    }

    #[inline]
    fn row(&mut self, data: &mut [u8], from: usize, to: usize, rows: &mut Rows) -> Result<(), InputError> {
        let has_mark = self.line == 1 && data[from..to].starts_with(BYTE_ORDER_MARK);
        let from = if has_mark { from + BYTE_ORDER_MARK.len() } else { from };
        if data[from..to].trim_ascii().is_empty() {
            return Ok(());
        }
        self.values.fill(RawValue::Missing);
        let line = self.line;
        read_object(data, from, to, &self.tree, &mut self.values)
            .map_err(|problem| InputError::Malformed { line, problem })?;
        let time = match self.values[0] {
            RawValue::Missing => &[],
            RawValue::Text { start, end } | RawValue::Number { start, end } => &data[start..end],
        };
        let Some(time_ms) = self.schema.time_format.parse(time) else {
            return Err(self.schema.bad_time(line, &String::from_utf8_lossy(time)));
        };
        let span = |&slot: &usize| span_of(data, self.values[slot]);
        rows.push(time_ms, self.slots.iter().map(span));
        Ok(())
    }
}

#[inline]
fn span_of(data: &[u8], value: RawValue) -> Span {
    let text = |start: usize, end: usize| Span::Text { start: start as u32, end: end as u32 };
    match value {
        RawValue::Missing => Span::Missing,
        RawValue::Text { start, end } => text(start, end),
        RawValue::Number { start, end } => {
            let number = &data[start..end];
            let is_long =
                number.len() > EXACT_DIGITS && number.iter().all(|b| b.is_ascii_digit() || *b == b'-');
            match parse_f64(number) {
                Some(value) if value.is_finite() && !is_long => Span::Number(value),
                _ => text(start, end),
            }
        }
    }
}

#[cfg(test)]
#[path = "ndjson_tests.rs"]
mod tests;
