//! Lines of a text: any bytes, any length.

use std::io::{BufRead, BufReader, Read};

/// Bytes of a line that are kept; the rest of a longer line is read and dropped.
const MAX_LINE_BYTES: usize = 1 << 20;

const BUFFER_BYTES: usize = 256 << 10;

/// Reads lines without their ends (`\n` or `\r\n`).
pub(crate) struct LineReader {
    source: BufReader<Box<dyn Read + Send>>,
    line: Vec<u8>,
    /// The line as text, where it was not valid UTF-8.
    repaired: String,
}

impl std::fmt::Debug for LineReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineReader").finish_non_exhaustive()
    }
}

impl LineReader {
    pub(crate) fn new(source: Box<dyn Read + Send>) -> Self {
        let source = BufReader::with_capacity(BUFFER_BYTES, source);
        Self { source, line: Vec::new(), repaired: String::new() }
    }

    /// The next line, or `None` at the end. Bytes that are not UTF-8 become the replacement character.
    ///
    /// # Errors
    /// When the source fails.
    pub(crate) fn next_line(&mut self) -> std::io::Result<Option<&str>> {
        self.line.clear();
        let mut is_empty = true;
        loop {
            let buffer = match self.source.fill_buf() {
                Ok(buffer) => buffer,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if buffer.is_empty() {
                break;
            }
            is_empty = false;
            let end = memchr::memchr(b'\n', buffer);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = MAX_LINE_BYTES - self.line.len();
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.source.consume(used);
            if end.is_some() {
                break;
            }
        }
        if is_empty {
            return Ok(None);
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        Ok(Some(match std::str::from_utf8(line) {
            Ok(text) => text,
            Err(_) => {
                self.repaired = String::from_utf8_lossy(line).into_owned();
                &self.repaired
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(data: &[u8]) -> Vec<String> {
        let mut reader = LineReader::new(Box::new(std::io::Cursor::new(data.to_vec())));
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            lines.push(line.to_owned());
        }
        lines
    }

    #[test]
    fn lines_end_with_either_line_end_or_the_input() {
        assert_eq!(lines(b"a\r\n\nb\xff\nc"), ["a", "", "b\u{fffd}", "c"]);
        assert_eq!(lines(b"a\n"), ["a"]);
        assert_eq!(lines(b""), [] as [&str; 0]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        let mut data = vec![b'x'; MAX_LINE_BYTES + 300_000];
        data.extend_from_slice(b"\nnext\n");
        let lines = lines(&data);
        assert_eq!((lines[0].len(), lines[1].as_str()), (MAX_LINE_BYTES, "next"));
    }
}
