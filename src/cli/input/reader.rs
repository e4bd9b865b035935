//! The record reader: source → buffer → parser → batches.

use std::io::Read;
use std::path::Path;

use super::batch::{Batch, Rows};
use super::chunk::Chunk;
use super::csv::CsvParser;
use super::error::InputError;
use super::ndjson::NdjsonParser;
use super::schema::{Parsed, RecordSchema};

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputFormat {
    /// With a header row.
    Csv { delimiter: u8 },
    /// One JSON object a line.
    Ndjson,
}

impl InputFormat {
    /// The format that the name of a file tells (`.csv`, `.tsv`, `.ndjson`, `.jsonl`, `.json`).
    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv { delimiter: b',' }),
            "tsv" => Some(Self::Csv { delimiter: b'\t' }),
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

#[derive(Debug)]
enum Parser {
    Csv(CsvParser),
    Ndjson(NdjsonParser),
}

/// Reads records in batches.
#[derive(Debug)]
pub(crate) struct RecordReader {
    chunk: Chunk,
    parser: Parser,
    rows: Rows,
    /// Comes after the rows that were given.
    error: Option<InputError>,
    is_done: bool,
}

impl RecordReader {
    pub(crate) fn new(source: Box<dyn Read + Send>, format: InputFormat, schema: RecordSchema) -> Self {
        let rows = Rows::new(schema.fields.len());
        let parser = match format {
            InputFormat::Csv { delimiter } => Parser::Csv(CsvParser::new(delimiter, schema)),
            InputFormat::Ndjson => Parser::Ndjson(NdjsonParser::new(schema)),
        };
        Self { chunk: Chunk::new(source), parser, rows, error: None, is_done: false }
    }

    /// The next rows, or `None` at the end of the input and after an error.
    ///
    /// # Errors
    /// When the source fails, or with what is wrong with the row after the last one given.
    pub(crate) fn next_batch(&mut self) -> Result<Option<Batch<'_>>, InputError> {
        if let Some(error) = self.error.take() {
            self.is_done = true;
            return Err(error);
        }
        if self.is_done {
            return Ok(None);
        }
        self.rows.clear();
        let (parsed, first_line) = match self.parse_rows() {
            Ok(Some(parsed)) => parsed,
            Ok(None) => {
                self.is_done = true;
                return Ok(None);
            }
            Err(error) => {
                self.is_done = true;
                return Err(error);
            }
        };
        self.error = parsed.error;
        let used = self.chunk.use_up(parsed.bytes);
        let text = match std::str::from_utf8(used) {
            Ok(text) => text,
            Err(e) => {
                let before = memchr::memchr_iter(b'\n', &used[..e.valid_up_to()]).count();
                self.is_done = true;
                self.error = None;
                return Err(InputError::Encoding { line: first_line + before as u64 });
            }
        };
        Ok(Some(Batch::new(text, &self.rows)))
    }

    /// Parses until there is a row, an error or the end; also gives the line where the parsed bytes begin.
    fn parse_rows(&mut self) -> Result<Option<(Parsed, u64)>, InputError> {
        loop {
            let first_line = self.parser.line();
            let at_end = self.chunk.at_end();
            let parsed = self.parser.parse(self.chunk.unused_mut(), at_end, &mut self.rows);
            if !self.rows.is_empty() {
                return Ok(Some((parsed, first_line)));
            }
            if let Some(error) = parsed.error {
                return Err(error);
            }
            self.chunk.use_up(parsed.bytes);
            if at_end {
                return Ok(None);
            }
            self.chunk.fill(self.parser.line())?;
        }
    }
}

impl Parser {
    fn line(&self) -> u64 {
        match self {
            Self::Csv(parser) => parser.line(),
            Self::Ndjson(parser) => parser.line(),
        }
    }

    fn parse(&mut self, data: &mut [u8], at_end: bool, rows: &mut Rows) -> Parsed {
        match self {
            Self::Csv(parser) => parser.parse(data, at_end, rows),
            Self::Ndjson(parser) => parser.parse(data, at_end, rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_the_name() {
        let check = |name: &str, format| assert_eq!(InputFormat::of_file(Path::new(name)), format, "{name}");
        check("a/b.CSV", Some(InputFormat::Csv { delimiter: b',' }));
        check("b.tsv", Some(InputFormat::Csv { delimiter: b'\t' }));
        check("b.jsonl", Some(InputFormat::Ndjson));
        check("-", None);
        check("csv", None);
    }
}
