//! Rows between the parser, which knows places in a buffer, and the reader's caller, who wants values.

use engine::FieldValue;

/// Where a value lies in the buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Span {
    Missing,
    Text { start: u32, end: u32 },
    Number(f64),
}

/// The rows of one buffer.
#[derive(Debug)]
pub(super) struct Rows {
    width: usize,
    times: Vec<i64>,
    /// `width` spans for each time.
    spans: Vec<Span>,
}

impl Rows {
    pub(super) fn new(width: usize) -> Self {
        Self { width, times: Vec::new(), spans: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.spans.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Appends a row; `spans` must give as many as the rows are wide.
    #[inline]
    pub(super) fn push(&mut self, time_ms: i64, spans: impl Iterator<Item = Span>) {
        self.times.push(time_ms);
        self.spans.extend(spans);
    }
}

/// Some rows in the order of the input.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    width: usize,
    times: &'a [i64],
    values: Vec<FieldValue<'a>>,
}

impl<'a> Batch<'a> {
    /// `text` is the buffer in which the spans lie.
    pub(super) fn new(text: &'a str, rows: &'a Rows) -> Self {
        let value = |span: &Span| match *span {
            Span::Missing => FieldValue::Missing,
            Span::Text { start, end } => {
                text.get(start as usize..end as usize).map_or(FieldValue::Missing, FieldValue::Str)
            }
            Span::Number(number) => FieldValue::Num(number),
        };
        Self { width: rows.width, times: &rows.times, values: rows.spans.iter().map(value).collect() }
    }

    /// Time (milliseconds since the epoch) and values of each row, in the order of the wanted fields.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (i64, &[FieldValue<'a>])> {
        let values = |row: usize| &self.values[row * self.width..(row + 1) * self.width];
        self.times.iter().enumerate().map(move |(row, &time)| (time, values(row)))
    }
}
