//! Reads the wanted values of one JSON object and skips the rest without building anything.

use memchr::memchr2;

use super::field_tree::FieldTree;

/// A value as it stands in the line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum RawValue {
    #[default]
    Missing,
    /// Text, unescaped; places in the buffer.
    Text { start: usize, end: usize },
    /// A number as it is written.
    Number { start: usize, end: usize },
}

type Result<T> = std::result::Result<T, &'static str>;

/// Reads `data[from..to]`, one line; `out` has a place for each wanted field.
pub(super) fn read_object(
    data: &mut [u8],
    from: usize,
    to: usize,
    tree: &FieldTree,
    out: &mut [RawValue],
) -> Result<()> {
    let mut reader = JsonReader { data, at: from, to, out };
    reader.skip_space();
    if reader.peek() != Some(b'{') {
        return Err("not a JSON object");
    }
    reader.object(tree)?;
    reader.skip_space();
    if reader.at == to { Ok(()) } else { Err("text after the JSON object") }
}

struct JsonReader<'a> {
    data: &'a mut [u8],
    at: usize,
    to: usize,
    out: &'a mut [RawValue],
}

impl JsonReader<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        if self.at < self.to { Some(self.data[self.at]) } else { None }
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8, problem: &'static str) -> Result<()> {
        self.skip_space();
        if self.peek() != Some(byte) {
            return Err(problem);
        }
        self.at += 1;
        Ok(())
    }

    /// Reads an object, at whose brace the reader stands.
    fn object(&mut self, tree: &FieldTree) -> Result<()> {
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err("a key in quotes is missing");
            }
            let (start, end, is_escaped) = self.string()?;
            let end = if is_escaped { unescape(self.data, start, end)? } else { end };
            let key = tree.get(&self.data[start..end]);
            self.expect(b':', "a colon is missing after a key")?;
            self.skip_space();
            match key {
                None => self.skip_value()?,
                Some(key) if self.peek() == Some(b'{') => {
                    if key.inner.is_empty() {
                        self.skip_value()?
                    } else {
                        self.object(&key.inner)?
                    }
                }
                Some(key) => match key.slot {
                    Some(slot) => self.out[slot] = self.value()?,
                    None => self.skip_value()?,
                },
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err("a comma or brace is missing after a value"),
            }
        }
    }

    /// Reads a wanted value; of an array, its first.
    fn value(&mut self) -> Result<RawValue> {
        match self.peek() {
            Some(b'"') => {
                let (start, end, is_escaped) = self.string()?;
                let end = if is_escaped { unescape(self.data, start, end)? } else { end };
                Ok(RawValue::Text { start, end })
            }
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                self.scalar()?;
                Ok(RawValue::Number { start, end: self.at })
            }
            Some(b't' | b'f') => {
                let start = self.at;
                self.scalar()?;
                Ok(RawValue::Text { start, end: self.at })
            }
            Some(b'[') => self.first_of_array(),
            _ => self.skip_value().map(|()| RawValue::Missing),
        }
    }

    fn first_of_array(&mut self) -> Result<RawValue> {
        let open = self.at;
        self.at += 1;
        self.skip_space();
        let first = match self.peek() {
            Some(b'"' | b'-' | b'0'..=b'9' | b't' | b'f') => self.value()?,
            _ => RawValue::Missing,
        };
        // The string before may be unescaped by now, which took its quotes' meaning: go on behind it.
        if first == RawValue::Missing {
            self.at = open;
            return self.skip_value().map(|()| first);
        }
        self.skip_nested(1).map(|()| first)
    }

    /// A string at whose quote the reader stands: its inside, and whether it holds escapes.
    #[inline]
    fn string(&mut self) -> Result<(usize, usize, bool)> {
        let start = self.at + 1;
        let (mut from, mut is_escaped) = (start, false);
        loop {
            let Some(length) = memchr2(b'"', b'\\', self.data.get(from..self.to).unwrap_or_default()) else {
                return Err("a string is not closed");
            };
            let end = from + length;
            if self.data[end] == b'"' {
                self.at = end + 1;
                return Ok((start, end, is_escaped));
            }
            is_escaped = true;
            from = end + 2;
        }
    }

    /// Numbers and words: up to what may follow a value.
    #[inline]
    fn scalar(&mut self) -> Result<()> {
        let start = self.at;
        while let Some(b) = self.peek() {
            if matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n') {
                break;
            }
            self.at += 1;
        }
        let text = &self.data[start..self.at];
        let is_number = || {
            matches!(text.first(), Some(b'-' | b'0'..=b'9'))
                && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
        };
        if matches!(text, b"true" | b"false" | b"null") || is_number() {
            Ok(())
        } else {
            Err("a value is neither a string, a number, an object, an array, true, false nor null")
        }
    }

    fn skip_value(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{' | b'[') => {
                self.at += 1;
                self.skip_nested(1)
            }
            _ => self.scalar(),
        }
    }

    /// Skips to the end of `depth` open brackets. Strings are minded, other syntax within is not checked.
    fn skip_nested(&mut self, mut depth: usize) -> Result<()> {
        while depth > 0 {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(_) => self.at += 1,
                None => return Err("an object or array is not closed"),
            }
        }
        Ok(())
    }
}

/// Resolves the escapes of a string in place and gives its new end. What is left over becomes spaces, so that the
/// buffer stays valid UTF-8. Half a surrogate pair becomes the replacement character.
fn unescape(data: &mut [u8], start: usize, end: usize) -> Result<usize> {
    let (mut read, mut write) = (start, start);
    while read < end {
        if data[read] != b'\\' {
            data[write] = data[read];
            (read, write) = (read + 1, write + 1);
            continue;
        }
        let plain = match data.get(read + 1) {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(&b @ (b'"' | b'\\' | b'/')) => b,
            Some(b'u') => {
                let (c, length) = unicode_escape(&data[read..end])?;
                let mut utf8 = [0; 4];
                let utf8 = c.encode_utf8(&mut utf8).as_bytes();
                data[write..write + utf8.len()].copy_from_slice(utf8);
                (read, write) = (read + length, write + utf8.len());
                continue;
            }
            _ => return Err("a string has an unknown escape"),
        };
        data[write] = plain;
        (read, write) = (read + 2, write + 1);
    }
    data[write..end].fill(b' ');
    Ok(write)
}

/// The character at the front of `text` (`\uXXXX`, or two of them) and how many bytes it is written with.
fn unicode_escape(text: &[u8]) -> Result<(char, usize)> {
    let unit = |text: &[u8]| -> Option<u32> {
        let [b'\\', b'u', digits @ ..] = text else { return None };
        let digits = digits.get(..4)?;
        digits.iter().try_fold(0, |n, &b| Some(n * 16 + char::from(b).to_digit(16)?))
    };
    let first = unit(text).ok_or("a string has an unknown escape")?;
    if (0xD800..0xDC00).contains(&first)
        && let Some(second @ 0xDC00..0xE000) = unit(&text[6..])
    {
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return Ok((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12));
    }
    Ok((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}
