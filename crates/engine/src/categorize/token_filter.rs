//! What is done to the tokens of a custom analyzer.

use super::pattern::Pattern;

#[derive(Clone, Debug)]
pub(super) enum TokenFilter {
    LowerCase,
    UpperCase,
    Trim,
    Stop { words: Vec<String>, ignore_case: bool },
    Replace { pattern: Pattern, replacement: String, all: bool },
    Length { min: usize, max: usize },
    Limit(usize),
}

impl TokenFilter {
    /// Changes one word; `false` drops it.
    pub(super) fn keeps(&self, word: &mut String) -> bool {
        match self {
            Self::LowerCase => *word = word.to_lowercase(),
            Self::UpperCase => *word = word.to_uppercase(),
            Self::Trim => *word = word.trim().to_owned(),
            Self::Stop { words, ignore_case: false } => return !words.contains(word),
            Self::Stop { words, ignore_case: true } => {
                let lower = word.to_lowercase();
                return !words.iter().any(|w| w.to_lowercase() == lower);
            }
            Self::Replace { pattern, replacement, all } => {
                *word = pattern.replace(word, replacement, *all).into_owned();
            }
            Self::Length { min, max } => return (*min..=*max).contains(&word.chars().count()),
            Self::Limit(_) => {} // a matter of all tokens together
        }
        true
    }

    pub(super) fn changes_case(&self) -> bool {
        matches!(self, Self::LowerCase | Self::UpperCase)
    }
}

/// Elasticsearch's documented `_english_` stop words.
pub(super) const ENGLISH: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no",
    "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to",
    "was", "will", "with",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_change_or_drop() {
        let check = |filter: &TokenFilter, word: &str, expected: Option<&str>| {
            let mut changed = word.to_owned();
            let kept = filter.keeps(&mut changed);
            assert_eq!(kept.then_some(changed.as_str()), expected);
        };
        check(&TokenFilter::LowerCase, "AbC", Some("abc"));
        let stop = TokenFilter::Stop { words: vec!["The".to_owned()], ignore_case: true };
        check(&stop, "the", None);
        check(&stop, "there", Some("there"));
        let numbers = TokenFilter::Replace {
            pattern: Pattern::new("^[0-9].*", "test").unwrap(),
            replacement: String::new(),
            all: true,
        };
        check(&numbers, "12ab", Some(""));
        check(&TokenFilter::Length { min: 2, max: 3 }, "abcd", None);
    }
}
