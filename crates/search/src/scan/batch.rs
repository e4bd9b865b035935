//! What a scan yields: some documents, cut into columns.

/// The value of one field of one document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScanValue<'a> {
    /// No value.
    Missing,
    /// Text; several values are joined by commas.
    Str(&'a str),
    /// A number; dates are milliseconds.
    Num(f64),
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Missing,
    Num(f64),
    /// Where the text is in the column's buffer.
    Str(usize, usize),
}

/// One field of all documents of a batch. The text of all rows is in one buffer, so that rows need no allocation.
#[derive(Clone, Debug, Default)]
pub struct ScanColumn {
    slots: Vec<Slot>,
    text: String,
}

impl ScanColumn {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Are there no rows?
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The value in a row; missing beyond the last one.
    pub fn get(&self, row: usize) -> ScanValue<'_> {
        match self.slots.get(row) {
            None | Some(Slot::Missing) => ScanValue::Missing,
            Some(Slot::Num(value)) => ScanValue::Num(*value),
            Some(Slot::Str(start, end)) => ScanValue::Str(&self.text[*start..*end]),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, value: ScanValue<'_>) {
        let slot = match value {
            ScanValue::Missing => Slot::Missing,
            ScanValue::Num(value) => Slot::Num(value),
            ScanValue::Str(text) => {
                let start = self.text.len();
                self.text.push_str(text);
                Slot::Str(start, self.text.len())
            }
        };
        self.slots.push(slot);
    }
}

/// Some documents, in order of time.
#[derive(Clone, Debug, Default)]
pub struct ScanBatch {
    /// The documents' times, in milliseconds, ascending.
    pub times_ms: Vec<i64>,
    /// One column for each wanted field, in the order in which they were asked for.
    pub columns: Vec<ScanColumn>,
}

impl ScanBatch {
    pub(super) fn new(columns: usize) -> Self {
        Self { times_ms: Vec::new(), columns: vec![ScanColumn::default(); columns] }
    }

    /// The number of documents.
    pub fn len(&self) -> usize {
        self.times_ms.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.times_ms.is_empty()
    }

    /// Adds rows of another batch.
    pub(super) fn extend(&mut self, other: &Self, rows: std::ops::Range<usize>) {
        self.times_ms.extend_from_slice(&other.times_ms[rows.clone()]);
        for (column, from) in self.columns.iter_mut().zip(&other.columns) {
            for row in rows.clone() {
                column.push(from.get(row));
            }
        }
    }
}
