//! CSV after RFC 4180: a header row, quotes where needed, doubled quotes within. Blank lines are left out.

use memchr::{memchr, memchr_iter, memchr2};

use super::batch::{Rows, Span};
use super::error::InputError;
use super::schema::{Parsed, RecordSchema};

/// One value of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cell {
    start: usize,
    end: usize,
    /// Holds doubled quotes.
    is_escaped: bool,
}

#[derive(Debug)]
pub(super) struct CsvParser {
    delimiter: u8,
    schema: RecordSchema,
    /// Known once the header was read.
    columns: Option<Columns>,
    /// Line of the next row.
    line: u64,
    cells: Vec<Cell>,
}

#[derive(Debug)]
struct Columns {
    count: usize,
    time: usize,
    wanted: Vec<usize>,
}

impl CsvParser {
    pub(super) fn new(delimiter: u8, schema: RecordSchema) -> Self {
        Self { delimiter, schema, columns: None, line: 1, cells: Vec::new() }
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Parses the rows that are complete in `data`.
    pub(super) fn parse(&mut self, data: &mut [u8], at_end: bool, rows: &mut Rows) -> Parsed {
        let mut parsed = Parsed { bytes: 0, error: None };
        while parsed.error.is_none() {
            match self.row(data, parsed.bytes, at_end, rows) {
                Ok(Some(next)) => parsed.bytes = next,
                Ok(None) => break,
                Err(error) => parsed.error = Some(error),
            }
        }
        parsed
    }

    /// Parses one row, and gives where the next begins; `None` when the row is not complete.
    #[inline]
    fn row(
        &mut self,
        data: &mut [u8],
        from: usize,
        at_end: bool,
        rows: &mut Rows,
    ) -> Result<Option<usize>, InputError> {
        let from = match blank_line_end(&data[from..]) {
            0 if from == data.len() => return self.end_of_data(at_end),
            0 => from,
            blank => {
                self.line += 1;
                return Ok(Some(from + blank));
            }
        };
        self.cells.clear();
        let split = split_row(data, from, self.delimiter, at_end, &mut self.cells);
        let malformed = |problem| InputError::Malformed { line: self.line, problem };
        let Some(next) = split.map_err(malformed)? else { return Ok(None) };
        let Some(columns) = &self.columns else {
            let header = self.cells.iter().map(|cell| text_of(data, *cell)).collect();
            self.columns = Some(find_columns(header, &self.schema)?);
            self.line += newlines_in(data, &self.cells) + 1;
            return Ok(Some(next));
        };
        if self.cells.len() != columns.count {
            let (found, expected) = (self.cells.len(), columns.count);
            return Err(InputError::Columns { line: self.line, found, expected });
        }
        let time = self.cells[columns.time];
        let Some(time_ms) = self.schema.time_format.parse(&data[time.start..time.end]) else {
            return Err(self.schema.bad_time(self.line, &text_of(data, time)));
        };
        let cells = &mut self.cells;
        rows.push(time_ms, columns.wanted.iter().map(|&column| span_of(data, &mut cells[column])));
        self.line += newlines_in(data, &self.cells) + 1;
        Ok(Some(next))
    }

    fn end_of_data(&self, at_end: bool) -> Result<Option<usize>, InputError> {
        if at_end && self.columns.is_none() {
            return Err(InputError::NoHeader);
        }
        Ok(None)
    }
}

/// Length of a blank line, line end included; 0 for other lines and for one that is not complete.
#[inline]
fn blank_line_end(data: &[u8]) -> usize {
    match data {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    }
}

/// Cuts the row that begins at `from` into cells, and gives where the next begins.
#[inline]
fn split_row(
    data: &[u8],
    from: usize,
    delimiter: u8,
    at_end: bool,
    cells: &mut Vec<Cell>,
) -> Result<Option<usize>, &'static str> {
    let mut start = from;
    loop {
        let (mut cell, after) = if data.get(start) == Some(&b'"') {
            match quoted_cell(data, start, delimiter, at_end)? {
                Some(found) => found,
                None => return Ok(None),
            }
        } else {
            match memchr2(delimiter, b'\n', &data[start..]) {
                Some(length) => (Cell { start, end: start + length, is_escaped: false }, start + length),
                None if at_end => (Cell { start, end: data.len(), is_escaped: false }, data.len()),
                None => return Ok(None),
            }
        };
        let is_last = data.get(after) != Some(&delimiter);
        if is_last && cell.end == after && cell.end > cell.start && data[cell.end - 1] == b'\r' {
            cell.end -= 1;
        }
        cells.push(cell);
        if is_last {
            return Ok(Some((after + 1).min(data.len())));
        }
        start = after + 1;
    }
}

/// The cell in the quotes that open at `open`, and where its delimiter or line end is.
fn quoted_cell(
    data: &[u8],
    open: usize,
    delimiter: u8,
    at_end: bool,
) -> Result<Option<(Cell, usize)>, &'static str> {
    let start = open + 1;
    let (mut from, mut is_escaped) = (start, false);
    loop {
        let Some(length) = memchr(b'"', &data[from..]) else {
            return if at_end { Err("a quote is not closed") } else { Ok(None) };
        };
        let end = from + length;
        let cell = Cell { start, end, is_escaped };
        match &data[end + 1..] {
            [b'"', ..] => {
                is_escaped = true;
                from = end + 2;
            }
            [b'\r', b'\n', ..] => return Ok(Some((cell, end + 2))),
            [b'\n', ..] => return Ok(Some((cell, end + 1))),
            [] | [b'\r'] if !at_end => return Ok(None),
            [] => return Ok(Some((cell, end + 1))),
            [b'\r'] => return Ok(Some((cell, end + 2))),
            [next, ..] if *next == delimiter => return Ok(Some((cell, end + 1))),
            _ => return Err("text after a closing quote"),
        }
    }
}

/// An empty cell is a missing value: CSV cannot tell the two apart.
#[inline]
fn span_of(data: &mut [u8], cell: &mut Cell) -> Span {
    if cell.start == cell.end {
        return Span::Missing;
    }
    if cell.is_escaped {
        // A column may be wanted twice.
        cell.end = unescape(data, *cell);
        cell.is_escaped = false;
    }
    Span::Text { start: cell.start as u32, end: cell.end as u32 }
}

/// Halves doubled quotes in place; what is left over becomes spaces, so that the buffer stays valid UTF-8. Gives the
/// new end.
fn unescape(data: &mut [u8], cell: Cell) -> usize {
    let (mut read, mut write) = (cell.start, cell.start);
    while read < cell.end {
        data[write] = data[read];
        read += if data[read] == b'"' { 2 } else { 1 };
        write += 1;
    }
    data[write..cell.end].fill(b' ');
    write
}

fn text_of(data: &[u8], cell: Cell) -> String {
    let text = String::from_utf8_lossy(&data[cell.start..cell.end]).into_owned();
    if cell.is_escaped { text.replace("\"\"", "\"") } else { text }
}

/// Line ends within quotes.
#[inline]
fn newlines_in(data: &[u8], cells: &[Cell]) -> u64 {
    let is_quoted = |cell: &&Cell| cell.start > 0 && data[cell.start - 1] == b'"';
    let count = |cell: &Cell| memchr_iter(b'\n', &data[cell.start..cell.end]).count() as u64;
    cells.iter().filter(is_quoted).map(count).sum()
}

fn find_columns(mut header: Vec<String>, schema: &RecordSchema) -> Result<Columns, InputError> {
    if let Some(first) = header.first_mut() {
        *first = first.strip_prefix('\u{feff}').unwrap_or(first).to_owned();
    }
    let find = |column: &String| {
        header
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| InputError::NoColumn { column: column.clone(), columns: header.join(", ") })
    };
    Ok(Columns {
        count: header.len(),
        time: find(&schema.time_field)?,
        wanted: schema.fields.iter().map(find).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
