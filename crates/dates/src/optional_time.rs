//! `strict_date_optional_time` and `date_optional_time`: the dates that nearly every document carries, read without a
//! pattern.

use super::pattern::Parts;
use super::zone::parse_offset;

/// Reads a date, or `None`. Lenient numbers may have fewer digits than usual.
pub(super) fn parse(text: &str, strict: bool) -> Option<Parts> {
    let mut parts = Parts::default();
    let mut reader = Reader { rest: text, strict };
    parts.year = Some(reader.year()?);
    if reader.take('-').is_some() {
        parts.month = Some(reader.two()?);
        if reader.take('-').is_some() {
            parts.day = Some(reader.two()?);
        }
    }
    if reader.rest.is_empty() {
        return Some(parts);
    }
    // Time needs no day in Elasticsearch's grammar only when nothing follows the date.
    parts.day?;
    reader.take('T')?;
    if reader.rest.is_empty() {
        return Some(parts);
    }
    parts.hour = Some(reader.two()?);
    if reader.take(':').is_some() {
        parts.minute = Some(reader.two()?);
        if reader.take(':').is_some() {
            parts.second = Some(reader.two()?);
            if reader.take('.').or_else(|| reader.take(',')).is_some() {
                parts.nanos = Some(reader.fraction()?);
            }
        }
    }
    if !reader.rest.is_empty() {
        let (seconds, rest) = parse_offset(reader.rest)?;
        parts.offset_s = Some(seconds);
        reader.rest = rest;
    }
    reader.rest.is_empty().then_some(parts)
}

struct Reader<'a> {
    rest: &'a str,
    strict: bool,
}

impl Reader<'_> {
    fn digits(&self, most: usize) -> usize {
        self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count()
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok()
    }

    fn take(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }

    /// Four digits; more only behind a sign, as in Java's `EXCEEDS_PAD`.
    fn year(&mut self) -> Option<i64> {
        let sign = match self.rest.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => 0,
        };
        if sign != 0 {
            self.rest = &self.rest[1..];
        }
        let most = if sign == 0 { 4 } else { 9 };
        let digits = self.digits(most);
        let least = if self.strict { 4 } else { 1 };
        if digits < least || (sign == 1 && digits < 5) {
            return None;
        }
        let year = self.number(digits)?;
        Some(if sign < 0 { -year } else { year })
    }

    fn two(&mut self) -> Option<i64> {
        match self.digits(2) {
            2 => self.number(2),
            1 if !self.strict => self.number(1),
            _ => None,
        }
    }

    fn fraction(&mut self) -> Option<i64> {
        let digits = self.digits(9);
        if digits == 0 {
            return None;
        }
        let number = self.number(digits)?;
        Some(number * 10_i64.pow(9 - u32::try_from(digits).ok()?))
    }
}
