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

/// One field of all documents of a page. Text of all rows lies in one buffer, so that a page costs few allocations.
#[derive(Clone, Debug, Default)]
pub struct Column(search::ScanColumn);

impl From<search::ScanColumn> for Column {
    fn from(column: search::ScanColumn) -> Self {
        Self(column)
    }
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Has it no rows?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends a row without a value.
    pub fn push_missing(&mut self) {
        self.0.push(search::ScanValue::Missing);
    }

    /// Appends a number.
    pub fn push_num(&mut self, value: f64) {
        self.0.push(search::ScanValue::Num(value));
    }

    /// Appends a text.
    pub fn push_str(&mut self, value: &str) {
        self.0.push(search::ScanValue::Str(value));
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
        match self.0.get(row) {
            search::ScanValue::Missing => Cell::Missing,
            search::ScanValue::Str(text) => Cell::Str(text),
            search::ScanValue::Num(number) => Cell::Num(number),
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
