//! Recognises values that span more than one atom: addresses with colons, bracketed objects, right sides of `k=v`.

/// How far the closing bracket of a value is looked for (bytes): a stray bracket must not swallow the message.
const BRACKET_REACH: usize = 400;

/// How far the closing quote of a value is looked for (bytes).
const QUOTE_REACH: usize = 200;

/// The right side of `key=value`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RightSide {
    pub(super) start: usize,
    pub(super) end: usize,
    /// A separator of records follows: `, ; ) ] }`.
    pub(super) in_record: bool,
}

/// End of `hh:hh:hh:hh…` at `start` (MAC or IPv6: four or more groups of one to four hex digits with a decimal
/// digit among them).
pub(super) fn hex_groups(s: &[u8], start: usize) -> Option<usize> {
    let (mut i, mut groups, mut digit) = (start, 0, false);
    loop {
        let group = i;
        while i < s.len() && s[i].is_ascii_hexdigit() {
            digit |= s[i].is_ascii_digit();
            i += 1;
        }
        if i - group > 4 || (i == group && groups == 0) {
            return None;
        }
        groups += 1;
        if i < s.len() && s[i] == b':' {
            i += 1;
        } else {
            break;
        }
    }
    let ends = i == s.len() || !s[i].is_ascii_alphanumeric();
    (groups >= 4 && digit && ends).then_some(i)
}

/// End (exclusive) of the bracket that opens at `open`.
pub(super) fn bracket_end(s: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (j, b) in s.iter().enumerate().take(open + BRACKET_REACH).skip(open) {
        match b {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(j + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The value after the `=` at `equals`: a quoted string, a bracketed list, `Name{…}`, or text up to a separator.
/// `a = b` is understood; `==`, `<=` and the like are no assignments.
pub(super) fn right_side(s: &[u8], equals: usize) -> Option<RightSide> {
    if equals == 0 || matches!(s[equals - 1], b'=' | b'<' | b'>' | b'!') {
        return None;
    }
    let mut start = equals + 1;
    if s.get(start) == Some(&b' ') && s[equals - 1] == b' ' {
        start += 1;
    }
    let end = match *s.get(start)? {
        quote @ (b'"' | b'\'') => {
            start + 2 + s[start + 1..].iter().take(QUOTE_REACH).position(|&b| b == quote)?
        }
        b'[' | b'{' => bracket_end(s, start)?,
        _ => bare_end(s, start)?,
    };
    let in_record = matches!(s.get(end), Some(b',' | b'}' | b']' | b';' | b')'));
    Some(RightSide { start, end, in_record })
}

fn bare_end(s: &[u8], start: usize) -> Option<usize> {
    let is_end = |b: &u8| {
        matches!(
            b,
            b' ' | b'\t' | b',' | b';' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'"' | b'<' | b'>' | b'='
        )
    };
    let end = s[start..].iter().position(is_end).map_or(s.len(), |n| start + n);
    match s.get(end) {
        _ if end == start => None,
        Some(b'=') => None,
        Some(b'{') => bracket_end(s, end),
        _ => Some(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_sides_end_where_a_reader_ends_them() {
        let check = |s: &str, expected: Option<(&str, bool)>| {
            let equals = s.find('=').unwrap();
            let found = right_side(s.as_bytes(), equals);
            assert_eq!(found.map(|r| (&s[r.start..r.end], r.in_record)), expected, "{s}");
        };
        check("a=b, c", Some(("b", true)));
        check("a=b c", Some(("b", false)));
        check("a = b c", Some(("b", false)));
        check("a=\"x y\";", Some(("\"x y\"", true)));
        check("a=[1, [2]] z", Some(("[1, [2]]", false)));
        check("a=Foo{x=1}, b", Some(("Foo{x=1}", true)));
        check("a= ", None);
        check("a=", None);
        check("a=\"open", None);
        check("=a", None);
    }

    #[test]
    fn addresses_with_colons_are_found() {
        let mac = b"00:1b:44:11:3a:b7 up";
        assert_eq!(hex_groups(mac, 0), Some(17));
        assert_eq!(hex_groups(b"fe80::1:2", 0), Some(9));
        assert_eq!(hex_groups(b"12:34:56", 0), None, "a time of day has three groups");
        assert_eq!(hex_groups(b"add:bed:cab:fee", 0), None, "no decimal digit");
    }
}
