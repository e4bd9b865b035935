//! Rows of delimited text; quoted values may hold delimiters and ends of lines, a doubled quote is a quote.

/// Cuts a text into rows and values. The lines that each row took are counted.
pub(crate) fn rows(text: &str, delimiter: char, quote: char) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = Row::default();
    let mut value = String::new();
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if quoted {
            if letter != quote {
                row.lines += usize::from(letter == '\n');
                value.push(letter);
            } else if letters.peek() == Some(&quote) {
                letters.next();
                value.push(quote);
            } else {
                quoted = false;
            }
        } else if letter == quote && value.trim().is_empty() {
            value.clear();
            quoted = true;
        } else if letter == delimiter {
            row.values.push(std::mem::take(&mut value));
        } else if letter == '\n' {
            finish(&mut rows, &mut row, &mut value);
        } else if letter != '\r' {
            value.push(letter);
        }
    }
    if !value.is_empty() || !row.values.is_empty() {
        row.open_quote = quoted;
        finish(&mut rows, &mut row, &mut value);
    }
    rows
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) values: Vec<String>,
    /// Ends of lines inside.
    pub(crate) lines: usize,
    /// The text ended inside quotes.
    pub(crate) open_quote: bool,
}

fn finish(rows: &mut Vec<Row>, row: &mut Row, value: &mut String) {
    if row.values.is_empty() && value.is_empty() {
        // An empty line is no row.
        return;
    }
    row.values.push(std::mem::take(value));
    rows.push(std::mem::take(row));
}

#[test]
fn quotes_hold_delimiters_and_lines() {
    let found = rows("a,\"b,\"\"c\nd\", e\n\n1,,3\n", ',', '"');
    assert_eq!(found[0].values, ["a", "b,\"c\nd", " e"]);
    assert_eq!((found[0].lines, found[1].values.len(), found.len()), (1, 3, 2));
    assert!(rows("a,\"b", ',', '"')[0].open_quote);
}
