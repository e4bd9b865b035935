//! Regular expressions of the analyzer: written for Java, look-around included.

use std::borrow::Cow;

use fancy_regex::Regex;

use super::config::ConfigError;

#[derive(Clone, Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn new(pattern: &str, place: &'static str) -> Result<Self, ConfigError> {
        Regex::new(pattern).map(Self).map_err(|e| ConfigError::Pattern {
            place,
            pattern: pattern.to_owned(),
            reason: e.to_string(),
        })
    }

    /// Replaces all matches (or the first). A pattern that gives up (too much backtracking) changes nothing.
    pub(super) fn replace<'a>(&self, text: &'a str, replacement: &str, all: bool) -> Cow<'a, str> {
        let limit = if all { 0 } else { 1 };
        self.0.try_replacen(text, limit, replacement).unwrap_or(Cow::Borrowed(text))
    }

    /// Places of all matches, up to the first that cannot be decided.
    pub(super) fn matches<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
        self.0.find_iter(text).map_while(Result::ok).map(|m| (m.start(), m.end()))
    }
}

/// Java's replacement text (`$1`, `\$`) in the form of the regex crate (`${1}`, `$$`).
pub(super) fn replacement(java: &str) -> String {
    let mut out = String::with_capacity(java.len());
    let mut chars = java.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('$') => out.push_str("$$"),
                Some(other) => out.push(other),
                None => {}
            },
            '$' => {
                let mut group = String::new();
                while let Some(d) = chars.next_if(char::is_ascii_digit) {
                    group.push(d);
                }
                if group.is_empty() {
                    out.push_str("$$");
                } else {
                    out.push_str(&format!("${{{group}}}"));
                }
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_replacements_are_understood() {
        let check = |pattern: &str, java: &str, text: &str, expected: &str| {
            let pattern = Pattern::new(pattern, "test").unwrap();
            assert_eq!(pattern.replace(text, &replacement(java), true), expected);
        };
        check("(a)(b)", "$2$1x", "ab-ab", "bax-bax");
        check("a", "\\$1", "a", "$1");
        check("a(?=b)", "", "ab ac", "b ac");
    }

    #[test]
    fn endless_backtracking_changes_nothing() {
        let pattern = Pattern::new(r"(a+)+\1b", "test").unwrap();
        let text = "a".repeat(5000);
        assert_eq!(pattern.replace(&text, "", true), text);
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = Pattern::new("(", "categorization_filters").unwrap_err().to_string();
        assert!(
            error.starts_with("[categorization_filters] has an invalid regular expression [(]"),
            "{error}"
        );
    }
}
