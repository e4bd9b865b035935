//! What a scan yields: documents in order of time, cut into columns.

/// The value of one field of one document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// The document has no such field, or `null`.
    Missing,
    /// Text; several values are joined by commas.
    Str(&'a str),
    /// A number.
    Num(f64),
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Missing,
    Num(f64),
    Str { end: u32 },
}

/// One field of all documents of a page. Text of all rows lies in one buffer, so that a page costs few allocations.
#[derive(Clone, Debug, Default)]
pub struct Column {
    slots: Vec<Slot>,
    /// Where the row's text begins; a row without text begins and ends at the same place.
    starts: Vec<u32>,
    text: String,
}

impl Column {
    /// An empty column with room for `rows` rows.
    pub fn with_capacity(rows: usize) -> Self {
        Self { slots: Vec::with_capacity(rows), starts: Vec::with_capacity(rows), text: String::new() }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Has it no rows?
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn start(&self) -> u32 {
        u32::try_from(self.text.len()).unwrap_or(u32::MAX)
    }

    /// Appends a row without a value.
    pub fn push_missing(&mut self) {
        self.starts.push(self.start());
        self.slots.push(Slot::Missing);
    }

    /// Appends a number.
    pub fn push_num(&mut self, value: f64) {
        self.starts.push(self.start());
        self.slots.push(Slot::Num(value));
    }

    /// Appends a text. A page holds less than 4 GiB of it: what does not fit becomes a missing value.
    pub fn push_str(&mut self, value: &str) {
        let end = self.text.len().checked_add(value.len()).and_then(|end| u32::try_from(end).ok());
        let Some(end) = end else { return self.push_missing() };
        self.starts.push(self.start());
        self.text.push_str(value);
        self.slots.push(Slot::Str { end });
    }

    /// Appends a JSON value: several values become one text, joined by commas; objects are missing values.
    pub fn push_json(&mut self, value: Option<&serde_json::Value>) {
        use serde_json::Value;
        match value {
            None | Some(Value::Null | Value::Object(_)) => self.push_missing(),
            Some(Value::Bool(flag)) => self.push_str(if *flag { "true" } else { "false" }),
            Some(Value::Number(number)) => match number.as_f64() {
                Some(value) => self.push_num(value),
                None => self.push_missing(),
            },
            Some(Value::String(text)) => self.push_str(text),
            Some(Value::Array(items)) => match items.as_slice() {
                [] => self.push_missing(),
                [one] => self.push_json(Some(one)),
                many => {
                    let joined: Vec<String> = many.iter().filter_map(as_text).collect();
                    self.push_str(&joined.join(","));
                }
            },
        }
    }

    /// The value in a row; missing beyond the last row.
    pub fn get(&self, row: usize) -> Cell<'_> {
        match self.slots.get(row) {
            None | Some(Slot::Missing) => Cell::Missing,
            Some(Slot::Num(value)) => Cell::Num(*value),
            Some(Slot::Str { end }) => {
                let start = self.starts.get(row).copied().unwrap_or(*end);
                self.text.get(start as usize..*end as usize).map_or(Cell::Missing, Cell::Str)
            }
        }
    }
}

fn as_text(value: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match value {
        Value::Null | Value::Object(_) | Value::Array(_) => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Some documents of a scan, in order of time.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The times of the documents, in milliseconds, ascending.
    pub times_ms: Vec<i64>,
    /// One column for each wanted field, in the order in which they were asked for.
    pub columns: Vec<Column>,
    /// Documents in the range whose time could not be read; they are not among the rows.
    pub without_time: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_come_back_as_they_were_put() {
        let mut column = Column::default();
        column.push_str("ab");
        column.push_missing();
        column.push_json(Some(&json!([2, "x", true])));
        column.push_num(1.5);
        column.push_json(Some(&json!([7])));
        let cells: Vec<Cell<'_>> = (0..6).map(|row| column.get(row)).collect();
        assert_eq!(
            cells,
            [
                Cell::Str("ab"),
                Cell::Missing,
                Cell::Str("2,x,true"),
                Cell::Num(1.5),
                Cell::Num(7.0),
                Cell::Missing
            ]
        );
    }
}
