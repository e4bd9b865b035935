//! What is done to a message before it is cut into tokens.

use std::borrow::Cow;

use super::pattern::Pattern;

#[derive(Clone, Debug)]
pub(super) enum CharFilter {
    /// Only the first line that has a letter; else the first line that is not blank.
    FirstLineWithLetters,
    FirstNonBlankLine,
    Replace {
        pattern: Pattern,
        replacement: String,
    },
    /// Literal replacements; of those that match at a place the longest wins.
    Mapping(Vec<(String, String)>),
}

impl CharFilter {
    pub(super) fn apply<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        match text {
            Cow::Borrowed(text) => self.apply_str(text),
            Cow::Owned(text) => Cow::Owned(self.apply_str(&text).into_owned()),
        }
    }

    fn apply_str<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self {
            Self::FirstLineWithLetters => Cow::Borrowed(first_line_with_letters(text)),
            Self::FirstNonBlankLine => Cow::Borrowed(first_non_blank_line(text)),
            Self::Replace { pattern, replacement } => pattern.replace(text, replacement, true),
            Self::Mapping(pairs) => map(text, pairs),
        }
    }
}

fn first_line_with_letters(text: &str) -> &str {
    if memchr::memchr(b'\n', text.as_bytes()).is_none() {
        return text;
    }
    let with_letters = text.split('\n').find(|line| line.chars().any(char::is_alphabetic));
    with_letters.unwrap_or_else(|| first_non_blank_line(text))
}

fn first_non_blank_line(text: &str) -> &str {
    text.split('\n').find(|line| !line.trim().is_empty()).unwrap_or_default()
}

fn map<'a>(text: &'a str, pairs: &[(String, String)]) -> Cow<'a, str> {
    let mut out = String::new();
    let (mut rest, mut copied) = (text, false);
    while let Some(c) = rest.chars().next() {
        let longest =
            pairs.iter().filter(|(from, _)| rest.starts_with(from)).max_by_key(|(from, _)| from.len());
        if let Some((from, to)) = longest {
            if !copied {
                out.push_str(&text[..text.len() - rest.len()]);
                copied = true;
            }
            out.push_str(to);
            rest = &rest[from.len()..];
        } else {
            if copied {
                out.push(c);
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    if copied { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_telling_line_is_taken() {
        let check = |text: &str, letters: &str, blank: &str| {
            assert_eq!(first_line_with_letters(text), letters);
            assert_eq!(first_non_blank_line(text), blank);
        };
        check("\n \n====\nERROR é\n at x", "ERROR é", "====");
        check("12\n34", "12", "12");
        check("\n\n", "", "");
    }

    #[test]
    fn mappings_take_the_longest_match() {
        let pairs = vec![("a".to_owned(), "1".to_owned()), ("ab".to_owned(), "2".to_owned())];
        assert_eq!(map("xabay", &pairs), "x21y");
        assert!(matches!(map("xyz", &pairs), Cow::Borrowed("xyz")));
    }
}
